//! Events about what one has read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::event::{Context, Entry, Event};
use crate::chat::read_marks::{self, Readers, Unread};
use crate::error::Result;
use crate::types::RoomName;

pub const EVENTS: &[Entry] = &[Entry::of::<MarkRead>(), Entry::of::<GetUnread>(), Entry::of::<ListReaders>()];

#[derive(Deserialize, JsonSchema)]
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
    const ABOUT: &'static str = "One has read a room up to there.";
    type Ack = Unread;

    async fn handle(self, context: &mut Context<'_>) -> Result<Unread> {
        read_marks::mark(context.app, context.actor()?, self.room, self.seq, self.hidden).await
    }
}

#[derive(Deserialize, JsonSchema)]
struct GetUnread {}

#[derive(Serialize, JsonSchema)]
struct Rooms {
    rooms: Vec<Unread>,
}

impl Event for GetUnread {
    const NAME: &'static str = "get_unread";
    const ABOUT: &'static str = "What is new in one's rooms.";
    type Ack = Rooms;

    async fn handle(self, context: &mut Context<'_>) -> Result<Rooms> {
        Ok(Rooms { rooms: read_marks::all(context.app, context.actor()?).await? })
    }
}

#[derive(Deserialize, JsonSchema)]
struct ListReaders {
    room: RoomName,
}

impl Event for ListReaders {
    const NAME: &'static str = "list_readers";
    const ABOUT: &'static str = "Who has read a small group, and how far.";
    type Ack = Readers;

    async fn handle(self, context: &mut Context<'_>) -> Result<Readers> {
        read_marks::readers(context.app, context.actor()?, self.room).await
    }
}
