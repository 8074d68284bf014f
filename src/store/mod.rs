//! What is stored, and that it is stored: opening the database, reading, writing. Everything at rest is sealed by the vault.

pub mod accounts;
pub mod admin;
pub mod attachments;
pub mod audit;
pub mod backup;
pub mod client_ids;
mod connection;
pub mod edits;
mod examine;
pub mod files;
pub mod invites;
pub mod keys;
mod master_key;
pub mod messages;
pub mod moderation;
pub mod notifications;
mod owner;
pub mod people;
mod pieces;
pub mod pins;
mod place;
mod prepare;
pub mod presence;
pub mod reactions;
pub mod read_marks;
pub mod reports;
pub mod resume;
pub mod rooms;
pub mod samples;
mod schema;
pub mod sessions;
mod shared;
pub mod sole;
pub mod state;
mod statements;
mod vault;
pub mod words;
mod writer;

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use anyhow::Context;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::Pool;
use zeroize::Zeroizing;

pub use connection::connect_immutable;
pub use examine::{DatabaseState, Engine, Examination, KeyState, examine};
pub use master_key::KeyError;
pub use prepare::{OpenError, Prepared, prepare};

use crate::error::{Error, Result};
use crate::hub::{Publication, Publisher};
use crate::types::{DatabaseUrl, Identity};
use connection::{AnyConnection, Connections};
use place::{BlindColumn, Column, KeyName, Place, Purpose};
use shared::Shared;
use vault::{Blind, Sealed, StoredKey, Vault};
pub use writer::Lane;
use writer::Writer;

/// Connections that read at the same time.
const READERS: u32 = 4;
/// Lanes of the writer on PostgreSQL.
const LANES: usize = 5;

/// The database: reads from a pool, writes through the one writer.
pub struct Db {
    /// `None` once the server shuts down.
    readers: Mutex<Option<Pool<Connections>>>,
    vault: Arc<Vault>,
    /// `None` once the server shuts down.
    writer: Mutex<Option<Arc<Writer>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// One connection to read with.
pub struct Reader<'a> {
    connection: &'a mut AnyConnection,
    vault: &'a Vault,
}

/// A write in progress. What it publishes is carried out after its commit; what `shared` collects, right before it.
pub struct Tx<'a> {
    reader: Reader<'a>,
    publications: Vec<Publication>,
    pub shared: Shared,
}

impl Db {
    pub fn start(prepared: Prepared, publisher: Publisher) -> anyhow::Result<Self> {
        let Prepared { url, vault, .. } = prepared;
        let connections = (0..writers(&url)).map(|_| connection::connect(&url)).collect::<anyhow::Result<Vec<_>>>()?;
        let (writer, threads) = Writer::start(connections, url.clone(), vault.clone(), publisher);
        // None is opened before it is needed: one that is just being opened when the server stops would not be closed, and
        // SQLite tidies up only with the last one.
        let readers = Pool::builder().max_size(READERS).min_idle(Some(0)).build(Connections(url))?;
        Ok(Self {
            readers: Mutex::new(Some(readers)),
            vault,
            writer: Mutex::new(Some(Arc::new(writer))),
            threads: Mutex::new(threads),
        })
    }

