//! Events for administrators.

use serde::Deserialize;

use super::event::{Context, Entry, Event};
use crate::chat::{self, admin::BackupCreated};
use crate::error::Result;

pub const EVENTS: &[Entry] = &[Entry::of::<BackupDatabase>()];

#[derive(Deserialize)]
struct BackupDatabase {}

impl Event for BackupDatabase {
    const NAME: &'static str = "backup_database";
    const PAYLOAD: bool = false;
    type Ack = BackupCreated;

    async fn handle(self, context: &mut Context<'_>) -> Result<BackupCreated> {
        chat::admin::back_up(context.app, context.actor()?).await
    }
}
