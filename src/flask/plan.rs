//! What is to be stored of what another chat has stored: names and texts that fit here, and absolute times.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::source::{Group, GroupPassword, Login, Person, Said, Source, Whom};
use crate::types::{
    ClientId, MessageText, NameKey, Password, PublicKey, RoomName, RoomRole, Timestamp, Token, User, UserId, Username,
};

/// What is to be stored.
pub struct Plan {
    pub users: Vec<PlannedUser>,
    pub public: Vec<Planned>,
    pub groups: Vec<PlannedGroup>,
    /// What is stored in another way than it stands in the file.
    pub changes: Vec<String>,
    /// What cannot be brought along.
    pub problems: Vec<String>,
}

/// Somebody who is to be stored: with an account, where they have a login.
pub struct PlannedUser {
    pub user: User,
    pub login: Option<Login>,
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
    /// The source's id, where it has more than names.
    pub id: Option<String>,
    pub name: RoomName,
    pub creator: Option<Username>,
    pub created_at: Timestamp,
    pub password: Option<PlannedPassword>,
    pub members: Vec<PlannedMember>,
    pub messages: Vec<Planned>,
}

#[derive(Clone)]
pub enum PlannedPassword {
    Clear(Password),
    Hash(String),
}

pub struct PlannedMember {
    pub user: UserId,
    pub name: Username,
    pub role: RoomRole,
}

impl Plan {
    pub fn all_messages(&self) -> impl Iterator<Item = &Planned> {
        self.public.iter().chain(self.groups.iter().flat_map(|group| &group.messages))
    }

    /// How many messages there are.
    pub fn messages(&self) -> usize {
        self.all_messages().count()
    }

    /// They are brought as they are: a limit is for what is written from now on.
    pub fn note_long_messages(&mut self, limit: usize) {
        let count = self.all_messages().filter(|planned| planned.text.length() > limit).count();
        if count > 0 {
            self.changes.push(format!(
                "messages of more than {limit} characters, brought whole: {count}. New ones may be as long only with a larger \
                 MAX_MESSAGE_LENGTH"
            ));
        }
    }

    pub fn accounts(&self) -> usize {
        self.users.iter().filter(|planned| planned.login.is_some()).count()
    }

    pub fn groups_with_password(&self) -> usize {
        self.groups.iter().filter(|group| group.password.is_some()).count()
    }
}

/// Makes names and texts fit, and times absolute.
struct Planner {
    zone: Tz,
    now: DateTime<Utc>,
    has_accounts: bool,
    users: HashMap<String, PlannedUser>,
    order: Vec<String>,
    /// Keys of the names that people have.
    names: HashSet<String>,
    ids: HashSet<String>,
    changes: Vec<String>,
    problems: Vec<String>,
}

/// `zone`: where the source's clock stood, for those of its times that do not say.
pub fn plan(source: Source, zone: Tz, now: DateTime<Utc>) -> Plan {
    let Source { people, public, groups, has_accounts, changes, problems } = source;
    let mut planner = Planner {
        zone,
        now,
        has_accounts,
        users: HashMap::new(),
        order: Vec::new(),
        names: HashSet::new(),
        ids: HashSet::new(),
        changes,
        problems,
    };
    people.into_iter().for_each(|person| planner.person(person));
    planner.tell_namesakes();
    let public = planner.messages("the public room", public);
    let mut taken = HashSet::from([NameKey::of_room(&RoomName::public()).as_str().to_owned()]);
    let groups = groups.into_iter().map(|group| planner.group(group, &mut taken)).collect();
    let mut users = planner.users;
    let users = planner.order.iter().filter_map(|id| users.remove(id)).collect();
    Plan { users, public, groups, changes: planner.changes, problems: planner.problems }
}

impl Planner {
    fn person(&mut self, person: Person) {
        let Person { user_id, username, public_key, created_at, login } = person;
        let name = self.username(&username);
        let name = if self.has_accounts { self.unlike_others(name) } else { name };
        let public_key = match public_key {
            Value::Null => None,
            Value::String(text) if text.is_empty() => None,
            key => PublicKey::try_from(key).ok(),
        };
        let joined_at = self.time(&format!("the user {username:?}"), &created_at);
        self.order.push(user_id.clone());
        let user = User { id: id_of(&user_id), name, public_key, joined_at };
        self.users.insert(user_id, PlannedUser { user, login });
    }

    /// The name, or the next one with a number that looks like nobody else's.
    fn unlike_others(&mut self, wanted: Username) -> Username {
        let with_number = (2..).map(|number| numbered(wanted.as_str(), number));
        let mut names = std::iter::once(wanted.as_str().to_owned()).chain(with_number);
        let name = names.find_map(|name| {
            let name = Username::try_from(name).ok()?;
            self.names.insert(NameKey::of(&name).as_str().to_owned()).then_some(name)
        });
        let name = name.expect("there is always another number");
        if name != wanted {
            let (wanted, name) = (wanted.as_str(), name.as_str());
            self.changes.push(format!("{wanted:?} looks like another one's name: this one is called {name:?}"));
        }
        name
    }

