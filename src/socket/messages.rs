//! Events about messages.

use serde::Deserialize;

use super::event::{Context, Entry, Event};
use crate::chat::messages::{Draft, Target, post};
use crate::error::Result;
use crate::types::{ClientId, MessageId, MessageText, RoomName, Sent, falsy_as_none};

pub const EVENTS: &[Entry] = &[Entry::of::<SendPublicMessage>(), Entry::of::<SendGroupMessage>()];

#[derive(Deserialize)]
struct SendPublicMessage {
    message: MessageText,
    #[serde(default, deserialize_with = "falsy_as_none")]
    encrypted_content: Option<String>,
    #[serde(default, deserialize_with = "falsy_as_none")]
    client_id: Option<ClientId>,
    #[serde(default, deserialize_with = "falsy_as_none")]
    reply_to: Option<MessageId>,
}

impl Event for SendPublicMessage {
    const NAME: &'static str = "send_public_message";
    type Ack = Sent;

    async fn handle(self, context: &mut Context<'_>) -> Result<Sent> {
        let draft = draft(self.message, self.encrypted_content, self.client_id, self.reply_to);
        post(context.app, context.actor()?, Target::Public, draft).await
    }
}

#[derive(Deserialize)]
struct SendGroupMessage {
    group_name: RoomName,
    message: MessageText,
    #[serde(default, deserialize_with = "falsy_as_none")]
    encrypted_content: Option<String>,
    #[serde(default, deserialize_with = "falsy_as_none")]
    client_id: Option<ClientId>,
    #[serde(default, deserialize_with = "falsy_as_none")]
    reply_to: Option<MessageId>,
}

impl Event for SendGroupMessage {
    const NAME: &'static str = "send_group_message";
    type Ack = Sent;

    async fn handle(self, context: &mut Context<'_>) -> Result<Sent> {
        let draft = draft(self.message, self.encrypted_content, self.client_id, self.reply_to);
        post(context.app, context.actor()?, Target::Group(self.group_name), draft).await
    }

    fn refusal(field: &str) -> Option<&'static str> {
        (field == "group_name").then_some("Group does not exist")
    }
}

pub(super) fn draft(
    text: MessageText,
    encrypted_content: Option<String>,
    client_id: Option<ClientId>,
    reply_to: Option<MessageId>,
) -> Draft {
    Draft { text, encrypted_content: encrypted_content.unwrap_or_default(), client_id, reply_to }
}
