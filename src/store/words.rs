//! Which messages have which words: a blind index under the room's own key, changed with the messages.
//!
//! A word is found by the hash of all of it; the beginning of one by the hash of its first three or five characters, and
//! the messages found then tell. Hashes are short: whoever looks one up reads the messages that it leads to.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::sql_types::{BigInt, Text};
use serde::{Deserialize, Serialize};

use super::connection::AnyConnection;
use super::schema::{rooms, words};
use super::statements::{Backend, statement};
use super::{KeyName, Reader, Tx, messages, state};
use crate::error::{Error, Result};
use crate::types::{self, Identity, NameKey, Room};

/// Beginnings of words that have a hash of their own, in characters.
const BEGINNINGS: [usize; 2] = [5, 3];
/// The more frequent of two sets is not counted further than that.
const ENOUGH: i64 = 1_000;
/// Messages that are indexed in one transaction, when all of the index is made anew.
const BATCH: i64 = 1_000;

/// What messages are found by.
#[derive(Clone, Copy)]
pub enum Mark<'a> {
    Word(&'a str),
    /// Of a word that begins so. Shorter ones than three characters have no hash.
    Beginning(&'a str),
    By(&'a Identity),
}

impl Mark<'_> {
    fn label(&self) -> Option<String> {
        match self {
            Self::Word(word) => Some(format!("word|{word}")),
            Self::Beginning(word) => {
                let length = word.chars().count();
                let known = BEGINNINGS.into_iter().find(|known| *known <= length)?;
                Some(format!("beginning|{}", word.chars().take(known).collect::<String>()))
            }
            Self::By(Identity::Account(user)) => Some(format!("by|account:{user}")),
            Self::By(Identity::Guest(key)) => Some(format!("by|guest:{}", key.as_str())),
        }
    }
}

/// All that a message is found by.
fn labels(text: &str, author: &Identity) -> BTreeSet<String> {
    let mut labels: BTreeSet<_> = Mark::By(author).label().into_iter().collect();
    for word in types::words(text) {
        let length = word.folded.chars().count();
        for known in BEGINNINGS.into_iter().filter(|known| *known <= length) {
            let beginning: String = word.folded.chars().take(known).collect();
            labels.extend(Mark::Beginning(&beginning).label());
        }
        labels.extend(Mark::Word(&word.folded).label());
    }
    labels
}

pub(super) fn add(tx: &mut Tx, room: &Room, seq: i64, text: &str, author: &Identity) -> Result<()> {
    tx.load_key(KeyName::messages_of(room.id))?;
    let labels = labels(text, author);
    let hashes = tx.vault.words(room.id, labels.iter().map(String::as_str)).map_err(Error::Internal)?;
    change(tx, true, room, seq, &hashes)
}

pub(super) fn remove(tx: &mut Tx, room: &Room, seq: i64, text: &str, author: &Identity) -> Result<()> {
    let mut hashes = Vec::new();
    for label in labels(text, author) {
        hashes.extend(tx.hashes(room, &label)?);
    }
    change(tx, false, room, seq, &hashes)
}

fn change(tx: &mut Tx, add: bool, room: &Room, seq: i64, hashes: &[i64]) -> Result<()> {
    let is_postgres = matches!(tx.reader.connection, AnyConnection::Postgres(_));
    let hashes = serde_json::to_string(hashes).map_err(Error::internal)?;
    Change { is_postgres, add, room: room.id.get(), seq, hashes }.execute(tx.reader.connection)?;
    Ok(())
}

/// Sets of hashes: a message that is found has one of each.
#[derive(Clone, Debug, Default)]
pub struct Sets(Vec<Vec<i64>>);

impl Reader<'_> {
    /// The hashes of a label: one for each generation of the room's key.
    fn hashes(&mut self, room: &Room, label: &str) -> Result<Vec<i64>> {
        self.load_key(KeyName::messages_of(room.id))?;
        self.vault.word(room.id, label).map_err(Error::Internal)
    }
}

