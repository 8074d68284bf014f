//! Events for administrators.

use schemars::JsonSchema;
use serde::Deserialize;

use super::event::{Context, Entry, Event};
use crate::chat::backups::{self, BackupCreated};
use crate::error::Result;

pub const EVENTS: &[Entry] = &[Entry::of::<BackupDatabase>()];

#[derive(Deserialize, JsonSchema)]
struct BackupDatabase {}

impl Event for BackupDatabase {
    const NAME: &'static str = "backup_database";
    const ABOUT: &'static str = "Makes a backup, for administrators.";
    const PAYLOAD: bool = false;
    type Ack = BackupCreated;

    async fn handle(self, context: &mut Context<'_>) -> Result<BackupCreated> {
        backups::back_up(context.app, context.actor()?).await
    }
}
