//! Events about who is here.

use schemars::JsonSchema;
use serde::Deserialize;

use super::event::{Context, Entry, Event};
use crate::chat::presence::{self, People, Wish};
use crate::error::Result;
use crate::types::RoomName;

pub const EVENTS: &[Entry] = &[Entry::of::<SetPresence>(), Entry::of::<GetPresence>()];

#[derive(Deserialize, JsonSchema)]
struct SetPresence {
    /// Nobody looks at this client, or somebody does again.
    #[serde(default)]
    away: Option<bool>,
    /// To others one is offline, whatever one does; kept until it is taken back.
    #[serde(default)]
    hidden: Option<bool>,
}

impl Event for SetPresence {
    const NAME: &'static str = "set_presence";
    const ABOUT: &'static str = "Says that one is away, or back; or that nobody is to see whether one is here.";
    type Ack = Wish;

    async fn handle(self, context: &mut Context<'_>) -> Result<Wish> {
        presence::set(context.app, context.actor()?, self.away, self.hidden).await
    }
}

#[derive(Deserialize, JsonSchema)]
struct GetPresence {
    room: RoomName,
}

impl Event for GetPresence {
    const NAME: &'static str = "get_presence";
    const ABOUT: &'static str =
        "Who of a room is here. In small groups `presence_changed` tells from then on what changes.";
    type Ack = People;

    async fn handle(self, context: &mut Context<'_>) -> Result<People> {
        presence::of_room(context.app, context.actor()?, self.room).await
    }
}