    /// Each visit made a user, so that most are one person. That cannot be told from two.
    fn tell_namesakes(&mut self) {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for planned in self.users.values() {
            *counts.entry(planned.user.name.as_str()).or_default() += 1;
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
            let (user_id, username) = (id.to_owned(), username.to_owned());
            self.person(Person { user_id, username, public_key, created_at, login: None });
        }
        let user = &self.users[id].user;
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
        // What they were called when they said it; an account has its one name.
        let name = match self.has_accounts {
            true => own,
            false => Username::try_from(said.username.clone()).unwrap_or(own),
        };
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

    fn group(&mut self, group: Group, taken: &mut HashSet<String>) -> PlannedGroup {
        let Group { name: original, id, creator, password, created_at, members, messages } = group;
        let name = self.group_name(&original, taken);
        let created_at = self.time(&format!("the group {original:?}"), &created_at);
        let members: Vec<_> = members.iter().map(|whom| self.member(whom)).collect();
        let creator = match creator {
            Some(Whom::Id(id)) => self.users.get(&id).map(|planned| planned.user.name.clone()),
            Some(Whom::Name(name)) => Username::try_from(name).ok(),
            None => None,
        };
        let with_role = |(user, name): (UserId, Username)| {
            let role = if creator.as_ref() == Some(&name) { RoomRole::Owner } else { RoomRole::Member };
            PlannedMember { user, name, role }
        };
        let members = members.into_iter().map(with_role).collect();
        let password = password.map(|password| self.password(&original, password));
        let messages = self.messages(&format!("the group {original:?}"), messages);
        PlannedGroup { original, id, name, creator, created_at, password, members, messages }
    }

    fn member(&mut self, whom: &Whom) -> (UserId, Username) {
        match whom {
            Whom::Id(id) => self.somebody(id, "somebody"),
            Whom::Name(name) => {
                let known = self.order.iter().find(|id| self.users[*id].user.name.as_str() == name).cloned();
                self.somebody(&known.unwrap_or_else(|| format!("member {name}")), name)
            }
        }
    }

    /// A group that had a password is never left open.
    fn password(&mut self, group: &str, password: GroupPassword) -> PlannedPassword {
        let nobodys = || Password::try_from(Token::random().as_str().to_owned()).expect("a token is short enough");
        match password {
            GroupPassword::Hash(hash) => PlannedPassword::Hash(hash),
            GroupPassword::Lost => PlannedPassword::Clear(nobodys()),
            GroupPassword::Clear(text) => {
                PlannedPassword::Clear(Password::try_from(text.to_string()).unwrap_or_else(|problem| {
                    self.problems
                        .push(format!("the password of the group {group:?} {problem}: nobody can come in by it"));
                    nobodys()
                }))
            }
        }
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

    /// A time with a zone, a local one without, or a number of seconds since 1970.
    fn time(&mut self, what: &str, text: &str) -> Timestamp {
        let found = DateTime::parse_from_rfc3339(text)
            .map(|time| time.to_utc())
            .ok()
            .or_else(|| local_time(text).map(|local| self.absolute(local)))
            .or_else(|| epoch(text));
        found.map_or_else(
            || {
                if !text.is_empty() {
                    self.changes.push(format!("{what} has no time that can be read ({text:?}): it gets today's"));
                }
                self.now.into()
            },
            Timestamp::from,
        )
    }

    /// An hour that came twice is taken for the first one; one that was skipped, as if the clock had not been changed.
    fn absolute(&self, local: NaiveDateTime) -> DateTime<Utc> {
        let found = self.zone.from_local_datetime(&local).earliest();
        let later = || self.zone.from_local_datetime(&(local + Duration::hours(1))).earliest();
        let found = found.or_else(|| later().map(|time| time - Duration::hours(1)));
        found.map_or_else(|| local.and_utc(), |time| time.to_utc())
    }
}

/// As Python writes it in ISO 8601, as SQLAlchemy stores it in SQLite, or a day alone.
fn local_time(text: &str) -> Option<NaiveDateTime> {
    let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"];
    let time = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    time.or_else(|| Some(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN)))
}

/// Seconds since 1970, or as JavaScript counts them, milliseconds: those of our time are above a hundred thousand million.
fn epoch(text: &str) -> Option<DateTime<Utc>> {
    const FIRST_MILLISECONDS: f64 = 1e11;

    let number: f64 = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0)?;
    let seconds = if number >= FIRST_MILLISECONDS { number / 1_000.0 } else { number };
    DateTime::from_timestamp_micros((seconds * 1e6).round() as i64)
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
pub(super) fn id_of(text: &str) -> UserId {
    text.parse().unwrap_or_else(|_| {
        let digest = Sha256::digest(format!("flask user {text}"));
        UserId::from_stored(&digest[..16]).expect("16 bytes are an id")
    })
}