    /// Runs `work` off the runtime, on a connection of the pool.
    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        F: FnOnce(&mut Reader) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let vault = self.vault.clone();
        let work = move |reader: &mut Reader| match vault.are_blinds_changing() {
            true => reader.at_one_moment(work),
            false => work(reader),
        };
        self.read_outside(work).await
    }

    /// As `read`, and never within a transaction: for what SQLite does outside of one alone, such as copying itself.
    pub async fn read_outside<T, F>(&self, work: F) -> Result<T>
    where
        F: FnOnce(&mut Reader) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let readers = self.readers.lock().expect("readers lock").clone().ok_or_else(Error::shutting_down)?;
        let vault = self.vault.clone();
        let task = tokio::task::spawn_blocking(move || {
            let mut connection =
                readers.get().map_err(|_| Error::Unavailable("The database cannot be reached. Try again.".into()))?;
            work(&mut Reader { connection: &mut connection, vault: &vault })
        });
        task.await.unwrap_or_else(|error| Err(Error::internal(error)))
    }

    /// A key for `label` that depends on this database and on `secret`.
    pub fn derive(&self, label: &str, secret: &[u8]) -> anyhow::Result<Zeroizing<[u8; 32]>> {
        self.vault.derive(label, secret)
    }

    /// Uploaded files in this folder.
    pub fn files(&self, folder: std::path::PathBuf) -> files::Files {
        files::Files::new(folder, self.vault.clone())
    }

    /// Runs `work` in the writer; the answer comes after COMMIT and after what it published. Writes of one lane keep
    /// their order.
    pub async fn write<T, F>(&self, lane: Lane, work: F) -> Result<T>
    where
        F: FnOnce(&mut Tx) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let writer = self.writer.lock().expect("writer lock").clone();
        match writer {
            Some(writer) => writer.write(lane, work).await,
            None => Err(Error::shutting_down()),
        }
    }

    /// Whether a write is committed and the key opens what is stored.
    pub async fn check(&self) -> Result<()> {
        self.write(Lane::People, |tx| {
            rooms::touch_public(tx)?;
            rooms::public(tx).map(|_| ())
        })
        .await
    }

    /// How full the writer's queue is, in percent.
    pub fn queue_percent(&self) -> u64 {
        self.writer.lock().expect("writer lock").as_ref().map_or(0, |writer| writer.queue_percent())
    }

    /// Takes no more reads and writes, and waits until the writes accepted are committed. Blocks. SQLite tidies up when the
    /// last connection is closed.
    pub fn close(&self) {
        drop(self.writer.lock().expect("writer lock").take());
        for thread in self.threads.lock().expect("threads lock").drain(..) {
            let _ = thread.join();
        }
        drop(self.readers.lock().expect("readers lock").take());
    }
}

impl<'a> Tx<'a> {
    fn new(connection: &'a mut AnyConnection, vault: &'a Vault) -> Self {
        Self { reader: Reader { connection, vault }, publications: Vec::new(), shared: Shared::default() }
    }

    /// To be carried out after the commit, in the order of commits.
    pub fn publish(&mut self, publication: Publication) {
        self.publications.push(publication);
    }

    /// Makes the data key of something new.
    fn create_key(&mut self, name: KeyName) -> Result<()> {
        let key = self.reader.vault.new_key(name);
        insert_key(self.reader.connection, &key)?;
        Ok(())
    }
}

impl<'a> std::ops::Deref for Tx<'a> {
    type Target = Reader<'a>;

    fn deref(&self) -> &Reader<'a> {
        &self.reader
    }
}

impl<'a> std::ops::DerefMut for Tx<'a> {
    fn deref_mut(&mut self) -> &mut Reader<'a> {
        &mut self.reader
    }
}

