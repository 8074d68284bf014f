//! When people were here last and whether they want to be seen, at rest.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::schema::presence::dsl;
use super::{Column, Place, Reader, Tx};
use crate::error::Result;
use crate::types::UserId;

/// The sealed part of a row.
#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// When the last connection went, in microseconds since 1970-01-01 UTC.
    pub last_seen: Option<i64>,
    /// To others it is as if the person were never here.
    pub hidden: bool,
}

pub fn get(reader: &mut Reader, user: UserId) -> Result<Stored> {
    let row = dsl::presence.find(user.as_bytes()).select(dsl::presence_);
    let sealed: Option<String> = row.first(reader.connection).optional()?;
    let stored = sealed.map(|sealed| reader.open_json(place(user.as_bytes()), sealed)).transpose()?;
    Ok(stored.unwrap_or_default())
}

pub fn set(tx: &mut Tx, user: UserId, stored: Stored) -> Result<()> {
    let sealed = tx.seal_json(place(user.as_bytes()), &stored)?;
    diesel::delete(dsl::presence.find(user.as_bytes())).execute(tx.reader.connection)?;
    diesel::insert_into(dsl::presence)
        .values((dsl::user_id.eq(user.as_bytes()), dsl::presence_.eq(sealed)))
        .execute(tx.reader.connection)?;
    Ok(())
}

fn place(row: &[u8]) -> Place<'_> {
    Place { column: Column::Presence, room: None, row }
}
