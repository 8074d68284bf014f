//! Groups: making, joining, leaving.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::facts::{Facts, hidden_from};
use super::people::{RECENT, hear};
use super::policy::{self, Action};
use super::resume;
use super::room_settings::pass_on;
use crate::app::App;
use crate::error::{Error, Result};
use crate::hub::{Audience, Fanout, Heard, Outbound, Publication, Step};
use crate::passwords::Verdict;
use crate::store::{Lane, Reader, Tx, accounts, messages, presence, rooms};
use crate::types::{Actor, ConnId, Message, Network, Password, Room, RoomId, RoomName, RoomRole, Username};

/// To who made it: the group, which they are in.
#[derive(Serialize, JsonSchema)]
pub struct GroupCreated {
    group_name: RoomName,
    /// The first 16 hex digits of the name's SHA-256, as in the original. No secret, and no key to anything.
    group_id: String,
}

impl Outbound for GroupCreated {
    const NAME: &'static str = "group_created";
}

/// To every connection, whenever there is a new group.
#[derive(Serialize, JsonSchema)]
pub struct GroupListUpdated {
    available_groups: Vec<RoomName>,
}

impl Outbound for GroupListUpdated {
    const NAME: &'static str = "group_list_updated";
}

/// To who came in: the group, and what was said there last.
#[derive(Serialize, JsonSchema)]
pub struct GroupJoined {
    group_name: RoomName,
    messages: Vec<Message>,
    members: Vec<Username>,
}

impl Outbound for GroupJoined {
    const NAME: &'static str = "group_joined";
}

/// To who left.
#[derive(Serialize, JsonSchema)]
pub struct GroupLeft {
    group_name: RoomName,
}

impl Outbound for GroupLeft {
    const NAME: &'static str = "group_left";
}

/// To the room: somebody has come in.
#[derive(Serialize, JsonSchema)]
pub struct UserJoined {
    username: Username,
    room: RoomName,
}

impl Outbound for UserJoined {
    const NAME: &'static str = "user_joined";
}

/// To the room: somebody has gone.
#[derive(Serialize, JsonSchema)]
pub struct UserLeft {
    pub(super) username: Username,
    pub(super) room: RoomName,
}

impl Outbound for UserLeft {
    const NAME: &'static str = "user_left";
}

/// Makes a group; its maker is its owner and first member.
pub async fn create(app: &App, actor: &Actor, name: RoomName, password: Option<Password>) -> Result<Room> {
    let taken = || Error::Conflict("Group already exists".into());
    if name == RoomName::public() || name.is_direct() {
        return Err(taken());
    }
    app.pressure.admit_guest()?;
    let facts = Facts::of(app);
    let (who, wanted) = (actor.clone(), name.clone());
    app.db
        .read(move |reader| {
            policy::on_server(Action::CreateGroup, facts.standing(reader, &who)?)?;
            if rooms::is_taken(reader, &wanted)? { Err(taken()) } else { Ok(()) }
        })
        .await?;
    app.limits.new_room(actor.user, Network::of(actor.address))?;
    let password_hash = hash(app, password).await?;
    let actor = actor.clone();
    // As the original, which tells those too who have not come in yet; where guests may not, strangers learn nothing.
    let audience = if app.config.guests { Audience::Everyone } else { Audience::Introduced };
    let created_at = facts.at;
    let creator = Some(actor.name.clone());
    let room =
        Room { id: RoomId::random(), name, creator, created_at, password_hash, slow_mode: 0, keep: None, direct: None };
    let hub = app.hub.clone();
    // One lane for all new groups: people see the list grow in one order.
    app.db
        .write(Lane::People, move |tx| {
            policy::on_server(Action::CreateGroup, facts.standing(tx, &actor)?)?;
            rooms::insert(tx, &room)?;
            rooms::add_member(tx, room.id, actor.user, &actor.name, created_at, RoomRole::Owner)?;
            let list = GroupListUpdated { available_groups: rooms::group_names(tx)? };
            if let Some(conn) = actor.conn {
                let created = GroupCreated { group_name: room.name.clone(), group_id: group_id(&room.name) };
                tx.publish(Publication::Join { conn, room: room.id, name: room.name.clone(), seq: 0 });
                tx.publish(Publication::emit(Audience::Conn(conn), &created));
                resume::keep(tx, facts, &actor, hub.rooms_of(conn).into_keys().chain([room.id]))?;
            }
            tx.publish(Publication::emit(audience, &list));
            Ok(room)
        })
        .await
}

