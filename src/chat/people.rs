//! People in the chat: coming in, their numbers, whom they block and which rooms they mute.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::facts::{Facts, find_person, hidden_from, readable_rooms, room_for};
use super::policy::{self, Action};
use super::resume;
use crate::app::App;
use crate::error::{Error, Result};
use crate::hub::{Audience, Ear, Heard, Outbound, Publication, Step};
use crate::store::people::{Block, RoomPreferences};
use crate::store::{self, Lane, Reader, Tx, accounts, people, presence, rooms};
use crate::types::{
    Actor, ConnId, Identity, Message, NameKey, Network, PublicKey, Room, RoomId, RoomName, RoomRole, TicketId,
    Timestamp, User, UserId, Username,
};
use crate::visitor::Visitor;

/// Messages that come with a room.
pub(super) const RECENT: usize = 50;

/// People whom one person can block: each of their connections keeps the list.
const MOST_BLOCKS: usize = 1_000;

/// To who came in: who one is, and what there is.
#[derive(Serialize, JsonSchema)]
pub struct ChatJoined {
    user_id: UserId,
    username: Username,
    public_messages: Vec<Message>,
    available_groups: Vec<RoomName>,
    /// The groups that an account is a member of: it joins them without a password. Guests have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    member_of: Option<Vec<RoomName>>,
}

impl Outbound for ChatJoined {
    const NAME: &'static str = "chat_joined";
}

/// To who asked.
#[derive(Serialize, JsonSchema)]
pub struct UserStats {
    message_count: i64,
    /// Always 0, as the original has it; the true number is `member_of`.
    groups_joined: i64,
    created_at: Timestamp,
    last_active: Timestamp,
    member_of: i64,
}

impl Outbound for UserStats {
    const NAME: &'static str = "user_stats";
}

/// Lets somebody in under a name of their choice, and into the public room.
pub async fn enter_as_guest(
    app: &App,
    conn: ConnId,
    visitor: &Visitor,
    ticket: TicketId,
    name: Username,
    public_key: Option<PublicKey>,
) -> Result<Actor> {
    let facts = Facts::of(app);
    let (user, actor) = guest(app, visitor, conn, name)?;
    let user = User { public_key, ..user };
    let actor = Actor { ticket: resume::key(app, visitor, None, ticket), ..actor };
    let hub = app.hub.clone();
    app.db
        .write(Lane::People, move |tx| {
            refuse_account_name(tx, &user.name)?;
            let public = public_to_enter(facts, tx, &actor)?;
            people::insert(tx, &user)?;
            enter_public(tx, &actor, conn, public, None)?;
            resume::come_in(tx, facts, &actor)?;
            resume::keep(tx, facts, &actor, hub.rooms_of(conn).into_keys().chain([RoomId::PUBLIC]))?;
            Ok(actor)
        })
        .await
}

/// A guest of that name who connects, if guests may.
pub(super) fn guest(app: &App, visitor: &Visitor, conn: ConnId, name: Username) -> Result<(User, Actor)> {
    let address = visitor.address;
    policy::enter_as_guest(app.config.guests)?;
    app.pressure.admit_guest()?;
    app.limits.entrance(Network::of(address))?;
    let user = User { id: UserId::random(), name, public_key: None, joined_at: app.now() };
    let (name, identity) = (user.name.clone(), Identity::guest(&user.name));
    let actor = Actor { user: user.id, name, identity, session: None, conn: Some(conn), address, ticket: None };
    Ok((user, actor))
}

pub(super) fn refuse_account_name(reader: &mut Reader, name: &Username) -> Result<()> {
    match accounts::find(reader, &NameKey::of(name))? {
        Some(_) => Err(Error::Conflict(
            "This name belongs to an account, or looks like one that does. Sign in, or choose another name.".into(),
        )),
        None => Ok(()),
    }
}

/// Lets an account's owner in, as [`enter_as_guest`] does for a guest.
pub async fn enter(app: &App, actor: &Actor, conn: ConnId) -> Result<()> {
    app.limits.entrance(Network::of(actor.address))?;
    let actor = actor.clone();
    let facts = Facts::of(app);
    let hub = app.hub.clone();
    app.db
        .write(Lane::People, move |tx| {
            let public = public_to_enter(facts, tx, &actor)?;
            resume::come_in(tx, facts, &actor)?;
            let (directs, groups): (Vec<_>, Vec<_>) =
                rooms::of_member(tx, actor.user)?.into_iter().partition(|room| room.direct.is_some());
            enter_public(tx, &actor, conn, public, Some(groups.into_iter().map(|room| room.name).collect()))?;
            // Pages join groups by themselves; what is said to one alone comes unasked.
            directs.iter().try_for_each(|room| hear(tx, conn, room))?;
            let heard = hub.rooms_of(conn).into_keys().chain([RoomId::PUBLIC]);
            resume::keep(tx, facts, &actor, heard.chain(directs.iter().map(|room| room.id)))
        })
        .await
}

