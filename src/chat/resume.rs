//! Resume: a page that lost its connection hears again what it heard, and gets what it missed, without a word of its own.
//!
//! Each connection that can come back has a ticket in the store: who it spoke for, what it heard and, once it is lost, how
//! far. Its owner is an account's session, or the browser by the cookie that came with the page. A page that was just
//! loaded asks for nothing, and says itself who it is.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::direct;
use super::facts::{Facts, hidden_from, room_for};
use super::people::{hear, identify};
use super::policy::{self, Action};
use super::rooms::announce_joined;
use crate::app::App;
use crate::error::{Error, Result};
use crate::hub::{Audience, Heard, Mark, Publication};
use crate::store::resume::{self as tickets, Ticket};
use crate::store::{Lane, Tx, accounts, messages, rooms};
use crate::types::{Actor, ConnId, Identity, NameKey, Network, Room, RoomId, RoomName, SessionId, TicketId, TicketKey};
use crate::visitor::Visitor;

/// Messages of a room that are sent again; who missed more loads the page anew.
const MOST: i64 = 500;
/// Messages that are sent again at once: fewer than a connection's buffer has room for.
const MOST_TOGETHER: i64 = 900;
/// How long a lost connection is waited for.
pub const PATIENCE: Duration = Duration::from_secs(24 * 3600);
/// A page that is loaded anew closes its connection at about the same time.
const RELOADING: Duration = Duration::from_secs(10);
/// Tickets of one owner.
const MOST_TICKETS: usize = 50;
/// What a browser's cookie and a session are hashed for.
const BROWSER: &str = "browser";
const SESSION: &str = "ticket of a session";

/// The page goes to a browser: the cookie that it is known by from here on.
pub fn page_loads(app: &App, visitor: &Visitor) -> String {
    match browser(app, visitor) {
        Some((stamp, owner)) => {
            app.run.loads(owner);
            stamp
        }
        None => app.signer.stamp(BROWSER, ""),
    }
}

fn browser(app: &App, visitor: &Visitor) -> Option<(String, [u8; 32])> {
    let stamp = visitor.browser.as_ref()?.as_str();
    let random = app.signer.check_stamp(BROWSER, "", stamp)?;
    // A cookie that was carried to another browser opens nothing there.
    Some((stamp.to_owned(), app.signer.hash(BROWSER, &format!("{random}|{}", visitor.user_agent))))
}

/// Under which ticket the connection is kept; `None` for who would not be known again.
pub fn key(app: &App, visitor: &Visitor, session: Option<SessionId>, id: TicketId) -> Option<TicketKey> {
    let owner = match session {
        Some(session) => app.signer.hash(SESSION, &format!("{session}|{}", visitor.user_agent)),
        None => browser(app, visitor)?.1,
    };
    Some(TicketKey { id, owner })
}

/// Writes down what the connection hears, within the write that changes it.
pub(super) fn keep(tx: &mut Tx, facts: Facts, actor: &Actor, heard: impl IntoIterator<Item = RoomId>) -> Result<()> {
    let rooms = heard.into_iter().map(|room| (room.get(), None)).collect();
    write(tx, facts, actor, rooms, false)
}

fn write(tx: &mut Tx, facts: Facts, actor: &Actor, rooms: BTreeMap<i64, Option<i64>>, lost: bool) -> Result<()> {
    let Some(key) = actor.ticket else { return Ok(()) };
    let (user, name, account) = (actor.user, actor.name.clone(), !actor.identity.is_guest());
    tickets::set(tx, key, &Ticket { user, name, account, run: facts.run, rooms, at: facts.at.micros(), lost })
}

/// Who comes in by themselves needs no lost ticket of theirs any more; nor do pages that were just loaded anew.
pub(super) fn come_in(tx: &mut Tx, facts: Facts, actor: &Actor) -> Result<()> {
    let Some(key) = actor.ticket else { return Ok(()) };
    let all = tickets::of_owner(tx, &key.owner)?;
    for (place, (id, ticket)) in all.into_iter().enumerate() {
        let lost = is_lost(&ticket, facts.run);
        if lost && (ticket.name == actor.name || was_reloaded(&ticket, facts)) || place >= MOST_TICKETS {
            tickets::delete(tx, id)?;
        }
    }
    Ok(())
}

fn is_lost(ticket: &Ticket, run: Uuid) -> bool {
    ticket.lost || ticket.run != run
}

fn was_reloaded(ticket: &Ticket, facts: Facts) -> bool {
    ticket.lost && facts.at.micros() - ticket.at < RELOADING.as_micros() as i64
}

/// How a connection ended.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// By somebody's will: nobody waits for it.
    Wanted,
    /// By the network, which said so at once: what was sent before has arrived, but for the blink of an eye.
    Closed,
    /// Nothing was heard of it any more: nobody knows for how long what was sent went nowhere.
    Silent,
}

