//! Which connections there are, whose they are and which rooms they hear: the state that events are carried by.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use socketioxide::extract::SocketRef;
use socketioxide::socket::Sid;

use super::outside::OutsideRooms;
use crate::hub::{Ear, Heard, Here, Mark};
use crate::line::Line;
use crate::owed::Owed;
use crate::types::{ConnId, Identity, NameKey, Network, Presence, RoomId, RoomName, SessionId, TicketId, UserId};

/// A set of connections that is handed out without copying it; whoever changes it while it is out copies it then.
pub type Listeners = Arc<HashMap<ConnId, Arc<Listener>>>;

/// One connection that hears events.
pub struct Listener {
    pub conn: ConnId,
    pub socket: SocketRef,
    ear: Mutex<Option<Box<Ear>>>,
    /// Whether `ear` hides anybody: most hide nobody, and each delivery asks.
    hides: AtomicBool,
    deaf: AtomicBool,
    away: AtomicBool,
    /// The rooms of which it wants to know who is there.
    watching: Mutex<Vec<RoomId>>,
    /// The connection that carries its websocket.
    line: Mutex<Weak<Line>>,
    /// Shared by all that one client has open over one connection.
    pub owed: Arc<Owed>,
    /// Messages that were sent, and of which it is not known yet that they have arrived.
    under_way: Mutex<VecDeque<Mark>>,
}

/// Messages under way that are kept in mind.
const UNDER_WAY: usize = 2_000;

impl Listener {
    /// Whether the person behind this connection wants to hear nothing of `author`.
    pub fn hides(&self, author: &Identity) -> bool {
        self.hides.load(Ordering::Relaxed)
            && self.ear.lock().expect("ear lock").as_ref().is_some_and(|ear| ear.hidden.contains(author))
    }

    /// It gets nothing more, and stays in its rooms until it is gone.
    pub fn deafen(&self) {
        self.deaf.store(true, Ordering::Relaxed);
    }

    pub fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::Relaxed)
    }

    pub fn carry_by(&self, line: &Arc<Line>) {
        line.pays(self.owed.clone());
        *self.line.lock().expect("line lock") = Arc::downgrade(line);
    }

    pub fn line(&self) -> Option<Arc<Line>> {
        self.line.lock().expect("line lock").upgrade()
    }

    /// A message was handed to the socket.
    pub fn sent(&self, mark: Mark) {
        if self.line().is_none() {
            return;
        }
        let mut under_way = self.under_way.lock().expect("under way lock");
        if under_way.len() >= UNDER_WAY {
            under_way.pop_front();
        }
        under_way.push_back(mark);
    }

    /// Asks its client for what is still under way.
    pub fn ask(&self) {
        let mut under_way = self.under_way.lock().expect("under way lock");
        if let Some(line) = self.line().filter(|_| !under_way.is_empty()) {
            forget_arrived(&mut under_way, &line);
            line.ask();
        }
    }

    /// The positions before the first message of each room that may not have arrived.
    fn arrived(&self) -> HashMap<RoomId, i64> {
        let mut under_way = self.under_way.lock().expect("under way lock");
        if let Some(line) = self.line() {
            forget_arrived(&mut under_way, &line);
        }
        let mut arrived = HashMap::new();
        for mark in under_way.iter() {
            arrived.entry(mark.room).or_insert(mark.seq - 1);
        }
        arrived
    }

    fn hear_as(&self, ear: Option<Box<Ear>>) {
        let mut own = self.ear.lock().expect("ear lock");
        self.hides.store(ear.as_ref().is_some_and(|ear| !ear.hidden.is_empty()), Ordering::Relaxed);
        *own = ear;
    }

    fn hide(&self, author: &Identity, hidden: bool) {
        if let Some(ear) = self.ear.lock().expect("ear lock").as_mut() {
            match hidden {
                true => ear.hidden.insert(author.clone()),
                false => ear.hidden.remove(author),
            };
            self.hides.store(!ear.hidden.is_empty(), Ordering::Relaxed);
        }
    }

    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    /// Whether what is told to it is seen.
    pub fn is_looked_at(&self) -> bool {
        !self.away.load(Ordering::Relaxed) && !self.is_deaf()
    }

    fn set_invisible(&self, invisible: bool) {
        if let Some(ear) = self.ear.lock().expect("ear lock").as_mut() {
            ear.invisible = invisible;
        }
    }

    pub fn watch(&self, room: RoomId) {
        let mut watching = self.watching.lock().expect("watching lock");
        if !watching.contains(&room) {
            watching.push(room);
        }
    }

    pub fn is_watching(&self, room: RoomId) -> bool {
        self.watching.lock().expect("watching lock").contains(&room)
    }

    /// Who this is, and whether they look.
    fn here(&self) -> Option<(UserId, Here)> {
        let presence = if self.away.load(Ordering::Relaxed) { Presence::Away } else { Presence::Online };
        let ear = self.ear.lock().expect("ear lock");
        let ear = ear.as_ref()?;
        Some((
            ear.user,
            Here { name: ear.name.clone(), identity: ear.identity.clone(), presence, invisible: ear.invisible },
        ))
    }

    pub fn is_introduced(&self) -> bool {
        self.ear.lock().expect("ear lock").is_some()
    }

    pub fn user(&self) -> Option<UserId> {
        self.ear.lock().expect("ear lock").as_ref().map(|ear| ear.user)
    }

    pub fn identity(&self) -> Option<Identity> {
        self.ear.lock().expect("ear lock").as_ref().map(|ear| ear.identity.clone())
    }

    fn ticket(&self) -> Option<TicketId> {
        self.ear.lock().expect("ear lock").as_ref().and_then(|ear| ear.ticket)
    }

    fn session(&self) -> Option<SessionId> {
        self.ear.lock().expect("ear lock").as_ref().and_then(|ear| ear.session)
    }
}

