//! Events about messages.

use serde::{Deserialize, Serialize};

use super::event::{Context, Entry, Event};
use crate::chat::messages::{Draft, Target, post};
use crate::error::Result;
use crate::types::{Message, MessageId, MessageText, RoomName, Timestamp, falsy_as_none};

pub const EVENTS: &[Entry] = &[Entry::of::<SendPublicMessage>(), Entry::of::<SendGroupMessage>()];

#[derive(Deserialize)]
struct SendPublicMessage {
    message: MessageText,
    #[serde(default, deserialize_with = "falsy_as_none")]
    encrypted_content: Option<String>,
}

/// Tells the sender where the message stands.
#[derive(Serialize)]
struct Sent {
    id: MessageId,
    seq: i64,
    timestamp: Timestamp,
}

impl From<Message> for Sent {
    fn from(message: Message) -> Self {
        Self { id: message.id, seq: message.seq, timestamp: message.timestamp }
    }
}

impl Event for SendPublicMessage {
    const NAME: &'static str = "send_public_message";
    type Ack = Sent;

    async fn handle(self, context: &mut Context<'_>) -> Result<Sent> {
        let draft = draft(self.message, self.encrypted_content);
        post(context.app, context.actor()?, Target::Public, draft).await.map(Sent::from)
    }
}

#[derive(Deserialize)]
struct SendGroupMessage {
    group_name: RoomName,
    message: MessageText,
    #[serde(default, deserialize_with = "falsy_as_none")]
    encrypted_content: Option<String>,
}

impl Event for SendGroupMessage {
    const NAME: &'static str = "send_group_message";
    type Ack = Sent;

    async fn handle(self, context: &mut Context<'_>) -> Result<Sent> {
        let draft = draft(self.message, self.encrypted_content);
        post(context.app, context.actor()?, Target::Group(self.group_name), draft).await.map(Sent::from)
    }

    fn refusal(field: &str) -> Option<&'static str> {
        (field == "group_name").then_some("Group does not exist")
    }
}

fn draft(text: MessageText, encrypted_content: Option<String>) -> Draft {
    Draft { text, encrypted_content: encrypted_content.unwrap_or_default() }
}
