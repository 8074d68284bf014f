//! Numbers about the server over time, at rest. There are no names in them.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::schema::{accounts, rooms, samples};
use super::{Column, Place, Reader, Tx, admin};
use crate::error::Result;
use crate::types::RoomId;

/// The sealed part of a row: what was counted, of one span of time.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Stored {
    pub messages: i64,
    /// The positions of all rooms together: what the next span is counted from after a restart.
    pub total: i64,
    /// Who were here.
    pub people: i64,
    pub accounts: i64,
    /// The public one and groups.
    pub rooms: i64,
    /// Of the database.
    pub bytes: i64,
}

/// What there is now: accounts, rooms that are not of two people, and bytes.
pub fn counts(reader: &mut Reader) -> Result<(i64, i64, i64)> {
    let several = rooms::direct.eq(false).or(rooms::id.eq(RoomId::PUBLIC.get()));
    Ok((
        accounts::table.count().get_result(reader.connection)?,
        rooms::table.filter(several).count().get_result(reader.connection)?,
        admin::bytes(reader)?,
    ))
}

/// The newest sample, and the end of its span in microseconds since 1970-01-01 UTC.
pub fn latest(reader: &mut Reader) -> Result<Option<(i64, Stored)>> {
    let newest = samples::table.order(samples::at.desc());
    let row: Option<(i64, String)> = newest.first(reader.connection).optional()?;
    row.map(|row| opened(reader, row)).transpose()
}

/// The oldest first.
pub fn since(reader: &mut Reader, at: i64) -> Result<Vec<(i64, Stored)>> {
    let rows: Vec<(i64, String)> =
        samples::table.filter(samples::at.ge(at)).order(samples::at).load(reader.connection)?;
    rows.into_iter().map(|row| opened(reader, row)).collect()
}

fn opened(reader: &mut Reader, (at, sealed): (i64, String)) -> Result<(i64, Stored)> {
    Ok((at, reader.open_json(place(&at.to_be_bytes()), sealed)?))
}

/// Nothing where there is one of that span: another node was faster.
pub fn insert(tx: &mut Tx, at: i64, sample: Stored) -> Result<()> {
    let there: i64 = samples::table.filter(samples::at.ge(at)).count().get_result(tx.reader.connection)?;
    if there > 0 {
        return Ok(());
    }
    let sealed = tx.seal_json(place(&at.to_be_bytes()), &sample)?;
    diesel::insert_into(samples::table)
        .values((samples::at.eq(at), samples::sample.eq(sealed)))
        .execute(tx.reader.connection)?;
    Ok(())
}

pub fn forget_before(tx: &mut Tx, at: i64) -> Result<()> {
    diesel::delete(samples::table.filter(samples::at.lt(at))).execute(tx.reader.connection)?;
    Ok(())
}

fn place(row: &[u8]) -> Place<'_> {
    Place { column: Column::Sample, room: None, row }
}