/// A client reads in order: with one message, all before it have arrived.
fn forget_arrived(under_way: &mut VecDeque<Mark>, line: &Line) {
    let arrived = line.arrived();
    if let Some(place) = under_way.iter().position(|mark| mark.id.uuid().into_bytes() == arrived) {
        under_way.drain(..=place);
        under_way.shrink_to(8);
    }
}

#[derive(Default)]
struct Room {
    name: Option<RoomName>,
    /// The position of the newest message that was told.
    seq: i64,
    listeners: Listeners,
}

struct Place {
    network: Network,
    rooms: Vec<RoomId>,
}

#[derive(Default)]
pub struct Registry {
    everyone: Listeners,
    places: HashMap<ConnId, Place>,
    rooms: HashMap<RoomId, Room>,
    people: HashMap<Identity, HashSet<ConnId>>,
    sessions: HashMap<SessionId, HashSet<ConnId>>,
    /// Those that are in other namespaces than `/`.
    namespaces: HashMap<Sid, HashSet<ConnId>>,
    pub outside: OutsideRooms,
}

impl Registry {
    pub fn add(&mut self, conn: ConnId, socket: SocketRef, network: Network, owed: Arc<Owed>) {
        let listener = Listener {
            conn,
            socket,
            ear: Mutex::default(),
            hides: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
            away: AtomicBool::new(false),
            watching: Mutex::default(),
            line: Mutex::default(),
            owed,
            under_way: Mutex::default(),
        };
        Arc::make_mut(&mut self.everyone).insert(conn, Arc::new(listener));
        self.places.insert(conn, Place { network, rooms: Vec::new() });
        if !conn.is_main() {
            self.namespaces.entry(conn.sid()).or_default().insert(conn);
        }
    }

    /// All that one client's connection carries.
    pub fn carried_by(&self, sid: Sid) -> Vec<Arc<Listener>> {
        let others = self.listeners(self.namespaces.get(&sid));
        self.conn(ConnId::new(sid)).into_iter().chain(others).collect()
    }

    /// Removes the connection from everywhere; the rooms that it was in.
    pub fn remove(&mut self, conn: ConnId) -> BTreeMap<RoomId, Heard> {
        let rooms = self.rooms_of(conn);
        self.leave_all(conn);
        self.identify(conn, None);
        Arc::make_mut(&mut self.everyone).remove(&conn);
        self.places.remove(&conn);
        forget(&mut self.namespaces, &conn.sid(), conn);
        rooms
    }

    /// The connection with this ticket, which speaks for this person.
    pub fn with_ticket(&self, identity: &Identity, ticket: TicketId) -> Option<Arc<Listener>> {
        self.of_person(identity).into_iter().find(|listener| listener.ticket() == Some(ticket))
    }

    /// It hears no room any more, nor what other programs tell to theirs.
    pub fn leave_all(&mut self, conn: ConnId) {
        for room in self.rooms_of(conn).into_keys() {
            self.leave(conn, room);
        }
        self.outside.leave_all(conn);
    }

    pub fn join(&mut self, conn: ConnId, room: RoomId, name: &RoomName, seq: i64) {
        let (Some(listener), Some(place)) = (self.everyone.get(&conn), self.places.get_mut(&conn)) else { return };
        if place.rooms.contains(&room) {
            return;
        }
        place.rooms.push(room);
        let entry = self.rooms.entry(room).or_default();
        entry.name = Some(name.clone());
        entry.seq = entry.seq.max(seq);
        Arc::make_mut(&mut entry.listeners).insert(conn, listener.clone());
    }

    /// A message of this position is told to the room.
    pub fn mark(&mut self, room: RoomId, seq: i64) {
        if let Some(room) = self.rooms.get_mut(&room) {
            room.seq = room.seq.max(seq);
        }
    }

    pub fn leave(&mut self, conn: ConnId, room: RoomId) {
        if let Some(place) = self.places.get_mut(&conn) {
            place.rooms.retain(|own| *own != room);
        }
        if let Entry::Occupied(mut entry) = self.rooms.entry(room) {
            Arc::make_mut(&mut entry.get_mut().listeners).remove(&conn);
            if entry.get().listeners.is_empty() {
                entry.remove();
            }
        }
    }

