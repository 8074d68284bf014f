//! Events about direct messages.

use serde::Deserialize;

use super::event::{Context, Entry, Event};
use super::messages::draft;
use crate::chat::direct::{self, Directs, SentTo};
use crate::error::Result;
use crate::types::{ClientId, MessageId, MessageText, Username, falsy_as_none};

pub const EVENTS: &[Entry] = &[Entry::of::<SendDirectMessage>(), Entry::of::<ListDirects>()];

#[derive(Deserialize)]
struct SendDirectMessage {
    to: Username,
    message: MessageText,
    #[serde(default, deserialize_with = "falsy_as_none")]
    encrypted_content: Option<String>,
    #[serde(default, deserialize_with = "falsy_as_none")]
    client_id: Option<ClientId>,
    #[serde(default, deserialize_with = "falsy_as_none")]
    reply_to: Option<MessageId>,
}

impl Event for SendDirectMessage {
    const NAME: &'static str = "send_direct_message";
    type Ack = SentTo;

    async fn handle(self, context: &mut Context<'_>) -> Result<SentTo> {
        let draft = draft(self.message, self.encrypted_content, self.client_id, self.reply_to);
        direct::send(context.app, context.actor()?, self.to, draft).await
    }
}

#[derive(Deserialize)]
struct ListDirects {}

impl Event for ListDirects {
    const NAME: &'static str = "list_directs";
    type Ack = Directs;

    async fn handle(self, context: &mut Context<'_>) -> Result<Directs> {
        direct::list(context.app, context.actor()?).await
    }
}
