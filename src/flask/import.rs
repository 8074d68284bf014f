//! Stores what was planned of the original's data, in one transaction. What was imported before is known again by the ids
//! that the original gave it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::plan::{Plan, Planned, PlannedGroup, numbered};
use crate::app::App;
use crate::error::{Error, Result};
use crate::store::{Lane, Reader, Tx, client_ids, messages, people, rooms, state};
use crate::types::{Identity, Room, RoomId, RoomName, RoomRole, Sent};

/// The row of the state that tells which groups were imported.
const IMPORTED: &str = "flask_import";

/// The groups that were imported: by their names in the original, their ids here.
#[derive(Default, Serialize, Deserialize)]
struct Imported {
    groups: BTreeMap<String, i64>,
}

/// What the imported groups are called in the original.
pub fn imported(reader: &mut Reader) -> Result<HashMap<RoomId, String>> {
    let imported: Imported = state::get(reader, IMPORTED)?.unwrap_or_default();
    Ok(imported.groups.into_iter().map(|(name, id)| (RoomId::from_stored(id), name)).collect())
}

/// What was stored, and what was there already.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Done {
    pub users: usize,
    pub groups: usize,
    pub messages: usize,
    pub known: usize,
}

/// Stores what is not stored yet, all of it or nothing. `progress` hears how many messages were looked at.
pub async fn store(app: &App, plan: Plan, progress: impl Fn(u64) + Send + 'static) -> Result<Done> {
    let mut hashes = Vec::with_capacity(plan.groups.len());
    for group in &plan.groups {
        hashes.push(match group.password.clone() {
            Some(password) => Some(app.passwords.hash(password).await?),
            None => None,
        });
    }
    let plan = Arc::new(plan);
    app.db.write(Lane::People, move |tx| store_in(tx, &plan, &hashes, &progress)).await
}

fn store_in(tx: &mut Tx, plan: &Plan, hashes: &[Option<String>], progress: &dyn Fn(u64)) -> Result<Done> {
    let mut done = Done::default();
    for user in &plan.users {
        match people::name(tx, user.id)? {
            Some(_) => done.known += 1,
            None => {
                people::insert(tx, user)?;
                done.users += 1;
            }
        }
    }
    state::touch(tx, IMPORTED)?;
    let mut imported: Imported = state::get(tx, IMPORTED)?.unwrap_or_default();
    let mut looked_at = 0;
    let public = rooms::public(tx)?;
    say_all(tx, &public, &plan.public, &mut done, &mut looked_at, progress)?;
    for (group, hash) in plan.groups.iter().zip(hashes) {
        let room = match room_of(tx, &imported, group)? {
            Some(room) => room,
            None => {
                let room = make_room(tx, group, hash.clone())?;
                imported.groups.insert(group.original.clone(), room.id.get());
                done.groups += 1;
                room
            }
        };
        for (user, name) in &group.members {
            let is_creator = group.creator.as_ref() == Some(name);
            let role = if is_creator { RoomRole::Owner } else { RoomRole::Member };
            rooms::add_member(tx, room.id, *user, name, group.created_at, role)?;
        }
        say_all(tx, &room, &group.messages, &mut done, &mut looked_at, progress)?;
    }
    state::set(tx, IMPORTED, &imported)?;
    Ok(done)
}

/// The group, where it was imported before.
fn room_of(tx: &mut Tx, imported: &Imported, group: &PlannedGroup) -> Result<Option<Room>> {
    match imported.groups.get(&group.original) {
        Some(id) => rooms::by_id(tx, RoomId::from_stored(*id)),
        None => Ok(None),
    }
}

/// A group of the wanted name, or, where people here have made one of that name, of the next free one.
fn make_room(tx: &mut Tx, group: &PlannedGroup, password_hash: Option<String>) -> Result<Room> {
    let mut name = group.name.clone();
    for number in 2.. {
        if !rooms::is_taken(tx, &name)? {
            break;
        }
        name = RoomName::try_from(numbered(group.name.as_str(), number))
            .map_err(|problem| Error::invalid("name", problem))?;
    }
    let creator = group.creator.clone();
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

fn say_all(
    tx: &mut Tx,
    room: &Room,
    planned: &[Planned],
    done: &mut Done,
    looked_at: &mut u64,
    progress: &dyn Fn(u64),
) -> Result<()> {
    for message in planned {
        *looked_at += 1;
        progress(*looked_at);
        let author = Identity::guest(&message.name);
        if client_ids::find(tx, &author, &message.id)?.is_some() {
            done.known += 1;
            continue;
        }
        let new = messages::NewMessage {
            user: message.user,
            name: message.name.clone(),
            by_account: false,
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
        done.messages += 1;
    }
    Ok(())
}
