//! Events about coming back.

use super::event::{Context, Entry, Event};
use crate::chat::resume::{self, Marks, Resumed};
use crate::error::Result;

pub const EVENTS: &[Entry] = &[Entry::of::<Marks>()];

/// `{room: seq, …}`: what came after these messages is sent again.
impl Event for Marks {
    const NAME: &'static str = "resume";
    const ABOUT: &'static str = "Asks for what was said after a `seq`, by room: for clients that keep their own mark.";
    type Ack = Resumed;

    async fn handle(self, context: &mut Context<'_>) -> Result<Resumed> {
        resume::by_hand(context.app, context.actor()?, self).await
    }
}
