//! Events about reactions.

use schemars::JsonSchema;
use serde::Deserialize;

use super::event::{Changed, Context, Entry, Event};
use crate::chat::reactions;
use crate::error::Result;
use crate::types::{Emoji, MessageId};

pub const EVENTS: &[Entry] = &[Entry::of::<React>()];

#[derive(Deserialize, JsonSchema)]
struct React {
    id: MessageId,
    emoji: Emoji,
    /// Take it back.
    #[serde(default)]
    remove: bool,
}

impl Event for React {
    const NAME: &'static str = "react";
    const ABOUT: &'static str = "Reacts to a message with an emoji, or takes that back.";
    type Ack = Changed;

    async fn handle(self, context: &mut Context<'_>) -> Result<Changed> {
        let changed = reactions::react(context.app, context.actor()?, self.id, self.emoji, self.remove).await?;
        Ok(Changed { changed })
    }
}
