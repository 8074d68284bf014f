//! Messages at rest.

use std::collections::HashSet;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::people::timestamp;
use super::schema::messages;
use super::statements::NextSeq;
use super::{Column, Place, Reader, Tx, words};
use crate::error::{Error, Result};
use crate::types::{ClientId, Identity, Message, MessageId, MessageText, Room, RoomId, Timestamp, UserId, Username};

/// Pages that are looked through for messages to show.
const MOST_PAGES: usize = 5;

/// A message that is about to be stored.
pub struct NewMessage {
    pub user: UserId,
    pub name: Username,
    /// Whether an account stands behind the name.
    pub by_account: bool,
    pub text: MessageText,
    pub encrypted_content: String,
    pub client_id: Option<ClientId>,
    pub at: Timestamp,
}

/// The sealed part of a row. One letter a field: there are millions of them.
#[derive(Serialize, Deserialize)]
struct Body {
    u: UserId,
    n: Username,
    /// Whether an account stands behind the name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    a: bool,
    m: MessageText,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    e: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    c: Option<ClientId>,
    t: i64,
}

/// Appends a message to its room.
pub fn insert(tx: &mut Tx, room: &Room, new: NewMessage) -> Result<Message> {
    let seq: i64 = NextSeq { room: room.id.get() }.get_result(tx.reader.connection)?;
    let body = Body {
        u: new.user,
        n: new.name,
        a: new.by_account,
        m: new.text,
        e: new.encrypted_content,
        c: new.client_id,
        t: new.at.micros(),
    };
    let sealed = tx.seal_json(place(room.id, &seq.to_be_bytes()), &body)?;
    diesel::insert_into(messages::table)
        .values((messages::room_id.eq(room.id.get()), messages::seq.eq(seq), messages::body.eq(sealed)))
        .execute(tx.reader.connection)?;
    words::add(tx, room, seq, body.m.as_str(), &author(&body))?;
    message(tx, room, seq, body)
}

/// A message and who wrote it.
#[derive(Clone)]
pub struct Written {
    pub message: Message,
    pub author: Identity,
}

/// The newest messages of a room that are not by those in `hidden`, the oldest of them first. Fewer, where among the
/// newest `MOST_PAGES * limit` there are no more.
pub fn last(reader: &mut Reader, room: &Room, limit: usize, hidden: &HashSet<Identity>) -> Result<Vec<Message>> {
    let mut found = Vec::new();
    let mut before = i64::MAX;
    // Who has blocked all that write does not make everybody wait.
    for _ in 0..MOST_PAGES {
        if found.len() >= limit {
            break;
        }
        let page = page(reader, room, before, limit as i64)?;
        let Some(oldest) = page.last() else { break };
        before = oldest.message.seq;
        found.extend(page.into_iter().filter(|written| !hidden.contains(&written.author)));
    }
    found.truncate(limit);
    Ok(found.into_iter().rev().map(|written| written.message).collect())
}

/// The messages at these positions, as far as there are any, the newest first.
pub fn at(reader: &mut Reader, room: &Room, seqs: &[i64]) -> Result<Vec<Written>> {
    let rows: Vec<(i64, String)> = messages::table
        .filter(messages::room_id.eq(room.id.get()).and(messages::seq.eq_any(seqs)))
        .order(messages::seq.desc())
        .select((messages::seq, messages::body))
        .load(reader.connection)?;
    open_all(reader, room, rows)
}

/// Messages before a position, the newest first.
pub fn page(reader: &mut Reader, room: &Room, before: i64, limit: i64) -> Result<Vec<Written>> {
    let rows: Vec<(i64, String)> = messages::table
        .filter(messages::room_id.eq(room.id.get()).and(messages::seq.lt(before)))
        .order(messages::seq.desc())
        .limit(limit)
        .select((messages::seq, messages::body))
        .load(reader.connection)?;
    open_all(reader, room, rows)
}

/// Messages after a position, the oldest first.
pub fn after(reader: &mut Reader, room: &Room, after: i64, limit: i64) -> Result<Vec<Written>> {
    let rows: Vec<(i64, String)> = messages::table
        .filter(messages::room_id.eq(room.id.get()).and(messages::seq.gt(after)))
        .order(messages::seq.asc())
        .limit(limit)
        .select((messages::seq, messages::body))
        .load(reader.connection)?;
    open_all(reader, room, rows)
}

/// Where the message with this id would stand. Whether it does, [`get`] tells.
pub fn place_of(reader: &Reader, id: MessageId) -> Result<Option<(RoomId, i64)>> {
    reader.vault.message_place(id.uuid()).map_err(Error::Internal)
}

pub fn get(reader: &mut Reader, room: &Room, seq: i64) -> Result<Option<Written>> {
    let sealed: Option<String> =
        messages::table.find((room.id.get(), seq)).select(messages::body).first(reader.connection).optional()?;
    sealed.map(|sealed| open(reader, room, seq, sealed)).transpose()
}

/// Whether the message was there to delete.
pub fn delete(tx: &mut Tx, room: &Room, written: &Written) -> Result<bool> {
    let Written { message, author } = written;
    let removed = diesel::delete(messages::table.find((room.id.get(), message.seq))).execute(tx.reader.connection)?;
    words::remove(tx, room, message.seq, message.message.as_str(), author)?;
    Ok(removed > 0)
}

fn open_all(reader: &mut Reader, room: &Room, rows: Vec<(i64, String)>) -> Result<Vec<Written>> {
    rows.into_iter().map(|(seq, sealed)| open(reader, room, seq, sealed)).collect()
}

fn open(reader: &mut Reader, room: &Room, seq: i64, sealed: String) -> Result<Written> {
    let body: Body = reader.open_json(place(room.id, &seq.to_be_bytes()), sealed)?;
    let author = author(&body);
    Ok(Written { message: message(reader, room, seq, body)?, author })
}

fn author(body: &Body) -> Identity {
    match body.a {
        true => Identity::Account(body.u),
        false => Identity::guest(&body.n),
    }
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
        client_id: body.c,
    })
}

fn place(room: RoomId, row: &[u8]) -> Place<'_> {
    Place { column: Column::MessageBody, room: Some(room), row }
}
