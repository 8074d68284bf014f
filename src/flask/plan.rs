//! What is to be stored of what the original has stored: names and texts that fit here, and absolute times.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Duration, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::chat_data::{ChatData, Group, Person, Said};
use crate::types::{
    ClientId, MessageText, NameKey, Password, PublicKey, RoomName, Timestamp, Token, User, UserId, Username,
};

/// What is to be stored.
pub struct Plan {
    pub users: Vec<User>,
    pub public: Vec<Planned>,
    pub groups: Vec<PlannedGroup>,
    /// What is stored in another way than it stands in the file.
    pub changes: Vec<String>,
    /// What cannot be brought along.
    pub problems: Vec<String>,
}

/// A message that is to be stored.
#[derive(Clone)]
pub struct Planned {
    pub user: UserId,
    pub name: Username,
    pub text: MessageText,
    pub encrypted_content: String,
    pub id: ClientId,
    pub at: Timestamp,
}

pub struct PlannedGroup {
    pub original: String,
    pub name: RoomName,
    pub creator: Option<Username>,
    pub created_at: Timestamp,
    pub password: Option<Password>,
    pub members: Vec<(UserId, Username)>,
    pub messages: Vec<Planned>,
}

impl Plan {
    /// How many messages there are.
    pub fn messages(&self) -> usize {
        self.public.len() + self.groups.iter().map(|group| group.messages.len()).sum::<usize>()
    }

    pub fn groups_with_password(&self) -> usize {
        self.groups.iter().filter(|group| group.password.is_some()).count()
    }
}

/// Makes names and texts fit, and times absolute.
struct Planner {
    zone: Tz,
    now: DateTime<Utc>,
    users: HashMap<String, User>,
    order: Vec<String>,
    ids: HashSet<String>,
    changes: Vec<String>,
    problems: Vec<String>,
}

/// `zone`: where the original's clock stood; its times do not say.
pub fn plan(data: ChatData, zone: Tz, now: DateTime<Utc>) -> Plan {
    let ChatData { people, public, groups, problems } = data;
    let mut planner = Planner {
        zone,
        now,
        users: HashMap::new(),
        order: Vec::new(),
        ids: HashSet::new(),
        changes: Vec::new(),
        problems,
    };
    people.into_iter().for_each(|person| planner.person(person));
    planner.tell_namesakes();
    let public = planner.messages("the public room", public);
    let mut taken = HashSet::from([NameKey::of_room(&RoomName::public()).as_str().to_owned()]);
    let groups = groups.into_iter().map(|(name, group)| planner.group(name, group, &mut taken)).collect();
    let mut users = planner.users;
    let users = planner.order.iter().filter_map(|id| users.remove(id)).collect();
    Plan { users, public, groups, changes: planner.changes, problems: planner.problems }
}

impl Planner {
    fn person(&mut self, person: Person) {
        let Person { user_id, username, public_key, created_at } = person;
        let name = self.username(&username);
        let public_key = match public_key {
            Value::Null => None,
            Value::String(text) if text.is_empty() => None,
            key => PublicKey::try_from(key).ok(),
        };
        let joined_at = self.time(&format!("the user {username:?}"), &created_at);
        self.order.push(user_id.clone());
        self.users.insert(user_id.clone(), User { id: id_of(&user_id), name, public_key, joined_at });
    }

    /// Each visit made a user, so that most are one person. That cannot be told from two.
    fn tell_namesakes(&mut self) {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for user in self.users.values() {
            *counts.entry(user.name.as_str()).or_default() += 1;
        }
        let shared = counts.into_iter().filter(|(_, count)| *count > 1);
        let lines: Vec<_> = shared
            .map(|(name, count)| format!("{count} users are called {name:?}: they stay apart, under one name"))
            .collect();
        self.changes.extend(lines);
    }

    /// Somebody who is named where no user stands behind the name.
    fn somebody(&mut self, id: &str, username: &str) -> (UserId, Username) {
        if !self.users.contains_key(id) {
            let public_key = Value::Null;
            let created_at = String::new();
            self.changes.push(format!("there was no user {username:?} any more: one is made"));
            self.person(Person { user_id: id.to_owned(), username: username.to_owned(), public_key, created_at });
        }
        let user = &self.users[id];
        (user.id, user.name.clone())
    }

    fn username(&mut self, original: &str) -> Username {
        match Username::try_from(original.to_owned()) {
            Ok(name) => name,
            Err(problem) => {
                let kept = fitting(original, |text| Username::try_from(text).is_ok());
                let name = Username::try_from(kept).unwrap_or_else(|_| {
                    let digest = &id_of(original).to_string()[..8];
                    Username::try_from(format!("user {digest}")).expect("a name of letters and digits")
                });
                self.changes.push(format!("the user {original:?} is called {:?}: a name {problem}", name.as_str()));
                name
            }
        }
    }

    fn messages(&mut self, place: &str, rows: Vec<Said>) -> Vec<Planned> {
        rows.into_iter()
            .enumerate()
            .filter_map(|(number, said)| {
                let what = format!("message {} of {place}", number + 1);
                self.message(&what, said)
            })
            .collect()
    }

