//! The Socket.IO edge: the server at `/socket.io/`, who connects and who goes.

mod accounts;
mod admin;
pub mod asyncapi;
mod deletion;
mod direct;
mod editing;
mod event;
mod handshake;
mod history;
mod hub;
mod messages;
mod moderation;
mod namespaces;
mod outside;
mod passes;
mod people;
mod pins;
mod presence;
mod raw;
mod reactions;
mod read_marks;
mod registry;
mod reports;
mod resume;
mod rooms;
mod search;
mod seats;
mod session;
mod typing;

use std::future::{Ready, ready};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use schemars::JsonSchema;
use serde::Deserialize;
use socketioxide::extract::{AckSender, SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use socketioxide::socket::DisconnectReason;
use socketioxide::{ParserConfig, SocketIo, TransportType};

use crate::app::App;
use crate::chat;
use crate::chat::resume::End;
use crate::config::Config;
use crate::listener::Peer;
use crate::types::{Actor, ConnId, Network, Token, falsy_as_none};
use crate::visitor::Visitor;
use event::{Beginning, Connection, Entries, Newcomer, Pipeline};
pub use hub::SocketHub;
use raw::Raw;
use seats::Seat;

/// Packets that may wait for a connection. A reader who falls behind further than this is cut off.
const BUFFER: usize = 1024;
/// The first growth of a websocket's reading buffer; most packets are short.
const READ_BUFFER: usize = 1024;

/// How long a session may take to connect to a namespace, where nothing is limited.
const CONNECTING: Duration = Duration::from_secs(45);

/// What clients without cookies show when they connect.
#[derive(Deserialize, JsonSchema)]
struct Auth {
    #[serde(default, deserialize_with = "falsy_as_none")]
    token: Option<Token>,
    /// `false`: the client comes back by itself, and says then who it is and what it wants to hear.
    #[serde(default = "yes")]
    resume: bool,
}

fn yes() -> bool {
    true
}

/// All events that clients may send in the namespace `/`.
fn entries() -> Entries {
    [
        accounts::EVENTS,
        admin::EVENTS,
        deletion::EVENTS,
        direct::EVENTS,
        editing::EVENTS,
        history::EVENTS,
        messages::EVENTS,
        moderation::EVENTS,
        passes::EVENTS,
        people::EVENTS,
        pins::EVENTS,
        presence::EVENTS,
        reactions::EVENTS,
        read_marks::EVENTS,
        reports::EVENTS,
        resume::EVENTS,
        rooms::EVENTS,
        search::EVENTS,
        typing::EVENTS,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The server without its rules, which come with [`attach`].
pub fn build(config: &Config) -> Arc<SocketHub> {
    let parser = ParserConfig::common()
        .max_incoming_binaries(10)
        .max_incoming_binary_buf_size(config.max_payload)
        .packet_completion_timeout(Duration::from_secs(10));
    let (service, io) = SocketIo::builder()
        .with_parser(parser)
        .ping_interval(config.ping_interval)
        .ping_timeout(config.ping_timeout)
        .max_payload(config.max_payload as u64)
        .ws_max_message_size(config.max_payload)
        .ws_max_frame_size(config.max_payload)
        .ws_read_buffer_size(READ_BUFFER)
        .max_buffer_size(BUFFER)
        .ack_timeout(outside::ANSWERING)
        .connect_timeout(config.socket_limits.map_or(CONNECTING, |limits| limits.join_timeout))
        .build_with_inner_svc(Router::new());
    Arc::new(SocketHub::new(io, service, config.socket_limits))
}

/// The running edge.
pub struct SocketEdge {
    pipeline: Arc<Pipeline>,
}

/// Lets clients in.
pub fn attach(app: Arc<App>, hub: Arc<SocketHub>) -> SocketEdge {
    let pipeline = Arc::new(Pipeline::new(app, hub.clone()));
    let accept = {
        let (pipeline, entries) = (pipeline.clone(), entries());
        async move |socket: SocketRef, auth: TryData<Auth>| {
            accept(&pipeline, entries.clone(), socket, auth.0.ok()).await
        }
    };
    // In the middleware, since it runs before the client hears that it is connected: no event can come too early.
    hub.io().ns("/", open.with(accept));
    namespaces::attach(&pipeline);
    refuse_unknown_namespaces(hub.io());
    SocketEdge { pipeline }
}

impl SocketEdge {
    /// The routes of this edge.
    pub fn router(&self) -> Router {
        handshake::router(self.pipeline.app.clone(), self.pipeline.hub.clone())
    }

    /// Waits until every event that was accepted has been answered.
    pub async fn finish(&self) {
        while self.pipeline.under_way.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Takes no more events.
    pub fn refuse_new(&self) {
        self.pipeline.closing.store(true, Ordering::SeqCst);
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pipeline.hub.io().close().await;
    }
}

/// Takes a connection in, or says why not: the client hears that as `connect_error`.
async fn accept(
    pipeline: &Arc<Pipeline>,
    entries: Entries,
    socket: SocketRef,
    auth: Option<Auth>,
) -> Result<(), Refusal> {
    let visitor = visitor(pipeline, &socket)?;
    let by_hand = auth.as_ref().and_then(|auth| auth.token.as_ref());
    let account = whose(&pipeline.app, &visitor, by_hand).await?;
    let conn = ConnId::new(socket.id);
    note_line(pipeline, &socket);
    // A page says when it wants to hear: with join_chat. Who shows a token by hand wants to hear at once.
    let newcomer =
        Newcomer { account, listen: by_hand.is_some(), resume: auth.as_ref().is_none_or(|auth| auth.resume) };
    let connection = Connection::new(pipeline.clone(), entries, conn, visitor);
    if newcomer.account.is_some() || (newcomer.resume && connection.may_be_known()) {
        connection.begin_with(socket.clone(), Beginning::Chat(newcomer));
    }
    listen(pipeline, &socket, conn, connection);
    Ok(())
}

/// Who connects, unless nobody may from there.
fn visitor(pipeline: &Pipeline, socket: &SocketRef) -> Result<Visitor, Refusal> {
    let app = &pipeline.app;
    let visitor = socket.req_parts().extensions.get::<Visitor>().cloned().ok_or(Refusal::Unknown)?;
    if chat::sessions::is_banned_network(app, Network::of(visitor.address)) {
        return Err(Refusal::Banned);
    }
    let seat = socket.req_parts().extensions.get::<Seat>().map_or(0, Seat::number);
    if app.config.socket_limits.is_some_and(|limits| seat > limits.per_address) {
        return Err(Refusal::TooMany);
    }
    Ok(visitor)
}

/// Whose session it shows: in a cookie, or by hand.
async fn whose(app: &App, visitor: &Visitor, by_hand: Option<&Token>) -> Result<Option<Actor>, Refusal> {
    let account = match by_hand.or(visitor.token.as_ref()) {
        Some(token) => sign_in(app, token, visitor.address).await?,
        None => None,
    };
    match account.is_none() && by_hand.is_some() {
        true => Err(Refusal::NoSession),
        false => Ok(account),
    }
}

fn note_line(pipeline: &Pipeline, socket: &SocketRef) {
    if socket.transport_type() == TransportType::Websocket
        && let Some(ConnectInfo(peer)) = socket.req_parts().extensions.get::<ConnectInfo<Peer>>()
        && let Some(line) = peer.line()
    {
        pipeline.hub.carried_by(socket.id, &line);
    }
}

async fn sign_in(app: &App, token: &Token, address: IpAddr) -> Result<Option<Actor>, Refusal> {
    chat::sessions::authenticate(app, token, address).await.map_err(|error| {
        error.to_wire(Some("connect"));
        Refusal::Unavailable
    })
}

/// Why a connection is not taken in.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("The server does not know where this comes from.")]
    Unknown,
    #[error("Your address is banned from this server.")]
    Banned,
    #[error("There are too many connections from your address.")]
    TooMany,
    #[error("This session is over. Sign in again.")]
    NoSession,
    #[error("The server cannot look up your session now. Try again in a moment.")]
    Unavailable,
}

fn listen(pipeline: &Arc<Pipeline>, socket: &SocketRef, conn: ConnId, owner: Arc<Connection>) {
    metrics::gauge!("secure_chat_connections").increment(1);
    socket.extensions.insert(owner);
    socket.on_fallback(|socket: SocketRef, raw: Raw, ack: AckSender| {
        connection(&socket).receive(socket, raw, ack);
        ready(())
    });
    let hub = pipeline.hub.clone();
    socket.on_disconnect(move |socket: SocketRef, reason: DisconnectReason| async move {
        metrics::gauge!("secure_chat_connections").decrement(1);
        let end = match reason {
            DisconnectReason::ClientNSDisconnect | DisconnectReason::ServerNSDisconnect => End::Wanted,
            DisconnectReason::HeartbeatTimeout => End::Silent,
            _ => End::Closed,
        };
        connection(&socket).disconnected(socket.clone(), end).await;
        hub.gone(conn);
        if !conn.is_main() {
            namespaces::tidy_up(hub.io(), socket.ns());
        }
    });
}

/// The library calls this once it lets us emit to the socket, which can be after the client's first events.
fn open(socket: SocketRef) -> Ready<()> {
    connection(&socket).open(socket);
    ready(())
}

fn connection(socket: &SocketRef) -> Arc<Connection> {
    socket.extensions.get().expect("an accepted socket has its connection")
}

/// As in the original: its refusal of a namespace carries no message. The library would keep each name that was ever
/// asked for, so it is deleted at once.
fn refuse_unknown_namespaces(io: &SocketIo) {
    let refuse = |socket: SocketRef, io: SocketIo| {
        io.delete_ns(socket.ns());
        ready(Err::<(), _>(""))
    };
    io.dyn_ns("/{*name}", (|_: SocketRef| ready(())).with(refuse)).expect("the pattern is a valid one");
}
