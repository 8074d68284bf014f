//! Which messages have which words: a blind index under the room's own key, changed with the messages.
//!
//! A word is found by the hash of all of it; the beginning of one by the hash of its first three or five characters, and
//! the messages found then tell. Hashes are short: whoever looks one up reads the messages that it leads to.
//!
//! A room's newest messages have a row of hashes each. As soon as a block of messages is full, its hashes are sorted into
//! pieces: a row for each word and message would be written to all corners of the file, at each message.

mod renew;

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;

use super::schema::{recent_words, word_blocks};
use super::{KeyName, Reader, Tx, messages};
use crate::error::{Error, Result};
use crate::types::{self, Identity, NameKey, Room, RoomId};
pub(super) use renew::{block_count, is_block_newest, renew, renew_block};

/// Beginnings of words that have a hash of their own, in characters.
const BEGINNINGS: [usize; 2] = [5, 3];
/// Messages of a block.
const BLOCK: i64 = 2_048;
/// Entries of a piece of a block; more where one hash has more.
const PIECE: usize = 128;

/// What messages are found by.
#[derive(Clone, Copy)]
pub enum Mark<'a> {
    Word(&'a str),
    /// Of a word that begins so. Shorter ones than three characters have no hash.
    Beginning(&'a str),
    By(&'a Identity),
    Mention(&'a NameKey),
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
            Self::Mention(name) => Some(format!("mention|{}", name.as_str())),
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
    for name in types::mentions(text) {
        labels.extend(Mark::Mention(&NameKey::of(&name)).label());
    }
    labels
}

pub(super) fn add(tx: &mut Tx, room: &Room, seq: i64, text: &str, author: &Identity) -> Result<()> {
    let hashes = newest_hashes(tx, room, text, author)?;
    if (seq - 1) % BLOCK == 0 {
        sort_in(tx, room.id, seq)?;
    }
    diesel::insert_into(recent_words::table)
        .values((
            recent_words::room_id.eq(room.id.get()),
            recent_words::seq.eq(seq),
            recent_words::words.eq(pack_hashes(hashes)),
        ))
        .execute(tx.reader.connection)?;
    Ok(())
}

pub(super) fn remove(tx: &mut Tx, room: &Room, seq: i64, text: &str, author: &Identity) -> Result<()> {
    let recent = diesel::delete(recent_words::table.find((room.id.get(), seq))).execute(tx.reader.connection)?;
    if recent > 0 {
        return Ok(());
    }
    let (block, place) = place_of(seq);
    for label in labels(text, author) {
        for hash in tx.hashes(room, &label)? {
            let Some((first, mut entries)) = piece(tx, room.id, block, hash)? else { continue };
            entries.retain(|entry| *entry != (hash, place));
            set_piece(tx, room.id, block, first, &entries)?;
        }
    }
    Ok(())
}

/// Of all messages before a position.
pub(super) fn remove_before(tx: &mut Tx, room: RoomId, seq: i64) -> Result<()> {
    let recent = recent_words::table.filter(recent_words::room_id.eq(room.get()).and(recent_words::seq.lt(seq)));
    diesel::delete(recent).execute(tx.reader.connection)?;
    let (block, place) = place_of(seq);
    let own = word_blocks::table.filter(word_blocks::room_id.eq(room.get()));
    diesel::delete(own.filter(word_blocks::block.lt(block))).execute(tx.reader.connection)?;
    let pieces: Vec<(i64, Vec<u8>)> = own
        .filter(word_blocks::block.eq(block))
        .select((word_blocks::first, word_blocks::entries))
        .load(tx.reader.connection)?;
    for (first, packed) in pieces {
        let left: Vec<_> = entries(&packed).filter(|entry| entry.1 >= place).collect();
        set_piece(tx, room, block, first, &left)?;
    }
    Ok(())
}

/// Changes a piece of a block, or removes it when nothing is left in it.
fn set_piece(tx: &mut Tx, room: RoomId, block: i64, first: i64, entries: &[Entry]) -> Result<()> {
    let row = word_blocks::table.find((room.get(), block, first));
    match entries.is_empty() {
        true => diesel::delete(row).execute(tx.reader.connection)?,
        false => {
            diesel::update(row).set(word_blocks::entries.eq(pack_entries(entries))).execute(tx.reader.connection)?
        }
    };
    Ok(())
}

/// The message at `seq` says something else now: the text before, and after.
pub(super) fn replace(
    tx: &mut Tx,
    room: &Room,
    seq: i64,
    (before, after): (&str, &str),
    author: &Identity,
) -> Result<()> {
    let hashes = newest_hashes(tx, room, after, author)?;
    let recent = diesel::update(recent_words::table.find((room.id.get(), seq)))
        .set(recent_words::words.eq(pack_hashes(hashes.clone())))
        .execute(tx.reader.connection)?;
    if recent > 0 {
        return Ok(());
    }
    remove(tx, room, seq, before, author)?;
    let (block, place) = place_of(seq);
    for hash in hashes {
        let (first, mut entries) = piece(tx, room.id, block, hash)?.unwrap_or((i64::from(hash), Vec::new()));
        diesel::delete(word_blocks::table.find((room.id.get(), block, first))).execute(tx.reader.connection)?;
        let entry = (hash, place);
        entries.insert(entries.partition_point(|known| *known < entry), entry);
        insert_piece(tx, room.id, block, first, &entries)?;
    }
    Ok(())
}

fn newest_hashes(reader: &mut Reader, room: &Room, text: &str, author: &Identity) -> Result<Vec<u32>> {
    reader.load_key(KeyName::messages_of(room.id))?;
    let labels = labels(text, author);
    reader.vault.words(room.id, labels.iter().map(String::as_str)).map_err(Error::Internal)
}

fn insert_piece(tx: &mut Tx, room: RoomId, block: i64, first: i64, piece: &[Entry]) -> Result<()> {
    diesel::insert_into(word_blocks::table)
        .values((
            word_blocks::room_id.eq(room.get()),
            word_blocks::block.eq(block),
            word_blocks::first.eq(first),
            word_blocks::entries.eq(pack_entries(piece)),
        ))
        .execute(tx.reader.connection)?;
    Ok(())
}

/// Sorts the messages before `seq` into their blocks.
fn sort_in(tx: &mut Tx, room: RoomId, seq: i64) -> Result<()> {
    let ready = recent_words::table.filter(recent_words::room_id.eq(room.get()).and(recent_words::seq.lt(seq)));
    let rows: Vec<(i64, Vec<u8>)> =
        ready.select((recent_words::seq, recent_words::words)).load(tx.reader.connection)?;
    let mut blocks: BTreeMap<i64, Vec<Entry>> = BTreeMap::new();
    for (seq, words) in rows {
        let (block, place) = place_of(seq);
        blocks.entry(block).or_default().extend(hashes(&words).map(|hash| (hash, place)));
    }
    for (block, mut entries) in blocks {
        entries.sort_unstable();
        for piece in pieces(&entries) {
            insert_piece(tx, room, block, i64::from(piece[0].0), piece)?;
        }
    }
    diesel::delete(ready).execute(tx.reader.connection)?;
    Ok(())
}

/// A hash, and the place of a message in its block.
type Entry = (u32, u16);

fn place_of(seq: i64) -> (i64, u16) {
    ((seq - 1) / BLOCK, ((seq - 1) % BLOCK) as u16)
}

/// Pieces of sorted entries; all of one hash are in one piece.
fn pieces(mut entries: &[Entry]) -> Vec<&[Entry]> {
    let mut pieces = Vec::with_capacity(entries.len() / PIECE + 1);
    while !entries.is_empty() {
        let mut end = entries.len().min(PIECE);
        while end < entries.len() && entries[end].0 == entries[end - 1].0 {
            end += 1;
        }
        let (piece, rest) = entries.split_at(end);
        pieces.push(piece);
        entries = rest;
    }
    pieces
}

fn pack_hashes(mut hashes: Vec<u32>) -> Vec<u8> {
    hashes.sort_unstable();
    hashes.into_iter().flat_map(u32::to_be_bytes).collect()
}

fn hashes(packed: &[u8]) -> impl Iterator<Item = u32> {
    packed.as_chunks::<4>().0.iter().map(|hash| u32::from_be_bytes(*hash))
}

fn pack_entries(entries: &[Entry]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(entries.len() * 6);
    for (hash, place) in entries {
        packed.extend(hash.to_be_bytes());
        packed.extend(place.to_be_bytes());
    }
    packed
}

fn entries(packed: &[u8]) -> impl Iterator<Item = Entry> {
    packed
        .as_chunks::<6>()
        .0
        .iter()
        .map(|[a, b, c, d, e, f]| (u32::from_be_bytes([*a, *b, *c, *d]), u16::from_be_bytes([*e, *f])))
}

/// The piece of a block that a hash would be in, and where that begins.
fn piece(reader: &mut Reader, room: RoomId, block: i64, hash: u32) -> Result<Option<(i64, Vec<Entry>)>> {
    let row: Option<(i64, Vec<u8>)> = word_blocks::table
        .filter(word_blocks::room_id.eq(room.get()).and(word_blocks::block.eq(block)))
        .filter(word_blocks::first.le(i64::from(hash)))
        .order(word_blocks::first.desc())
        .select((word_blocks::first, word_blocks::entries))
        .first(reader.connection)
        .optional()?;
    Ok(row.map(|(first, packed)| (first, entries(&packed).collect())))
}

impl Reader<'_> {
    /// The hashes of a label: one for each generation of the room's key.
    fn hashes(&mut self, room: &Room, label: &str) -> Result<Vec<u32>> {
        self.load_key(KeyName::messages_of(room.id))?;
        self.vault.word(room.id, label).map_err(Error::Internal)
    }
}

/// Sets of hashes: a message that is found has one of each.
#[derive(Clone, Debug, Default)]
pub struct Sets(Vec<Set>);

#[derive(Clone, Debug)]
struct Set {
    hashes: Vec<u32>,
    /// Messages that have been found by it.
    found: u32,
}

impl Sets {
    /// A message must have one of these marks besides. Marks that have no hash narrow nothing down.
    pub fn require(&mut self, reader: &mut Reader, room: &Room, any: &[Mark<'_>]) -> Result<()> {
        let mut hashes = Vec::new();
        for label in any.iter().filter_map(Mark::label) {
            hashes.extend(reader.hashes(room, &label)?);
        }
        if !hashes.is_empty() && !self.0.iter().any(|set| set.hashes == hashes) {
            self.0.push(Set { hashes, found: 0 });
        }
        Ok(())
    }

    fn are_in(&self, packed: &[u8]) -> bool {
        let sorted = packed.as_chunks::<4>().0;
        self.0.iter().all(|set| set.hashes.iter().any(|hash| sorted.binary_search(&hash.to_be_bytes()).is_ok()))
    }

    /// Where in a block they are found.
    fn find_in(&mut self, reader: &mut Reader, room: RoomId, block: i64) -> Result<Places> {
        let mut all = Places::full();
        // The rarest first: it makes most of the others unnecessary.
        self.0.sort_by_key(|set| set.found);
        for set in &mut self.0 {
            let mut places = Places::default();
            for hash in &set.hashes {
                for (found, place) in piece(reader, room, block, *hash)?.map(|(_, entries)| entries).unwrap_or_default()
                {
                    if found == *hash {
                        places.add(place);
                    }
                }
            }
            set.found += places.count();
            all.keep(&places);
            if all.count() == 0 {
                break;
            }
        }
        Ok(all)
    }
}

/// Places in a block, a bit each.
#[derive(Default)]
struct Places([u64; BLOCK as usize / 64]);

impl Places {
    fn full() -> Self {
        Self([u64::MAX; BLOCK as usize / 64])
    }

    fn add(&mut self, place: u16) {
        self.0[usize::from(place / 64)] |= 1 << (place % 64);
    }

    fn has(&self, place: u16) -> bool {
        self.0[usize::from(place / 64)] & (1 << (place % 64)) != 0
    }

    fn keep(&mut self, others: &Self) {
        self.0.iter_mut().zip(others.0).for_each(|(own, other)| *own &= other);
    }

    fn count(&self) -> u32 {
        self.0.iter().map(|bits| bits.count_ones()).sum()
    }
}

/// Messages between two positions, without them, that may be what is looked for, the newest first; all of them where nothing
/// narrows it down. Fewer than `limit`: there are no more.
pub fn candidates(
    reader: &mut Reader,
    room: &Room,
    sets: &mut Sets,
    (after, before): (i64, i64),
    limit: usize,
) -> Result<Vec<messages::Written>> {
    if sets.0.is_empty() {
        let mut page = messages::page(reader, room, before, limit as i64)?;
        page.retain(|written| written.message.seq > after);
        return Ok(page);
    }
    let oldest_block = place_of(after.max(0) + 1).0;
    let recent: Vec<(i64, Vec<u8>)> = recent_words::table
        .filter(recent_words::room_id.eq(room.id.get()).and(recent_words::seq.lt(before)))
        .filter(recent_words::seq.gt(after))
        .order(recent_words::seq.desc())
        .select((recent_words::seq, recent_words::words))
        .load(reader.connection)?;
    let mut blocks = match recent.last() {
        Some((seq, _)) => place_of(*seq).0,
        None => place_of(before.min(super::rooms::last_seq(reader, room.id)? + 1) + BLOCK - 1).0,
    };
    let mut seqs: Vec<i64> = recent.into_iter().filter(|(_, words)| sets.are_in(words)).map(|(seq, _)| seq).collect();
    while seqs.len() < limit && blocks > oldest_block {
        blocks -= 1;
        let places = sets.find_in(reader, room.id, blocks)?;
        let found = (0..BLOCK as u16).rev().filter(|place| places.has(*place));
        seqs.extend(
            found.map(|place| blocks * BLOCK + i64::from(place) + 1).filter(|seq| *seq < before && *seq > after),
        );
    }
    seqs.truncate(limit);
    messages::at(reader, room, &seqs)
}
