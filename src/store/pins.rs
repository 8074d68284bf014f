//! Pinned messages, at rest.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::people::timestamp;
use super::schema::pins;
use super::{Column, Place, Reader, Tx};
use crate::error::Result;
use crate::types::{Room, RoomId, Timestamp, Username};

/// The sealed part of a row.
#[derive(Serialize, Deserialize)]
struct Stored {
    by: Username,
    at: i64,
}

pub struct Pin {
    pub seq: i64,
    pub by: Username,
    pub at: Timestamp,
}

/// Whether the message was not pinned yet.
pub fn add(tx: &mut Tx, room: &Room, pin: &Pin) -> Result<bool> {
    if of_room(tx, room)?.iter().any(|known| known.seq == pin.seq) {
        return Ok(false);
    }
    let stored = Stored { by: pin.by.clone(), at: pin.at.micros() };
    let sealed = tx.seal_json(place(room.id, &pin.seq.to_be_bytes()), &stored)?;
    diesel::insert_into(pins::table)
        .values((pins::room_id.eq(room.id.get()), pins::seq.eq(pin.seq), pins::pin.eq(sealed)))
        .execute(tx.reader.connection)?;
    Ok(true)
}

/// Whether it was pinned.
pub fn remove(tx: &mut Tx, room: &Room, seq: i64) -> Result<bool> {
    Ok(diesel::delete(pins::table.find((room.id.get(), seq))).execute(tx.reader.connection)? > 0)
}

/// The pins of a room, the newest first.
pub fn of_room(reader: &mut Reader, room: &Room) -> Result<Vec<Pin>> {
    let rows: Vec<(i64, String)> =
        pins::table.filter(pins::room_id.eq(room.id.get())).select((pins::seq, pins::pin)).load(reader.connection)?;
    let mut all = Vec::with_capacity(rows.len());
    for (seq, sealed) in rows {
        let stored: Stored = reader.open_json(place(room.id, &seq.to_be_bytes()), sealed)?;
        all.push(Pin { seq, by: stored.by, at: timestamp(stored.at)? });
    }
    all.sort_by_key(|pin| std::cmp::Reverse(pin.at));
    Ok(all)
}

fn place(room: RoomId, row: &[u8]) -> Place<'_> {
    Place { column: Column::Pin, room: Some(room), row }
}
