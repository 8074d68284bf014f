//! Messages at rest.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::people::timestamp;
use super::reactions::{self, Reaction};
use super::schema::messages;
use super::statements::NextSeq;
use super::{Column, Place, Reader, Tx, attachments, edits, words};
use crate::error::{Error, Result};
use crate::types::{
    Attachment, ClientId, Identity, Message, MessageId, MessageText, Quote, Quoted, Room, RoomId, Timestamp, UserId,
    Username, mentions,
};

/// Pages that are looked through for messages to show.
const MOST_PAGES: usize = 5;
/// How much of a message a quote shows, in characters.
const QUOTED: usize = 140;

/// A message that is about to be stored.
pub struct NewMessage {
    pub user: UserId,
    pub name: Username,
    /// Whether an account stands behind the name.
    pub by_account: bool,
    pub text: MessageText,
    pub encrypted_content: String,
    pub client_id: Option<ClientId>,
    /// The position of the message that it answers.
    pub reply_to: Option<i64>,
    pub attachments: Vec<Attachment>,
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
    /// When it was edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    d: Option<i64>,
    /// The position of the message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    f: Vec<Attachment>,
}

impl Body {
    fn author(&self) -> Identity {
        Identity::of(self.a, self.u, &self.n)
    }
}

/// A message, who wrote it, and those whose words or names it brings along.
#[derive(Clone)]
pub struct Written {
    pub message: Message,
    pub author: Identity,
    /// Who wrote the message that it answers.
    pub quoted: Option<Identity>,
    pub reactions: Vec<Reaction>,
}

impl Written {
    /// As somebody reads it who has blocked these people; `None` where it is by one of them.
    pub fn without(self, hidden: &HashSet<Identity>) -> Option<Message> {
        let Self { mut message, author, quoted, reactions } = self;
        if hidden.contains(&author) {
            return None;
        }
        if quoted.is_some_and(|quoted| hidden.contains(&quoted))
            && let Some(quote) = &mut message.reply_to
        {
            quote.words = None;
        }
        let seen = reactions.into_iter().filter(|reaction| !hidden.contains(&reaction.author()));
        message.reactions = reactions::by_emoji(seen);
        Some(message)
    }
}

/// Appends a message to its room.
pub fn insert(tx: &mut Tx, room: &Room, new: NewMessage) -> Result<Written> {
    let seq: i64 = NextSeq { room: room.id.get() }.get_result(tx.reader.connection)?;
    let body = Body {
        u: new.user,
        n: new.name,
        a: new.by_account,
        m: new.text,
        e: new.encrypted_content,
        c: new.client_id,
        t: new.at.micros(),
        d: None,
        r: new.reply_to,
        f: new.attachments,
    };
    let sealed = tx.seal_json(place(room.id, &seq.to_be_bytes()), &body)?;
    diesel::insert_into(messages::table)
        .values((messages::room_id.eq(room.id.get()), messages::seq.eq(seq), messages::body.eq(sealed)))
        .execute(tx.reader.connection)?;
    body.f.iter().try_for_each(|file| attachments::send(tx, file.id, seq))?;
    words::add(tx, room, seq, body.m.as_str(), &body.author())?;
    let quotes = quotes(tx, room, body.r.into_iter().collect())?;
    written(tx, room, seq, body, &quotes)
}

/// Changes the text of a message; what it said before is kept for moderators. The message as it is now.
pub fn edit(
    tx: &mut Tx,
    room: &Room,
    before: &Written,
    text: MessageText,
    encrypted_content: String,
    at: Timestamp,
) -> Result<Written> {
    let seq = before.message.seq;
    let sealed = stored(tx, room, seq)?.ok_or_else(gone)?;
    let mut body = open(tx, room, seq, sealed)?;
    edits::keep(tx, room, &before.message)?;
    words::replace(tx, room, seq, (body.m.as_str(), text.as_str()), &before.author)?;
    body.m = text;
    body.e = encrypted_content;
    body.d = Some(at.micros());
    let sealed = tx.seal_json(place(room.id, &seq.to_be_bytes()), &body)?;
    diesel::update(messages::table.find((room.id.get(), seq)))
        .set(messages::body.eq(sealed))
        .execute(tx.reader.connection)?;
    get(tx, room, seq)?.ok_or_else(gone)
}

/// Who wrote the message at a position, and what they called it.
pub(super) fn name_of(reader: &mut Reader, room: RoomId, seq: i64) -> Result<Option<(Identity, ClientId)>> {
    let row = messages::table.find((room.get(), seq)).select(messages::body);
    let sealed: Option<String> = row.first(reader.connection).optional()?;
    let Some(sealed) = sealed else { return Ok(None) };
    let body: Body = reader.open_json(place(room, &seq.to_be_bytes()), sealed)?;
    let author = body.author();
    Ok(body.c.map(|id| (author, id)))
}

