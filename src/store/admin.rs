//! Numbers about the tables, and space that is not needed any more.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use super::connection::AnyConnection;
use super::schema::{sessions, users};
use super::{Reader, Tx};
use crate::error::Result;

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
