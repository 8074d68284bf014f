//! Events about pinned messages.

use serde::Deserialize;

use super::event::{Changed, Context, Entry, Event};
use crate::chat::pins::{self, Pins};
use crate::error::Result;
use crate::types::{MessageId, RoomName};

pub const EVENTS: &[Entry] = &[Entry::of::<PinMessage>(), Entry::of::<UnpinMessage>(), Entry::of::<ListPins>()];

#[derive(Deserialize)]
struct PinMessage {
    id: MessageId,
}

impl Event for PinMessage {
    const NAME: &'static str = "pin_message";
    type Ack = Changed;

    async fn handle(self, context: &mut Context<'_>) -> Result<Changed> {
        Ok(Changed { changed: pins::pin(context.app, context.actor()?, self.id, true).await? })
    }
}

#[derive(Deserialize)]
struct UnpinMessage {
    id: MessageId,
}

impl Event for UnpinMessage {
    const NAME: &'static str = "unpin_message";
    type Ack = Changed;

    async fn handle(self, context: &mut Context<'_>) -> Result<Changed> {
        Ok(Changed { changed: pins::pin(context.app, context.actor()?, self.id, false).await? })
    }
}

#[derive(Deserialize)]
struct ListPins {
    room: RoomName,
}

impl Event for ListPins {
    const NAME: &'static str = "list_pins";
    type Ack = Pins;

    async fn handle(self, context: &mut Context<'_>) -> Result<Pins> {
        pins::list(context.app, context.actor()?, self.room).await
    }
}
