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

/// How large the database is.
pub fn bytes(reader: &mut Reader) -> Result<i64> {
    #[derive(QueryableByName)]
    struct Size {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        bytes: i64,
    }

    let size: Size = match &mut *reader.connection {
        AnyConnection::Sqlite(connection) => {
            const PAGES: &str = "SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()";
            diesel::sql_query(PAGES).get_result(connection)?
        }
        AnyConnection::Postgres(connection) => {
            diesel::sql_query("SELECT pg_database_size(current_database()) AS bytes").get_result(connection)?
        }
    };
    Ok(size.bytes)
}

/// Gives the space of what was deleted back to the file system. PostgreSQL does so by itself, and uses it anew.
pub fn shrink(tx: &mut Tx) -> Result<()> {
    if let AnyConnection::Sqlite(connection) = &mut *tx.reader.connection {
        connection.batch_execute("PRAGMA incremental_vacuum")?;
    }
    Ok(())
}
