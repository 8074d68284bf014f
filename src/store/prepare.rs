//! Opening the database at start: look first and write nothing, then make or migrate what is needed.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail, ensure};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::{self, AnyConnection};
use super::master_key::{KeyError, MasterKey};
use super::place::{KeyName, Purpose};
use super::vault::{StoredKey, Vault, opens_all};
use super::{accounts, backup, insert_key, key_names, rooms, state, stored_generations, words};
use crate::error::Error;
use crate::types::{DatabaseUrl, KeySource, NameKey, RoomId, Timestamp, beside};

pub(super) const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
pub(super) const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// A database and a key that belong together.
pub struct Prepared {
    pub url: DatabaseUrl,
    pub vault: Arc<Vault>,
    /// The key file made by this start.
    pub made_key: Option<PathBuf>,
    /// Whether this start made the tables.
    pub made_database: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("{0:#}")]
    Database(#[from] anyhow::Error),
}

/// Opens the database with its key; makes either at the first start. Where they do not fit, nothing is written.
pub fn prepare(url: DatabaseUrl, source: &KeySource, now: Timestamp) -> Result<Prepared, OpenError> {
    let stored = inspect(&url)?;
    let (master, made_key) = master_key(&url, source, stored.as_deref())?;
    if made_key.is_none() {
        refuse_emptied(&url, source)?;
    }
    let mut connection = connection::connect(&url)?;
    if stored.is_some() {
        keep_before_upgrade(&url, &mut connection)
            .context("the database is not upgraded, since it cannot be kept as it was")?;
    }
    migrate(&mut connection).with_context(|| format!("cannot prepare the database {}", url.describe()))?;
    let vault = Arc::new(Vault::new(master, source.clone()));
    connection
        .transaction::<_, anyhow::Error, _>(|connection| first_rows(connection, &vault, now))
        .with_context(|| format!("cannot prepare the database {}", url.describe()))?;
    Ok(Prepared { url, vault, made_key, made_database: stored.is_none() })
}

/// The data keys of an existing database, or `None` where there is no database yet.
pub(super) fn inspect(url: &DatabaseUrl) -> anyhow::Result<Option<Vec<StoredKey>>> {
    let Some(mut connection) = connection::connect_read_only(url)? else {
        return Ok(None);
    };
    let tables = tables(&mut connection).with_context(|| {
        format!("{} cannot be read as a database. If it is the original's chat_data.db, it is no SQLite file: leave it and choose another DATABASE_URL", url.describe())
    })?;
    if !tables.iter().any(|table| table == "data_keys") {
        let ours = ["users", "rooms", "memberships", "messages"];
        if let Some(table) = tables.iter().find(|table| ours.contains(&table.as_str())) {
            bail!(
                "{} belongs to another program (it has a table \"{table}\" that is not ours). Choose another DATABASE_URL, for example sqlite:///secure_chat.db. Nothing was changed",
                url.describe()
            );
        }
        refuse_what_was_more(url)?;
        return Ok(None);
    }
    refuse_newer(&mut connection)?;
    let mut keys = Vec::new();
    for name in key_names(&mut connection)? {
        keys.extend(stored_generations(&mut connection, name)?);
    }
    if keys.is_empty() {
        // A first start that was cut off has written nothing at all: keys and rooms come in one transaction.
        let rooms: i64 = super::schema::rooms::table.count().get_result(&mut connection)?;
        ensure!(rooms == 0, "{}", damaged(url));
        return Ok(None);
    }
    Ok(Some(keys))
}

/// An SQLite file without tables is one that a first start has just begun, or a damaged one: that was larger.
fn refuse_what_was_more(url: &DatabaseUrl) -> anyhow::Result<()> {
    /// What SQLite writes before there are tables: two pages.
    const BEGUN: u64 = 2 * 4096;

    let DatabaseUrl::Sqlite(path) = url else { return Ok(()) };
    ensure!(path.metadata().map_or(0, |metadata| metadata.len()) <= BEGUN, "{}", damaged(url));
    Ok(())
}

