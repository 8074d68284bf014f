//! Carries events to the sockets of this node.
//!
//! The library's own broadcast does not tell which socket had no room for an event, so each socket is served by itself,
//! with a payload that was encoded once. Who is too slow is cut off, so that it comes back and misses nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Method, Request};
use serde_json::value::RawValue;
use socketioxide::extract::SocketRef;
use socketioxide::service::SocketIoService;
use socketioxide::socket::Sid;
use socketioxide::{SendError, SocketError, SocketIo, TransportType};
use tower::ServiceExt;

use super::registry::{Listener, Registry};
use super::seats::Seats;
use crate::config::SocketLimits;
use crate::error::{Error, WireError};
use crate::hub::{Audience, Ear, Fanout, Heard, Here, Mark, Outbound, Publication};
use crate::line::Line;
use crate::owed::Owed;
use crate::types::{ConnId, Identity, NameKey, Network, RoomId, SessionId, TicketId, UserId};

/// What answers `/socket.io/`.
pub type Service = SocketIoService<Router>;

/// How often clients are asked for messages that are under way.
const ASKING: Duration = Duration::from_secs(1);
const ASKED_IN_A_ROW: usize = 32;
/// How long a connection may take to close in an orderly way.
const CLOSING: Duration = Duration::from_secs(5);

pub struct SocketHub {
    io: SocketIo,
    service: Service,
    registry: Mutex<Registry>,
    /// The connections of websockets, by session.
    lines: Mutex<HashMap<Sid, Weak<Line>>>,
    /// Connections that one account may have.
    per_account: usize,
    pub seats: Seats,
}

impl SocketHub {
    pub fn new(io: SocketIo, service: Service, limits: Option<SocketLimits>) -> Self {
        let per_account = limits.map_or(usize::MAX, |limits| limits.per_account);
        Self { io, service, registry: Mutex::default(), lines: Mutex::default(), per_account, seats: Seats::default() }
    }

    /// Takes a connection in: from here on it can be spoken to.
    pub fn add(&self, conn: ConnId, socket: SocketRef, network: Network, owed: Arc<Owed>) {
        let line = self.lines.lock().expect("lines lock").get(&conn.sid()).and_then(Weak::upgrade);
        let mut registry = self.registry();
        registry.add(conn, socket, network, owed);
        if let Some((line, listener)) = line.zip(registry.conn(conn)) {
            listener.carry_by(&line);
        }
    }

    /// What is owed to the client of a session.
    pub fn owed(&self, session: Sid) -> Arc<Owed> {
        self.registry().carried_by(session).first().map(|listener| listener.owed.clone()).unwrap_or_default()
    }

    /// Lets a connection speak for a person, unless they have as many as one may have: then it is sent away.
    fn identify(&self, conn: ConnId, ear: Box<Ear>) {
        let mut registry = self.registry();
        let limit = if ear.identity.is_guest() { usize::MAX } else { self.per_account };
        if registry.count_of(&ear.identity) < limit || registry.speaks_for(conn, &ear.identity) {
            return registry.identify(conn, Some(ear));
        }
        let Some(listener) = registry.conn(conn) else { return };
        registry.remove(conn);
        drop(registry);
        // Whoever has gone meanwhile need not be told.
        let _ = listener.socket.emit(WireError::NAME, &Error::TooMany { retry_ms: 60_000 }.to_wire(None));
        let _ = listener.socket.clone().disconnect();
    }

