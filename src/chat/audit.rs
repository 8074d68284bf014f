//! The audit log: who did what to whom, and why.

use schemars::JsonSchema;
use serde::Serialize;

use super::facts::Facts;
use super::policy::{self, Action};
use crate::app::App;
use crate::error::Result;
use crate::store::audit::{self, Entry};
use crate::store::people::timestamp;
use crate::store::{Reader, Tx};
use crate::types::{Actor, Reason, RoomName, Timestamp, Username};

/// Most entries of one answer.
const PAGE: u32 = 100;

/// Adds an entry within a write; nobody acts where the command line does.
pub(super) fn note(
    tx: &mut Tx,
    at: Timestamp,
    by: Option<&Actor>,
    action: &str,
    target: Option<&Username>,
    room: Option<&RoomName>,
    reason: Reason,
) {
    let entry = Entry {
        at: at.micros(),
        by: by.map(|actor| actor.name.clone()),
        action: action.to_owned(),
        target: target.map(|name| name.as_str().to_owned()),
        room: room.cloned(),
        reason,
    };
    tx.shared.note(entry);
}

/// An entry as administrators see it.
#[derive(Serialize, JsonSchema)]
pub struct AuditEntry {
    pub seq: i64,
    pub at: Timestamp,
    /// `null`: the server's own command line.
    pub by: Option<Username>,
    pub action: String,
    pub target: Option<String>,
    pub room: Option<RoomName>,
    pub reason: Reason,
}

/// Entries before the number `before`, the newest first.
pub async fn page(app: &App, actor: &Actor, before: Option<i64>, limit: u32) -> Result<Vec<AuditEntry>> {
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .read(move |reader| {
            policy::on_server(Action::ReadAuditLog, facts.standing(reader, &actor)?)?;
            let entries = audit::page(reader, before, i64::from(limit.clamp(1, PAGE)))?;
            entries.into_iter().map(|(seq, entry)| shown(seq, entry)).collect()
        })
        .await
}

/// All entries, the newest first.
pub(super) fn all(reader: &mut Reader) -> Result<Vec<AuditEntry>> {
    audit::page(reader, None, i64::MAX)?.into_iter().map(|(seq, entry)| shown(seq, entry)).collect()
}

fn shown(seq: i64, entry: Entry) -> Result<AuditEntry> {
    let Entry { at, by, action, target, room, reason } = entry;
    let at = timestamp(at)?;
    Ok(AuditEntry { seq, at, by, action, target, room, reason })
}
