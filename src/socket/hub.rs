//! Carries events to the sockets of this node.
//!
//! The library's own broadcast does not tell which socket had no room for an event, so each socket is served by itself,
//! with a payload that was encoded once. Who is too slow is cut off, so that it comes back and misses nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Method, Request};
use serde_json::value::RawValue;
use socketioxide::extract::SocketRef;
use socketioxide::service::SocketIoService;
use socketioxide::socket::Sid;
use socketioxide::{SendError, SocketError, SocketIo, TransportType};
use tower::ServiceExt;

use crate::hub::{Audience, Fanout, Publication};
use crate::listener::CutSwitch;
use crate::types::{ConnId, RoomId, UserId};

/// What answers `/socket.io/`.
pub type Service = SocketIoService<Router>;

/// How long a connection may take to close in an orderly way.
const CLOSING: Duration = Duration::from_secs(5);

pub struct SocketHub {
    io: SocketIo,
    service: Service,
    /// The connections of websockets, by session.
    switches: Mutex<HashMap<Sid, Weak<CutSwitch>>>,
}

impl SocketHub {
    pub fn new(io: SocketIo, service: Service) -> Self {
        Self { io, service, switches: Mutex::default() }
    }

    pub fn io(&self) -> &SocketIo {
        &self.io
    }

    /// Its clones share their sessions.
    pub fn service(&self) -> Service {
        self.service.clone()
    }

    /// Which connection carries the websocket of a session.
    pub fn carried_by(&self, session: Sid, switch: &Arc<CutSwitch>) {
        let mut switches = self.switches.lock().expect("switches lock");
        if switches.len() == switches.capacity() {
            switches.retain(|_, switch| switch.strong_count() > 0);
        }
        switches.insert(session, Arc::downgrade(switch));
    }

    /// The session is over. A writer that still waits for a reader who does not read is ended for good.
    pub fn gone(&self, conn: ConnId) {
        let switch = self.switches.lock().expect("switches lock").remove(&conn.sid());
        if let Some(switch) = switch {
            tokio::spawn(async move {
                tokio::time::sleep(CLOSING).await;
                if let Some(switch) = switch.upgrade() {
                    switch.cut();
                }
            });
        }
    }

    /// An event did not reach its socket.
    pub fn not_delivered(&self, socket: &SocketRef, error: SendError) {
        match error {
            SendError::Socket(SocketError::InternalChannelFull) => self.cut_off(socket),
            SendError::Socket(SocketError::Closed) => {}
            SendError::Serialize(error) => tracing::error!("an event cannot be encoded: {error}"),
        }
    }

    /// Ends the session of a slow reader without a goodbye, as a broken network would: its client then connects again.
    fn cut_off(&self, socket: &SocketRef) {
        // It hears nothing more: an event after the lost one would hide the gap.
        socket.leave_all();
        metrics::counter!("secure_chat_slow_readers_total").increment(1);
        tracing::warn!("a connection that does not read was cut off");
        let switch = self.switches.lock().expect("switches lock").get(&socket.id).and_then(Weak::upgrade);
        match (socket.transport_type(), switch) {
            (TransportType::Websocket, Some(switch)) => switch.cut(),
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

    fn audience(&self, to: Audience, except: Option<ConnId>) -> Vec<SocketRef> {
        let mut sockets = match to {
            Audience::Everyone => self.io.sockets(),
            Audience::Room(room) => self.io.within(room_name(room)).sockets(),
            Audience::User(user) => self.io.within(user_name(user)).sockets(),
            Audience::Conn(conn) => self.io.get_socket(conn.sid()).into_iter().collect(),
        };
        if let Some(except) = except {
            sockets.retain(|socket| socket.id != except.sid());
        }
        sockets
    }

    fn emit(&self, to: Audience, except: Option<ConnId>, event: &'static str, payload: &RawValue) {
        let sockets = self.audience(to, except);
        metrics::counter!("secure_chat_deliveries_total").increment(sockets.len() as u64);
        for socket in sockets {
            if let Err(error) = socket.emit(event, payload) {
                self.not_delivered(&socket, error);
            }
        }
    }
}

impl Fanout for SocketHub {
    fn carry_out(&self, publication: Publication) {
        let socket = |conn: ConnId| self.io.get_socket(conn.sid());
        match publication {
            Publication::Emit { to, except, event, payload } => self.emit(to, except, event, &payload),
            Publication::Join { conn, room } => {
                if let Some(socket) = socket(conn) {
                    socket.join(room_name(room));
                }
            }
            Publication::Leave { conn, room } => {
                if let Some(socket) = socket(conn) {
                    socket.leave(room_name(room));
                }
            }
            Publication::Identify { conn, user } => {
                if let Some(socket) = socket(conn) {
                    let earlier = socket.rooms().into_iter().filter(|room| room.starts_with(USER));
                    socket.leave(earlier.collect::<Vec<_>>());
                    socket.join(user_name(user));
                }
            }
        }
    }

    fn is_present(&self, user: UserId) -> bool {
        !self.audience(Audience::User(user), None).is_empty()
    }
}

// Rooms of the library are named by ids of ours, never by what people type: no name can meet another room or a socket's id.
const USER: &str = "user:";

fn room_name(room: RoomId) -> String {
    format!("room:{}", room.get())
}

fn user_name(user: UserId) -> String {
    format!("{USER}{user}")
}
