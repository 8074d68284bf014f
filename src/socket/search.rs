//! Events that look for what was said.

use schemars::JsonSchema;
use serde::Deserialize;

use super::event::{Context, Entry, Event};
use crate::chat::search::{self, Hits, Wanted};
use crate::error::Result;

pub const EVENTS: &[Entry] = &[Entry::of::<SearchMessages>()];

#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
struct SearchMessages(Wanted);

impl Event for SearchMessages {
    const NAME: &'static str = "search_messages";
    const ABOUT: &'static str = "Looks for what was said, by its words, in the rooms that one may read.";
    type Ack = Hits;

    async fn handle(self, context: &mut Context<'_>) -> Result<Hits> {
        search::search(context.app, context.actor()?, self.0).await
    }
}
