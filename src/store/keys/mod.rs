//! Keys for life: new ones while people write, the old ones out of use, and proof that nothing is left under them.
//!
//! 1. `rotate` seals every data key under a new master key and adds a generation to each: what is written from then on is
//!    under new keys. Whoever has the old ones loaded notices before the next write (see [`refresh`]).
//! 2. `reencrypt` seals every row and file anew, and makes the blind indexes anew with them.
//! 3. `retire` looks whether anything is left, and removes the old generations and the old master key.

pub(super) mod blinds;
pub(super) mod columns;
mod reencrypt;
mod retire;

use diesel::prelude::*;

use super::master_key::{KeyError, MasterKey};
use super::place::KeyName;
use super::schema::data_keys;
use super::vault::{StoredKey, reseal_key};
use super::{Db, Reader, Tx, insert_key, key_names, state, statements, stored_generations};
use crate::error::{Error, Result};
use crate::types::{KeySource, Timestamp};
pub use reencrypt::{Progress, Verified};
pub use retire::{Retired, nothing_is_left, retire};

/// Reads the keys again where they were changed. Called in every transaction that writes: nothing is sealed under a key
/// that was replaced before.
pub(super) fn refresh(reader: &mut Reader) -> Result<()> {
    let version = state::version(reader, state::KEYS)?;
    if version == reader.vault.version() {
        return Ok(());
    }
    reader.vault.reload_master().map_err(Error::Internal)?;
    for name in reader.vault.names() {
        match stored_generations(reader.connection, name)? {
            stored if stored.is_empty() => reader.vault.forget(name),
            stored => reader.vault.load(name, stored).map_err(Error::Internal)?,
        }
    }
    reader.vault.set_version(version);
    tracing::info!("the keys were changed, and are read again");
    Ok(())
}

/// What there is, for people.
pub struct Status {
    /// Where the master key comes from.
    pub source: String,
    /// Each master key's name, the newest first, and how many data keys it seals.
    pub master: Vec<(String, usize)>,
    pub data_keys: usize,
    /// Data keys that were replaced and are still there.
    pub replaced: usize,
    /// Rows and files in all, and those of them that are not under the newest key.
    pub sealed: usize,
    pub older: usize,
}

/// What there is, as far as it is known without reading everything.
pub struct Overview {
    /// Where the master key comes from.
    pub source: String,
    pub master: usize,
    pub data_keys: i64,
    /// Data keys that were replaced and are still there.
    pub replaced: i64,
    /// How often keys of that kind were made that were made most often.
    pub generation: i32,
    pub rotated_at: Option<Timestamp>,
}

/// What a rotation did.
pub struct Rotated {
    /// The new master key's name; `None` where it has to be put into MASTER_KEY first.
    pub master: Option<String>,
    pub data_keys: usize,
}

impl Db {
    /// Reads the keys again where somebody else has changed them.
    pub async fn refresh_keys(&self) -> Result<()> {
        self.read(refresh).await
    }

    /// The master key as a file has it that is sealed under this passphrase.
    pub fn master_key_lines(&self, passphrase: &str) -> Result<zeroize::Zeroizing<String>> {
        Ok(master(self.vault.source())?.lines(Some(passphrase)))
    }

    /// How many of the data keys another master key opens, and how many there are.
    pub async fn opened_by(&self, source: KeySource) -> Result<(usize, usize)> {
        let master = master(&source)?;
        self.read(move |reader| {
            let sealed: Vec<String> = data_keys::table.select(data_keys::sealed).load(reader.connection)?;
            Ok((sealed.iter().filter(|sealed| master.which_opens(sealed).is_some()).count(), sealed.len()))
        })
        .await
    }

    /// What is under which key.
    pub async fn key_status(&self, files: super::files::Files) -> Result<Status> {
        self.read(move |reader| status(reader, &files)).await
    }
}