/// The public room, if the person may come in: banned neither from the server nor from there.
fn public_to_enter(facts: Facts, tx: &mut Tx, actor: &Actor) -> Result<Room> {
    let public = rooms::public(tx)?;
    let (standing, there) = facts.in_room(tx, actor, &public)?;
    policy::in_room(Action::JoinRoom, standing, there)?;
    Ok(public)
}

fn enter_public(
    tx: &mut Tx,
    actor: &Actor,
    conn: ConnId,
    public: Room,
    member_of: Option<Vec<RoomName>>,
) -> Result<()> {
    let hidden = identify(tx, actor, conn)?;
    let joined = ChatJoined {
        user_id: actor.user,
        username: actor.name.clone(),
        public_messages: store::messages::last(tx, &public, RECENT, &hidden)?,
        available_groups: rooms::group_names(tx)?,
        member_of,
    };
    hear(tx, conn, &public)?;
    tx.publish(Publication::emit(Audience::Conn(conn), &joined));
    super::rooms::announce_joined(tx, conn, actor, &public)
}

/// Makes the connection speak for the person, without those whom they have blocked; these.
pub(super) fn identify(tx: &mut Tx, actor: &Actor, conn: ConnId) -> Result<HashSet<Identity>> {
    let hidden = hidden_from(tx, actor.user)?;
    let invisible = presence::get(tx, actor.user)?.hidden;
    let (user, identity, session) = (actor.user, actor.identity.clone(), actor.session);
    tx.publish(Publication::Identify {
        conn,
        ear: Box::new(Ear {
            user,
            name: actor.name.clone(),
            identity,
            session,
            ticket: actor.ticket.map(|key| key.id),
            hidden: hidden.clone(),
            invisible,
        }),
    });
    Ok(hidden)
}

/// From here on the connection hears the room.
pub(super) fn hear(tx: &mut Tx, conn: ConnId, room: &Room) -> Result<()> {
    let seq = rooms::last_seq(tx, room.id)?;
    tx.publish(Publication::Join { conn, room: room.id, name: room.name.clone(), seq });
    Ok(())
}

/// Makes a connection speak for an account without a word to anybody. With `listen` it hears the public room and the
/// account's groups.
pub async fn introduce(app: &App, actor: &Actor, conn: ConnId, listen: bool) -> Result<()> {
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .write(Lane::People, move |tx| {
            identify(tx, &actor, conn)?;
            if !listen {
                return Ok(());
            }
            let readable = readable_rooms(facts, tx, &actor)?;
            readable.iter().try_for_each(|room| hear(tx, conn, room))?;
            resume::come_in(tx, facts, &actor)?;
            resume::keep(tx, facts, &actor, readable.iter().map(|room| room.id))
        })
        .await
}

/// Makes somebody a member of the groups that their connection is in already, under an earlier name: it proved there what
/// was to be proved. Not of those that have banned either of the two, or in which the earlier one has no voice.
pub async fn bring_along(app: &App, before: &Actor, actor: &Actor, conn: ConnId) -> Result<()> {
    let facts = Facts::of(app);
    for (group, Heard { name, .. }) in app.hub.rooms_of(conn) {
        if group == RoomId::PUBLIC {
            continue;
        }
        if name.is_direct() {
            // It is of two people: of others than this one, or this one has come into it just now.
            let user = actor.user;
            if app.db.read(move |reader| rooms::membership(reader, group, user)).await?.is_some() {
                continue;
            }
            let leave = Publication::Leave { conns: Audience::Conn(conn), room: group };
            app.publisher.publish(vec![Step::Publish(leave)]);
            continue;
        }
        let (before, actor) = (before.identity.clone(), actor.clone());
        app.db
            .write(rooms::lane(&name), move |tx| {
                let Some(room) = rooms::by_id(tx, group)? else { return Ok(()) };
                let (standing, there) = facts.in_room(tx, &actor, &room)?;
                match policy::in_room(Action::JoinRoom, standing, there).is_ok() && facts.is_free(tx, &before, group)? {
                    true => rooms::add_member(tx, group, actor.user, &actor.name, facts.at, RoomRole::Member)?,
                    false => tx.publish(Publication::Leave { conns: Audience::Conn(conn), room: group }),
                }
                Ok(())
            })
            .await?;
    }
    Ok(())
}

