//! All sealed columns: how their rows are listed, read and sealed anew. One description a column, since the same is done to
//! each of them.

use diesel::connection::Connection;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment};
use diesel::sql_types::{BigInt, Binary, Text};

use super::super::connection::AnyConnection;
use super::super::place::{Column, Place};
use super::super::statements::statement;
use super::super::vault::Sealed;
use super::super::{Reader, Tx};
use crate::error::{Error, Result};
use crate::types::RoomId;

/// A sealed column, and the primary key of its table. A row's place is made of that: the room, if it is in one, and the rest
/// in this order.
pub struct SealedColumn {
    pub column: Column,
    table: &'static str,
    sealed: &'static str,
    room: Option<&'static str>,
    numbers: &'static [&'static str],
    bytes: &'static [&'static str],
    text: Option<&'static str>,
}

/// The primary key of a row.
#[derive(Clone, Debug)]
pub struct Key {
    room: Option<i64>,
    numbers: Vec<i64>,
    bytes: Vec<Vec<u8>>,
    text: Option<String>,
}

const fn of(column: Column, table: &'static str, sealed: &'static str) -> SealedColumn {
    SealedColumn { column, table, sealed, room: None, numbers: &[], bytes: &[], text: None }
}

impl SealedColumn {
    const fn in_room(self) -> Self {
        Self { room: Some("room_id"), ..self }
    }

    const fn by_numbers(self, numbers: &'static [&'static str]) -> Self {
        Self { numbers, ..self }
    }

    const fn by_bytes(self, bytes: &'static [&'static str]) -> Self {
        Self { bytes, ..self }
    }

    const fn by_text(self, text: &'static str) -> Self {
        Self { text: Some(text), ..self }
    }
}

/// Every sealed column in the database.
pub static COLUMNS: [SealedColumn; 26] = [
    of(Column::UserProfile, "users", "profile").by_bytes(&["id"]),
    of(Column::UserLastActive, "users", "last_active").by_bytes(&["id"]),
    of(Column::Presence, "presence", "presence").by_bytes(&["user_id"]),
    of(Column::Account, "accounts", "account").by_bytes(&["user_id"]),
    of(Column::Block, "blocks", "block").by_bytes(&["user_id", "person"]),
    of(Column::RoomPreferences, "room_preferences", "preferences").in_room().by_bytes(&["user_id"]),
    of(Column::NotificationSettings, "notification_settings", "settings").by_bytes(&["user_id"]),
    of(Column::PushSubscription, "push_subscriptions", "subscription").by_bytes(&["id"]),
    of(Column::RoomProfile, "rooms", "profile").by_numbers(&["id"]),
    of(Column::Member, "memberships", "member").in_room().by_bytes(&["user_id"]),
    of(Column::MessageBody, "messages", "body").in_room().by_numbers(&["seq"]),
    of(Column::Reaction, "reactions", "reaction").in_room().by_numbers(&["seq"]).by_bytes(&["id"]),
    of(Column::Edit, "edits", "edit").in_room().by_numbers(&["seq", "number"]),
    of(Column::Pin, "pins", "pin").in_room().by_numbers(&["seq"]),
    of(Column::ReadMark, "read_marks", "mark").in_room().by_bytes(&["user_id"]),
    of(Column::Attachment, "attachments", "attachment").in_room().by_bytes(&["id"]),
    of(Column::ClientId, "client_ids", "sent").by_bytes(&["id"]),
    of(Column::Session, "sessions", "session").by_bytes(&["id"]),
    of(Column::Ticket, "tickets", "ticket").by_bytes(&["id"]),
    of(Column::Invite, "invites", "invite").by_bytes(&["id"]),
    of(Column::Sanction, "sanctions", "sanction").in_room().by_bytes(&["person"]),
    of(Column::AddressBan, "address_bans", "ban").by_bytes(&["id"]),
    of(Column::Report, "reports", "report").by_bytes(&["id"]),
    of(Column::AuditEntry, "audit_log", "entry").by_numbers(&["seq"]),
    of(Column::State, "state", "value").by_text("name"),
    of(Column::Sample, "samples", "sample").by_numbers(&["at"]),
];

