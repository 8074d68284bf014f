//! The event by which a guest gets a pass for the HTTP API.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::event::{Context, Entry, Event};
use crate::chat::passes;
use crate::error::Result;
use crate::types::Token;

pub const EVENTS: &[Entry] = &[Entry::of::<GetPass>()];

#[derive(Deserialize, JsonSchema)]
struct GetPass {}

/// To be shown as `Authorization: Bearer PASS`; good for as long as the guest is connected.
#[derive(Serialize, JsonSchema)]
struct Pass {
    pass: Token,
}

impl Event for GetPass {
    const NAME: &'static str = "get_pass";
    const ABOUT: &'static str = "A token by which a guest, too, may call over HTTP while this connection lasts.";
    type Ack = Pass;

    async fn handle(self, context: &mut Context<'_>) -> Result<Pass> {
        passes::of(context.app, context.actor()?).map(|pass| Pass { pass })
    }
}
