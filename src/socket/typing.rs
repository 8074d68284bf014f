//! The event that says that one is writing.

use serde::Deserialize;

use super::event::{Context, Done, Entry, Event};
use crate::chat::typing;
use crate::error::Result;
use crate::types::RoomName;

pub const EVENTS: &[Entry] = &[Entry::of::<Typing>()];

#[derive(Deserialize)]
struct Typing {
    room: RoomName,
}

impl Event for Typing {
    const NAME: &'static str = "typing";
    type Ack = Done;

    async fn handle(self, context: &mut Context<'_>) -> Result<Done> {
        typing::typing(context.app, context.actor()?, self.room).await?;
        Ok(Done {})
    }
}
