//! Facts that the nodes of an installation must agree on, and notice when they change.

use diesel::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::schema::state;
use super::{Column, Place, Reader, Tx};
use crate::error::Result;

/// Counts what other nodes, or this one's command line, have done to sessions and bans.
pub const ACCESS: &str = "access";

/// Counts the accounts that were made: guests of that name are sent away.
pub const NAMES: &str = "names";

/// Counts the changes of keys: whoever has them loaded reads them again.
pub const KEYS: &str = "keys";

/// The key by which push services know this installation.
pub const PUSH_KEY: &str = "push_key";

/// The last backup that was made and read again.
pub const BACKUP: &str = "backup";

/// Makes the row if need be, and counts a change. The row stays locked until the commit.
pub fn touch(tx: &mut Tx, name: &str) -> Result<()> {
    let touched = diesel::update(state::table.find(name))
        .set(state::version.eq(state::version + 1))
        .execute(tx.reader.connection)?;
    if touched == 0 {
        diesel::insert_into(state::table)
            .values((state::name.eq(name), state::version.eq(1), state::value.eq("")))
            .execute(tx.reader.connection)?;
    }
    Ok(())
}

/// How often the fact has changed.
pub fn version(reader: &mut Reader, name: &str) -> Result<i64> {
    let version = state::table.find(name).select(state::version).first(reader.connection).optional()?;
    Ok(version.unwrap_or_default())
}

/// The value, where one was set.
pub fn get<T: DeserializeOwned>(reader: &mut Reader, name: &str) -> Result<Option<T>> {
    let sealed: Option<String> = state::table.find(name).select(state::value).first(reader.connection).optional()?;
    match sealed.filter(|sealed| !sealed.is_empty()) {
        Some(sealed) => reader.open_json(place(name), sealed).map(Some),
        None => Ok(None),
    }
}

/// Sets the value of a row that is there: see [`touch`].
pub fn set(tx: &mut Tx, name: &str, value: &impl Serialize) -> Result<()> {
    let sealed = tx.seal_json(place(name), value)?;
    diesel::update(state::table.find(name)).set(state::value.eq(sealed)).execute(tx.reader.connection)?;
    Ok(())
}

fn place(name: &str) -> Place<'_> {
    Place { column: Column::State, room: None, row: name.as_bytes() }
}
