//! Events about direct messages.

use serde::Deserialize;

use super::event::{Context, Entry, Event};
use super::messages::saying;
use crate::chat::direct::{self, Directs, SentTo};
use crate::error::Result;
use crate::types::Username;

pub const EVENTS: &[Entry] = &[Entry::of::<SendDirectMessage>(), Entry::of::<ListDirects>()];

saying!(
    struct SendDirectMessage {
        to: Username,
    }
);

impl Event for SendDirectMessage {
    const NAME: &'static str = "send_direct_message";
    type Ack = SentTo;

    async fn handle(self, context: &mut Context<'_>) -> Result<SentTo> {
        let ((to,), draft) = self.split()?;
        direct::send(context.app, context.actor()?, to, draft).await
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
