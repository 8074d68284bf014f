//! Makes the index of words anew: all of it where this version makes another one than the one before.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::super::connection::AnyConnection;
use super::super::schema::{recent_words, rooms, word_blocks};
use super::super::vault::Vault;
use super::super::{Tx, messages, state};
use super::{BLOCK, add, place_of, sort_in};
use crate::error::{Error, Result};
use crate::types::{NameKey, RoomId};

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
