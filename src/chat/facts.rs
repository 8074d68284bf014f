//! Loads what the policy decides by: roles, mutes and bans, as they are at the moment of the act.

use std::collections::HashSet;

use uuid::Uuid;

use super::policy::{self, Action, InRoom, Standing};
use crate::app::App;
use crate::error::{Error, Result};
use crate::store::messages::Written;
use crate::store::{Lane, Reader, accounts, messages, moderation, people, rooms, sessions};
use crate::types::{Actor, Identity, MessageId, NameKey, Role, Room, RoomId, RoomName, Timestamp, UserId, Username};

/// The moment of an act, and the settings that decide with it.
#[derive(Clone, Copy)]
pub struct Facts {
    pub at: Timestamp,
    admins_need_second_factor: bool,
    /// Of the server.
    pub run: Uuid,
}

/// Somebody whom an act is about.
#[derive(Clone)]
pub struct Person {
    pub name: Username,
    pub identity: Identity,
}

impl Facts {
    pub fn of(app: &App) -> Self {
        let admins_need_second_factor = app.config.admins_need_second_factor;
        Self { at: app.now(), admins_need_second_factor, run: app.run.id }
    }

    /// What holds for who acts, on the server.
    pub fn standing(&self, reader: &mut Reader, actor: &Actor) -> Result<Standing> {
        refuse_ended(reader, actor)?;
        Ok(self.load(reader, &actor.identity, None)?.0)
    }

    /// What holds for who acts, on the server and in a room.
    pub fn in_room(&self, reader: &mut Reader, actor: &Actor, room: &Room) -> Result<(Standing, InRoom)> {
        refuse_ended(reader, actor)?;
        let (standing, mut there) = self.load(reader, &actor.identity, Some(room.id))?;
        let is_of_others = room.direct.as_ref().is_some_and(|two| two.iter().all(|(user, _)| *user != actor.user));
        if room.id != RoomId::PUBLIC && !is_of_others {
            there.role = rooms::membership(reader, room.id, actor.user)?.map(|member| member.role);
        }
        there.direct = room.direct.is_some();
        Ok((standing, there))
    }

    /// What holds for somebody else. A guest is known by the name alone: the highest of those who have it.
    pub fn of_other(&self, reader: &mut Reader, whom: &Person, room: Option<&Room>) -> Result<(Standing, InRoom)> {
        let (standing, mut there) = self.load(reader, &whom.identity, room.map(|room| room.id))?;
        if let Some(room) = room {
            there.role = memberships(reader, room.id, &whom.identity)?.into_iter().map(|member| member.role).max();
        }
        Ok((standing, there))
    }

    /// Whether nothing has been done to that person in the room.
    pub fn is_free(&self, reader: &mut Reader, identity: &Identity, room: RoomId) -> Result<bool> {
        let (_, own) = moderation::sanctions_of(reader, identity, Some(room))?;
        Ok(own.is_none_or(|sanction| !sanction.mutes(self.at) && !sanction.bans(self.at)))
    }

    fn load(&self, reader: &mut Reader, identity: &Identity, room: Option<RoomId>) -> Result<(Standing, InRoom)> {
        let (server, own) = moderation::sanctions_of(reader, identity, room)?;
        let account = match identity {
            Identity::Account(user) => Some(account_of(reader, *user)?),
            Identity::Guest(_) => None,
        };
        let role = account.as_ref().map_or(Role::Guest, |account| account.role);
        let standing = Standing {
            role,
            muted: server.as_ref().is_some_and(|sanction| sanction.mutes(self.at)),
            banned: server.is_some_and(|sanction| sanction.bans(self.at))
                || account.as_ref().is_some_and(|account| account.disabled),
            lacks_second_factor: self.admins_need_second_factor
                && role >= Role::Admin
                && account.is_some_and(|account| !account.has_second_factor()),
        };
        let there = InRoom {
            public: room == Some(RoomId::PUBLIC),
            role: None,
            muted: own.as_ref().is_some_and(|sanction| sanction.mutes(self.at)),
            banned: own.is_some_and(|sanction| sanction.bans(self.at)),
            direct: false,
        };
        Ok((standing, there))
    }
}

/// What waited in a connection's queue when its session was ended is done no more.
fn refuse_ended(reader: &mut Reader, actor: &Actor) -> Result<()> {
    match actor.session {
        Some(id) if !sessions::exists(reader, id)? => Err(Error::Unauthenticated("This session was ended.".into())),
        _ => Ok(()),
    }
}