/// What is stored of the password of a group that has one.
pub(super) async fn hash(app: &App, password: Option<Password>) -> Result<Option<String>> {
    match password {
        Some(password) => Ok(Some(app.passwords.hash(password).await?)),
        None => Ok(None),
    }
}

/// Whether somebody may come into a room. A guest who is a member gives the password as well as a stranger does, since
/// their name is no more than a claim; an account's membership is known.
pub(super) async fn knock(
    app: &App,
    actor: &Actor,
    name: RoomName,
    password: Option<Password>,
    find: fn(&mut Reader, &RoomName) -> Result<Option<Room>>,
) -> Result<Room> {
    let unknown = || Error::NotFound("Failed to join group. Check password.".into());
    app.limits.passage(actor.user, Network::of(actor.address))?;
    let facts = Facts::of(app);
    let (room, is_known) = {
        let who = actor.clone();
        let found = app.db.read(move |reader| {
            let Some(room) = find(reader, &name)? else { return Ok(None) };
            let (standing, there) = facts.in_room(reader, &who, &room)?;
            policy::in_room(Action::JoinRoom, standing, there)?;
            Ok(Some((room, there.role.is_some() && !who.identity.is_guest())))
        });
        found.await?.ok_or_else(unknown)?
    };
    let fits = match (&room.password_hash, password) {
        (None, _) => true,
        (Some(_), _) if is_known => true,
        (Some(_), None) => false,
        (Some(hash), Some(password)) => try_password(app, actor, hash, password).await?,
    };
    policy::join_group(fits)?;
    Ok(room)
}

/// Joins a group.
pub async fn join(app: &App, actor: &Actor, name: RoomName, password: Option<Password>) -> Result<Room> {
    let facts = Facts::of(app);
    let room = knock(app, actor, name.clone(), password, find_group).await?;
    let (actor, hub) = (actor.clone(), app.hub.clone());
    app.db
        .write(rooms::lane(&name), move |tx| {
            // Whoever was banned while the password was checked stays out.
            let (standing, there) = facts.in_room(tx, &actor, &room)?;
            policy::in_room(Action::JoinRoom, standing, there)?;
            rooms::add_member(tx, room.id, actor.user, &actor.name, facts.at, RoomRole::Member)?;
            let hidden = hidden_from(tx, actor.user)?;
            let joined = GroupJoined {
                group_name: room.name.clone(),
                messages: messages::last(tx, &room, RECENT, &hidden)?,
                members: member_names(tx, room.id)?,
            };
            if let Some(conn) = actor.conn {
                hear(tx, conn, &room)?;
                tx.publish(Publication::emit(Audience::Conn(conn), &joined));
                resume::keep(tx, facts, &actor, hub.rooms_of(conn).into_keys().chain([room.id]))?;
                announce_joined(tx, conn, &actor, &room)?;
            }
            Ok(room)
        })
        .await
}

/// Only wrong tries count.
async fn try_password(app: &App, actor: &Actor, hash: &str, password: Password) -> Result<bool> {
    let taken = app.limits.room_password(actor.user, Network::of(actor.address))?;
    let fits = app.passwords.verify(password, Some(hash.to_owned())).await? != Verdict::Wrong;
    if fits {
        taken.give_back();
    }
    Ok(fits)
}