/// An empty file beside a key that was made with a database has lost everything.
fn refuse_emptied(url: &DatabaseUrl, source: &KeySource) -> anyhow::Result<()> {
    let (DatabaseUrl::Sqlite(path), KeySource::File(key, _)) = (url, source) else { return Ok(()) };
    ensure!(
        path.metadata().map_or(true, |metadata| metadata.len() > 0),
        "the database {} is empty, but its key {} is there. Restore it from a backup; if a first start was cut off, remove the empty file. Nothing was changed",
        url.describe(),
        key.display()
    );
    Ok(())
}

fn damaged(url: &DatabaseUrl) -> String {
    format!(
        "the database {} is damaged: it has lost what stood in it. Restore it from a backup. Nothing was changed",
        url.describe()
    )
}

fn master_key(
    url: &DatabaseUrl,
    source: &KeySource,
    stored: Option<&[StoredKey]>,
) -> Result<(MasterKey, Option<PathBuf>), KeyError> {
    match (find_key(url, source, stored)?, source) {
        (Some(master), _) => Ok((master, None)),
        (None, KeySource::File(path, _)) => Ok((MasterKey::create(path, source.passphrase())?, Some(path.clone()))),
        (None, KeySource::Environment(_)) => Err(KeyError::Empty(source.describe())),
    }
}

/// The key that opens what is stored, or `None` where the first start is to make one. Makes nothing.
pub(super) fn find_key(
    url: &DatabaseUrl,
    source: &KeySource,
    stored: Option<&[StoredKey]>,
) -> Result<Option<MasterKey>, KeyError> {
    match (MasterKey::load(source)?, stored, source) {
        (Some(master), Some(stored), _) if !opens_all(&master, stored) => {
            Err(KeyError::Wrong(source.describe(), url.describe()))
        }
        (None, Some(_), KeySource::File(path, _)) => Err(KeyError::Missing(path.clone(), url.describe())),
        (master, _, _) => Ok(master),
    }
}

fn tables(connection: &mut AnyConnection) -> QueryResult<Vec<String>> {
    #[derive(QueryableByName)]
    struct Table {
        #[diesel(sql_type = Text)]
        name: String,
    }

    let sql = match connection {
        AnyConnection::Sqlite(_) => "SELECT name FROM sqlite_master WHERE type = 'table'",
        AnyConnection::Postgres(_) => {
            "SELECT table_name::text AS name FROM information_schema.tables WHERE table_schema = current_schema()"
        }
    };
    let rows: Vec<Table> = match connection {
        AnyConnection::Sqlite(connection) => diesel::sql_query(sql).load(connection)?,
        AnyConnection::Postgres(connection) => diesel::sql_query(sql).load(connection)?,
    };
    Ok(rows.into_iter().map(|table| table.name).collect())
}

/// A database that a newer version of this program has changed is not ours to touch.
fn refuse_newer(connection: &mut AnyConnection) -> anyhow::Result<()> {
    let unknown = match connection {
        AnyConnection::Sqlite(connection) => unknown_migration(connection, SQLITE)?,
        AnyConnection::Postgres(connection) => unknown_migration(connection, POSTGRES)?,
    };
    match unknown {
        Some(version) => bail!(
            "the database was changed by a newer version of secure-chat (migration {version}). Start that version. Nothing was changed"
        ),
        None => Ok(()),
    }
}

/// The newest migration of a database.
pub(super) fn newest_migration(connection: &mut AnyConnection) -> anyhow::Result<String> {
    let mut applied = match connection {
        AnyConnection::Sqlite(connection) => connection.applied_migrations(),
        AnyConnection::Postgres(connection) => connection.applied_migrations(),
    }
    .map_err(|error| anyhow!("{error}"))?;
    applied.sort();
    Ok(applied.pop().map(|version| version.to_string()).unwrap_or_default())
}

fn unknown_migration<DB, C>(connection: &mut C, known: EmbeddedMigrations) -> anyhow::Result<Option<String>>
where
    DB: diesel::backend::Backend,
    C: MigrationHarness<DB>,
    EmbeddedMigrations: diesel::migration::MigrationSource<DB>,
{
    use diesel::migration::MigrationSource;

    let known: Vec<String> = MigrationSource::<DB>::migrations(&known)
        .map_err(|error| anyhow!("{error}"))?
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect();
    let applied = connection.applied_migrations().map_err(|error| anyhow!("{error}"))?;
    Ok(applied.iter().map(ToString::to_string).find(|version| !known.contains(version)))
}

