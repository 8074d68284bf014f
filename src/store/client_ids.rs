//! What senders call their messages, at rest: sending one again is known.

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use serde::{Deserialize, Serialize};

use super::people::timestamp;
use super::schema::client_ids;
use super::{BlindColumn, Column, Place, Reader, Tx};
use crate::error::{Error, Result};
use crate::types::{ClientId, Identity, RoomId, Sent};

/// The sealed part of a row.
#[derive(Serialize, Deserialize)]
struct Stored {
    room: i64,
    seq: i64,
    at: i64,
}

/// What came of the message that the sender called so before, and in which room.
pub fn find(reader: &mut Reader, sender: &Identity, id: &ClientId) -> Result<Option<(RoomId, Sent)>> {
    let id = reader.blind_of(BlindColumn::ClientId, sender, id.as_str())?;
    let row = client_ids::table.find(&id).select(client_ids::sent).first(reader.connection).optional()?;
    let Some(sealed) = row else { return Ok(None) };
    let stored: Stored = reader.open_json(place(&id), sealed)?;
    let room = RoomId::from_stored(stored.room);
    let message = reader.vault.message_id(room, stored.seq).map_err(Error::Internal)?;
    Ok(Some((room, Sent { id: message, seq: stored.seq, timestamp: timestamp(stored.at)? })))
}

/// `Conflict` when the sender sends another message of that id at the same moment.
pub fn insert(tx: &mut Tx, sender: &Identity, id: &ClientId, room: RoomId, sent: &Sent) -> Result<()> {
    let id = tx.blind_of(BlindColumn::ClientId, sender, id.as_str())?;
    let stored = Stored { room: room.get(), seq: sent.seq, at: sent.timestamp.micros() };
    let sealed = tx.seal_json(place(&id), &stored)?;
    let inserted = diesel::insert_into(client_ids::table)
        .values((client_ids::id.eq(&id), client_ids::sent.eq(sealed)))
        .execute(tx.reader.connection);
    match inserted {
        Err(DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => Err(in_use()),
        inserted => Ok(inserted.map(drop)?),
    }
}

/// Another message has the id: of the same sender, or of another guest of that name.
pub fn in_use() -> Error {
    Error::Conflict("You are sending another message with this client_id.".into())
}

/// Where the message is that was called so.
pub(super) fn message_of(reader: &mut Reader, id: &[u8]) -> Result<Option<(RoomId, i64)>> {
    let sealed: Option<String> =
        client_ids::table.find(id).select(client_ids::sent).first(reader.connection).optional()?;
    let Some(sealed) = sealed else { return Ok(None) };
    let stored: Stored = reader.open_json(place(id), sealed)?;
    Ok(Some((RoomId::from_stored(stored.room), stored.seq)))
}

/// Gives a row another id, or removes it.
pub(super) fn rename(tx: &mut Tx, id: &[u8], new: Option<&[u8]>) -> Result<()> {
    let row = client_ids::table.find(id);
    let sealed: Option<String> = row.select(client_ids::sent).first(tx.reader.connection).optional()?;
    match (sealed, new) {
        (None, _) => {}
        (Some(_), None) => {
            diesel::delete(row).execute(tx.reader.connection)?;
        }
        (Some(sealed), Some(new)) => {
            let stored: Stored = tx.open_json(place(id), sealed)?;
            let sealed = tx.seal_json(place(new), &stored)?;
            diesel::update(row)
                .set((client_ids::id.eq(new), client_ids::sent.eq(sealed)))
                .execute(tx.reader.connection)?;
        }
    }
    Ok(())
}

fn place(row: &[u8]) -> Place<'_> {
    Place { column: Column::ClientId, room: None, row }
}
