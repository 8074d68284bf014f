//! Takes the old keys out of use, once nothing is left under them.

use diesel::prelude::*;

use super::super::files::Files;
use super::super::schema::data_keys;
use super::super::{Reader, Tx, audit, key_names, state, statements, stored_generations};
use super::columns::{self, COLUMNS};
use super::{master, reencrypt, refresh, told};
use crate::error::{Error, Result};
use crate::types::KeySource;

/// What was taken out of use.
pub struct Retired {
    pub data_keys: usize,
    /// The names of the master keys that are gone from the file.
    pub master: Vec<String>,
    /// Where the master keys have to be taken out by hand.
    pub by_hand: bool,
}

/// Refused with what to do as long as anything is under an older key.
pub fn nothing_is_left(reader: &mut Reader, files: &Files) -> Result<()> {
    refuse_if_any(
        older_rows(reader)? + reencrypt::older_indexes(reader)? + reencrypt::files(reader, files)?.older.len(),
    )
}

fn refuse_if_any(older: usize) -> Result<()> {
    match older {
        0 => Ok(()),
        older => Err(Error::Conflict(format!(
            "{older} values are still under an older key: run `secure-chat keys reencrypt`, and this again. An upload that is under way counts until it has come. Nothing was changed."
        )
        .into())),
    }
}

fn older_rows(reader: &mut Reader) -> Result<usize> {
    COLUMNS.iter().map(|column| Ok(columns::scan(reader, column)?.older.len())).sum()
}

/// To be called when [`nothing_is_left`].
pub fn retire(tx: &mut Tx) -> Result<Retired> {
    statements::lock_all_lanes(tx.reader.connection)?;
    refresh(tx)?;
    // Once more, now that nobody writes.
    refuse_if_any(older_rows(tx)?)?;
    let known = master(tx.vault.source())?;
    let mut retired = Retired { data_keys: 0, master: known.names().split_off(1), by_hand: false };
    audit::link_anew(tx)?;
    for name in key_names(tx.reader.connection).map_err(Error::Internal)? {
        let mut stored = stored_generations(tx.reader.connection, name)?;
        stored.sort_by_key(|key| key.generation);
        let newest = stored.pop().map_or(0, |key| key.generation);
        retired.data_keys += stored.len();
        let older = data_keys::table
            .filter(data_keys::purpose.eq(name.purpose.name()).and(data_keys::room_id.eq(name.room)))
            .filter(data_keys::generation.lt(newest));
        diesel::delete(older).execute(tx.reader.connection)?;
        let left = stored_generations(tx.reader.connection, name)?;
        if left.iter().any(|key| known.which_opens(&key.sealed) != Some(0)) {
            return Err(Error::Conflict(
                "A data key is still under an older master key: run `secure-chat keys rotate` first. Nothing was changed."
                    .into(),
            ));
        }
    }
    state::touch(tx, state::KEYS)?;
    match tx.vault.source() {
        source @ KeySource::File(path, _) => {
            known.newest_alone().replace_file(path, source.passphrase()).map_err(told)?;
        }
        KeySource::Environment(_) => retired.by_hand = !retired.master.is_empty(),
    }
    Ok(retired)
}
