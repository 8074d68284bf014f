//! Numbers about the tables, and copies of the database.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::Context;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use super::connection::AnyConnection;
use super::schema::{sessions, users};
use super::{Reader, Tx};
use crate::error::{Error, Result};

pub struct Counts {
    pub users: i64,
    pub sessions: i64,
}

pub fn counts(reader: &mut Reader) -> Result<Counts> {
    Ok(Counts {
        users: users::table.count().get_result(reader.connection)?,
        sessions: sessions::table.count().get_result(reader.connection)?,
    })
}

/// Gives the space of what was deleted back to the file system. PostgreSQL does so by itself, and uses it anew.
pub fn shrink(tx: &mut Tx) -> Result<()> {
    if let AnyConnection::Sqlite(connection) = &mut *tx.reader.connection {
        connection.batch_execute("PRAGMA incremental_vacuum")?;
    }
    Ok(())
}

/// Copies an SQLite database into a new file that its owner alone can read. Nothing is left of a copy that failed.
pub fn copy_database(reader: &mut Reader, folder: &Path, file: &Path) -> Result<()> {
    let AnyConnection::Sqlite(connection) = reader.connection else {
        return Err(Error::internal(anyhow::anyhow!("only an SQLite database is a file")));
    };
    let made = copy(connection, folder, file);
    if made.is_err() {
        let _ = std::fs::remove_file(file);
    }
    made.map_err(|error| {
        tracing::error!("the backup {} could not be made: {error:#}", file.display());
        Error::Unavailable(
            "The backup could not be written. Is there room on the disk? The server's log says more.".into(),
        )
    })
}

fn copy(connection: &mut SqliteConnection, folder: &Path, file: &Path) -> anyhow::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // SQLite takes an empty file for a new database; so it never has any other mode than this.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    let name = file.to_str().context("the path is not UTF-8")?;
    diesel::sql_query("VACUUM INTO ?").bind::<diesel::sql_types::Text, _>(name).execute(connection)?;
    File::open(file)?.sync_all()?;
    Ok(())
}
