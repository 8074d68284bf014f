//! How a room is run: slow mode, what its members are, and what it tells them of that.

use schemars::JsonSchema;
use serde::Serialize;

use super::facts::{Facts, any_room, find_person, memberships};
use super::policy::{self, Action};
use super::{audit, retention};
use crate::app::App;
use crate::error::{Error, Result};
use crate::hub::{Audience, Outbound, Publication};
use crate::store::{Reader, Tx, rooms};
use crate::types::{Actor, Network, Password, Reason, Room, RoomId, RoomName, RoomRole, UserId, Username};

/// Longest pause of the slow mode, in seconds.
const SLOWEST: u32 = 3_600;

/// To the room: how many seconds must lie between two messages of one member.
#[derive(Serialize, JsonSchema)]
pub struct SlowModeSet {
    room: RoomName,
    seconds: u32,
}

impl Outbound for SlowModeSet {
    const NAME: &'static str = "slow_mode_set";
}

/// To the room: somebody is something else there now.
#[derive(Serialize, JsonSchema)]
pub struct RoleSet {
    username: Username,
    room: RoomName,
    role: RoomRole,
}

impl Outbound for RoleSet {
    const NAME: &'static str = "role_set";
}

/// How a room is run, as one who is in it sees it.
#[derive(Serialize, JsonSchema)]
pub struct RoomInfo {
    /// What one is there oneself; `null` in the public room.
    role: Option<RoomRole>,
    /// Seconds between two messages of one member; 0: as fast as they like.
    slow_mode: u32,
    /// How many days messages stay; 0: for ever.
    retention_days: f64,
    /// Whether newcomers need one.
    has_password: bool,
}

/// What one is in a room, and what is set there.
pub async fn show(app: &App, actor: &Actor, name: RoomName) -> Result<RoomInfo> {
    app.limits.reading(actor.user, Network::of(actor.address))?;
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .read(move |reader| {
            let room = any_room(reader, &name)?;
            let (standing, there) = facts.in_room(reader, &actor, &room)?;
            policy::in_room(Action::ReadRoom, standing, there)?;
            Ok(RoomInfo {
                role: there.role,
                slow_mode: room.slow_mode,
                retention_days: retention::days(&room),
                has_password: room.password_hash.is_some(),
            })
        })
        .await
}

/// How many seconds must lie between two messages of one member; 0 turns it off.
pub async fn set_slow_mode(app: &App, actor: &Actor, name: RoomName, seconds: u32) -> Result<()> {
    if seconds > SLOWEST {
        return Err(Error::invalid("seconds", format!("must be a number from 0 to {SLOWEST}")));
    }
    let (facts, actor) = (Facts::of(app), actor.clone());
    let limits = app.limits.clone();
    app.db
        .write(rooms::lane(&name), move |tx| {
            let room = any_room(tx, &name)?;
            let (standing, there) = facts.in_room(tx, &actor, &room)?;
            policy::in_room(Action::SetSlowMode, standing, there)?;
            limits.moderation(standing.role, actor.user)?;
            rooms::update(tx, &Room { slow_mode: seconds, ..room.clone() })?;
            let set = SlowModeSet { room: room.name.clone(), seconds };
            tx.publish(Publication::emit(Audience::Room(room.id), &set));
            let action = format!("set_slow_mode {seconds}");
            audit::note(tx, facts.at, Some(&actor), &action, None, Some(&room.name), Reason::default());
            Ok(())
        })
        .await
}

/// Sets what newcomers to a group must know; `None` lets everybody in. Who is in it stays.
pub async fn set_password(app: &App, actor: &Actor, name: RoomName, password: Option<Password>) -> Result<()> {
    let (facts, actor) = (Facts::of(app), actor.clone());
    let may = move |reader: &mut Reader, actor: &Actor, name: &RoomName| {
        let room = any_room(reader, name)?;
        let (standing, there) = facts.in_room(reader, actor, &room)?;
        policy::in_room(Action::SetRoomPassword, standing, there)?;
        match room.id {
            RoomId::PUBLIC => Err(Error::invalid("room", "must be a group: the public room has no password")),
            _ => Ok((room, standing)),
        }
    };
    // Before the password is hashed, which costs much.
    let (who, wanted) = (actor.clone(), name.clone());
    let (_, standing) = app.db.read(move |reader| may(reader, &who, &wanted)).await?;
    app.limits.moderation(standing.role, actor.user)?;
    let password_hash = super::rooms::hash(app, password).await?;
    app.db
        .write(rooms::lane(&name), move |tx| {
            let (room, _) = may(tx, &actor, &name)?;
            let action = if password_hash.is_some() { "set_room_password" } else { "remove_room_password" };
            rooms::update(tx, &Room { password_hash, ..room.clone() })?;
            audit::note(tx, facts.at, Some(&actor), action, None, Some(&room.name), Reason::default());
            Ok(())
        })
        .await
}

/// Makes a member something else in a room. Who makes somebody its owner hands it over.
pub async fn set_room_role(app: &App, actor: &Actor, username: Username, name: RoomName, role: RoomRole) -> Result<()> {
    let (facts, actor) = (Facts::of(app), actor.clone());
    let limits = app.limits.clone();
    app.db
        .write(rooms::lane(&name), move |tx| {
            let room = any_room(tx, &name)?;
            let (standing, there) = facts.in_room(tx, &actor, &room)?;
            policy::in_room(Action::SetRoomRole, standing, there)?;
            limits.moderation(standing.role, actor.user)?;
            let person = find_person(tx, &username)?;
            // A guest's role is for exactly that name: those that look like it are other people.
            let mut members = memberships(tx, room.id, &person.identity)?;
            members.retain(|member| member.name == person.name);
            if members.len() > 1 && role != RoomRole::Member {
                return Err(Error::Conflict("Several guests have this name. Ask them to make an account.".into()));
            }
            if members.is_empty() {
                return Err(Error::NotFound("They are no member of this group.".into()));
            }
            if person.identity == actor.identity {
                return Err(Error::invalid("username", "This is you. Make somebody else the owner to step down."));
            }
            if role == RoomRole::Owner {
                step_down(tx, &room)?;
            }
            for member in &members {
                rooms::set_room_role(tx, room.id, member, role)?;
            }
            let set = RoleSet { username: person.name.clone(), room: room.name.clone(), role };
            tx.publish(Publication::emit(Audience::Room(room.id), &set));
            let action = format!("set_room_role {role:?}").to_lowercase();
            audit::note(tx, facts.at, Some(&actor), &action, Some(&person.name), Some(&room.name), Reason::default());
            Ok(())
        })
        .await
}

/// A room has one owner: the one so far stays as a moderator.
fn step_down(tx: &mut Tx, room: &Room) -> Result<()> {
    for member in rooms::members(tx, room.id)?.iter().filter(|member| member.role == RoomRole::Owner) {
        rooms::set_room_role(tx, room.id, member, RoomRole::Moderator)?;
    }
    Ok(())
}

/// When an owner leaves, the longest-standing moderator takes over, else the longest-standing member; where nobody is
/// left, the server's moderators look after the room.
pub(super) fn pass_on(tx: &mut Tx, room: RoomId, gone: UserId) -> Result<()> {
    let members = rooms::members(tx, room)?;
    let left: Vec<_> = members.into_iter().filter(|member| member.user != gone).collect();
    if left.iter().any(|member| member.role == RoomRole::Owner) {
        return Ok(());
    }
    let heir = left.iter().find(|member| member.role == RoomRole::Moderator).or(left.first());
    heir.map_or(Ok(()), |heir| rooms::set_room_role(tx, room, heir, RoomRole::Owner))
}