/// The person of that name: an account's owner, or a guest who has been here under exactly this name.
pub fn find_person(reader: &mut Reader, name: &Username) -> Result<Person> {
    if let Some((user, account)) = accounts::find(reader, &NameKey::of(name))? {
        return Ok(Person { name: account.name, identity: Identity::Account(user) });
    }
    match people::was_here(reader, name)? {
        true => Ok(Person { name: name.clone(), identity: Identity::guest(name) }),
        false => Err(Error::NotFound("There is nobody of this name.".into())),
    }
}

/// The memberships of a person in a room: one for an account, one a visit for a guest.
pub fn memberships(reader: &mut Reader, room: RoomId, whom: &Identity) -> Result<Vec<rooms::Member>> {
    match whom {
        Identity::Account(user) => Ok(rooms::membership(reader, room, *user)?.into_iter().collect()),
        Identity::Guest(key) => {
            let mut found = Vec::new();
            for member in rooms::members(reader, room)? {
                if NameKey::of(&member.name) == *key && accounts::get(reader, member.user)?.is_none() {
                    found.push(member);
                }
            }
            Ok(found)
        }
    }
}

pub fn account_of(reader: &mut Reader, user: UserId) -> Result<accounts::Account> {
    accounts::get(reader, user)?.ok_or_else(|| Error::Unauthenticated("This account is no more.".into()))
}

/// The room of that name, the public one too.
pub fn any_room(reader: &mut Reader, name: &RoomName) -> Result<Room> {
    rooms::find(reader, name)?.ok_or_else(|| Error::NotFound("Group does not exist".into()))
}

/// The room of that name, if the actor may do that there.
pub fn room_for(facts: Facts, reader: &mut Reader, actor: &Actor, name: &RoomName, action: Action) -> Result<Room> {
    let room = any_room(reader, name)?;
    let (standing, there) = facts.in_room(reader, actor, &room)?;
    policy::in_room(action, standing, there)?;
    Ok(room)
}

/// The rooms that the actor is in and may read, the public one first.
pub fn readable_rooms(facts: Facts, reader: &mut Reader, actor: &Actor) -> Result<Vec<Room>> {
    let own = rooms::of_member(reader, actor.user)?;
    let mut readable = Vec::with_capacity(own.len() + 1);
    for room in std::iter::once(rooms::public(reader)?).chain(own) {
        let (standing, there) = facts.in_room(reader, actor, &room)?;
        if policy::in_room(Action::ReadRoom, standing, there).is_ok() {
            readable.push(room);
        }
    }
    Ok(readable)
}

/// Those whom a person has blocked.
pub fn hidden_from(reader: &mut Reader, user: UserId) -> Result<HashSet<Identity>> {
    Ok(people::blocks(reader, user)?.iter().map(people::Block::identity).collect())
}

/// The lane of the message's room. Which messages there are, [`find_message`] tells.
pub async fn lane_of(app: &App, id: MessageId) -> Result<Lane> {
    let room = app.db.read(move |reader| match messages::place_of(reader, id)? {
        Some((room, _)) => rooms::by_id(reader, room),
        None => Ok(None),
    });
    Ok(room.await?.map_or(Lane::People, |room| rooms::lane(&room.name)))
}

/// A message, where it stands, and what holds for the actor there.
pub struct FoundMessage {
    pub room: Room,
    pub written: Written,
    pub standing: Standing,
    pub there: InRoom,
}

/// A message that the actor may read or moderate. To anybody else there is none, whatever id they try.
pub fn find_message(facts: Facts, reader: &mut Reader, actor: &Actor, id: MessageId) -> Result<FoundMessage> {
    let none = || Error::NotFound("There is no such message.".into());
    let (room, seq) = messages::place_of(reader, id)?.ok_or_else(none)?;
    let room = rooms::by_id(reader, room)?.ok_or_else(none)?;
    let (standing, there) = facts.in_room(reader, actor, &room)?;
    let may = |action| policy::in_room(action, standing, there).is_ok();
    if !may(Action::ReadRoom) && !may(Action::DeleteAnyMessage) {
        return Err(none());
    }
    let written = messages::get(reader, &room, seq)?.ok_or_else(none)?;
    Ok(FoundMessage { room, written, standing, there })
}