/// Before an upgrade changes an SQLite database: a copy of it, beside it.
fn keep_before_upgrade(url: &DatabaseUrl, connection: &mut AnyConnection) -> anyhow::Result<()> {
    let (DatabaseUrl::Sqlite(path), AnyConnection::Sqlite(sqlite)) = (url, &mut *connection) else { return Ok(()) };
    if !sqlite.has_pending_migration(SQLITE).map_err(|error| anyhow!("{error}"))? {
        return Ok(());
    }
    let copy = beside(path, &format!(".before-{}", newest_migration(connection)?.replace('-', "")));
    if copy.exists() {
        return Ok(());
    }
    backup::copy_database(connection, &copy)?;
    tracing::info!("the database is upgraded; as it was, it is kept in {}", copy.display());
    Ok(())
}

fn migrate(connection: &mut AnyConnection) -> anyhow::Result<()> {
    match connection {
        AnyConnection::Sqlite(connection) => {
            connection.run_pending_migrations(SQLITE).map_err(|error| anyhow!("{error}"))?;
        }
        AnyConnection::Postgres(connection) => {
            // Several nodes may start at once. The lock ends with this connection.
            connection.batch_execute("SELECT pg_advisory_lock(5000)")?;
            connection.run_pending_migrations(POSTGRES).map_err(|error| anyhow!("{error}"))?;
        }
    }
    Ok(())
}

/// The data keys and the public room, where they are not there yet; and the keys into the vault.
fn first_rows(connection: &mut AnyConnection, vault: &Vault, now: Timestamp) -> anyhow::Result<()> {
    let names = Purpose::WITHOUT_ROOM.map(KeyName::of).into_iter().chain([KeyName::messages_of(RoomId::PUBLIC)]);
    let is_new = stored_generations(connection, KeyName::of(Purpose::Accounts))?.is_empty();
    // Before the keys: what changes meanwhile is noticed.
    vault.set_version(state::version(&mut super::Reader { connection, vault }, state::KEYS)?);
    for name in names {
        let mut stored = stored_generations(connection, name)?;
        if stored.is_empty() {
            let key = match name.purpose.heir_of() {
                Some(purpose) if !is_new => {
                    let of = KeyName::of(purpose);
                    vault.load(of, stored_generations(connection, of)?)?;
                    vault.heir_key(name, of)?
                }
                _ => vault.new_key(name),
            };
            insert_key(connection, &key)?;
            stored.push(key);
        }
        vault.load(name, stored)?;
    }
    connection
        .transaction(|connection| {
            let mut tx = super::Tx::new(connection, vault);
            rooms::ensure_public(&mut tx, now)?;
            renew_keys(&mut tx)
        })
        .and_then(|()| words::renew(connection, vault))
        .map_err(|error: Error| anyhow!("{error}"))
}

/// Makes the keys of names anew where this version makes other ones than the one before.
fn renew_keys(tx: &mut super::Tx) -> Result<(), Error> {
    /// The row of `state` that holds the version of the keys.
    const NAME_KEYS: &str = "name_keys";

    if state::get(tx, NAME_KEYS)? == Some(NameKey::VERSION) {
        return Ok(());
    }
    rooms::renew_keys(tx)?;
    accounts::renew_keys(tx)?;
    state::touch(tx, NAME_KEYS)?;
    state::set(tx, NAME_KEYS, &NameKey::VERSION)
}

#[cfg(test)]
mod tests {
    /// The same migrations for both databases: same names, same tables and columns.
    #[test]
    fn the_two_folders_of_migrations_do_not_drift() {
        let folder = |name: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(name);
        let names = |kind: &str| {
            let mut names: Vec<_> =
                std::fs::read_dir(folder(kind)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names("sqlite"), names("postgres"));
        for name in names("sqlite") {
            for file in ["up.sql", "down.sql"] {
                let read = |kind: &str| std::fs::read_to_string(folder(kind).join(&name).join(file)).unwrap();
                let sqlite =
                    read("sqlite").replace("BLOB  ", "BYTEA ").replace("BLOB", "BYTEA").replace(" WITHOUT ROWID", "");
                let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
                assert_eq!(words(&sqlite), words(&read("postgres")), "{name:?}/{file}");
            }
        }
    }
}
