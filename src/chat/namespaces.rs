//! Connections that are in one room alone: let in with a session or under a name, and gone when they go.

use schemars::JsonSchema;
use serde::Serialize;

use super::facts::Facts;
use super::people::{RECENT, guest, hear, identify, refuse_account_name};
use super::policy::{self, Action};
use super::rooms::{announce_joined, find_open, knock, member_names};
use crate::app::App;
use crate::error::{Error, Result};
use crate::hub::{Audience, Outbound, Publication};
use crate::store::{messages, people, rooms};
use crate::types::{Actor, ConnId, Message, Password, Room, RoomId, RoomName, RoomRole, User, Username};
use crate::visitor::Visitor;

/// To who came in: the room, its newest messages, who is in it.
#[derive(Serialize, JsonSchema)]
pub struct RoomJoined {
    room: RoomName,
    messages: Vec<Message>,
    members: Vec<Username>,
}

impl Outbound for RoomJoined {
    const NAME: &'static str = "room_joined";
}

/// That somebody may come into a room.
pub struct Admission {
    actor: Actor,
    pub room: Room,
    /// Somebody new: a guest.
    guest: Option<User>,
}

/// Whether somebody may come into a room: the account, or a guest of that name.
pub async fn admit(
    app: &App,
    visitor: &Visitor,
    conn: ConnId,
    account: Option<Actor>,
    username: Option<Username>,
    room: RoomName,
    password: Option<Password>,
) -> Result<Admission> {
    let (actor, guest) = match (account, username) {
        (Some(account), _) => (Actor { conn: Some(conn), ..account }, None),
        (None, Some(name)) => {
            let (user, actor) = guest(app, visitor, conn, name.clone())?;
            app.db.read(move |reader| refuse_account_name(reader, &name)).await?;
            (actor, Some(user))
        }
        (None, None) => return Err(Error::Unauthenticated("Connect with auth {token}, or {username}.".into())),
    };
    let room = knock(app, &actor, room, password, find_open).await?;
    Ok(Admission { actor, room, guest })
}

/// Whether there is a room of that name that one could come into.
pub async fn is_room(app: &App, name: RoomName) -> Result<bool> {
    app.db.read(move |reader| Ok(find_open(reader, &name)?.is_some())).await
}

/// Brings somebody into the room; whoever was banned meanwhile stays out.
pub async fn take_in(app: &App, admission: Admission) -> Result<Actor> {
    let facts = Facts::of(app);
    let Admission { actor, room, guest } = admission;
    let Some(conn) = actor.conn else { return Ok(actor) };
    app.db
        .write(rooms::lane(&room.name), move |tx| {
            if let Some(user) = &guest {
                refuse_account_name(tx, &user.name)?;
                people::insert(tx, user)?;
            }
            let (standing, there) = facts.in_room(tx, &actor, &room)?;
            policy::in_room(Action::JoinRoom, standing, there)?;
            if room.id != RoomId::PUBLIC {
                rooms::add_member(tx, room.id, actor.user, &actor.name, facts.at, RoomRole::Member)?;
            }
            let hidden = identify(tx, &actor, conn)?;
            let joined = RoomJoined {
                room: room.name.clone(),
                messages: messages::last(tx, &room, RECENT, &hidden)?,
                members: member_names(tx, room.id)?,
            };
            hear(tx, conn, &room)?;
            tx.publish(Publication::emit(Audience::Conn(conn), &joined));
            announce_joined(tx, conn, &actor, &room)?;
            Ok(actor)
        })
        .await
}
