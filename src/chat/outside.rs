//! Events of programs outside of the chat, such as a Celery worker's. They act for the operator, not for a person: no block
//! and no membership counts, and nothing is stored.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::policy;
use super::rooms::find_open;
use crate::app::App;
use crate::error::{Error, Result};
use crate::hub::Publication;
use crate::outside::{Act, Answer, Arguments, Emission, Hearers, Outside, Scope, Target};
use crate::types::{Namespace, RoomId, RoomName, Token, Value};

/// Names that clients of Socket.IO keep for themselves.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];
/// Longest name of an event or a room, in bytes.
const NAME_LENGTH: usize = 512;
/// Most names that one event can be sent to, or kept from.
const MOST_NAMES: usize = 1_000;

/// What a program wants, in its own words.
pub struct Wish {
    /// `/` or `/rooms/NAME`.
    pub namespace: String,
    pub what: What,
}

pub enum What {
    Emit(Event),
    CloseRoom { room: String },
    Disconnect { sid: String },
    EnterRoom { sid: String, room: String },
    LeaveRoom { sid: String, room: String },
}

pub struct Event {
    pub name: String,
    pub arguments: Vec<Value>,
    /// Names of rooms and ids of connections; `None`: to all.
    pub to: Option<Vec<String>>,
    /// Ids of connections that do not get it.
    pub skip: Vec<String>,
    pub answer: Option<Answer>,
}

/// Whether a program may send events over HTTP: it shows EMIT_TOKEN.
pub fn authorize(app: &App, shown: Option<&Token>) -> Result<()> {
    policy::outside(app.config.emit_token.as_ref(), shown)
}

/// Does it. To how many connections an event was handed; 0 of all else.
pub async fn carry_out(app: &App, wish: Wish) -> Result<u64> {
    let delivered = Arc::new(AtomicU64::new(0));
    let namespace = wish
        .namespace
        .parse()
        .map_err(|problem: Cow<str>| Error::invalid("namespace", format!("namespace {problem}")))?;
    let Some(scope) = scope(app, namespace).await? else { return Ok(0) };
    let act = match wish.what {
        What::Emit(event) => Some(Act::Emit(emission(app, event, delivered.clone()).await?)),
        What::CloseRoom { room } => Some(Act::Close { room }),
        What::Disconnect { sid } => sid.parse().ok().map(|sid| Act::Disconnect { sid }),
        What::EnterRoom { sid, room } => {
            short("room", &room)?;
            sid.parse().ok().map(|sid| Act::Enter { sid, room })
        }
        What::LeaveRoom { sid, room } => sid.parse().ok().map(|sid| Act::Leave { sid, room }),
    };
    // What is no id of ours is a connection of another server.
    if let Some(act) = act {
        app.publisher.carry_out(Publication::Outside(Outside { scope, act })).await;
    }
    Ok(delivered.load(Ordering::Relaxed))
}

/// `None`: there is no such room.
async fn scope(app: &App, namespace: Namespace) -> Result<Option<Scope>> {
    match namespace {
        Namespace::Chat => Ok(Some(Scope::Chat)),
        Namespace::Room(name) => Ok(rooms(app, vec![Some(name)]).await?.pop().flatten().map(Scope::Room)),
    }
}

async fn emission(app: &App, event: Event, delivered: Arc<AtomicU64>) -> Result<Emission> {
    if event.name.is_empty() || RESERVED.contains(&event.name.as_str()) {
        return Err(Error::invalid(
            "event",
            "event must have a name, and none that Socket.IO keeps for itself, such as connect",
        ));
    }
    short("event", &event.name)?;
    few("skip_sid", &event.skip)?;
    let to = match event.to {
        Some(names) => Hearers::Those(targets(app, names).await?),
        // As with lists of groups: where guests may not come in, strangers learn nothing.
        None if app.config.guests => Hearers::Everyone,
        None => Hearers::Introduced,
    };
    Ok(Emission {
        event: event.name,
        arguments: Arguments::new(event.arguments),
        to,
        skip: event.skip.iter().filter_map(|sid| sid.parse().ok()).collect(),
        answer: event.answer,
        delivered,
    })
}

/// What each name can stand for.
async fn targets(app: &App, names: Vec<String>) -> Result<Vec<Target>> {
    few("to", &names)?;
    let rooms = rooms(app, names.iter().map(|name| RoomName::try_from(name.clone()).ok()).collect()).await?;
    let target = |(name, room): (String, Option<RoomId>)| Target { sid: name.parse().ok(), name, room };
    Ok(names.into_iter().zip(rooms).map(target).collect())
}

/// The rooms of these names that one could come into.
async fn rooms(app: &App, names: Vec<Option<RoomName>>) -> Result<Vec<Option<RoomId>>> {
    app.db
        .read(move |reader| {
            let mut find = |name: Option<RoomName>| match name {
                Some(name) => Ok(find_open(reader, &name)?.map(|room| room.id)),
                None => Ok(None),
            };
            names.into_iter().map(&mut find).collect()
        })
        .await
}

fn short(field: &str, name: &str) -> Result<()> {
    match name.len() > NAME_LENGTH {
        true => Err(Error::invalid(field, format!("{field} must have at most {NAME_LENGTH} bytes"))),
        false => Ok(()),
    }
}

fn few(field: &str, names: &[String]) -> Result<()> {
    match names.len() > MOST_NAMES {
        true => Err(Error::invalid(field, format!("{field} must have at most {MOST_NAMES} names"))),
        false => Ok(()),
    }
}