impl Key {
    /// The row's id, as its place has it.
    fn row(&self) -> Vec<u8> {
        let mut row: Vec<u8> = self.numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        row.extend(self.bytes.iter().flatten());
        row.extend(self.text.iter().flat_map(|text| text.bytes()));
        row
    }

    fn place<'a>(&self, column: &SealedColumn, row: &'a [u8]) -> Place<'a> {
        Place { column: column.column, room: self.room.map(RoomId::from_stored), row }
    }
}

/// Rows of one column, and those of them that are not sealed under the newest key.
pub struct Scan<K> {
    pub all: usize,
    pub older: Vec<K>,
}

pub fn scan(reader: &mut Reader, column: &SealedColumn) -> Result<Scan<Key>> {
    let rows = rows(reader, column)?;
    let mut scan = Scan { all: rows.len(), older: Vec::new() };
    for (key, beginning) in rows {
        if !is_newest(reader, column, &key, &beginning)? {
            scan.older.push(key);
        }
    }
    Ok(scan)
}

/// Every row that has a value, with the beginning of it.
fn rows(reader: &mut Reader, column: &SealedColumn) -> Result<Vec<(Key, String)>> {
    let bytes = match reader.connection {
        AnyConnection::Sqlite(_) => "BLOB",
        AnyConnection::Postgres(_) => "BYTEA",
    };
    let rows: Vec<Row> = Rows { column, bytes }.load(reader.connection)?;
    let found = rows.into_iter().filter(|row| !row.6.is_empty());
    let key = |(room, first, second, one, other, text, beginning)| {
        let key = Key {
            room: column.room.map(|_| room),
            numbers: [first, second][..column.numbers.len()].to_vec(),
            bytes: [one, other][..column.bytes.len()].to_vec(),
            text: column.text.map(|_| text),
        };
        (key, beginning)
    };
    Ok(found.map(key).collect())
}

fn is_newest(reader: &mut Reader, column: &SealedColumn, key: &Key, sealed: &str) -> Result<bool> {
    let name = key.place(column, &[]).key();
    reader.load_key(name)?;
    Ok(Sealed::generation(sealed) == Some(reader.vault.newest(name).map_err(Error::Internal)?))
}

fn value(reader: &mut Reader, column: &SealedColumn, key: &Key) -> Result<Option<String>> {
    let value: Option<String> = Value { column, key }.get_result(reader.connection).optional()?;
    Ok(value.filter(|sealed| !sealed.is_empty()))
}

/// Seals a row under the newest key, unless it is so already or gone.
pub fn renew(tx: &mut Tx, column: &SealedColumn, key: &Key) -> Result<()> {
    let Some(sealed) = value(tx, column, key)? else { return Ok(()) };
    if is_newest(tx, column, key, &sealed)? {
        return Ok(());
    }
    let row = key.row();
    let plain = tx.open(key.place(column, &row), sealed)?;
    let sealed = tx.seal(key.place(column, &row), &plain)?.into_stored();
    SetValue { column, key, sealed: &sealed }.execute(tx.reader.connection)?;
    Ok(())
}

/// How many rows open, and how many do not.
pub fn open_all(reader: &mut Reader, column: &SealedColumn) -> Result<(usize, usize)> {
    let (mut opened, mut damaged) = (0, 0);
    for (key, _) in rows(reader, column)? {
        let Some(sealed) = value(reader, column, &key)? else { continue };
        let row = key.row();
        match reader.open(key.place(column, &row), sealed) {
            Ok(_) => opened += 1,
            Err(_) => damaged += 1,
        }
    }
    Ok((opened, damaged))
}

type Backend = <AnyConnection as Connection>::Backend;

/// Room, two numbers, two times bytes and a text of a key, and the beginning of a value.
type Row = (i64, i64, i64, Vec<u8>, Vec<u8>, String, String);

/// The keys of all rows, with what a column does not have in between, and the beginnings of their values.
struct Rows<'a> {
    column: &'a SealedColumn,
    /// What the database calls bytes.
    bytes: &'static str,
}

struct Value<'a> {
    column: &'a SealedColumn,
    key: &'a Key,
}

