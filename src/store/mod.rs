//! What is stored, and that it is stored: opening the database, reading, writing. Everything at rest is sealed by the vault.

pub mod accounts;
pub mod admin;
pub mod attachments;
pub mod audit;
pub mod client_ids;
mod connection;
pub mod edits;
pub mod files;
pub mod invites;
mod master_key;
pub mod messages;
pub mod moderation;
pub mod people;
pub mod pins;
mod place;
mod prepare;
pub mod presence;
pub mod reactions;
pub mod read_marks;
pub mod reports;
pub mod resume;
pub mod rooms;
mod schema;
pub mod sessions;
mod shared;
pub mod state;
mod statements;
mod vault;
pub mod words;
mod writer;

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use diesel::prelude::*;
use diesel::r2d2::Pool;
use zeroize::Zeroizing;

pub use prepare::{OpenError, Prepared, prepare};

use crate::error::{Error, Result};
use crate::hub::{Publication, Publisher};
use crate::types::{DatabaseUrl, Identity};
use connection::{AnyConnection, Connections};
use place::{Column, KeyName, Place};
use shared::Shared;
use vault::{Blind, Sealed, StoredKey, Vault};
pub use writer::Lane;
use writer::Writer;

/// Connections that read at the same time.
const READERS: u32 = 4;

/// The database: reads from a pool, writes through the one writer.
pub struct Db {
    readers: Pool<Connections>,
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
        Ok(Self { readers, vault, writer: Mutex::new(Some(Arc::new(writer))), threads: Mutex::new(threads) })
    }

    /// Runs `work` off the runtime, on a connection of the pool.
    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        F: FnOnce(&mut Reader) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let readers = self.readers.clone();
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

    /// Takes no more writes and waits until those accepted are committed. Blocks.
    pub fn close(&self) {
        drop(self.writer.lock().expect("writer lock").take());
        for thread in self.threads.lock().expect("threads lock").drain(..) {
            let _ = thread.join();
        }
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
    fn seal(&mut self, place: Place, plain: &[u8]) -> Result<Sealed> {
        self.load_key(place.key())?;
        self.vault.seal(place, plain).map_err(Error::Internal)
    }

    fn open(&mut self, place: Place, sealed: String) -> Result<Zeroizing<Vec<u8>>> {
        self.load_key(place.key())?;
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

    /// The blind index of who somebody is to others.
    fn person(&mut self, identity: &Identity) -> Result<Vec<u8>> {
        match identity {
            Identity::Account(user) => self.blind("person", &format!("account:{user}")),
            Identity::Guest(key) => self.blind("person", &format!("guest:{}", key.as_str())),
        }
    }

    /// The blind index of something that a person has called so.
    fn blind_of(&mut self, scope: &str, person: &Identity, value: &str) -> Result<Vec<u8>> {
        let person: String = self.person(person)?.iter().map(|byte| format!("{byte:02x}")).collect();
        self.blind(scope, &format!("{person} {value}"))
    }

    fn blind(&mut self, scope: &str, value: &str) -> Result<Vec<u8>> {
        self.vault.blind(scope, value).map(Blind::into_stored).map_err(Error::Internal)
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

/// Writers that the database takes at the same time.
fn writers(url: &DatabaseUrl) -> usize {
    match url {
        DatabaseUrl::Sqlite(_) => 1,
        DatabaseUrl::Postgres(_) => 5,
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

fn stored_generations(connection: &mut AnyConnection, name: KeyName) -> QueryResult<Vec<StoredKey>> {
    use schema::data_keys::dsl;

    let rows: Vec<(i32, String)> = dsl::data_keys
        .filter(dsl::purpose.eq(name.purpose.name()).and(dsl::room_id.eq(name.room)))
        .select((dsl::generation, dsl::sealed))
        .load(connection)?;
    Ok(rows.into_iter().map(|(generation, sealed)| StoredKey { name, generation, sealed }).collect())
}
