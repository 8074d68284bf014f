//! Stores what was planned of another chat's data, in one transaction. What was imported before is known again by the ids
//! that it had there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::plan::{Plan, Planned, PlannedGroup, PlannedPassword, PlannedUser, numbered};
use super::source::Login;
use crate::app::App;
use crate::error::{Error, Result};
use crate::store::accounts::{self, Account};
use crate::store::audit::Entry;
use crate::store::{Lane, Reader, Tx, client_ids, messages, people, rooms, state};
use crate::types::{Identity, NameKey, Reason, Role, Room, RoomId, RoomName, Sent, Timestamp, User, UserId, Username};

/// The row of the state that tells which groups were imported.
const IMPORTED: &str = "flask_import";
/// When most of the people who are here already are called otherwise in the file.
const OTHER_DATABASE: &str = "This seems to be another database than the one that was brought before: under the same ids it has other people. Nothing was stored. Give it a name of its own in its mapping, as the first line: source = \"another name\".";

/// The groups that were imported, and their ids here.
#[derive(Default, Serialize, Deserialize)]
struct Imported {
    /// By their names in the original.
    groups: BTreeMap<String, i64>,
    /// By the ids that other sources gave them.
    #[serde(default)]
    rooms: BTreeMap<String, i64>,
}

impl Imported {
    fn find(&self, group: &PlannedGroup) -> Option<RoomId> {
        let found = match &group.id {
            Some(id) => self.rooms.get(id),
            None => self.groups.get(&group.original),
        };
        found.copied().map(RoomId::from_stored)
    }

    fn add(&mut self, group: &PlannedGroup, room: RoomId) {
        match &group.id {
            Some(id) => self.rooms.insert(id.clone(), room.get()),
            None => self.groups.insert(group.original.clone(), room.get()),
        };
    }
}

/// What the imported groups are called in the original.
pub fn imported(reader: &mut Reader) -> Result<HashMap<RoomId, String>> {
    let imported: Imported = state::get(reader, IMPORTED)?.unwrap_or_default();
    Ok(imported.groups.into_iter().map(|(name, id)| (RoomId::from_stored(id), name)).collect())
}

/// What was stored, and what was there already.
#[derive(Default, Debug)]
pub struct Done {
    pub users: usize,
    pub groups: usize,
    pub messages: usize,
    pub known: usize,
    /// Accounts that are called otherwise here, since somebody had the name: the wanted name, and theirs.
    pub renamed: Vec<(Username, Username)>,
    /// Messages that are older than what was in their room already, and stand below it.
    pub late: usize,
}

/// Stores what is not stored yet, all of it or nothing. `progress` hears how many messages were looked at.
pub async fn store(app: &App, plan: Plan, progress: impl Fn(u64) + Send + 'static) -> Result<Done> {
    let mut hashes = Vec::with_capacity(plan.groups.len());
    for group in &plan.groups {
        hashes.push(match group.password.clone() {
            Some(PlannedPassword::Clear(password)) => Some(app.passwords.hash(password).await?),
            Some(PlannedPassword::Hash(hash)) => Some(hash),
            None => None,
        });
    }
    let plan = Arc::new(plan);
    let at = app.now();
    app.db
        .write(Lane::People, move |tx| {
            let people = People::store(tx, &plan.users, at)?;
            Import { people, looked_at: 0, progress: &progress, done: Done::default() }.run(tx, &plan, &hashes)
        })
        .await
}

/// The people of a plan, as they are stored.
#[derive(Default)]
struct People {
    /// Who has an account, and its name.
    accounts: HashMap<UserId, Username>,
    /// Accounts' names in the plan, and what they are called here.
    names: HashMap<Username, Username>,
    new: usize,
    known: usize,
}

impl People {
    fn store(tx: &mut Tx, users: &[PlannedUser], at: Timestamp) -> Result<Self> {
        let mut people = Self::default();
        let (mut familiar, mut strangers) = (0, 0);
        for PlannedUser { user, login } in users {
            let name = match (people::name(tx, user.id)?, login) {
                (Some(name), _) => {
                    people.known += 1;
                    match name.as_str().starts_with(user.name.as_str()) {
                        true => familiar += 1,
                        false => strangers += usize::from(login.is_some()),
                    }
                    name
                }
                (None, Some(login)) => {
                    people.new += 1;
                    insert_account(tx, user, login, at)?
                }
                (None, None) => {
                    people.new += 1;
                    people::insert(tx, user)?;
                    user.name.clone()
                }
            };
            if login.is_some() && accounts::get(tx, user.id)?.is_some() {
                people.names.insert(user.name.clone(), name.clone());
                people.accounts.insert(user.id, name);
            }
        }
        match strangers > familiar {
            true => Err(Error::Conflict(OTHER_DATABASE.into())),
            false => Ok(people),
        }
    }

