//! What messages said before they were edited, at rest.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::people::timestamp;
use super::schema::edits;
use super::{Column, Place, Reader, Tx};
use crate::error::{Error, Result};
use crate::types::{Message, MessageText, Room, RoomId, Timestamp};

/// Earlier versions of one message.
const MOST: i64 = 100;

/// The sealed part of a row.
#[derive(Serialize, Deserialize)]
struct Stored {
    message: MessageText,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    encrypted_content: String,
    at: i64,
}

/// What a message said, from then until the next version.
pub struct Version {
    pub message: MessageText,
    pub encrypted_content: String,
    pub since: Timestamp,
}

/// Keeps what a message says before it is changed.
pub(super) fn keep(tx: &mut Tx, room: &Room, message: &Message) -> Result<()> {
    let number: i64 = edits::table
        .filter(edits::room_id.eq(room.id.get()).and(edits::seq.eq(message.seq)))
        .count()
        .get_result(tx.reader.connection)?;
    if number >= MOST {
        return Err(Error::Conflict("This message was edited as often as one can. Write a new one.".into()));
    }
    let stored = Stored {
        message: message.message.clone(),
        encrypted_content: message.encrypted_content.clone(),
        at: message.edited_at.unwrap_or(message.timestamp).micros(),
    };
    let sealed = tx.seal_json(place(room.id, &row_of(message.seq, number)), &stored)?;
    diesel::insert_into(edits::table)
        .values((
            edits::room_id.eq(room.id.get()),
            edits::seq.eq(message.seq),
            edits::number.eq(number),
            edits::edit.eq(sealed),
        ))
        .execute(tx.reader.connection)?;
    Ok(())
}

/// All earlier versions, the oldest first.
pub fn of_message(reader: &mut Reader, room: &Room, seq: i64) -> Result<Vec<Version>> {
    let rows: Vec<(i64, String)> = edits::table
        .filter(edits::room_id.eq(room.id.get()).and(edits::seq.eq(seq)))
        .order(edits::number.asc())
        .select((edits::number, edits::edit))
        .load(reader.connection)?;
    let mut versions = Vec::with_capacity(rows.len());
    for (number, sealed) in rows {
        let stored: Stored = reader.open_json(place(room.id, &row_of(seq, number)), sealed)?;
        let Stored { message, encrypted_content, at } = stored;
        versions.push(Version { message, encrypted_content, since: timestamp(at)? });
    }
    Ok(versions)
}

fn row_of(seq: i64, number: i64) -> [u8; 16] {
    let mut row = [0; 16];
    row[..8].copy_from_slice(&seq.to_be_bytes());
    row[8..].copy_from_slice(&number.to_be_bytes());
    row
}

fn place(room: RoomId, row: &[u8]) -> Place<'_> {
    Place { column: Column::Edit, room: Some(room), row }
}
