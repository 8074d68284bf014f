//! Events about what one has read.

use serde::{Deserialize, Serialize};

use super::event::{Context, Entry, Event};
use crate::chat::read_marks::{self, Readers, Unread};
use crate::error::Result;
use crate::types::RoomName;

pub const EVENTS: &[Entry] = &[Entry::of::<MarkRead>(), Entry::of::<GetUnread>(), Entry::of::<ListReaders>()];

#[derive(Deserialize)]
struct MarkRead {
    room: RoomName,
    /// Of the last message that was read; without it, of the newest one.
    #[serde(default)]
    seq: Option<i64>,
    /// Others are not told.
    #[serde(default)]
    hidden: bool,
}

impl Event for MarkRead {
    const NAME: &'static str = "mark_read";
    type Ack = Unread;

    async fn handle(self, context: &mut Context<'_>) -> Result<Unread> {
        read_marks::mark(context.app, context.actor()?, self.room, self.seq, self.hidden).await
    }
}

#[derive(Deserialize)]
struct GetUnread {}

#[derive(Serialize)]
struct Rooms {
    rooms: Vec<Unread>,
}

impl Event for GetUnread {
    const NAME: &'static str = "get_unread";
    type Ack = Rooms;

    async fn handle(self, context: &mut Context<'_>) -> Result<Rooms> {
        Ok(Rooms { rooms: read_marks::all(context.app, context.actor()?).await? })
    }
}

#[derive(Deserialize)]
struct ListReaders {
    room: RoomName,
}

impl Event for ListReaders {
    const NAME: &'static str = "list_readers";
    type Ack = Readers;

    async fn handle(self, context: &mut Context<'_>) -> Result<Readers> {
        read_marks::readers(context.app, context.actor()?, self.room).await
    }
}