    fn message(&mut self, what: &str, said: Said) -> Option<Planned> {
        if said.message.is_empty() {
            self.problems.push(format!("{what} is empty, and left out"));
            return None;
        }
        let text = MessageText::try_from(said.message.clone()).or_else(|problem| {
            self.changes.push(format!("{what} loses its control characters: a message {problem}"));
            let visible = |c: char| if MessageText::try_from(c.to_string()).is_ok() { c } else { '\u{FFFD}' };
            MessageText::try_from(said.message.chars().map(visible).collect::<String>())
        });
        let text = text.inspect_err(|problem| self.problems.push(format!("{what} {problem}"))).ok()?;
        let (user, own) = self.somebody(&said.user_id, &said.username);
        // What they were called when they said it.
        let name = Username::try_from(said.username.clone()).unwrap_or(own);
        let at = self.time(what, &said.timestamp);
        let id = self.client_id(&said);
        Some(Planned { user, name, text, encrypted_content: said.encrypted_content, id, at })
    }

    /// The original's id; where it gave none, or one twice, one that the message has at each import.
    fn client_id(&mut self, said: &Said) -> ClientId {
        let own = format!("{}|{}|{}|{}", said.id, said.user_id, said.timestamp, said.message);
        let candidates =
            std::iter::once(said.id.clone()).chain((0..).map(|copy| id_of(&format!("{own}|{copy}")).to_string()));
        for candidate in candidates {
            if let Ok(id) = ClientId::try_from(candidate.clone())
                && self.ids.insert(candidate)
            {
                return id;
            }
        }
        unreachable!("there is always another number")
    }

    fn group(&mut self, original: String, group: Group, taken: &mut HashSet<String>) -> PlannedGroup {
        let name = self.group_name(&original, taken);
        let created_at = self.time(&format!("the group {original:?}"), &group.created_at);
        let mut members = Vec::new();
        for member in &group.members {
            let known = self.order.iter().find(|id| self.users[*id].name.as_str() == member).cloned();
            members.push(self.somebody(&known.unwrap_or_else(|| format!("member {member}")), member));
        }
        let password = group.password.map(|password| self.password(&original, &password));
        let messages = self.messages(&format!("the group {original:?}"), group.messages);
        let creator = Username::try_from(group.creator).ok();
        PlannedGroup { original, name, creator, created_at, password, members, messages }
    }

    /// A group that had a password is never left open.
    fn password(&mut self, group: &str, password: &str) -> Password {
        Password::try_from(password.to_owned()).unwrap_or_else(|problem| {
            self.problems.push(format!("the password of the group {group:?} {problem}: nobody can come in by it"));
            Password::try_from(Token::random().as_str().to_owned()).expect("a token is short enough")
        })
    }

    /// The name itself, or one like it that is allowed here and that no other group has.
    fn group_name(&mut self, original: &str, taken: &mut HashSet<String>) -> RoomName {
        let wanted = RoomName::try_from(original.to_owned()).ok().filter(|name| !name.is_direct());
        let base = match &wanted {
            Some(name) => name.as_str().to_owned(),
            None => match fitting(&original.replace(':', " "), |text| RoomName::try_from(text).is_ok()) {
                kept if kept.is_empty() => "group".to_owned(),
                kept => kept,
            },
        };
        let mut numbered = std::iter::once(base.clone()).chain((2..).map(|number| numbered(&base, number)));
        let name = numbered.find_map(|name| {
            let name = RoomName::try_from(name).ok()?;
            taken.insert(NameKey::of_room(&name).as_str().to_owned()).then_some(name)
        });
        let name = name.expect("there is always another number");
        if wanted.as_ref() != Some(&name) {
            self.changes.push(format!("the group {original:?} is called {:?}", name.as_str()));
        }
        name
    }

    /// A local time without a zone, as the original wrote them.
    fn time(&mut self, what: &str, text: &str) -> Timestamp {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return time.to_utc().into();
        }
        match NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f") {
            Ok(local) => self.absolute(local).into(),
            Err(_) => {
                if !text.is_empty() {
                    self.changes.push(format!("{what} has no time that can be read ({text:?}): it gets today's"));
                }
                self.now.into()
            }
        }
    }

    /// An hour that came twice is taken for the first one; one that was skipped, as if the clock had not been changed.
    fn absolute(&self, local: NaiveDateTime) -> DateTime<Utc> {
        let found = self.zone.from_local_datetime(&local).earliest();
        let later = || self.zone.from_local_datetime(&(local + Duration::hours(1))).earliest();
        let found = found.or_else(|| later().map(|time| time - Duration::hours(1)));
        found.map_or_else(|| local.and_utc(), |time| time.to_utc())
    }
}

/// A name with a number, where another has the name.
pub fn numbered(name: &str, number: u32) -> String {
    let short: String = name.chars().take(56).collect();
    format!("{} {number}", short.trim_end())
}

/// What of a text can stand in a name.
fn fitting(text: &str, is_name: impl Fn(String) -> bool) -> String {
    let kept: String = text.chars().filter(|c| *c == ' ' || is_name(format!("a{c}a"))).collect();
    kept.trim().chars().take(64).collect::<String>().trim_end().to_owned()
}

/// The original's ids are UUIDs; another text always gives the same one.
fn id_of(text: &str) -> UserId {
    text.parse().unwrap_or_else(|_| {
        let digest = Sha256::digest(format!("flask user {text}"));
        UserId::from_stored(&digest[..16]).expect("16 bytes are an id")
    })
}
