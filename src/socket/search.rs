//! Events that look for what was said.

use serde::Deserialize;

use super::event::{Context, Entry, Event};
use crate::chat::search::{self, Hits, Wanted};
use crate::error::Result;

pub const EVENTS: &[Entry] = &[Entry::of::<SearchMessages>()];

#[derive(Deserialize)]
#[serde(transparent)]
struct SearchMessages(Wanted);

impl Event for SearchMessages {
    const NAME: &'static str = "search_messages";
    type Ack = Hits;

    async fn handle(self, context: &mut Context<'_>) -> Result<Hits> {
        search::search(context.app, context.actor()?, self.0).await
    }
}
