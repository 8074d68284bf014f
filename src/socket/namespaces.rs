//! Rooms as namespaces: who connects to `/rooms/NAME` is in that room, and in no other over this connection.

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::Deserialize;
use socketioxide::SocketIo;
use socketioxide::extract::{SocketRef, TryData};
use socketioxide::handler::ConnectHandler;

use super::event::{Beginning, Connection, Context, Entries, Entry, Event, Pipeline};
use super::messages::saying;
use super::{Refusal, deletion, editing, listen, note_line, open, passes, reactions, visitor, whose};
use crate::answer::Done;
use crate::chat::history::{self, Page, Wanted};
use crate::chat::messages::{Target, post};
use crate::chat::{namespaces, typing};
use crate::error::{Error, Result};
use crate::types::{ConnId, Namespace, Password, RoomName, Sent, Token, Username, falsy_as_none};

/// What `encodeURIComponent` encodes.
const AS_JAVASCRIPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// How one comes in: with a session, or under a name.
#[derive(Default, Deserialize, JsonSchema)]
struct Auth {
    #[serde(default, deserialize_with = "falsy_as_none")]
    token: Option<Token>,
    #[serde(default, deserialize_with = "falsy_as_none")]
    username: Option<Username>,
    /// Of the room.
    #[serde(default, deserialize_with = "falsy_as_none")]
    password: Option<Password>,
}

/// What is sent here concerns the room, or a message by its id.
pub(super) fn entries() -> Entries {
    const OWN: &[Entry] = &[Entry::of::<Send>(), Entry::of::<GetHistory>(), Entry::of::<Typing>()];
    [OWN, editing::EVENTS, reactions::EVENTS, deletion::EVENTS, passes::EVENTS].into_iter().flatten().collect()
}

/// Lets clients into rooms.
pub fn attach(pipeline: &Arc<Pipeline>) {
    let accept = {
        let (pipeline, entries) = (pipeline.clone(), entries());
        async move |socket: SocketRef, auth: TryData<Auth>| {
            let path = socket.ns().to_owned();
            let accepted = accept(&pipeline, entries.clone(), socket, auth).await;
            match &accepted {
                Err(NotAdmitted::Refused(_)) if !is_room(&pipeline, &path).await => pipeline.hub.io().delete_ns(&path),
                Err(NotAdmitted::Refused(_)) => tidy_up(pipeline.hub.io(), &path),
                Err(NotAdmitted::Nowhere(_)) => pipeline.hub.io().delete_ns(&path),
                Ok(()) => {}
            }
            accepted
        }
    };
    pipeline.hub.io().dyn_ns("/rooms/{name}", open.with(accept)).expect("the pattern is a valid one");
}

async fn accept(
    pipeline: &Arc<Pipeline>,
    entries: Entries,
    socket: SocketRef,
    auth: TryData<Auth>,
) -> Result<(), NotAdmitted> {
    let visitor = visitor(pipeline, &socket)?;
    let auth = match auth.0 {
        Ok(auth) => auth,
        // Who sends nothing shows a cookie.
        Err(_) if visitor.token.is_some() => Auth::default(),
        Err(_) => return Err(Error::invalid("auth", "auth must be {token}, or {username, password?}").into()),
    };
    let room = room_of(socket.ns())?;
    let account = whose(&pipeline.app, &visitor, auth.token.as_ref()).await?;
    let conn = ConnId::in_namespace(socket.id, pipeline.number());
    let admission = namespaces::admit(&pipeline.app, &visitor, conn, account, auth.username, room, auth.password);
    let admission = admission.await?;
    note_line(pipeline, &socket);
    let connection = Connection::new(pipeline.clone(), entries, conn, visitor);
    connection.begin_with(socket.clone(), Beginning::Room(Box::new(admission)));
    listen(pipeline, &socket, conn, connection);
    Ok(())
}

/// The room that a namespace stands for.
fn room_of(path: &str) -> Result<RoomName> {
    match path.parse() {
        Ok(Namespace::Room(name)) => Ok(name),
        Ok(Namespace::Chat) => Err(Error::invalid("room", "must be the name of a room")),
        Err(problem) => Err(Error::invalid("room", problem)),
    }
}

/// Why somebody is not let into a room.
#[derive(Debug, thiserror::Error)]
enum NotAdmitted {
    #[error("{0}")]
    Refused(String),
    /// There is no such room.
    #[error("{0}")]
    Nowhere(String),
}

impl From<Error> for NotAdmitted {
    fn from(error: Error) -> Self {
        let message = error.to_wire(Some("connect")).message;
        match error {
            Error::NotFound(_) => Self::Nowhere(message),
            _ => Self::Refused(message),
        }
    }
}

impl From<Refusal> for NotAdmitted {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.to_string())
    }
}

/// Whether there is such a room. Where that cannot be told, its namespace stays.
async fn is_room(pipeline: &Pipeline, path: &str) -> bool {
    match room_of(path) {
        Ok(room) => namespaces::is_room(&pipeline.app, room).await.unwrap_or(true),
        Err(_) => false,
    }
}

/// The library keeps each namespace that was ever asked for. Of the many spellings of a room's name, those that nobody
/// uses are forgotten.
pub fn tidy_up(io: &SocketIo, path: &str) {
    let is_usual = room_of(path).is_ok_and(|room| {
        let encoded = utf8_percent_encode(room.as_str(), AS_JAVASCRIPT).to_string();
        path == format!("{}{encoded}", Namespace::ROOMS)
    });
    if !is_usual && io.of(path).is_some_and(|namespace| namespace.sockets().is_empty()) {
        io.delete_ns(path);
    }
}

saying!(
    struct Send {}
);

impl Event for Send {
    const NAME: &'static str = "send";
    const ABOUT: &'static str = "Says something in this room.";
    type Ack = Sent;

    async fn handle(self, context: &mut Context<'_>) -> Result<Sent> {
        let room = context.room()?;
        let target = if room == RoomName::public() { Target::Public } else { Target::Group(room) };
        let ((), draft) = self.split()?;
        post(context.app, context.actor()?, target, draft).await
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
struct GetHistory(Wanted);

impl Event for GetHistory {
    const NAME: &'static str = "get_history";
    const ABOUT: &'static str = "A page of what was said in a room.";
    type Ack = Page;

    async fn handle(self, context: &mut Context<'_>) -> Result<Page> {
        history::page(context.app, context.actor()?, context.room()?, self.0).await
    }
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "TypingHere")]
struct Typing {}

impl Event for Typing {
    const NAME: &'static str = "typing";
    const ABOUT: &'static str = "Somebody types. At most once in three seconds; it is not stored.";
    type Ack = Done;

    async fn handle(self, context: &mut Context<'_>) -> Result<Done> {
        typing::typing(context.app, context.actor()?, context.room()?).await?;
        Ok(Done {})
    }
}
