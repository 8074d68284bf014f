//! What the server knows of one connection.

use std::collections::BTreeMap;

use crate::app::App;
use crate::chat;
use crate::types::{Actor, Room, RoomId, RoomName};

#[derive(Default)]
pub struct Session {
    /// Who acts here; `None` before `join_chat`.
    pub actor: Option<Actor>,
    /// The rooms that this connection hears.
    rooms: BTreeMap<RoomId, RoomName>,
}

impl Session {
    pub fn joined(&mut self, room: &Room) {
        self.rooms.insert(room.id, room.name.clone());
    }

    pub fn joined_public(&mut self) {
        self.rooms.insert(RoomId::PUBLIC, RoomName::public());
    }

    pub fn left(&mut self, room: RoomId) {
        self.rooms.remove(&room);
    }

    /// The groups among the rooms.
    pub fn groups(&self) -> Vec<RoomId> {
        self.rooms.keys().copied().filter(|room| *room != RoomId::PUBLIC).collect()
    }

    /// The connection has gone: tells its rooms.
    pub fn say_goodbye(&mut self, app: &App) {
        if let Some(actor) = self.actor.take() {
            chat::rooms::disconnected(app, &actor, std::mem::take(&mut self.rooms));
        }
    }
}
