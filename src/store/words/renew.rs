//! Makes the index of words anew: all of it where this version makes another one than the one before.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::super::connection::AnyConnection;
use super::super::schema::{recent_words, rooms, word_blocks};
use super::super::vault::Vault;
use super::super::{Reader, Tx, messages, state};
use super::{BLOCK, Entry, add, entries, hashes, insert_piece, newest_hashes, pack_hashes, pieces, place_of, sort_in};
use crate::error::{Error, Result};
use crate::types::{NameKey, Room, RoomId};

/// Messages that are indexed in one transaction.
const BATCH: i64 = 1_000;

/// How far the index of this version is made.
#[derive(Default, Serialize, Deserialize, PartialEq)]
struct Progress {
    version: u32,
    /// The last room and position that are in it; `None` once all are.
    at: Option<(i64, i64)>,
}

/// Makes the index anew where this version makes another one than the one before. What is done stays done when it is cut
/// off in between.
pub fn renew(connection: &mut AnyConnection, vault: &Vault) -> Result<()> {
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
                diesel::delete(recent_words::table).execute(tx.reader.connection)?;
                diesel::delete(word_blocks::table).execute(tx.reader.connection)?;
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
    let ids: Vec<i64> =
        rooms::table.filter(rooms::id.ge(room)).order(rooms::id.asc()).select(rooms::id).load(tx.reader.connection)?;
    for id in ids {
        let Some(found) = super::super::rooms::by_id(tx, RoomId::from_stored(id))? else { continue };
        let after = if id == room { seq } else { 0 };
        let written = messages::after(tx, &found, after, BATCH)?;
        for written in &written {
            add(tx, &found, written.message.seq, written.message.message.as_str(), &written.author)?;
        }
        if let Some(last) = written.last() {
            sort_in(tx, found.id, place_of(last.message.seq).0 * BLOCK + 1)?;
            return Ok((written.len(), Some((id, last.message.seq))));
        }
    }
    Ok((0, None))
}

/// How many blocks a room has whose newest message has this position.
pub fn block_count(last_seq: i64) -> i64 {
    (last_seq + BLOCK - 1) / BLOCK
}

/// Whether a block says what it should, under the newest key alone.
pub fn is_block_newest(reader: &mut Reader, room: &Room, block: i64) -> Result<bool> {
    let mut stored: Vec<Entry> = Vec::new();
    for (seq, words) in recent_of(reader, room, block)? {
        stored.extend(hashes(&words).map(|hash| (hash, place_of(seq).1)));
    }
    let packed: Vec<Vec<u8>> = word_blocks::table
        .filter(word_blocks::room_id.eq(room.id.get()).and(word_blocks::block.eq(block)))
        .select(word_blocks::entries)
        .load(reader.connection)?;
    stored.extend(packed.iter().flat_map(|packed| entries(packed)));
    stored.sort_unstable();
    stored.dedup();
    let expected = expected(reader, room, block)?;
    Ok(stored == expected)
}

/// Makes a block anew under the newest key.
pub fn renew_block(tx: &mut Tx, room: &Room, block: i64) -> Result<()> {
    let mut expected = expected(tx, room, block)?;
    for (seq, _) in recent_of(tx, room, block)? {
        let place = place_of(seq).1;
        let words = expected.iter().filter(|entry| entry.1 == place).map(|entry| entry.0).collect();
        expected.retain(|entry| entry.1 != place);
        diesel::update(recent_words::table.find((room.id.get(), seq)))
            .set(recent_words::words.eq(pack_hashes(words)))
            .execute(tx.reader.connection)?;
    }
    let old = word_blocks::table.filter(word_blocks::room_id.eq(room.id.get()).and(word_blocks::block.eq(block)));
    diesel::delete(old).execute(tx.reader.connection)?;
    for piece in pieces(&expected) {
        insert_piece(tx, room.id, block, i64::from(piece[0].0), piece)?;
    }
    Ok(())
}

/// What a block says of the messages that are there.
fn expected(reader: &mut Reader, room: &Room, block: i64) -> Result<Vec<Entry>> {
    let end = (block + 1) * BLOCK;
    let written = messages::after(reader, room, block * BLOCK, BLOCK)?;
    let mut expected = Vec::new();
    for written in written.iter().filter(|written| written.message.seq <= end) {
        let place = place_of(written.message.seq).1;
        let hashes = newest_hashes(reader, room, written.message.message.as_str(), &written.author)?;
        expected.extend(hashes.into_iter().map(|hash| (hash, place)));
    }
    expected.sort_unstable();
    expected.dedup();
    Ok(expected)
}

/// The messages of a block that are not sorted in yet.
fn recent_of(reader: &mut Reader, room: &Room, block: i64) -> Result<Vec<(i64, Vec<u8>)>> {
    let (first, last) = (block * BLOCK + 1, (block + 1) * BLOCK);
    let rows = recent_words::table
        .filter(recent_words::room_id.eq(room.id.get()).and(recent_words::seq.between(first, last)))
        .select((recent_words::seq, recent_words::words));
    Ok(rows.load(reader.connection)?)
}
