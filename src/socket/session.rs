//! What the server knows of one connection.

use crate::app::App;
use crate::chat::resume::{self, End};
use crate::chat::rooms;
use crate::types::{Actor, ConnId, RoomName, TicketId};

pub struct Session {
    /// Who acts here; `None` before `join_chat`, and for who is not signed in.
    pub actor: Option<Actor>,
    /// By which it is found again.
    pub ticket: TicketId,
    /// The room that it is in, where that is a namespace of its own.
    pub room: Option<RoomName>,
}

impl Session {
    pub fn new() -> Self {
        Self { actor: None, ticket: TicketId::random(), room: None }
    }

    /// The connection has gone: tells its rooms, and leaves its ticket unless it went by its own choice.
    pub async fn say_goodbye(&mut self, app: &App, conn: ConnId, end: End) {
        let heard = app.hub.remove(conn);
        let Some(actor) = self.actor.take() else { return };
        if let Err(error) = resume::leave(app, &actor, &heard, end).await {
            tracing::warn!("a lost connection will not be found again: {error}");
        }
        rooms::disconnected(app, &actor, &heard);
    }
}