/// The connection has gone: its ticket says how far it has heard.
pub async fn leave(app: &App, actor: &Actor, heard: &BTreeMap<RoomId, Heard>, end: End) -> Result<()> {
    let Some(key) = actor.ticket else { return Ok(()) };
    let facts = Facts::of(app);
    let actor = actor.clone();
    let rooms = positions(heard, end);
    app.db
        .write(Lane::People, move |tx| match end {
            End::Wanted => tickets::delete(tx, key.id).map(drop),
            // It heard nothing, or its ticket was written when it was taken over.
            _ if rooms.is_empty() => Ok(()),
            End::Closed | End::Silent => write(tx, facts, &actor, rooms, true),
        })
        .await
}

fn positions(heard: &BTreeMap<RoomId, Heard>, end: End) -> BTreeMap<i64, Option<i64>> {
    let position = |heard: &Heard| if matches!(end, End::Silent) { heard.arrived } else { heard.sent };
    heard.iter().map(|(room, heard)| (room.get(), Some(position(heard)))).collect()
}

/// Whether a new connection is a lost one that came back.
#[allow(clippy::large_enum_variant)]
pub enum Found {
    Nobody,
    /// Several lost connections, and no telling which of them this is.
    Several,
    Somebody(Actor, Ticket),
}

/// Looks whether a new connection is a lost one that came back. `account` is whose session it shows; a program shows it
/// `by_hand`: then the others that show it are other programs.
pub async fn find(
    app: &App,
    visitor: &Visitor,
    conn: ConnId,
    id: TicketId,
    account: Option<&Actor>,
    by_hand: bool,
) -> Result<Found> {
    let Some(key) = key(app, visitor, account.and_then(|actor| actor.session), id) else { return Ok(Found::Nobody) };
    let facts = Facts::of(app);
    if browser(app, visitor).is_some_and(|(_, owner)| app.run.has_loaded(&owner)) {
        return Ok(Found::Nobody);
    }
    let mut all = app.db.read(move |reader| tickets::of_owner(reader, &key.owner)).await?;
    if by_hand {
        all.retain(|(_, ticket)| is_lost(ticket, facts.run));
    }
    let candidates = lost_ones(app, facts, key.owner, all).await?;
    let Some((lost, ticket)) = candidates.first().cloned() else { return Ok(Found::Nobody) };
    if !candidates.iter().all(|(_, other)| other.leads_where(&ticket)) {
        return Ok(Found::Several);
    }
    let actor = match account {
        Some(account) => Actor { ticket: Some(key), conn: Some(conn), ..account.clone() },
        None => Actor {
            user: ticket.user,
            identity: Identity::guest(&ticket.name),
            name: ticket.name.clone(),
            session: None,
            conn: Some(conn),
            address: visitor.address,
            ticket: Some(key),
        },
    };
    // Another connection may have come back at the same moment.
    match app.db.write(Lane::People, move |tx| tickets::delete(tx, lost)).await? {
        true => Ok(Found::Somebody(actor, ticket)),
        false => Ok(Found::Nobody),
    }
}

/// Those that are lost; also those that do not answer any more, whose loss nobody has noticed yet.
async fn lost_ones(
    app: &App,
    facts: Facts,
    owner: [u8; 32],
    all: Vec<(TicketId, Ticket)>,
) -> Result<Vec<(TicketId, Ticket)>> {
    let oldest = facts.at.micros() - PATIENCE.as_micros() as i64;
    let (mut lost, connected): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, ticket)| is_lost(ticket, facts.run));
    lost.retain(|(_, ticket)| ticket.at > oldest && !ticket.rooms.is_empty());
    let answers = connected.iter().map(|(id, ticket)| app.hub.answers(&ticket.identity(), *id));
    let answers = futures_util::future::join_all(answers).await;
    for ((id, ticket), _) in connected.into_iter().zip(answers).filter(|(_, answers)| !answers) {
        let heard = app.hub.take_over(&ticket.identity(), id);
        if !heard.is_empty() {
            let ticket = Ticket { rooms: positions(&heard, End::Silent), lost: true, at: facts.at.micros(), ..ticket };
            lost.push((id, ticket.clone()));
            // Another page may be the one that comes back for it.
            app.db.write(Lane::People, move |tx| tickets::set(tx, TicketKey { id, owner }, &ticket)).await?;
        }
    }
    Ok(lost)
}

pub fn several() -> Error {
    Error::Conflict("Several connections of this browser were lost at once. Reload the page to go on.".into())
}

