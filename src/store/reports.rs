//! Reports at rest.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::schema::reports;
use super::{Column, Place, Reader, Tx, person_text};
use crate::error::{Error, Result};
use crate::types::{Identity, MessageId, Reason, ReportId, RoomName, Username};

/// A complaint about a message, with a copy of it: the sealed part of a row.
#[derive(Clone, Serialize, Deserialize)]
pub struct Report {
    pub message: serde_json::Value,
    pub room: RoomName,
    pub by: Username,
    pub reason: Reason,
    /// Microseconds since 1970-01-01 UTC.
    pub at: i64,
    pub resolved: Option<Resolution>,
}

/// What came of a report.
#[derive(Clone, Serialize, Deserialize)]
pub struct Resolution {
    pub by: Username,
    pub note: Reason,
    pub at: i64,
}

/// One person's report of one message has one id.
pub fn id_of(reader: &mut Reader, by: &Identity, message: MessageId) -> Result<ReportId> {
    let value = format!("{} {}", person_text(by), message.uuid());
    let hash = reader.vault.name_of("report", &value).map_err(Error::Internal)?;
    ReportId::from_stored(&hash[..16]).ok_or_else(|| Error::Internal(anyhow::anyhow!("a short hash")))
}

pub fn set(tx: &mut Tx, id: ReportId, report: &Report) -> Result<()> {
    let sealed = tx.seal_json(place(id.as_bytes()), report)?;
    diesel::delete(reports::table.find(id.as_bytes())).execute(tx.reader.connection)?;
    diesel::insert_into(reports::table)
        .values((reports::id.eq(id.as_bytes()), reports::report.eq(sealed)))
        .execute(tx.reader.connection)?;
    Ok(())
}

pub fn get(reader: &mut Reader, id: ReportId) -> Result<Option<Report>> {
    let row: Option<String> =
        reports::table.find(id.as_bytes()).select(reports::report).first(reader.connection).optional()?;
    row.map(|sealed| reader.open_json(place(id.as_bytes()), sealed)).transpose()
}

/// All reports, the oldest first.
pub fn all(reader: &mut Reader) -> Result<Vec<(ReportId, Report)>> {
    let rows: Vec<(Vec<u8>, String)> = reports::table.select((reports::id, reports::report)).load(reader.connection)?;
    let mut all = Vec::with_capacity(rows.len());
    for (id, sealed) in rows {
        let report: Report = reader.open_json(place(&id), sealed)?;
        let id = ReportId::from_stored(&id)
            .ok_or_else(|| Error::Internal(anyhow::anyhow!("a stored report id is not 16 bytes long")))?;
        all.push((id, report));
    }
    all.sort_by_key(|(_, report)| report.at);
    Ok(all)
}

fn place(row: &[u8]) -> Place<'_> {
    Place { column: Column::Report, room: None, row }
}
