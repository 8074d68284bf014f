//! Events from outside of the chat: who gets them, and the rooms that programs outside make for them.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socketioxide::SendError;
use socketioxide::socket::Sid;

use super::hub::SocketHub;
use super::registry::{Listener, Registry};
use crate::outside::{Act, Answer, Answered, Emission, Hearers, Outside, Scope, Target};
use crate::types::ConnId;

/// How long a client may take to answer an event.
pub const ANSWERING: Duration = Duration::from_secs(60);
/// Rooms of outside that one connection can be in.
const MOST_ROOMS: usize = 100;

/// Rooms that programs outside put connections into. They carry events of those programs alone: that one has the name of a
/// group means nothing for the group.
#[derive(Default)]
pub struct OutsideRooms {
    rooms: HashMap<String, HashSet<ConnId>>,
    of: HashMap<ConnId, Vec<String>>,
}

impl OutsideRooms {
    fn enter(&mut self, conn: ConnId, room: String) {
        let own = self.of.entry(conn).or_default();
        if own.len() == MOST_ROOMS {
            return tracing::warn!(
                "a connection is in {MOST_ROOMS} rooms of other programs already; it enters no more"
            );
        }
        if self.rooms.entry(room.clone()).or_default().insert(conn) {
            own.push(room);
        }
    }

    fn leave(&mut self, conn: ConnId, room: &str) {
        if let Some(own) = self.of.get_mut(&conn) {
            own.retain(|name| name != room);
        }
        self.forget(conn, room);
    }

    pub fn leave_all(&mut self, conn: ConnId) {
        for room in self.of.remove(&conn).unwrap_or_default() {
            self.forget(conn, &room);
        }
    }

    fn conns(&self, room: &str) -> impl Iterator<Item = ConnId> {
        self.rooms.get(room).into_iter().flatten().copied()
    }

    fn forget(&mut self, conn: ConnId, room: &str) {
        if let Entry::Occupied(mut conns) = self.rooms.entry(room.to_owned()) {
            conns.get_mut().remove(&conn);
            if conns.get().is_empty() {
                conns.remove();
            }
        }
    }
}

impl SocketHub {
    pub(super) fn carry_out_outside(&self, Outside { scope, act }: Outside) {
        match act {
            Act::Emit(emission) => self.tell(scope, &emission),
            Act::Enter { sid, room } => {
                let mut registry = self.registry();
                for conn in registry.conns_of(scope, sid) {
                    registry.outside.enter(conn, room.clone());
                }
            }
            Act::Leave { sid, room } => {
                let mut registry = self.registry();
                for conn in registry.conns_of(scope, sid) {
                    registry.outside.leave(conn, &room);
                }
            }
            Act::Close { room } => {
                let mut registry = self.registry();
                let conns: Vec<_> = registry.outside.conns(&room).filter(|conn| registry.is_in(scope, *conn)).collect();
                for conn in conns {
                    registry.outside.leave(conn, &room);
                }
            }
            Act::Disconnect { sid } => {
                let registry = self.registry();
                let conns = registry.conns_of(scope, sid);
                let listeners: Vec<_> = conns.into_iter().filter_map(|conn| registry.conn(conn)).collect();
                drop(registry);
                for listener in listeners {
                    // Whoever has gone already need not be sent away.
                    let _ = listener.socket.clone().disconnect();
                }
            }
        }
    }

    fn tell(&self, scope: Scope, emission: &Emission) {
        let hearers = self.registry().hearers(scope, &emission.to);
        let hears = |listener: &&Arc<Listener>| !listener.is_deaf() && !emission.skip.contains(&listener.conn.sid());
        let mut delivered = 0;
        for listener in hearers.values().filter(hears) {
            match emit(listener, emission) {
                Ok(()) => delivered += 1,
                Err(error) => self.not_delivered(listener.conn, &listener.socket, error),
            }
        }
        metrics::counter!("secure_chat_deliveries_total").increment(delivered);
        emission.delivered.store(delivered, Ordering::Relaxed);
    }
}

fn emit(listener: &Listener, Emission { event, arguments, answer, .. }: &Emission) -> Result<(), SendError> {
    match answer {
        None => listener.socket.emit(event, arguments),
        Some(answer) => {
            let answered = listener.socket.emit_with_ack::<_, Answered>(event, arguments)?;
            tokio::spawn(pass_on(answered, answer.clone()));
            Ok(())
        }
    }
}

/// Who does not answer is not waited for longer than [`ANSWERING`], and that is no fault of anybody's here.
async fn pass_on(answered: impl Future<Output = Result<Answered, socketioxide::AckError>>, answer: Answer) {
    match answered.await {
        Ok(arguments) => answer(arguments),
        Err(error) => tracing::debug!("an event from outside was not answered: {error}"),
    }
}

impl Registry {
    /// Whether the connection is in that namespace.
    fn is_in(&self, scope: Scope, conn: ConnId) -> bool {
        match scope {
            Scope::Chat => conn.is_main(),
            Scope::Room(room) => !conn.is_main() && self.in_room(room).contains_key(&conn),
        }
    }

    fn conns_of(&self, scope: Scope, sid: Sid) -> Vec<ConnId> {
        let carried = self.carried_by(sid).into_iter().map(|listener| listener.conn);
        carried.filter(|conn| self.is_in(scope, *conn)).collect()
    }

    /// Each once, however many names stand for it.
    fn hearers(&self, scope: Scope, to: &Hearers) -> HashMap<ConnId, Arc<Listener>> {
        let all = |target: &Target| {
            let sid = target.sid.into_iter().flat_map(|sid| self.conns_of(scope, sid));
            let room = target.room.map(|room| self.in_room(room)).unwrap_or_default();
            let room: Vec<_> = room.keys().copied().collect();
            sid.chain(room).chain(self.outside.conns(&target.name)).collect::<Vec<_>>()
        };
        let conns: Vec<ConnId> = match (to, scope) {
            (Hearers::Those(targets), _) => targets.iter().flat_map(all).collect(),
            (_, Scope::Chat) => self.everyone().keys().copied().collect(),
            (_, Scope::Room(room)) => self.in_room(room).keys().copied().collect(),
        };
        let there = conns.into_iter().filter(|conn| self.is_in(scope, *conn));
        let listeners = there.filter_map(|conn| Some((conn, self.conn(conn)?)));
        listeners.filter(|(_, listener)| !matches!(to, Hearers::Introduced) || listener.is_introduced()).collect()
    }
}
