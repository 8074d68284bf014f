//! Numbers about the server over time, at rest. There are no names in them.

use diesel::prelude::*;

use super::schema::{accounts, rooms, samples};
use super::{Reader, Tx, admin};
use crate::error::Result;
use crate::types::RoomId;

/// What was counted, of one span of time.
#[derive(Clone, Copy, Insertable, Queryable, Selectable)]
#[diesel(table_name = samples)]
pub struct Stored {
    /// The end of the span, in microseconds since 1970-01-01 UTC.
    pub at: i64,
    pub messages: i64,
    /// The positions of all rooms together.
    pub total: i64,
    pub people: i64,
    pub accounts: i64,
    pub rooms: i64,
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

pub fn latest(reader: &mut Reader) -> Result<Option<Stored>> {
    let newest = samples::table.order(samples::at.desc()).select(Stored::as_select());
    Ok(newest.first(reader.connection).optional()?)
}

/// The oldest first.
pub fn since(reader: &mut Reader, at: i64) -> Result<Vec<Stored>> {
    let found = samples::table.filter(samples::at.ge(at)).order(samples::at).select(Stored::as_select());
    Ok(found.load(reader.connection)?)
}

/// Whether it was the first of its span: another node may have been faster.
pub fn insert(tx: &mut Tx, sample: Stored) -> Result<bool> {
    let there: i64 = samples::table.filter(samples::at.ge(sample.at)).count().get_result(tx.reader.connection)?;
    if there > 0 {
        return Ok(false);
    }
    diesel::insert_into(samples::table).values(&sample).execute(tx.reader.connection)?;
    Ok(true)
}

pub fn forget_before(tx: &mut Tx, at: i64) -> Result<()> {
    diesel::delete(samples::table.filter(samples::at.lt(at))).execute(tx.reader.connection)?;
    Ok(())
}
