//! Another program's SQLite file, read as it stands. Its names are taken for names alone, whatever is in them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::deserialize::{self, QueryableByName};
use diesel::prelude::*;
use diesel::row::{Field, NamedRow, Row};
use diesel::sqlite::{Sqlite, SqliteType};

use crate::store::connect_immutable;
use crate::types::beside;

/// How each SQLite file begins (sqlite.org/fileformat.html, section 1.3).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Why a database gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("{0} cannot be read: {1}")]
    Unreadable(String, io::Error),
    #[error(
        "{0} holds changes that are not in the database file yet. Stop the app that has it open; if the file stays, run: sqlite3 {1} 'PRAGMA wal_checkpoint(TRUNCATE)'. Nothing was read"
    )]
    InUse(String, String),
    #[error("{0} is damaged, or no SQLite file: {1}")]
    Damaged(String, String),
    #[error("{0}")]
    Mapping(String),
}

/// Whether a file begins as SQLite's do.
pub fn is_sqlite(path: &Path) -> Result<bool, DatabaseError> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut start));
    read.map_err(|error| DatabaseError::Unreadable(path.display().to_string(), error))?;
    Ok(start == MAGIC)
}

pub struct Database {
    path: String,
    connection: SqliteConnection,
    pub tables: Vec<Table>,
}

/// A table or a view.
pub struct Table {
    pub name: String,
    pub columns: Vec<String>,
    /// The column that is its primary key, where it is one alone.
    pub key: Option<String>,
    /// Columns, and the tables whose rows they point at.
    pub references: Vec<(String, String)>,
    pub has_rowid: bool,
}

impl Table {
    /// The column as the table spells it.
    pub fn column(&self, name: &str) -> Option<&str> {
        let found = self.columns.iter().find(|column| column.eq_ignore_ascii_case(name)).map(String::as_str);
        found.or_else(|| (self.has_rowid && name.eq_ignore_ascii_case("rowid")).then_some("rowid"))
    }
}

/// The cells of a row as text: numbers in digits, bytes that are no text in hex, `None` for NULL.
pub type Cells = Vec<Option<String>>;

impl Database {
    /// Opens a file for reading. Nothing is written, neither to it nor beside it.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        refuse_in_use(path)?;
        let shown = path.display().to_string();
        let damaged = |error: &dyn std::fmt::Display| DatabaseError::Damaged(shown.clone(), error.to_string());
        if !is_sqlite(path)? {
            return Err(damaged(&"it begins otherwise"));
        }
        let mut connection = connect_immutable(path).map_err(|error| damaged(&error))?;
        // Its views must not call functions with effects, and no text of it goes into a temporary file.
        connection
            .batch_execute("PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA query_only = ON;")
            .map_err(|error| damaged(&error))?;
        let mut database = Self { path: shown, connection, tables: Vec::new() };
        let names = database.query(
            "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
        )?;
        for row in names {
            let [Some(name), Some(kind)] = &row[..] else { continue };
            let table = database.describe(name, kind)?;
            database.tables.push(table);
        }
        Ok(database)
    }

    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name.eq_ignore_ascii_case(name))
    }

    /// These columns of all rows, in the order of others; `None` in place of a column gives NULL.
    pub fn rows(&mut self, table: &str, columns: &[Option<&str>], order: &[&str]) -> Result<Vec<Cells>, DatabaseError> {
        let columns =
            columns.iter().map(|column| column.map_or("NULL".to_owned(), quoted)).collect::<Vec<_>>().join(", ");
        let order = order.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ");
        self.query(&format!("SELECT {columns} FROM {} ORDER BY {order}", quoted(table)))
    }

    /// Some values of a column, none of them NULL or empty.
    pub fn samples(&mut self, table: &str, column: &str) -> Result<Vec<String>, DatabaseError> {
        let (table, column) = (quoted(table), quoted(column));
        let rows = self.query(&format!("SELECT {column} FROM {table} WHERE {column} <> '' LIMIT 100"))?;
        Ok(rows.into_iter().flatten().flatten().collect())
    }

    fn describe(&mut self, name: &str, kind: &str) -> Result<Table, DatabaseError> {
        let literal = name.replace('\'', "''");
        let columns = self.query(&format!("SELECT name, pk FROM pragma_table_info('{literal}')"))?;
        let references = self
            .query(&format!("SELECT \"from\", \"table\" FROM pragma_foreign_key_list('{literal}') ORDER BY id, seq"))?;
        let has_rowid = kind == "table" && self.query(&format!("SELECT rowid FROM {} LIMIT 0", quoted(name))).is_ok();
        let keys: Vec<_> = columns.iter().filter(|row| row[1].as_deref() != Some("0")).collect();
        let key = match keys[..] {
            [key] => key[0].clone(),
            _ => None,
        };
        let pair = |row: Cells| row[0].clone().zip(row[1].clone());
        Ok(Table {
            name: name.to_owned(),
            key,
            columns: columns.into_iter().filter_map(|row| row[0].clone()).collect(),
            references: references.into_iter().filter_map(pair).collect(),
            has_rowid,
        })
    }

    fn query(&mut self, sql: &str) -> Result<Vec<Cells>, DatabaseError> {
        let rows = diesel::sql_query(sql).load::<Loaded>(&mut self.connection);
        let rows = rows.map_err(|error| DatabaseError::Damaged(self.path.clone(), error.to_string()))?;
        Ok(rows.into_iter().map(|cells| cells.0).collect())
    }
}

struct Loaded(Cells);

impl QueryableByName<Sqlite> for Loaded {
    fn build<'a>(row: &impl NamedRow<'a, Sqlite>) -> deserialize::Result<Self> {
        let cell = |index| {
            let field = Row::get(row, index)?;
            let mut value = field.value()?;
            Some(match value.value_type() {
                Some(SqliteType::Binary) => String::from_utf8(value.read_blob().to_vec())
                    .unwrap_or_else(|error| error.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()),
                _ => value.read_text().to_owned(),
            })
        };
        Ok(Self((0..row.field_count()).map(cell).collect()))
    }
}

/// What SQLite has not yet brought from beside the file into it would be missed, or the file is in the middle of a change.
fn refuse_in_use(path: &Path) -> Result<(), DatabaseError> {
    for (suffix, idle) in [("-wal", None), ("-journal", Some([0]))] {
        let beside = beside(path, suffix);
        let mut start = [0];
        let first = File::open(&beside).and_then(|mut file| file.read_exact(&mut start)).ok().map(|()| start);
        // A journal that is kept between changes begins with zeros.
        if first.is_some() && first != idle {
            return Err(DatabaseError::InUse(beside.display().to_string(), path.display().to_string()));
        }
    }
    Ok(())
}

/// A name that can be nothing but a name: in double quotes, SQLite would take one that is not there for a text.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
