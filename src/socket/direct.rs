//! Events about direct messages.

use schemars::JsonSchema;
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
    const ABOUT: &'static str = "Says something to one person. The first one makes the room of the two.";
    type Ack = SentTo;

    async fn handle(self, context: &mut Context<'_>) -> Result<SentTo> {
        let ((to,), draft) = self.split()?;
        direct::send(context.app, context.actor()?, to, draft).await
    }
}

#[derive(Deserialize, JsonSchema)]
struct ListDirects {}

impl Event for ListDirects {
    const NAME: &'static str = "list_directs";
    const ABOUT: &'static str = "With whom one has talked directly.";
    type Ack = Directs;

    async fn handle(self, context: &mut Context<'_>) -> Result<Directs> {
        direct::list(context.app, context.actor()?).await
    }
}
