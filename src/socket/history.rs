//! Events about what was said before.

use schemars::JsonSchema;
use serde::Deserialize;

use super::event::{Context, Entry, Event};
use crate::chat::history::{self, Page, Wanted};
use crate::error::Result;
use crate::types::RoomName;

pub const EVENTS: &[Entry] = &[Entry::of::<GetHistory>()];

#[derive(Deserialize, JsonSchema)]
struct GetHistory {
    room: RoomName,
    #[serde(flatten)]
    wanted: Wanted,
}

impl Event for GetHistory {
    const NAME: &'static str = "get_history";
    const ABOUT: &'static str = "A page of what was said in a room.";
    type Ack = Page;

    async fn handle(self, context: &mut Context<'_>) -> Result<Page> {
        history::page(context.app, context.actor()?, self.room, self.wanted).await
    }
}