/// The keys, without what is under them.
pub fn overview(reader: &mut Reader) -> Result<Overview> {
    let data_keys: i64 = data_keys::table.count().get_result(reader.connection)?;
    let generation: Option<i32> =
        data_keys::table.select(diesel::dsl::max(data_keys::generation)).first(reader.connection)?;
    let in_use = key_names(reader.connection).map_err(Error::Internal)?.len() as i64;
    Ok(Overview {
        source: reader.vault.source().describe(),
        master: master(reader.vault.source())?.names().len(),
        data_keys,
        replaced: data_keys - in_use,
        generation: generation.unwrap_or_default(),
        rotated_at: state::get(reader, state::KEYS)?.and_then(Timestamp::from_micros),
    })
}

fn status(reader: &mut Reader, files: &super::files::Files) -> Result<Status> {
    let master = master(reader.vault.source())?;
    let mut counts = vec![0; master.names().len()];
    let (mut all, mut replaced) = (0, 0);
    for name in key_names(reader.connection).map_err(Error::Internal)? {
        let stored = stored_generations(reader.connection, name)?;
        all += stored.len();
        replaced += stored.len() - 1;
        for key in stored {
            if let Some(which) = master.which_opens(&key.sealed) {
                counts[which] += 1;
            }
        }
    }
    let (mut sealed, mut older) = (0, 0);
    for column in &columns::COLUMNS {
        let scan = columns::scan(reader, column)?;
        sealed += scan.all;
        older += scan.older.len();
    }
    let scan = reencrypt::files(reader, files)?;
    Ok(Status {
        source: reader.vault.source().describe(),
        master: master.names().into_iter().zip(counts).collect(),
        data_keys: all,
        replaced,
        sealed: sealed + scan.all,
        older: older + scan.older.len(),
    })
}

/// New keys for all that is written from now on.
pub fn rotate(tx: &mut Tx, at: Timestamp) -> Result<Rotated> {
    statements::lock_all_lanes(tx.reader.connection)?;
    refresh(tx)?;
    let known = master(tx.vault.source())?;
    let names = key_names(tx.reader.connection).map_err(Error::Internal)?;
    let mut stored = Vec::new();
    for name in &names {
        stored.extend(stored_generations(tx.reader.connection, *name)?);
    }
    let is_unused = stored.iter().all(|key| known.which_opens(&key.sealed) != Some(0));
    // One that is there and seals nothing yet was put there to be used: on every node, or before a rotation was cut off.
    let (master, is_new) = match (tx.vault.source(), is_unused) {
        (_, true) => (known, true),
        (source @ KeySource::File(path, _), false) => {
            let new = known.with_new_key();
            new.replace_file(path, source.passphrase()).map_err(told)?;
            (new, true)
        }
        (KeySource::Environment(_), false) => (known, false),
    };
    tx.vault.reload_master().map_err(Error::Internal)?;
    for key in &stored {
        update_key(tx, &reseal_key(&master, key).map_err(Error::Internal)?)?;
    }
    for name in names.iter().filter(|name| !name.purpose.is_permanent()) {
        tx.load_key(*name)?;
        let key = tx.vault.next_key(*name, &master).map_err(Error::Internal)?;
        insert_key(tx.reader.connection, &key)?;
    }
    state::touch(tx, state::KEYS)?;
    state::set(tx, state::KEYS, &at.micros())?;
    let name = master.names().swap_remove(0);
    Ok(Rotated { master: is_new.then_some(name), data_keys: names.len() })
}

fn master(source: &KeySource) -> Result<MasterKey> {
    let missing = || Error::Internal(anyhow::anyhow!("there is no file {}", source.describe()));
    MasterKey::load(source).map_err(told)?.ok_or_else(missing)
}

fn told(error: KeyError) -> Error {
    Error::Internal(error.into())
}

fn update_key(tx: &mut Tx, key: &StoredKey) -> Result<()> {
    let row = data_keys::table.find((key.name.purpose.name(), key.name.room, key.generation));
    diesel::update(row).set(data_keys::sealed.eq(&key.sealed)).execute(tx.reader.connection)?;
    Ok(())
}