impl Reader<'_> {
    /// Reads one state of the database, whatever is written meanwhile.
    fn at_one_moment<T>(&mut self, work: impl FnOnce(&mut Reader) -> Result<T>) -> Result<T> {
        let vault = self.vault;
        self.connection.transaction(|connection| {
            if let AnyConnection::Postgres(connection) = connection {
                connection.batch_execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")?;
            }
            work(&mut Reader { connection, vault })
        })
    }

    fn seal(&mut self, place: Place, plain: &[u8]) -> Result<Sealed> {
        self.load_key(place.key())?;
        self.vault.seal(place, plain).map_err(Error::Internal)
    }

    fn open(&mut self, place: Place, sealed: String) -> Result<Zeroizing<Vec<u8>>> {
        self.load_key(place.key())?;
        // Sealed by somebody who has a newer key already.
        if Sealed::generation(&sealed).is_some_and(|generation| !self.vault.has(place.key(), generation)) {
            keys::refresh(self)?;
        }
        self.vault.open(place, &Sealed::from_stored(sealed)).map_err(Error::Internal)
    }

    fn seal_json(&mut self, place: Place, value: &impl serde::Serialize) -> Result<String> {
        let plain = Zeroizing::new(serde_json::to_vec(value).map_err(Error::internal)?);
        Ok(self.seal(place, &plain)?.into_stored())
    }

    fn open_json<T: serde::de::DeserializeOwned>(&mut self, place: Place, sealed: String) -> Result<T> {
        let plain = self.open(place, sealed)?;
        serde_json::from_slice(&plain).map_err(Error::internal)
    }

    /// The blind index of who somebody is to others, as that column has it.
    fn person(&mut self, column: BlindColumn, identity: &Identity) -> Result<Vec<u8>> {
        self.blind(column, &person_text(identity))
    }

    /// The blind index of a value, as that column has it: while keys change, a row may still have an older one.
    fn blind(&mut self, column: BlindColumn, value: &str) -> Result<Vec<u8>> {
        let blinds = self.blinds(column, value)?;
        self.stored_blind(column, blinds)
    }

    /// As [`Self::blind`], of something that a person has called so.
    fn blind_of(&mut self, column: BlindColumn, person: &Identity, value: &str) -> Result<Vec<u8>> {
        let blinds = self.blinds_of(column, person, value)?;
        self.stored_blind(column, blinds)
    }

    /// The blind indexes of a value under each key, the newest first.
    fn blinds(&mut self, column: BlindColumn, value: &str) -> Result<Vec<Vec<u8>>> {
        let blinds = self.vault.blinds(column.scope(), value).map_err(Error::Internal)?;
        Ok(blinds.into_iter().map(Blind::into_stored).collect())
    }

    fn blinds_of(&mut self, column: BlindColumn, person: &Identity, value: &str) -> Result<Vec<Vec<u8>>> {
        let blinds = self.vault.blinds_of(column.scope(), &person_text(person), value).map_err(Error::Internal)?;
        Ok(blinds.into_iter().map(Blind::into_stored).collect())
    }

    /// The one that is stored, or else the newest.
    fn stored_blind(&mut self, column: BlindColumn, mut blinds: Vec<Vec<u8>>) -> Result<Vec<u8>> {
        for older in &blinds[1..] {
            if keys::blinds::is_stored(self, column, older)? {
                return Ok(older.clone());
            }
        }
        Ok(blinds.swap_remove(0))
    }

    /// Makes sure that the vault has a data key: those of rooms are read when they are first needed.
    fn load_key(&mut self, name: KeyName) -> Result<()> {
        if self.vault.knows(name) {
            return Ok(());
        }
        let stored = stored_generations(self.connection, name)?;
        self.vault.load(name, stored).map_err(Error::Internal)
    }
}

/// What the blind index of a person is made of.
fn person_text(identity: &Identity) -> String {
    match identity {
        Identity::Account(user) => format!("account:{user}"),
        Identity::Guest(key) => format!("guest:{}", key.as_str()),
    }
}

/// Writers that the database takes at the same time.
fn writers(url: &DatabaseUrl) -> usize {
    match url {
        DatabaseUrl::Sqlite(_) => 1,
        DatabaseUrl::Postgres(_) => LANES,
    }
}

fn insert_key(connection: &mut AnyConnection, key: &StoredKey) -> QueryResult<()> {
    use schema::data_keys::dsl;

    diesel::insert_into(dsl::data_keys)
        .values((
            dsl::purpose.eq(key.name.purpose.name()),
            dsl::room_id.eq(key.name.room),
            dsl::generation.eq(key.generation),
            dsl::sealed.eq(&key.sealed),
        ))
        .execute(connection)?;
    Ok(())
}

fn key_names(connection: &mut AnyConnection) -> anyhow::Result<Vec<KeyName>> {
    use schema::data_keys::dsl;

    let rows: Vec<(String, i64)> = dsl::data_keys.select((dsl::purpose, dsl::room_id)).distinct().load(connection)?;
    rows.into_iter()
        .map(|(purpose, room)| {
            let known = Purpose::from_name(&purpose);
            let purpose = known.with_context(|| format!("data_keys has an unknown purpose \"{purpose}\""))?;
            Ok(KeyName { purpose, room })
        })
        .collect()
}

fn stored_generations(connection: &mut AnyConnection, name: KeyName) -> QueryResult<Vec<StoredKey>> {
    use schema::data_keys::dsl;

    let rows: Vec<(i32, String)> = dsl::data_keys
        .filter(dsl::purpose.eq(name.purpose.name()).and(dsl::room_id.eq(name.room)))
        .select((dsl::generation, dsl::sealed))
        .load(connection)?;
    Ok(rows.into_iter().map(|(generation, sealed)| StoredKey { name, generation, sealed }).collect())
}