fn gone() -> Error {
    Error::NotFound("There is no such message.".into())
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
        found.extend(page.into_iter().filter_map(|written| written.without(hidden)));
    }
    found.truncate(limit);
    found.reverse();
    Ok(found)
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
    let row = stored(reader, room, seq)?.map(|sealed| (seq, sealed));
    Ok(open_all(reader, room, row.into_iter().collect())?.pop())
}

/// Deletes the messages before a position, and all that hangs on them.
pub fn delete_before(tx: &mut Tx, room: &Room, seq: i64) -> Result<()> {
    attachments::remove_before(tx, room.id, seq)?;
    diesel::delete(messages::table.filter(messages::room_id.eq(room.id.get()).and(messages::seq.lt(seq))))
        .execute(tx.reader.connection)?;
    words::remove_before(tx, room.id, seq)
}

/// Whether the message was there to delete. All that hangs on it goes along.
pub fn delete(tx: &mut Tx, room: &Room, written: &Written) -> Result<bool> {
    let Written { message, author, .. } = written;
    attachments::remove_of(tx, &message.attachments)?;
    let removed = diesel::delete(messages::table.find((room.id.get(), message.seq))).execute(tx.reader.connection)?;
    words::remove(tx, room, message.seq, message.message.as_str(), author)?;
    Ok(removed > 0)
}

fn stored(reader: &mut Reader, room: &Room, seq: i64) -> Result<Option<String>> {
    let row = messages::table.find((room.id.get(), seq)).select(messages::body);
    Ok(row.first(reader.connection).optional()?)
}

fn open_all(reader: &mut Reader, room: &Room, rows: Vec<(i64, String)>) -> Result<Vec<Written>> {
    let bodies = rows
        .into_iter()
        .map(|(seq, sealed)| Ok((seq, open(reader, room, seq, sealed)?)))
        .collect::<Result<Vec<_>>>()?;
    let quotes = quotes(reader, room, bodies.iter().filter_map(|(_, body)| body.r).collect())?;
    let mut reactions = reactions::of_messages(reader, room, bodies.iter().map(|(seq, _)| *seq))?;
    let mut all = Vec::with_capacity(bodies.len());
    for (seq, body) in bodies {
        let mut written = written(reader, room, seq, body, &quotes)?;
        written.reactions = reactions.remove(&seq).unwrap_or_default();
        all.push(written);
    }
    Ok(all)
}

/// The messages at these positions that are still there, as they are quoted.
fn quotes(reader: &mut Reader, room: &Room, seqs: Vec<i64>) -> Result<HashMap<i64, (Identity, Quoted)>> {
    let mut quotes = HashMap::new();
    if seqs.is_empty() {
        return Ok(quotes);
    }
    let rows: Vec<(i64, String)> = messages::table
        .filter(messages::room_id.eq(room.id.get()).and(messages::seq.eq_any(seqs)))
        .select((messages::seq, messages::body))
        .load(reader.connection)?;
    for (seq, sealed) in rows {
        let body = open(reader, room, seq, sealed)?;
        let message = body.m.as_str().chars().take(QUOTED).collect();
        quotes.insert(seq, (body.author(), Quoted { username: body.n, message }));
    }
    Ok(quotes)
}

fn open(reader: &mut Reader, room: &Room, seq: i64, sealed: String) -> Result<Body> {
    reader.open_json(place(room.id, &seq.to_be_bytes()), sealed)
}

fn written(
    reader: &mut Reader,
    room: &Room,
    seq: i64,
    body: Body,
    quotes: &HashMap<i64, (Identity, Quoted)>,
) -> Result<Written> {
    let author = body.author();
    let id = |seq| reader.vault.message_id(room.id, seq).map_err(Error::Internal);
    let quote = body.r.and_then(|seq| quotes.get(&seq));
    let reply_to = match body.r {
        Some(seq) => Some(Quote { id: id(seq)?, seq, words: quote.map(|(_, words)| words.clone()) }),
        None => None,
    };
    let message = Message {
        id: id(seq)?,
        user_id: body.u,
        to: room.partner_of(body.u).cloned(),
        username: body.n,
        mentions: mentions(body.m.as_str()),
        message: body.m,
        encrypted_content: body.e,
        timestamp: timestamp(body.t)?,
        room: room.name.clone(),
        seq,
        client_id: body.c,
        edited_at: body.d.map(timestamp).transpose()?,
        reply_to,
        reactions: Vec::new(),
        attachments: body.f,
    };
    Ok(Written { message, author, quoted: quote.map(|(author, _)| author.clone()), reactions: Vec::new() })
}

fn place(room: RoomId, row: &[u8]) -> Place<'_> {
    Place { column: Column::MessageBody, room: Some(room), row }
}
