//! The event that deletes a message.

use schemars::JsonSchema;
use serde::Deserialize;

use super::event::{Context, Entry, Event};
use crate::answer::Done;
use crate::chat::deletion;
use crate::error::Result;
use crate::types::{MessageId, Reason};

pub const EVENTS: &[Entry] = &[Entry::of::<DeleteMessage>()];

#[derive(Deserialize, JsonSchema)]
struct DeleteMessage {
    id: MessageId,
    #[serde(default)]
    reason: Reason,
}

impl Event for DeleteMessage {
    const NAME: &'static str = "delete_message";
    const ABOUT: &'static str = "Deletes a message: one's own, or as a moderator.";
    type Ack = Done;

    async fn handle(self, context: &mut Context<'_>) -> Result<Done> {
        deletion::delete_message(context.app, context.actor()?, self.id, self.reason).await?;
        Ok(Done {})
    }
}