impl Sets {
    /// A message must have one of these marks besides. Marks that have no hash narrow nothing down.
    pub fn require(&mut self, reader: &mut Reader, room: &Room, any: &[Mark<'_>]) -> Result<()> {
        let mut set = Vec::new();
        for label in any.iter().filter_map(Mark::label) {
            set.extend(reader.hashes(room, &label)?);
        }
        if !set.is_empty() && !self.0.contains(&set) {
            self.0.push(set);
        }
        Ok(())
    }

    /// The rarest first, since it leads.
    pub fn sort(&mut self, reader: &mut Reader, room: &Room) -> Result<()> {
        if self.0.len() < 2 {
            return Ok(());
        }
        let mut counted = Vec::with_capacity(self.0.len());
        for set in self.0.drain(..) {
            let found = words::table
                .filter(words::room_id.eq(room.id.get()).and(words::word.eq_any(set.clone())))
                .select(words::seq)
                .limit(ENOUGH)
                .load::<i64>(reader.connection)?;
            counted.push((found.len(), set));
        }
        counted.sort_by_key(|(count, _)| *count);
        self.0.extend(counted.into_iter().map(|(_, set)| set));
        Ok(())
    }
}

/// Messages before a position that may be what is looked for, the newest first; all of them where nothing narrows it down.
pub fn candidates(
    reader: &mut Reader,
    room: &Room,
    sets: &Sets,
    before: i64,
    limit: i64,
) -> Result<Vec<messages::Written>> {
    if sets.0.is_empty() {
        return messages::page(reader, room, before, limit);
    }
    let mut seqs: Vec<i64> =
        Candidates { room: room.id.get(), sets: &sets.0, before, limit }.load(reader.connection)?;
    seqs.dedup();
    messages::at(reader, room, &seqs)
}

/// Adds or removes all rows of a message at once: `hashes` is a JSON array.
struct Change {
    is_postgres: bool,
    add: bool,
    room: i64,
    seq: i64,
    hashes: String,
}

statement!(Change);

impl QueryFragment<Backend> for Change {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        out.push_sql(match self.add {
            true => "INSERT INTO words (room_id, seq, word) SELECT ",
            false => "DELETE FROM words WHERE room_id = ",
        });
        out.push_bind_param::<BigInt, _>(&self.room)?;
        out.push_sql(if self.add { ", " } else { " AND seq = " });
        out.push_bind_param::<BigInt, _>(&self.seq)?;
        out.push_sql(match self.add {
            true => ", CAST(value AS BIGINT) FROM ",
            false => " AND word IN (SELECT CAST(value AS BIGINT) FROM ",
        });
        out.push_sql(if self.is_postgres { "json_array_elements_text(CAST(" } else { "json_each(" });
        out.push_bind_param::<Text, _>(&self.hashes)?;
        out.push_sql(if self.is_postgres { " AS json))" } else { ")" });
        out.push_sql(if self.add { " WHERE true ON CONFLICT DO NOTHING" } else { ")" });
        Ok(())
    }
}

/// Positions that have a hash of each set, the newest first.
struct Candidates<'a> {
    room: i64,
    sets: &'a [Vec<i64>],
    before: i64,
    limit: i64,
}

statement!(Candidates<'_>);

impl QueryFragment<Backend> for Candidates<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        out.push_sql("SELECT w.seq FROM words w WHERE w.room_id = ");
        out.push_bind_param::<BigInt, _>(&self.room)?;
        out.push_sql(" AND w.seq < ");
        out.push_bind_param::<BigInt, _>(&self.before)?;
        for (place, set) in self.sets.iter().enumerate() {
            out.push_sql(match place {
                0 => " AND w.word",
                _ => " AND EXISTS (SELECT 1 FROM words o WHERE o.room_id = w.room_id AND o.seq = w.seq AND o.word",
            });
            out.push_sql(" IN (");
            for (place, hash) in set.iter().enumerate() {
                out.push_sql(if place == 0 { "" } else { ", " });
                out.push_bind_param::<BigInt, _>(hash)?;
            }
            out.push_sql(if place == 0 { ")" } else { "))" });
        }
        out.push_sql(" ORDER BY w.seq DESC LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.limit)
    }
}

impl diesel::query_builder::Query for Candidates<'_> {
    type SqlType = BigInt;
}

/// How far the index of this version is made.
#[derive(Default, Serialize, Deserialize, PartialEq)]
struct Progress {
    version: u32,
    /// The last room and position that are in it; `None` once all are.
    at: Option<(i64, i64)>,
}

/// Makes the index anew where this version makes another one than the one before. What is done stays done when it is cut
/// off in between.
pub(super) fn renew(connection: &mut AnyConnection, vault: &super::Vault) -> Result<()> {
    /// The row of `state` that holds the progress.
    const INDEX: &str = "word_index";
    const VERSION: u32 = 1 + 100 * NameKey::VERSION;

    let mut done = 0;
    loop {
        let count = connection.transaction::<_, Error, _>(|connection| {
            let mut tx = Tx::new(connection, vault);
            let known: Option<Progress> = state::get(&mut tx, INDEX)?;
            let mut progress = known.unwrap_or_default();
            if progress.version != VERSION {
                diesel::delete(words::table).execute(tx.reader.connection)?;
                state::touch(&mut tx, INDEX)?;
                progress = Progress { version: VERSION, at: Some((0, 0)) };
            }
            let Some(at) = progress.at else { return Ok(0) };
            let (count, at) = renew_some(&mut tx, at)?;
            state::set(&mut tx, INDEX, &Progress { version: VERSION, at })?;
            Ok(count)
        })?;
        if count == 0 {
            return Ok(());
        }
        done += count;
        tracing::info!("indexing the words of what is stored: {done} messages so far");
    }
}

/// How many messages, and how far that brought it.
fn renew_some(tx: &mut Tx, (room, seq): (i64, i64)) -> Result<(usize, Option<(i64, i64)>)> {
    let ids: Vec<i64> = rooms::table
        .filter(rooms::id.ge(room))
        .order(rooms::id.asc())
        .select(rooms::id)
        .load(tx.reader.connection)?;
    for id in ids {
        let Some(found) = super::rooms::by_id(tx, types::RoomId::from_stored(id))? else { continue };
        let after = if id == room { seq } else { 0 };
        let written = messages::after(tx, &found, after, BATCH)?;
        for written in &written {
            add(tx, &found, written.message.seq, written.message.message.as_str(), &written.author)?;
        }
        if let Some(last) = written.last() {
            return Ok((written.len(), Some((id, last.message.seq))));
        }
    }
    Ok((0, None))
}
