//! Connections to the database: SQLite or PostgreSQL behind one type.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use diesel::connection::SimpleConnection;
use diesel::{Connection, ConnectionResult, PgConnection, SqliteConnection};

use super::owner::give_to_folders;
use crate::types::{DatabaseUrl, beside};

#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Connects, and makes an SQLite file that is not there yet.
pub fn connect(url: &DatabaseUrl) -> anyhow::Result<AnyConnection> {
    let context = || format!("cannot open the database {}", url.describe());
    match url {
        DatabaseUrl::Sqlite(path) => {
            make_private(path).with_context(context)?;
            let is_new = path.metadata().is_ok_and(|metadata| metadata.len() == 0);
            let mut connection = SqliteConnection::establish(&file_uri(path, "rwc")).with_context(context)?;
            // A write, each time that it is said: later it would come in between the writer's own.
            if is_new {
                connection.batch_execute("PRAGMA auto_vacuum = INCREMENTAL;").with_context(context)?;
            }
            // FULL: a commit is on the disk when it returns.
            connection
                .batch_execute("PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
                .with_context(context)?;
            Ok(AnyConnection::Sqlite(connection))
        }
        DatabaseUrl::Postgres(address) => {
            Ok(AnyConnection::Postgres(PgConnection::establish(address).with_context(context)?))
        }
    }
}

/// A connection that changes nothing, or `None` when there is no database yet.
pub fn connect_read_only(url: &DatabaseUrl) -> anyhow::Result<Option<AnyConnection>> {
    let DatabaseUrl::Sqlite(path) = url else {
        return connect(url).map(Some);
    };
    if !path.metadata().is_ok_and(|metadata| metadata.len() > 0) {
        return Ok(None);
    }
    // Without a WAL nobody has the file open, and it can be read without the files that SQLite lays beside it.
    let mode = if beside(path, "-wal").exists() { "ro" } else { "ro&immutable=1" };
    let mut connection = SqliteConnection::establish(&file_uri(path, mode))
        .with_context(|| format!("cannot open the database {}", url.describe()))?;
    connection.batch_execute("PRAGMA busy_timeout = 5000;")?;
    Ok(Some(AnyConnection::Sqlite(connection)))
}

/// Another program's SQLite file, read as it stands: no lock is taken, and nothing is laid beside it. What waits in a WAL
/// is not seen.
pub fn connect_immutable(path: &Path) -> ConnectionResult<SqliteConnection> {
    SqliteConnection::establish(&file_uri(path, "ro&immutable=1"))
}

/// Makes a database file that is not there yet readable for its owner alone; SQLite would let everyone read it.
fn make_private(path: &Path) -> std::io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(_) => give_to_folders(path),
    }
}

/// SQLite's URI form (sqlite.org/uri.html): the path's own %, ? and # must not mean anything.
fn file_uri(path: &Path, mode: &str) -> String {
    let path = path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("file:{path}?mode={mode}")
}

/// Opens connections for the pool of readers.
pub struct Connections(pub DatabaseUrl);

#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub struct ConnectError(anyhow::Error);

impl diesel::r2d2::ManageConnection for Connections {
    type Connection = AnyConnection;
    type Error = ConnectError;

    fn connect(&self) -> Result<AnyConnection, ConnectError> {
        connect(&self.0).map_err(ConnectError)
    }

    fn is_valid(&self, connection: &mut AnyConnection) -> Result<(), ConnectError> {
        connection.batch_execute("SELECT 1").map_err(|error| ConnectError(error.into()))
    }

    fn has_broken(&self, connection: &mut AnyConnection) -> bool {
        diesel::r2d2::R2D2Connection::is_broken(connection)
    }
}
