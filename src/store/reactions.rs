//! Reactions to messages, at rest.

use std::collections::HashMap;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::schema::reactions;
use super::{BlindColumn, Column, Place, Reader, Tx};
use crate::error::Result;
use crate::types::{Emoji, Identity, Reactions, Room, RoomId, UserId, Username};

/// The sealed part of a row.
#[derive(Clone, Serialize, Deserialize)]
pub struct Reaction {
    pub user: UserId,
    pub name: Username,
    /// Whether an account stands behind the name.
    pub account: bool,
    pub emoji: Emoji,
    /// Microseconds since 1970-01-01 UTC.
    pub at: i64,
}

impl Reaction {
    pub fn author(&self) -> Identity {
        Identity::of(self.account, self.user, &self.name)
    }
}

/// Whether the person had not reacted so yet.
pub fn add(tx: &mut Tx, room: &Room, seq: i64, reaction: &Reaction) -> Result<bool> {
    let mut ids = tx.blinds_of(BlindColumn::Reaction, &reaction.author(), reaction.emoji.as_str())?;
    let known = reactions::table
        .filter(reactions::room_id.eq(room.id.get()).and(reactions::seq.eq(seq)).and(reactions::id.eq_any(&ids)))
        .select(reactions::seq);
    if known.first::<i64>(tx.reader.connection).optional()?.is_some() {
        return Ok(false);
    }
    let id = ids.swap_remove(0);
    let sealed = tx.seal_json(place(room.id, &row_of(seq, &id)), reaction)?;
    diesel::insert_into(reactions::table)
        .values((
            reactions::room_id.eq(room.id.get()),
            reactions::seq.eq(seq),
            reactions::id.eq(id),
            reactions::reaction.eq(sealed),
        ))
        .execute(tx.reader.connection)?;
    Ok(true)
}

/// Whether there was one to take back.
pub fn remove(tx: &mut Tx, room: &Room, seq: i64, who: &Identity, emoji: &Emoji) -> Result<bool> {
    let ids = tx.blinds_of(BlindColumn::Reaction, who, emoji.as_str())?;
    let rows = reactions::table
        .filter(reactions::room_id.eq(room.id.get()).and(reactions::seq.eq(seq)).and(reactions::id.eq_any(ids)));
    Ok(diesel::delete(rows).execute(tx.reader.connection)? > 0)
}

pub(super) fn get(reader: &mut Reader, room: RoomId, seq: i64, id: &[u8]) -> Result<Option<Reaction>> {
    let row = reactions::table.find((room.get(), seq, id)).select(reactions::reaction);
    let sealed: Option<String> = row.first(reader.connection).optional()?;
    sealed.map(|sealed| reader.open_json(place(room, &row_of(seq, id)), sealed)).transpose()
}

/// Gives a reaction another id.
pub(super) fn rename(tx: &mut Tx, room: RoomId, seq: i64, id: &[u8], new: &[u8]) -> Result<()> {
    let Some(reaction) = get(tx, room, seq, id)? else { return Ok(()) };
    let sealed = tx.seal_json(place(room, &row_of(seq, new)), &reaction)?;
    diesel::update(reactions::table.find((room.get(), seq, id)))
        .set((reactions::id.eq(new), reactions::reaction.eq(sealed)))
        .execute(tx.reader.connection)?;
    Ok(())
}

/// The reactions to messages of a room, by position, the oldest first.
pub(super) fn of_messages(
    reader: &mut Reader,
    room: &Room,
    seqs: impl Iterator<Item = i64>,
) -> Result<HashMap<i64, Vec<Reaction>>> {
    let seqs: Vec<_> = seqs.collect();
    let mut found: HashMap<i64, Vec<Reaction>> = HashMap::new();
    let (Some(first), Some(last)) = (seqs.iter().min(), seqs.iter().max()) else { return Ok(found) };
    let all = reactions::table.filter(reactions::room_id.eq(room.id.get())).select((
        reactions::seq,
        reactions::id,
        reactions::reaction,
    ));
    // Of a page they lie together; of what a search has found they do not.
    let rows: Vec<(i64, Vec<u8>, String)> = match (last - first) as usize <= 4 * seqs.len() {
        true => all.filter(reactions::seq.between(*first, *last)).load(reader.connection)?,
        false => all.filter(reactions::seq.eq_any(&seqs)).load(reader.connection)?,
    };
    for (seq, id, sealed) in rows {
        let reaction = reader.open_json(place(room.id, &row_of(seq, &id)), sealed)?;
        found.entry(seq).or_default().push(reaction);
    }
    found.values_mut().for_each(|reactions| reactions.sort_by_key(|reaction| reaction.at));
    Ok(found)
}

/// Those who reacted alike together.
pub fn by_emoji(reactions: impl Iterator<Item = Reaction>) -> Vec<Reactions> {
    let mut all: Vec<Reactions> = Vec::new();
    for Reaction { emoji, name, .. } in reactions {
        match all.iter_mut().find(|known| known.emoji == emoji) {
            Some(known) => known.usernames.push(name),
            None => all.push(Reactions { emoji, usernames: vec![name] }),
        }
    }
    all
}

fn row_of(seq: i64, id: &[u8]) -> Vec<u8> {
    [&seq.to_be_bytes(), id].concat()
}

fn place(room: RoomId, row: &[u8]) -> Place<'_> {
    Place { column: Column::Reaction, room: Some(room), row }
}
