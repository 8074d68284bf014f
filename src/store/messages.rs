//! Messages at rest.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::accounts::timestamp;
use super::schema::messages;
use super::statements::NextSeq;
use super::{Column, Place, Reader, Tx};
use crate::error::{Error, Result};
use crate::types::{Message, MessageText, Room, RoomId, Timestamp, UserId, Username};

/// A message that is about to be stored.
pub struct NewMessage {
    pub user: UserId,
    pub name: Username,
    pub text: MessageText,
    pub encrypted_content: String,
    pub at: Timestamp,
}

/// The sealed part of a row. One letter a field: there are millions of them.
#[derive(Serialize, Deserialize)]
struct Body {
    u: UserId,
    n: Username,
    m: MessageText,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    e: String,
    t: i64,
}

/// Appends a message to its room.
pub fn insert(tx: &mut Tx, room: &Room, new: NewMessage) -> Result<Message> {
    let seq: i64 = NextSeq { room: room.id.get() }.get_result(tx.reader.connection)?;
    let body = Body { u: new.user, n: new.name, m: new.text, e: new.encrypted_content, t: new.at.micros() };
    let sealed = tx.seal_json(place(room.id, &seq.to_be_bytes()), &body)?;
    diesel::insert_into(messages::table)
        .values((messages::room_id.eq(room.id.get()), messages::seq.eq(seq), messages::body.eq(sealed)))
        .execute(tx.reader.connection)?;
    message(tx, room, seq, body)
}

/// The newest messages of a room, oldest of them first.
pub fn last(reader: &mut Reader, room: &Room, limit: i64) -> Result<Vec<Message>> {
    let rows: Vec<(i64, String)> = messages::table
        .filter(messages::room_id.eq(room.id.get()))
        .order(messages::seq.desc())
        .limit(limit)
        .select((messages::seq, messages::body))
        .load(reader.connection)?;
    rows.into_iter()
        .rev()
        .map(|(seq, sealed)| {
            let body = reader.open_json(place(room.id, &seq.to_be_bytes()), sealed)?;
            message(reader, room, seq, body)
        })
        .collect()
}

fn message(reader: &mut Reader, room: &Room, seq: i64, body: Body) -> Result<Message> {
    Ok(Message {
        id: reader.vault.message_id(room.id, seq).map_err(Error::Internal)?,
        user_id: body.u,
        username: body.n,
        message: body.m,
        encrypted_content: body.e,
        timestamp: timestamp(body.t)?,
        room: room.name.clone(),
        seq,
    })
}

fn place(room: RoomId, row: &[u8]) -> Place<'_> {
    Place { column: Column::MessageBody, room: Some(room), row }
}