/// Sends the person their own numbers.
pub async fn show_stats(app: &App, actor: &Actor) -> Result<()> {
    app.limits.reading(actor.user, Network::of(actor.address))?;
    let facts = Facts::of(app);
    let who = actor.clone();
    let stats = app
        .db
        .read(move |reader| {
            policy::on_server(Action::ManageOneself, facts.standing(reader, &who)?)?;
            let activity = people::activity(reader, who.user)?;
            Ok(UserStats {
                message_count: activity.message_count,
                groups_joined: 0,
                created_at: activity.joined_at,
                last_active: activity.last_active,
                member_of: rooms::count_of(reader, who.user)?,
            })
        })
        .await?;
    if let Some(conn) = actor.conn {
        app.publisher.emit(Audience::Conn(conn), &stats).await;
    }
    Ok(())
}

/// Whom a person has blocked, and which rooms they have muted.
#[derive(Serialize, JsonSchema)]
pub struct Blocked {
    pub blocked: Vec<Username>,
    pub muted_rooms: Vec<RoomName>,
}

/// From here on the person hears nothing of the other, who cannot tell.
pub async fn block(app: &App, actor: &Actor, name: Username) -> Result<()> {
    app.limits.reading(actor.user, Network::of(actor.address))?;
    let actor = actor.clone();
    let facts = Facts::of(app);
    app.db
        .write(Lane::People, move |tx| {
            policy::on_server(Action::ManageOneself, facts.standing(tx, &actor)?)?;
            let whom = find_person(tx, &name)?;
            if whom.identity == actor.identity {
                return Err(Error::invalid("username", "This is you."));
            }
            let account = match whom.identity {
                Identity::Account(user) => Some(user),
                Identity::Guest(_) => None,
            };
            if people::blocks(tx, actor.user)?.len() >= MOST_BLOCKS {
                return Err(Error::Conflict("You have blocked as many people as one can.".into()));
            }
            people::block(tx, actor.user, &Block { name: whom.name, account })?;
            tx.publish(Publication::Hide { by: actor.identity, user: actor.user, author: whom.identity, hidden: true });
            Ok(())
        })
        .await
}

/// Whether there was a block to lift.
pub async fn unblock(app: &App, actor: &Actor, name: Username) -> Result<bool> {
    app.limits.reading(actor.user, Network::of(actor.address))?;
    let actor = actor.clone();
    let facts = Facts::of(app);
    app.db
        .write(Lane::People, move |tx| {
            policy::on_server(Action::ManageOneself, facts.standing(tx, &actor)?)?;
            let key = NameKey::of(&name);
            let blocks = people::blocks(tx, actor.user)?;
            let Some(block) = blocks.into_iter().find(|block| NameKey::of(&block.name) == key) else {
                return Ok(false);
            };
            people::unblock(tx, actor.user, &block.identity())?;
            tx.publish(Publication::Hide {
                by: actor.identity,
                user: actor.user,
                author: block.identity(),
                hidden: false,
            });
            Ok(true)
        })
        .await
}

pub async fn list_blocked(app: &App, actor: &Actor) -> Result<Blocked> {
    app.limits.reading(actor.user, Network::of(actor.address))?;
    let actor = actor.clone();
    let facts = Facts::of(app);
    app.db
        .read(move |reader| {
            policy::on_server(Action::ManageOneself, facts.standing(reader, &actor)?)?;
            let blocked = people::blocks(reader, actor.user)?.into_iter().map(|block| block.name).collect();
            let mut muted_rooms = Vec::new();
            for (room, preferences) in people::preferences(reader, actor.user)? {
                if preferences.muted
                    && let Some(room) = rooms::by_id(reader, room)?
                {
                    muted_rooms.push(room.name);
                }
            }
            Ok(Blocked { blocked, muted_rooms })
        })
        .await
}

/// To the person's own connections: a room makes no noise for them any more, or again.
#[derive(Serialize, JsonSchema)]
pub struct RoomMuted {
    room: RoomName,
    muted: bool,
}

impl Outbound for RoomMuted {
    const NAME: &'static str = "room_muted";
}

/// Mutes a room for oneself. Its messages still come: pages that know of it make no noise about them.
pub async fn mute_room(app: &App, actor: &Actor, name: RoomName, muted: bool) -> Result<()> {
    app.limits.reading(actor.user, Network::of(actor.address))?;
    let actor = actor.clone();
    let facts = Facts::of(app);
    app.db
        .write(Lane::People, move |tx| {
            let room = room_for(facts, tx, &actor, &name, Action::ReadRoom)?;
            people::set_preferences(tx, actor.user, room.id, RoomPreferences { muted })?;
            let muted = RoomMuted { room: room.name, muted };
            tx.publish(Publication::emit(Audience::own(&actor), &muted));
            Ok(())
        })
        .await
}
