//! What the server knows of one connection.

use crate::app::App;
use crate::chat;
use crate::types::{Actor, ConnId};

#[derive(Default)]
pub struct Session {
    /// Who acts here; `None` before `join_chat`, and for who is not signed in.
    pub actor: Option<Actor>,
}

impl Session {
    /// The connection has gone: tells its rooms.
    pub fn say_goodbye(&mut self, app: &App, conn: ConnId) {
        let rooms = app.hub.remove(conn);
        if let Some(actor) = self.actor.take() {
            chat::rooms::disconnected(app, &actor, rooms);
        }
    }
}