/// Lets a connection go on where another one ended: who it speaks for, what it hears, and what it missed.
pub async fn go_on(app: &App, actor: &Actor, ticket: Ticket) -> Result<()> {
    let facts = Facts::of(app);
    let guests = app.config.guests;
    let who = actor.clone();
    app.db
        .write(Lane::People, move |tx| {
            if who.identity.is_guest() {
                policy::enter_as_guest(guests)?;
                if accounts::find(tx, &NameKey::of(&who.name))?.is_some() {
                    return Err(Error::Conflict("This name belongs to an account now. Sign in.".into()));
                }
            }
            policy::on_server(Action::ManageOneself, facts.standing(tx, &who)?)?;
            who.conn.map_or(Ok(()), |conn| identify(tx, &who, conn).map(drop))
        })
        .await?;
    let mut rooms_heard = ticket.rooms;
    // Rooms of two that were made after the ticket was written are not in it.
    for room in app
        .db
        .read({
            let user = actor.user;
            move |reader| direct::of_user(reader, user)
        })
        .await?
    {
        rooms_heard.entry(room.id.get()).or_insert(None);
    }
    let mut room_left = MOST_TOGETHER;
    for (room, heard) in rooms_heard {
        let room = RoomId::from_stored(room);
        let heard = heard.or_else(|| app.run.seqs.get(&room).copied()).unwrap_or(0);
        hear_again(app, facts, actor, room, heard, &mut room_left).await?;
    }
    Ok(())
}

/// Into one room again, if one may; what was missed there is sent before anything new.
async fn hear_again(
    app: &App,
    facts: Facts,
    actor: &Actor,
    room: RoomId,
    heard: i64,
    room_left: &mut i64,
) -> Result<()> {
    let Some(room) = app.db.read(move |reader| rooms::by_id(reader, room)).await? else { return Ok(()) };
    let Some(conn) = actor.conn else { return Ok(()) };
    let (actor, hub) = (actor.clone(), app.hub.clone());
    let most = (*room_left).min(MOST);
    let sent = app
        .db
        .write(rooms::lane(&room.name), move |tx| {
            let (standing, there) = facts.in_room(tx, &actor, &room)?;
            if policy::in_room(Action::ReadRoom, standing, there).is_err() {
                return Ok(0);
            }
            hear(tx, conn, &room)?;
            let sent = replay(tx, &actor, conn, &room, heard, most)?;
            if room.direct.is_none() {
                announce_joined(tx, conn, &actor, &room)?;
            }
            keep(tx, facts, &actor, hub.rooms_of(conn).into_keys().chain([room.id]))?;
            Ok(sent)
        })
        .await?;
    *room_left -= sent;
    Ok(())
}

/// Sends a connection the messages after a position, or says that there are too many. How many were sent.
fn replay(tx: &mut Tx, actor: &Actor, conn: ConnId, room: &Room, heard: i64, most: i64) -> Result<i64> {
    let missed = messages::after(tx, room, heard, most + 1)?;
    if missed.len() as i64 > most {
        tx.publish(Publication::emit(Audience::Conn(conn), &too_many(&room.name).to_wire(Some("resume"))));
        return Ok(0);
    }
    let hidden = hidden_from(tx, actor.user)?;
    let count = missed.len() as i64;
    for message in missed.into_iter().filter_map(|written| written.without(&hidden)) {
        let mark = Mark { room: room.id, seq: message.seq, id: message.id };
        tx.publish(Publication::missed(conn, mark, &message));
    }
    Ok(count)
}

fn too_many(room: &RoomName) -> Error {
    let message =
        format!("You missed more messages in {} than are sent again. Reload the page to see them.", room.as_str());
    Error::TooLarge { field: "messages", message: message.into() }
}

/// How many messages were sent again.
#[derive(Serialize, JsonSchema)]
pub struct Resumed {
    pub sent: i64,
}

/// Sends what came after these positions, in rooms that the connection hears. For clients that keep their own mark.
pub async fn by_hand(app: &App, actor: &Actor, marks: Marks) -> Result<Resumed> {
    let facts = Facts::of(app);
    let Some(conn) = actor.conn else { return Ok(Resumed { sent: 0 }) };
    let mut room_left = MOST_TOGETHER;
    for (name, heard) in marks.0 {
        app.limits.passage(actor.user, Network::of(actor.address))?;
        let most = room_left.min(MOST);
        let actor = actor.clone();
        let sent = app
            .db
            .write(rooms::lane(&name), move |tx| {
                let room = room_for(facts, tx, &actor, &name, Action::ReadRoom)?;
                let missed = replay(tx, &actor, conn, &room, heard, most)?;
                hear(tx, conn, &room)?;
                Ok(missed)
            })
            .await?;
        room_left -= sent;
    }
    Ok(Resumed { sent: MOST_TOGETHER - room_left })
}

/// By room, the `seq` of the last message that one has.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Marks(BTreeMap<RoomName, i64>);

/// Whether the ticket has been waited for in vain. For [`super::watch`].
pub(super) fn is_over(ticket: &Ticket, facts: Facts) -> bool {
    is_lost(ticket, facts.run) && facts.at.micros() - ticket.at > PATIENCE.as_micros() as i64
}