    /// What somebody is called here whom the plan calls so.
    fn name_here(&self, planned: &Username) -> Username {
        self.names.get(planned).unwrap_or(planned).clone()
    }
}

/// An account of the wanted name, or, where somebody here has that, of the next free one.
fn insert_account(tx: &mut Tx, user: &User, login: &Login, at: Timestamp) -> Result<Username> {
    let mut name = user.name.clone();
    for number in 2.. {
        if accounts::find(tx, &NameKey::of(&name))?.is_none() {
            break;
        }
        name = Username::try_from(numbered(user.name.as_str(), number))
            .map_err(|problem| Error::invalid("username", problem))?;
    }
    let role = if login.is_admin { Role::Admin } else { Role::Member };
    let account = Account {
        name: name.clone(),
        role,
        password_hash: login.password_hash.clone(),
        disabled: login.disabled,
        created_at: user.joined_at.micros(),
        second_factor: None,
    };
    people::insert(tx, &User { name: name.clone(), ..user.clone() })?;
    accounts::insert(tx, user.id, &account)?;
    tx.shared.note(Entry {
        at: at.micros(),
        by: None,
        action: format!("import_account {}", role.name()),
        target: Some(name.as_str().to_owned()),
        room: None,
        reason: Reason::default(),
    });
    Ok(name)
}

/// Stores the rooms and messages of a plan.
struct Import<'a> {
    people: People,
    looked_at: u64,
    progress: &'a dyn Fn(u64),
    done: Done,
}

impl Import<'_> {
    fn run(mut self, tx: &mut Tx, plan: &Plan, hashes: &[Option<String>]) -> Result<Done> {
        state::touch(tx, IMPORTED)?;
        let mut imported: Imported = state::get(tx, IMPORTED)?.unwrap_or_default();
        let public = rooms::public(tx)?;
        self.say_all(tx, &public, &plan.public)?;
        for (group, hash) in plan.groups.iter().zip(hashes) {
            let known = imported.find(group).map(|id| rooms::by_id(tx, id)).transpose()?.flatten();
            let room = match known {
                Some(room) => room,
                None => {
                    let creator = group.creator.as_ref().map(|name| self.people.name_here(name));
                    let room = make_room(tx, group, creator, hash.clone())?;
                    imported.add(group, room.id);
                    self.done.groups += 1;
                    room
                }
            };
            for member in &group.members {
                let name = self.people.name_here(&member.name);
                rooms::add_member(tx, room.id, member.user, &name, group.created_at, member.role)?;
            }
            self.say_all(tx, &room, &group.messages)?;
        }
        state::set(tx, IMPORTED, &imported)?;
        let renamed = self.people.names.into_iter().filter(|(planned, name)| planned != name).collect();
        let (users, known) = (self.people.new, self.people.known + self.done.known);
        Ok(Done { users, known, renamed, ..self.done })
    }

    fn say_all(&mut self, tx: &mut Tx, room: &Room, planned: &[Planned]) -> Result<()> {
        let newest = messages::page(tx, room, i64::MAX, 1)?.first().map(|newest| newest.message.timestamp);
        for message in planned {
            self.looked_at += 1;
            (self.progress)(self.looked_at);
            let account = self.people.accounts.get(&message.user);
            let name = account.unwrap_or(&message.name).clone();
            let author = Identity::of(account.is_some(), message.user, &name);
            if client_ids::find(tx, &author, &message.id)?.is_some() {
                self.done.known += 1;
                continue;
            }
            let new = messages::NewMessage {
                user: message.user,
                name,
                by_account: account.is_some(),
                text: message.text.clone(),
                encrypted_content: message.encrypted_content.clone(),
                client_id: Some(message.id.clone()),
                reply_to: None,
                attachments: Vec::new(),
                at: message.at,
            };
            let written = messages::insert(tx, room, new)?;
            client_ids::insert(tx, &author, &message.id, room.id, &Sent::from(&written.message))?;
            tx.shared.count_message(message.user, message.at);
            self.done.messages += 1;
            self.done.late += usize::from(newest.is_some_and(|newest| message.at < newest));
        }
        Ok(())
    }
}

/// A group of the wanted name, or, where people here have made one of that name, of the next free one.
fn make_room(
    tx: &mut Tx,
    group: &PlannedGroup,
    creator: Option<Username>,
    password_hash: Option<String>,
) -> Result<Room> {
    let mut name = group.name.clone();
    for number in 2.. {
        if !rooms::is_taken(tx, &name)? {
            break;
        }
        name = RoomName::try_from(numbered(group.name.as_str(), number))
            .map_err(|problem| Error::invalid("name", problem))?;
    }
    let room = Room {
        id: RoomId::random(),
        name,
        creator,
        created_at: group.created_at,
        password_hash,
        slow_mode: 0,
        keep: None,
        direct: None,
    };
    rooms::insert(tx, &room)?;
    Ok(room)
}
