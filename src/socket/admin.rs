//! Events for administrators.

use serde::Deserialize;

use super::event::{Context, Done, Entry, Event};
use crate::chat;
use crate::error::Result;

pub const EVENTS: &[Entry] = &[Entry::of::<BackupDatabase>()];

#[derive(Deserialize)]
struct BackupDatabase {}

impl Event for BackupDatabase {
    const NAME: &'static str = "backup_database";
    const PAYLOAD: bool = false;
    type Ack = Done;

    async fn handle(self, context: &mut Context<'_>) -> Result<Done> {
        chat::admin::backup(context.actor()?)?;
        Ok(Done {})
    }
}