    /// From here on the connection hears as this person, or as nobody.
    pub fn identify(&mut self, conn: ConnId, ear: Option<Box<Ear>>) {
        let Some(listener) = self.everyone.get(&conn).cloned() else { return };
        if let Some(identity) = listener.identity() {
            forget(&mut self.people, &identity, conn);
        }
        if let Some(session) = listener.session() {
            forget(&mut self.sessions, &session, conn);
        }
        if let Some(ear) = &ear {
            self.people.entry(ear.identity.clone()).or_default().insert(conn);
            if let Some(session) = ear.session {
                self.sessions.entry(session).or_default().insert(conn);
            }
        }
        listener.hear_as(ear);
    }

    /// A person wants to hear nothing of another one any more, or something again.
    pub fn hide(&mut self, by: &Identity, user: UserId, author: &Identity, hidden: bool) {
        for listener in self.of_person(by).iter().filter(|listener| listener.user() == Some(user)) {
            listener.hide(author, hidden);
        }
    }

    /// Nobody is to see that this person is here, or everybody may again.
    pub fn set_invisible(&mut self, identity: &Identity, user: UserId, invisible: bool) {
        for listener in self.of_person(identity).iter().filter(|listener| listener.user() == Some(user)) {
            listener.set_invisible(invisible);
        }
    }

    /// All who have a connection. Who looks at one of their clients is not away.
    pub fn here(&self) -> HashMap<UserId, Here> {
        let mut here: HashMap<UserId, Here> = HashMap::new();
        for (user, one) in self.everyone.values().filter_map(|listener| listener.here()) {
            let known = here.entry(user).or_insert_with(|| one.clone());
            known.presence = known.presence.max(one.presence);
            known.invisible |= one.invisible;
        }
        here
    }

    /// The rooms of which somebody wants to know who is there.
    pub fn watched(&self) -> HashSet<RoomId> {
        let watching = |listener: &Arc<Listener>| listener.watching.lock().expect("watching lock").clone();
        self.everyone.values().flat_map(watching).collect()
    }

    /// Whether the connection speaks for this person already.
    pub fn speaks_for(&self, conn: ConnId, identity: &Identity) -> bool {
        self.people.get(identity).is_some_and(|conns| conns.contains(&conn))
    }

    /// How many connections the person has.
    pub fn count_of(&self, identity: &Identity) -> usize {
        self.people.get(identity).map_or(0, HashSet::len)
    }

    /// The guests who are here.
    pub fn guests(&self) -> Vec<NameKey> {
        let key = |identity: &Identity| match identity {
            Identity::Guest(key) => Some(key.clone()),
            Identity::Account(_) => None,
        };
        self.people.keys().filter_map(key).collect()
    }

    pub fn everyone(&self) -> Listeners {
        self.everyone.clone()
    }

    pub fn in_room(&self, room: RoomId) -> Listeners {
        self.rooms.get(&room).map(|room| room.listeners.clone()).unwrap_or_default()
    }

    pub fn conn(&self, conn: ConnId) -> Option<Arc<Listener>> {
        self.everyone.get(&conn).cloned()
    }

    pub fn of_person(&self, identity: &Identity) -> Vec<Arc<Listener>> {
        self.listeners(self.people.get(identity))
    }

    pub fn of_session(&self, session: SessionId) -> Vec<Arc<Listener>> {
        self.listeners(self.sessions.get(&session))
    }

    pub fn of_network(&self, network: Network) -> Vec<Arc<Listener>> {
        let there = self.places.iter().filter(|(_, place)| place.network == network);
        there.filter_map(|(conn, _)| self.conn(*conn)).collect()
    }

    pub fn sessions(&self) -> Vec<SessionId> {
        self.sessions.keys().copied().collect()
    }

    pub fn rooms_of(&self, conn: ConnId) -> BTreeMap<RoomId, Heard> {
        let rooms = self.places.get(&conn).map(|place| place.rooms.as_slice()).unwrap_or_default();
        let listener = self.conn(conn);
        let is_deaf = listener.as_ref().is_some_and(|listener| listener.is_deaf());
        let arrived = listener.map(|listener| listener.arrived()).unwrap_or_default();
        let heard = |room: &RoomId| {
            let known = self.rooms.get(room)?;
            let arrived = arrived.get(room).copied().unwrap_or(known.seq);
            let sent = if is_deaf { arrived } else { known.seq };
            Some((*room, Heard { name: known.name.clone()?, sent, arrived }))
        };
        rooms.iter().filter_map(heard).collect()
    }

    pub fn network_of(&self, conn: ConnId) -> Option<Network> {
        self.places.get(&conn).map(|place| place.network)
    }

    fn listeners(&self, conns: Option<&HashSet<ConnId>>) -> Vec<Arc<Listener>> {
        conns.into_iter().flatten().filter_map(|conn| self.conn(*conn)).collect()
    }
}

fn forget<K: std::hash::Hash + Eq + Clone>(index: &mut HashMap<K, HashSet<ConnId>>, key: &K, conn: ConnId) {
    if let Entry::Occupied(mut conns) = index.entry(key.clone()) {
        conns.get_mut().remove(&conn);
        if conns.get().is_empty() {
            conns.remove();
        }
    }
}
