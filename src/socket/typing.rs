//! The event that says that one is writing.

use schemars::JsonSchema;
use serde::Deserialize;

use super::event::{Context, Entry, Event};
use crate::answer::Done;
use crate::chat::typing;
use crate::error::Result;
use crate::types::RoomName;

pub const EVENTS: &[Entry] = &[Entry::of::<Typing>()];

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "TypingIn")]
struct Typing {
    room: RoomName,
}

impl Event for Typing {
    const NAME: &'static str = "typing";
    const ABOUT: &'static str = "Somebody types. At most once in three seconds; it is not stored.";
    type Ack = Done;

    async fn handle(self, context: &mut Context<'_>) -> Result<Done> {
        typing::typing(context.app, context.actor()?, self.room).await?;
        Ok(Done {})
    }
}
