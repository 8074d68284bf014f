//! Events about editing messages.

use schemars::JsonSchema;
use serde::Deserialize;

use super::event::{Context, Entry, Event};
use crate::chat::editing::{self, Edited, Versions};
use crate::error::Result;
use crate::types::{MessageId, MessageText, falsy_as_none};

pub const EVENTS: &[Entry] = &[Entry::of::<EditMessage>(), Entry::of::<MessageVersions>()];

#[derive(Deserialize, JsonSchema)]
struct EditMessage {
    id: MessageId,
    message: MessageText,
    #[serde(default, deserialize_with = "falsy_as_none")]
    encrypted_content: Option<String>,
}

impl Event for EditMessage {
    const NAME: &'static str = "edit_message";
    const ABOUT: &'static str = "Changes what one has said. Moderators see what it said before.";
    type Ack = Edited;

    async fn handle(self, context: &mut Context<'_>) -> Result<Edited> {
        let encrypted_content = self.encrypted_content.unwrap_or_default();
        editing::edit(context.app, context.actor()?, self.id, self.message, encrypted_content).await
    }
}

#[derive(Deserialize, JsonSchema)]
struct MessageVersions {
    id: MessageId,
}

impl Event for MessageVersions {
    const NAME: &'static str = "message_versions";
    const ABOUT: &'static str = "What a message said before, for moderators.";
    type Ack = Versions;

    async fn handle(self, context: &mut Context<'_>) -> Result<Versions> {
        editing::versions(context.app, context.actor()?, self.id).await
    }
}
