//! Events about pinned messages.

use schemars::JsonSchema;
use serde::Deserialize;

use super::event::{Changed, Context, Entry, Event};
use crate::chat::pins::{self, Pins};
use crate::error::Result;
use crate::types::{MessageId, RoomName};

pub const EVENTS: &[Entry] = &[Entry::of::<PinMessage>(), Entry::of::<UnpinMessage>(), Entry::of::<ListPins>()];

#[derive(Deserialize, JsonSchema)]
struct PinMessage {
    id: MessageId,
}

impl Event for PinMessage {
    const NAME: &'static str = "pin_message";
    const ABOUT: &'static str = "Pins a message to its room.";
    type Ack = Changed;

    async fn handle(self, context: &mut Context<'_>) -> Result<Changed> {
        Ok(Changed { changed: pins::pin(context.app, context.actor()?, self.id, true).await? })
    }
}

#[derive(Deserialize, JsonSchema)]
struct UnpinMessage {
    id: MessageId,
}

impl Event for UnpinMessage {
    const NAME: &'static str = "unpin_message";
    const ABOUT: &'static str = "Takes a pin away.";
    type Ack = Changed;

    async fn handle(self, context: &mut Context<'_>) -> Result<Changed> {
        Ok(Changed { changed: pins::pin(context.app, context.actor()?, self.id, false).await? })
    }
}

#[derive(Deserialize, JsonSchema)]
struct ListPins {
    room: RoomName,
}

impl Event for ListPins {
    const NAME: &'static str = "list_pins";
    const ABOUT: &'static str = "The pinned messages of a room.";
    type Ack = Pins;

    async fn handle(self, context: &mut Context<'_>) -> Result<Pins> {
        pins::list(context.app, context.actor()?, self.room).await
    }
}