    pub(super) fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().expect("registry lock")
    }

    pub fn io(&self) -> &SocketIo {
        &self.io
    }

    /// Its clones share their sessions.
    pub fn service(&self) -> Service {
        self.service.clone()
    }

    /// Which connection carries the websocket of a session.
    pub fn carried_by(&self, session: Sid, line: &Arc<Line>) {
        let mut lines = self.lines.lock().expect("lines lock");
        if lines.len() == lines.capacity() {
            lines.retain(|_, line| line.strong_count() > 0);
        }
        lines.insert(session, Arc::downgrade(line));
        drop(lines);
        for listener in self.registry().carried_by(session) {
            listener.carry_by(line);
        }
    }

    /// Asks, again and again, for messages of which it is not known whether they have arrived.
    pub async fn keep_asking(self: Arc<Self>) {
        loop {
            tokio::time::sleep(ASKING).await;
            let everyone = self.registry().everyone();
            for (place, listener) in everyone.values().enumerate() {
                listener.ask();
                // A thousand pings in a row would keep messages waiting.
                if place % ASKED_IN_A_ROW == ASKED_IN_A_ROW - 1 {
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// The session is over, unless it is in other namespaces. A writer that still waits for a reader who does not read is
    /// ended for good.
    pub fn gone(&self, conn: ConnId) {
        if !self.registry().carried_by(conn.sid()).is_empty() {
            return;
        }
        let line = self.lines.lock().expect("lines lock").remove(&conn.sid());
        if let Some(line) = line {
            tokio::spawn(async move {
                tokio::time::sleep(CLOSING).await;
                if let Some(line) = line.upgrade() {
                    line.cut();
                }
            });
        }
    }

    /// An event did not reach its socket.
    pub fn not_delivered(&self, conn: ConnId, socket: &SocketRef, error: SendError) {
        match error {
            SendError::Socket(SocketError::InternalChannelFull) => self.cut_off(conn, socket),
            SendError::Socket(SocketError::Closed) => {}
            SendError::Serialize(error) => tracing::error!("an event cannot be encoded: {error}"),
        }
    }

    /// Ends the session of a slow reader without a goodbye, as a broken network would: its client then connects again.
    fn cut_off(&self, conn: ConnId, socket: &SocketRef) {
        metrics::counter!("secure_chat_slow_readers_total").increment(1);
        tracing::warn!("a connection that does not read was cut off");
        self.drop_connection(conn, socket);
    }

    /// Ends a connection without a goodbye: its client then connects again.
    pub fn drop_connection(&self, conn: ConnId, socket: &SocketRef) {
        // It hears nothing more: an event after a lost one would hide the gap.
        if let Some(listener) = self.registry().conn(conn) {
            listener.deafen();
        }
        let line = self.lines.lock().expect("lines lock").get(&socket.id).and_then(Weak::upgrade);
        match (socket.transport_type(), line) {
            (TransportType::Websocket, Some(line)) => line.cut(),
            _ => {
                let closing = self.close_polling(socket.id);
                tokio::spawn(closing);
            }
        }
    }

    /// Ends a session over polling: posts in its name a packet that the library takes for the end of it. Its poll, if
    /// one waits, gets a close packet.
    pub fn close_polling(&self, session: Sid) -> impl Future<Output = ()> + Send + use<> {
        /// A message of a Socket.IO packet type that there is not.
        const NONSENSE: &str = "49";

        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("/socket.io/?EIO=4&transport=polling&sid={session}"))
            .body(Body::from(NONSENSE))
            .expect("a request of constants and an id");
        let answer = self.service.clone().oneshot(request);
        async move { drop(answer.await) }
    }

    fn listeners(&self, conns: &Audience) -> Vec<Arc<Listener>> {
        let registry = self.registry();
        match conns {
            Audience::Everyone => registry.everyone().values().cloned().collect(),
            Audience::Introduced => {
                registry.everyone().values().filter(|listener| listener.is_introduced()).cloned().collect()
            }
            Audience::Room(room) => registry.in_room(*room).values().cloned().collect(),
            Audience::Watching { room, except } => {
                let there = registry.in_room(*room);
                let hears = |listener: &&Arc<Listener>| {
                    listener.is_watching(*room)
                        && listener.identity().is_none_or(|identity| !except.contains(&identity))
                };
                there.values().filter(hears).cloned().collect()
            }
            Audience::Person(identity) => registry.of_person(identity),
            Audience::Session(session) => registry.of_session(*session),
            Audience::Network(network) => registry.of_network(*network),
            Audience::Conn(conn) => registry.conn(*conn).into_iter().collect(),
        }
    }

    fn emit<'a>(
        &self,
        to: &Audience,
        event: &'static str,
        mark: Option<Mark>,
        payload_for: impl Fn(&Listener) -> Option<&'a RawValue>,
    ) {
        let emit = |listener: &Arc<Listener>| {
            let Some(payload) = payload_for(listener) else { return 0 };
            if let Some(mark) = mark {
                listener.sent(mark);
            }
            if listener.is_deaf() {
                return 0;
            }
            listener.owed.add(payload.get().len());
            if let Err(error) = listener.socket.emit(event, payload) {
                listener.owed.take_back(payload.get().len());
                self.not_delivered(listener.conn, &listener.socket, error);
            }
            1
        };
        let room = match to {
            Audience::Everyone => Some(self.registry().everyone()),
            Audience::Room(room) => Some(self.registry().in_room(*room)),
            _ => None,
        };
        let count: u64 = match room {
            Some(listeners) => listeners.values().map(emit).sum(),
            None => self.listeners(to).iter().map(emit).sum(),
        };
        metrics::counter!("secure_chat_deliveries_total").increment(count);
    }
}

impl Fanout for SocketHub {
    fn carry_out(&self, publication: Publication) {
        match publication {
            Publication::Emit { to, except, author, mark, event, payload, instead } => {
                if let Some(mark) = mark {
                    self.registry().mark(mark.room, mark.seq);
                }
                self.emit(&to, event, mark, |listener| {
                    if except == Some(listener.conn) || author.as_ref().is_some_and(|author| listener.hides(author)) {
                        return None;
                    }
                    match &instead {
                        Some((person, other)) if listener.hides(person) => Some(other),
                        _ => Some(&payload),
                    }
                });
            }
            Publication::Join { conn, room, name, seq } => self.registry().join(conn, room, &name, seq),
            Publication::JoinPerson { identity, user, room, name, seq } => {
                let mut registry = self.registry();
                for listener in registry.of_person(&identity) {
                    // A namespace is one room.
                    if listener.user() == Some(user) && listener.conn.is_main() {
                        registry.join(listener.conn, room, &name, seq);
                    }
                }
            }
            Publication::Leave { conns, room } => {
                let listeners = self.listeners(&conns);
                let mut registry = self.registry();
                listeners.iter().for_each(|listener| registry.leave(listener.conn, room));
            }
            Publication::Identify { conn, ear } => self.identify(conn, ear),
            Publication::Forget { conn } => {
                let mut registry = self.registry();
                registry.leave_all(conn);
                registry.identify(conn, None);
            }
            Publication::Hide { by, user, author, hidden } => self.registry().hide(&by, user, &author, hidden),
            Publication::Away { conn, away } => {
                self.registry().conn(conn).inspect(|listener| listener.set_away(away));
            }
            Publication::Invisible { identity, user, invisible } => {
                self.registry().set_invisible(&identity, user, invisible);
            }
            Publication::Watch { conn, room } => {
                self.registry().conn(conn).inspect(|listener| listener.watch(room));
            }
            Publication::Disconnect { conns, except } => {
                for listener in self.listeners(&conns).iter().filter(|listener| Some(listener.conn) != except) {
                    // Whoever has gone already need not be sent away.
                    let _ = listener.socket.clone().disconnect();
                }
            }
            Publication::Outside(outside) => self.carry_out_outside(outside),
        }
    }

    fn is_present(&self, identity: &Identity, user: UserId) -> bool {
        self.registry().of_person(identity).iter().any(|listener| listener.user() == Some(user))
    }

    fn users_of(&self, identity: &Identity) -> Vec<UserId> {
        let listeners = self.registry().of_person(identity);
        // Who is in a namespace hears that room alone.
        let main = listeners.iter().filter(|listener| listener.conn.is_main());
        let users: BTreeSet<_> = main.filter_map(|listener| listener.user()).collect();
        users.into_iter().collect()
    }

    fn is_looking(&self, identity: &Identity) -> bool {
        self.registry().of_person(identity).iter().any(|listener| listener.is_looked_at())
    }

    fn here(&self) -> HashMap<UserId, Here> {
        self.registry().here()
    }

    fn watched(&self) -> HashSet<RoomId> {
        self.registry().watched()
    }

    fn networks_of(&self, identity: &Identity) -> Vec<Network> {
        let registry = self.registry();
        let mut networks: Vec<_> =
            registry.of_person(identity).iter().filter_map(|listener| registry.network_of(listener.conn)).collect();
        networks.dedup();
        networks
    }

    fn guests(&self) -> Vec<NameKey> {
        self.registry().guests()
    }

    fn sessions(&self) -> Vec<SessionId> {
        self.registry().sessions()
    }

    fn answers(&self, identity: &Identity, ticket: TicketId) -> BoxFuture<'static, bool> {
        let listener = self.registry().with_ticket(identity, ticket);
        let line = listener.filter(|listener| !listener.is_deaf()).and_then(|listener| listener.line());
        async move {
            match line {
                Some(line) => line.answers().await,
                // Over polling nobody can tell: it is taken for lost, and connects again if it is not.
                None => false,
            }
        }
        .boxed()
    }

    fn take_over(&self, identity: &Identity, ticket: TicketId) -> BTreeMap<RoomId, Heard> {
        let Some(listener) = self.registry().with_ticket(identity, ticket) else { return BTreeMap::new() };
        self.drop_connection(listener.conn, &listener.socket);
        self.registry().remove(listener.conn)
    }

    fn rooms_of(&self, conn: ConnId) -> BTreeMap<RoomId, Heard> {
        self.registry().rooms_of(conn)
    }

    fn remove(&self, conn: ConnId) -> BTreeMap<RoomId, Heard> {
        self.registry().remove(conn)
    }
}