/// Leaves a group. Whoever is not in it has nothing to leave: that is no error.
pub async fn leave(app: &App, actor: &Actor, name: RoomName) -> Result<Option<RoomId>> {
    app.limits.passage(actor.user, Network::of(actor.address))?;
    let (facts, actor) = (Facts::of(app), actor.clone());
    let hub = app.hub.clone();
    app.db
        .write(rooms::lane(&name), move |tx| {
            let Some(room) = find_group(tx, &name)? else { return Ok(None) };
            let Some(member) = rooms::membership(tx, room.id, actor.user)? else { return Ok(None) };
            rooms::remove_member(tx, room.id, actor.user)?;
            if actor.identity.is_guest() {
                remove_namesakes(tx, room.id, &actor, &*hub)?;
            }
            if member.role == RoomRole::Owner {
                pass_on(tx, room.id, actor.user)?;
            }
            // All that the person has open: none of it may hear the group any more.
            let left = GroupLeft { group_name: room.name.clone() };
            tx.publish(Publication::Leave { conns: Audience::own(&actor), room: room.id });
            tx.publish(Publication::emit(Audience::own(&actor), &left));
            if let Some(conn) = actor.conn {
                resume::keep(tx, facts, &actor, hub.rooms_of(conn).into_keys().filter(|heard| *heard != room.id))?;
            }
            let left = UserLeft { username: actor.name, room: room.name };
            tx.publish(Publication::emit(Audience::Room(room.id), &left));
            Ok(Some(room.id))
        })
        .await
}

/// Tells the rooms of a connection that has gone. Membership stays: people come back.
pub fn disconnected(app: &App, actor: &Actor, rooms: &BTreeMap<RoomId, Heard>) {
    if app.here().get(&actor.user).is_some_and(|one| one.invisible) {
        return;
    }
    let groups = rooms.iter().filter(|(_, heard)| !heard.name.is_direct());
    let steps = groups.map(|(id, heard)| {
        let left = UserLeft { username: actor.name.clone(), room: heard.name.clone() };
        Step::Publish(Publication::emit_except(Audience::Room(*id), actor.conn, &left))
    });
    app.publisher.publish(steps.collect());
}

/// Tells the others in a room that somebody is here, who hears it now; of who wants not to be seen nothing is said.
pub(super) fn announce_joined(tx: &mut Tx, conn: ConnId, actor: &Actor, room: &Room) -> Result<()> {
    if presence::get(tx, actor.user)?.hidden {
        return Ok(());
    }
    let joined = UserJoined { username: actor.name.clone(), room: room.name.clone() };
    tx.publish(Publication::emit_except(Audience::Room(room.id), Some(conn), &joined));
    Ok(())
}

/// A group of that name; the public room is none, and neither is a room of two people.
pub(super) fn find_group(reader: &mut Reader, name: &RoomName) -> Result<Option<Room>> {
    Ok(find_open(reader, name)?.filter(|room| room.id != RoomId::PUBLIC))
}

/// A room that one can come into.
pub(super) fn find_open(reader: &mut Reader, name: &RoomName) -> Result<Option<Room>> {
    Ok(rooms::find(reader, name)?.filter(|room| room.direct.is_none()))
}

/// Each name once, in the order of joining: a guest who came back is the same person to everyone who reads the list.
pub(super) fn member_names(reader: &mut Reader, room: RoomId) -> Result<Vec<Username>> {
    let mut names = Vec::new();
    for member in rooms::members(reader, room)? {
        if !names.contains(&member.name) {
            names.push(member.name);
        }
    }
    Ok(names)
}

/// A guest is a new person at each visit. Who leaves takes along the memberships of earlier visits under the same name,
/// or the list would show the name for ever; somebody else of that name who is here now keeps theirs.
fn remove_namesakes(tx: &mut Tx, room: RoomId, actor: &Actor, hub: &dyn Fanout) -> Result<()> {
    for member in rooms::members(tx, room)?.into_iter().filter(|member| member.name == actor.name) {
        // An account that has the name by now is somebody else.
        if !hub.is_present(&actor.identity, member.user) && accounts::get(tx, member.user)?.is_none() {
            rooms::remove_member(tx, room, member.user)?;
        }
    }
    Ok(())
}

pub fn group_id(name: &RoomName) -> String {
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
