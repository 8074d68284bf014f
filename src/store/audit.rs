//! Who did what to whom, and why: entries that are only ever added, each linked to the one before it.
//!
//! The last link is kept a second time, sealed, so that entries cut off at the end are missed as well. What nobody can
//! see from inside is a whole database put back to an earlier day.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::schema::audit_log;
use super::{Column, Place, Reader, Tx, state};
use crate::error::{Error, Result};
use crate::types::{Reason, RoomName, Username};

/// The row of `state` that holds the newest link.
const HEAD: &str = "audit_head";
/// Entries that a verification reads at once.
const PAGE: i64 = 1_000;

/// One act: the sealed part of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Microseconds since 1970-01-01 UTC.
    pub at: i64,
    /// `None`: from the server's own command line.
    pub by: Option<Username>,
    pub action: String,
    pub target: Option<String>,
    pub room: Option<RoomName>,
    #[serde(default)]
    pub reason: Reason,
}

#[derive(Default, Serialize, Deserialize)]
struct Head {
    seq: i64,
    mac: Vec<u8>,
}

/// Adds an entry. On PostgreSQL the head's row stays locked until the commit: all nodes write one chain.
pub(super) fn append(tx: &mut Tx, entry: &Entry) -> Result<()> {
    state::touch(tx, HEAD)?;
    let head: Head = state::get(tx, HEAD)?.unwrap_or_default();
    let seq = head.seq + 1;
    let content = serde_json::to_vec(entry).map_err(Error::internal)?;
    let mac = tx.vault.link(&head.mac, seq, &content).map_err(Error::Internal)?;
    let sealed = tx.seal(place(&seq.to_be_bytes()), &content)?.into_stored();
    diesel::insert_into(audit_log::table)
        .values((audit_log::seq.eq(seq), audit_log::entry.eq(sealed), audit_log::mac.eq(&mac)))
        .execute(tx.reader.connection)?;
    state::set(tx, HEAD, &Head { seq, mac })
}

/// Entries before `before` (all, where that is `None`), the newest first, with their numbers.
pub fn page(reader: &mut Reader, before: Option<i64>, limit: i64) -> Result<Vec<(i64, Entry)>> {
    let rows: Vec<(i64, String)> = audit_log::table
        .filter(audit_log::seq.lt(before.unwrap_or(i64::MAX)))
        .order(audit_log::seq.desc())
        .limit(limit)
        .select((audit_log::seq, audit_log::entry))
        .load(reader.connection)?;
    rows.into_iter().map(|(seq, sealed)| Ok((seq, reader.open_json(place(&seq.to_be_bytes()), sealed)?))).collect()
}

/// Checks every link. How many entries there are, or what is wrong.
pub fn verify(reader: &mut Reader) -> Result<Result<i64, String>> {
    let mut before = Head::default();
    loop {
        let rows: Vec<(i64, String, Vec<u8>)> = audit_log::table
            .filter(audit_log::seq.gt(before.seq))
            .order(audit_log::seq.asc())
            .limit(PAGE)
            .select((audit_log::seq, audit_log::entry, audit_log::mac))
            .load(reader.connection)?;
        if rows.is_empty() {
            break;
        }
        for (seq, sealed, mac) in rows {
            if seq != before.seq + 1 {
                return Ok(Err(format!("entry {} is missing", before.seq + 1)));
            }
            let Ok(content) = reader.open(place(&seq.to_be_bytes()), sealed) else {
                return Ok(Err(format!("entry {seq} does not open: damaged or replaced")));
            };
            if reader.vault.link(&before.mac, seq, &content).map_err(Error::Internal)? != mac {
                return Ok(Err(format!("entry {seq} is not linked to the one before it")));
            }
            before = Head { seq, mac };
        }
    }
    let head: Head = state::get(reader, HEAD)?.unwrap_or_default();
    match head.seq == before.seq && head.mac == before.mac {
        true => Ok(Ok(before.seq)),
        false => Ok(Err(format!("the newest entry should be number {}, but is number {}", head.seq, before.seq))),
    }
}

/// Links the whole chain with the newest key, after it was checked with the oldest one, which is to be retired.
pub(super) fn link_anew(tx: &mut Tx) -> Result<()> {
    if let Err(problem) = verify(tx)? {
        return Err(Error::Conflict(format!(
            "The audit log has been tampered with or damaged ({problem}). Its key stays as long as it is so. Nothing was changed."
        )
        .into()));
    }
    let rows: Vec<(i64, String)> = audit_log::table
        .order(audit_log::seq.asc())
        .select((audit_log::seq, audit_log::entry))
        .load(tx.reader.connection)?;
    let mut head = Head::default();
    for (seq, sealed) in rows {
        let content = tx.open(place(&seq.to_be_bytes()), sealed)?;
        let mac = tx.vault.link_anew(&head.mac, seq, &content).map_err(Error::Internal)?;
        diesel::update(audit_log::table.find(seq)).set(audit_log::mac.eq(&mac)).execute(tx.reader.connection)?;
        head = Head { seq, mac };
    }
    state::touch(tx, HEAD)?;
    state::set(tx, HEAD, &head)
}

fn place(row: &[u8]) -> Place<'_> {
    Place { column: Column::AuditEntry, room: None, row }
}
