//! A look at the database and its key that changes nothing: for the doctor.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{anyhow, bail};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel_migrations::MigrationHarness;

use super::connection::{self, AnyConnection};
use super::master_key::KeyError;
use super::prepare::{POSTGRES, SQLITE, find_key, inspect};
use super::vault::StoredKey;
use crate::types::{DatabaseUrl, KeySource};

/// What was found of key and database.
pub struct Examination {
    pub key: Result<KeyState, KeyError>,
    /// `None`: there is none yet.
    pub database: anyhow::Result<Option<DatabaseState>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// The first start makes one.
    ToBeMade,
    /// It is one; there is nothing that it could open.
    Usable,
    OpensAll,
}

pub struct DatabaseState {
    pub engine: Engine,
    /// Migrations that the next start makes.
    pub pending: usize,
}

pub enum Engine {
    Sqlite {
        /// What `PRAGMA quick_check` finds; empty where all is in order.
        damage: Vec<String>,
        /// Whether its journal is a WAL, as the server keeps it.
        wal: bool,
        pages: i64,
        free_pages: i64,
        /// In bytes.
        page_size: i64,
    },
    Postgres {
        version: String,
        /// Its clock, asked last: microseconds since 1970-01-01 UTC.
        now: i64,
    },
}

/// Looks at both. Whatever is there stays as it is, and nothing is made.
pub fn examine(url: &DatabaseUrl, source: &KeySource) -> Examination {
    let stored = inspect(url);
    let key = key_state(url, source, stored.as_ref().ok().and_then(Option::as_deref));
    let database = stored.and_then(|stored| stored.map(|_| database_state(url)).transpose());
    Examination { key, database }
}

fn key_state(url: &DatabaseUrl, source: &KeySource, stored: Option<&[StoredKey]>) -> Result<KeyState, KeyError> {
    let key = find_key(url, source, stored)?;
    Ok(match (key, stored) {
        (None, _) => KeyState::ToBeMade,
        (Some(_), None) => KeyState::Usable,
        (Some(_), Some(_)) => KeyState::OpensAll,
    })
}

fn database_state(url: &DatabaseUrl) -> anyhow::Result<DatabaseState> {
    let connection = connection::connect_read_only(url)?;
    match (connection.ok_or_else(|| anyhow!("{} has just been removed", url.describe()))?, url) {
        (AnyConnection::Sqlite(mut connection), DatabaseUrl::Sqlite(path)) => sqlite(&mut connection, path),
        (AnyConnection::Postgres(mut connection), _) => postgres(&mut connection),
        (AnyConnection::Sqlite(_), DatabaseUrl::Postgres(_)) => bail!("this is no connection to PostgreSQL"),
    }
}

fn sqlite(connection: &mut SqliteConnection, path: &Path) -> anyhow::Result<DatabaseState> {
    let damage = texts(connection, "SELECT quick_check AS value FROM pragma_quick_check LIMIT 5")?;
    let pending = connection.pending_migrations(SQLITE).map_err(|error| anyhow!("{error}"))?.len();
    let engine = Engine::Sqlite {
        damage: damage.into_iter().filter(|line| line != "ok").collect(),
        wal: is_wal(path)?,
        pages: number(connection, "SELECT page_count AS value FROM pragma_page_count")?,
        free_pages: number(connection, "SELECT freelist_count AS value FROM pragma_freelist_count")?,
        page_size: number(connection, "SELECT page_size AS value FROM pragma_page_size")?,
    };
    Ok(DatabaseState { engine, pending })
}

/// As the file says (sqlite.org/fileformat.html, section 1.3.3): a connection that writes nothing would name another mode.
fn is_wal(path: &Path) -> std::io::Result<bool> {
    let mut head = [0; 20];
    File::open(path)?.read_exact(&mut head)?;
    Ok(head[18..] == [2, 2])
}

fn postgres(connection: &mut PgConnection) -> anyhow::Result<DatabaseState> {
    let pending = connection.pending_migrations(POSTGRES).map_err(|error| anyhow!("{error}"))?.len();
    let version = diesel::sql_query("SELECT current_setting('server_version') AS value");
    let now = diesel::sql_query("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS value");
    let engine = Engine::Postgres {
        version: version.get_result::<TextRow>(connection)?.value,
        now: now.get_result::<NumberRow>(connection)?.value,
    };
    Ok(DatabaseState { engine, pending })
}

#[derive(QueryableByName)]
struct TextRow {
    #[diesel(sql_type = Text)]
    value: String,
}

#[derive(QueryableByName)]
struct NumberRow {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

fn texts(connection: &mut SqliteConnection, sql: &str) -> QueryResult<Vec<String>> {
    let rows: Vec<TextRow> = diesel::sql_query(sql).load(connection)?;
    Ok(rows.into_iter().map(|row| row.value).collect())
}

fn number(connection: &mut SqliteConnection, sql: &str) -> QueryResult<i64> {
    diesel::sql_query(sql).get_result::<NumberRow>(connection).map(|row| row.value)
}