struct SetValue<'a> {
    column: &'a SealedColumn,
    key: &'a Key,
    sealed: &'a str,
}

statement!(Rows<'_>);
statement!(Value<'_>);
statement!(SetValue<'_>);

impl QueryFragment<Backend> for Rows<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        let SealedColumn { table, sealed, room, numbers, bytes, text, .. } = self.column;
        out.push_sql("SELECT ");
        for number in [*room, numbers.first().copied(), numbers.get(1).copied()] {
            out.push_sql(number.unwrap_or("CAST(0 AS BIGINT)"));
            out.push_sql(", ");
        }
        for column in [bytes.first(), bytes.get(1)] {
            match column {
                Some(column) => out.push_sql(column),
                None => {
                    out.push_sql("CAST('' AS ");
                    out.push_sql(self.bytes);
                    out.push_sql(")");
                }
            }
            out.push_sql(", ");
        }
        out.push_sql(text.unwrap_or("''"));
        // Long enough for any generation, and its dot.
        out.push_sql(", substr(");
        out.push_sql(sealed);
        out.push_sql(", 1, 12) FROM ");
        out.push_sql(table);
        Ok(())
    }
}

impl Query for Rows<'_> {
    type SqlType = (BigInt, BigInt, BigInt, Binary, Binary, Text, Text);
}

impl QueryFragment<Backend> for Value<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        out.push_sql(self.column.sealed);
        out.push_sql(" FROM ");
        out.push_sql(self.column.table);
        where_key(self.column, self.key, out)
    }
}

impl Query for Value<'_> {
    type SqlType = Text;
}

impl QueryFragment<Backend> for SetValue<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        out.push_sql("UPDATE ");
        out.push_sql(self.column.table);
        out.push_sql(" SET ");
        out.push_sql(self.column.sealed);
        out.push_sql(" = ");
        out.push_bind_param::<Text, _>(self.sealed)?;
        where_key(self.column, self.key, out)
    }
}

fn where_key<'b>(column: &'b SealedColumn, key: &'b Key, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
    let mut word = " WHERE ";
    let mut begin = |out: &mut AstPass<'_, 'b, Backend>, column| {
        out.push_sql(word);
        out.push_sql(column);
        out.push_sql(" = ");
        word = " AND ";
    };
    if let Some((column, room)) = column.room.zip(key.room.as_ref()) {
        begin(&mut out, column);
        out.push_bind_param::<BigInt, _>(room)?;
    }
    for (column, number) in column.numbers.iter().zip(&key.numbers) {
        begin(&mut out, column);
        out.push_bind_param::<BigInt, _>(number)?;
    }
    for (column, bytes) in column.bytes.iter().zip(&key.bytes) {
        begin(&mut out, column);
        out.push_bind_param::<Binary, _>(bytes)?;
    }
    if let Some((column, text)) = column.text.zip(key.text.as_ref()) {
        begin(&mut out, column);
        out.push_bind_param::<Text, _>(text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use diesel_migrations::MigrationHarness;

    use super::super::super::prepare::SQLITE;
    use super::*;

    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = Text)]
        name: String,
    }

    /// A column that was forgotten here would be lost with its old key.
    #[test]
    fn every_column_that_can_hold_a_sealed_value_is_here() {
        let mut database = SqliteConnection::establish(":memory:").unwrap();
        database.run_pending_migrations(SQLITE).unwrap();
        let found: Vec<Found> = diesel::sql_query(
            "SELECT tables.name || '.' || columns.name AS name FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns \
             WHERE tables.type = 'table' AND columns.type = 'TEXT' AND tables.name NOT LIKE '\\_%' ESCAPE '\\'",
        )
        .load(&mut database)
        .unwrap();
        // Names that are no secret, and what the master key seals.
        let plain = ["data_keys.purpose", "data_keys.sealed", "state.name"];
        let found: BTreeSet<_> =
            found.into_iter().map(|found| found.name).filter(|name| !plain.contains(&name.as_str())).collect();
        let here = COLUMNS.iter().map(|column| format!("{}.{}", column.table, column.sealed)).collect();
        assert_eq!(found, here);
    }
}
