//! Groups: making, joining, leaving.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::accounts::RECENT;
use super::policy;
use crate::app::App;
use crate::error::{Error, Result};
use crate::hub::{Audience, Outbound, Publication, Step};
use crate::store::{Reader, Tx, messages, rooms};
use crate::types::{Actor, ConnId, Message, Password, Room, RoomId, RoomName, UserId, Username};

#[derive(Serialize)]
pub struct GroupCreated {
    group_name: RoomName,
    /// The first 16 hex digits of the name's SHA-256, as in the original. No secret, and no key to anything.
    group_id: String,
}

impl Outbound for GroupCreated {
    const NAME: &'static str = "group_created";
}

/// To every connection, whenever there is a new group.
#[derive(Serialize)]
pub struct GroupListUpdated {
    available_groups: Vec<RoomName>,
}

impl Outbound for GroupListUpdated {
    const NAME: &'static str = "group_list_updated";
}

#[derive(Serialize)]
pub struct GroupJoined {
    group_name: RoomName,
    messages: Vec<Message>,
    members: Vec<Username>,
}

impl Outbound for GroupJoined {
    const NAME: &'static str = "group_joined";
}

#[derive(Serialize)]
pub struct GroupLeft {
    group_name: RoomName,
}

impl Outbound for GroupLeft {
    const NAME: &'static str = "group_left";
}

#[derive(Serialize)]
pub struct UserJoined {
    username: Username,
    room: RoomName,
}

impl Outbound for UserJoined {
    const NAME: &'static str = "user_joined";
}

#[derive(Serialize)]
pub struct UserLeft {
    username: Username,
    room: RoomName,
}

impl Outbound for UserLeft {
    const NAME: &'static str = "user_left";
}

/// Makes a group; its maker is its first member.
pub async fn create(app: &App, actor: &Actor, name: RoomName, password: Option<Password>) -> Result<Room> {
    let taken = || Error::Conflict("Group already exists".into());
    if name == RoomName::public() {
        return Err(taken());
    }
    let password_hash = match password {
        Some(password) => Some(app.passwords.hash(password).await?),
        None => None,
    };
    let actor = actor.clone();
    let created_at = app.now();
    let room = Room { id: RoomId::random(), name, creator: Some(actor.name.clone()), created_at, password_hash };
    // One lane for all new groups: people see the list grow in one order.
    app.db
        .write(0, move |tx| {
            rooms::insert(tx, &room)?;
            rooms::add_member(tx, room.id, actor.user, &actor.name, created_at)?;
            let created = GroupCreated { group_name: room.name.clone(), group_id: group_id(&room.name) };
            let list = GroupListUpdated { available_groups: rooms::group_names(tx)? };
            tx.publish(Publication::Join { conn: actor.conn, room: room.id });
            tx.publish(Publication::emit(Audience::Conn(actor.conn), &created));
            tx.publish(Publication::emit(Audience::Everyone, &list));
            Ok(room)
        })
        .await
}

/// Joins a group. A member gives the password as well as a stranger does: only then is the name more than a claim.
pub async fn join(app: &App, actor: &Actor, name: RoomName, password: Option<Password>) -> Result<Room> {
    let unknown = || Error::NotFound("Failed to join group. Check password.".into());
    let room = {
        let name = name.clone();
        app.db.read(move |reader| find_group(reader, &name)).await?.ok_or_else(unknown)?
    };
    let fits = match (&room.password_hash, password) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(hash), Some(password)) => app.passwords.verify(password, hash.clone()).await?,
    };
    policy::join_group(fits)?;
    let actor = actor.clone();
    let at = app.now();
    app.db
        .write(rooms::lane(&name), move |tx| {
            rooms::add_member(tx, room.id, actor.user, &actor.name, at)?;
            let joined = GroupJoined {
                group_name: room.name.clone(),
                messages: messages::last(tx, &room, RECENT)?,
                members: member_names(tx, room.id)?,
            };
            tx.publish(Publication::Join { conn: actor.conn, room: room.id });
            tx.publish(Publication::emit(Audience::Conn(actor.conn), &joined));
            announce_joined(tx, actor.conn, &actor.name, &room);
            Ok(room)
        })
        .await
}

/// Leaves a group. Whoever is not in it has nothing to leave: that is no error.
pub async fn leave(app: &App, actor: &Actor, name: RoomName) -> Result<Option<RoomId>> {
    let actor = actor.clone();
    let hub = app.hub.clone();
    app.db
        .write(rooms::lane(&name), move |tx| {
            let Some(room) = find_group(tx, &name)? else { return Ok(None) };
            if !rooms::remove_member(tx, room.id, actor.user)? {
                return Ok(None);
            }
            remove_namesakes(tx, room.id, &actor.name, |user| hub.is_present(user))?;
            tx.publish(Publication::Leave { conn: actor.conn, room: room.id });
            let left = GroupLeft { group_name: room.name.clone() };
            tx.publish(Publication::emit(Audience::Conn(actor.conn), &left));
            let left = UserLeft { username: actor.name, room: room.name };
            tx.publish(Publication::emit(Audience::Room(room.id), &left));
            Ok(Some(room.id))
        })
        .await
}

/// Tells the rooms of a connection that has gone. Membership stays: people come back.
pub fn disconnected(app: &App, actor: &Actor, rooms: impl IntoIterator<Item = (RoomId, RoomName)>) {
    let steps = rooms.into_iter().map(|(id, room)| {
        let left = UserLeft { username: actor.name.clone(), room };
        Step::Publish(Publication::emit_except(Audience::Room(id), Some(actor.conn), &left))
    });
    app.publisher.publish(steps.collect());
}

pub(super) fn announce_joined(tx: &mut Tx, conn: ConnId, name: &Username, room: &Room) {
    let joined = UserJoined { username: name.clone(), room: room.name.clone() };
    tx.publish(Publication::emit_except(Audience::Room(room.id), Some(conn), &joined));
}

/// A group of that name; the public room is none.
pub(super) fn find_group(reader: &mut Reader, name: &RoomName) -> Result<Option<Room>> {
    Ok(rooms::find(reader, name)?.filter(|room| room.id != RoomId::PUBLIC))
}

/// Each name once, in the order of joining: a guest who came back is the same person to everyone who reads the list.
fn member_names(reader: &mut Reader, room: RoomId) -> Result<Vec<Username>> {
    let mut names = Vec::new();
    for (_, name) in rooms::members(reader, room)? {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// A guest is a new person at each visit. Who leaves takes along the memberships of earlier visits under the same name,
/// or the list would show the name for ever; somebody else of that name who is here now keeps theirs.
fn remove_namesakes(tx: &mut Tx, room: RoomId, name: &Username, is_present: impl Fn(UserId) -> bool) -> Result<()> {
    for (user, _) in rooms::members(tx, room)?.into_iter().filter(|(_, member)| member == name) {
        if !is_present(user) {
            rooms::remove_member(tx, room, user)?;
        }
    }
    Ok(())
}

fn group_id(name: &RoomName) -> String {
    Sha256::digest(name.as_str())[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_groups_id_is_the_originals() {
        assert_eq!(group_id(&RoomName::try_from("g1".to_string()).unwrap()), "711430f6164e9380");
    }
}
