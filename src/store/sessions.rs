//! Sessions at rest.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::people::stored_user;
use super::schema::sessions;
use super::{Column, Place, Reader, Tx};
use crate::error::{Error, Result};
use crate::types::{SessionId, UserId};

/// A login that lasts: the sealed part of its row. Times are in microseconds since 1970-01-01 UTC.
#[derive(Clone, Serialize, Deserialize)]
pub struct Session {
    pub created_at: i64,
    pub last_seen: i64,
    pub user_agent: String,
    pub address: String,
}

pub struct StoredSession {
    pub id: SessionId,
    pub user: UserId,
    pub session: Session,
}

pub fn insert(tx: &mut Tx, stored: &StoredSession, token_hash: &[u8]) -> Result<()> {
    let sealed = tx.seal_json(place(stored.id.as_bytes()), &stored.session)?;
    diesel::insert_into(sessions::table)
        .values((
            sessions::id.eq(stored.id.as_bytes()),
            sessions::token_hash.eq(token_hash),
            sessions::user_id.eq(stored.user.as_bytes()),
            sessions::session.eq(sealed),
        ))
        .execute(tx.reader.connection)?;
    Ok(())
}

pub fn update(tx: &mut Tx, id: SessionId, session: &Session) -> Result<()> {
    let sealed = tx.seal_json(place(id.as_bytes()), session)?;
    diesel::update(sessions::table.find(id.as_bytes()))
        .set(sessions::session.eq(sealed))
        .execute(tx.reader.connection)?;
    Ok(())
}

pub fn by_token(reader: &mut Reader, token_hash: &[u8]) -> Result<Option<StoredSession>> {
    let row: Option<Row> = sessions::table
        .filter(sessions::token_hash.eq(token_hash))
        .select((sessions::id, sessions::user_id, sessions::session))
        .first(reader.connection)
        .optional()?;
    row.map(|row| open(reader, row)).transpose()
}

pub fn get(reader: &mut Reader, id: SessionId) -> Result<Option<StoredSession>> {
    let row: Option<Row> = sessions::table
        .find(id.as_bytes())
        .select((sessions::id, sessions::user_id, sessions::session))
        .first(reader.connection)
        .optional()?;
    row.map(|row| open(reader, row)).transpose()
}

pub fn exists(reader: &mut Reader, id: SessionId) -> Result<bool> {
    let found =
        sessions::table.find(id.as_bytes()).select(sessions::id).first::<Vec<u8>>(reader.connection).optional()?;
    Ok(found.is_some())
}

/// The person's sessions, the newest first.
pub fn of_user(reader: &mut Reader, user: UserId) -> Result<Vec<StoredSession>> {
    let rows: Vec<Row> = sessions::table
        .filter(sessions::user_id.eq(user.as_bytes()))
        .select((sessions::id, sessions::user_id, sessions::session))
        .load(reader.connection)?;
    let mut all = rows.into_iter().map(|row| open(reader, row)).collect::<Result<Vec<_>>>()?;
    all.sort_by_key(|stored| std::cmp::Reverse(stored.session.created_at));
    Ok(all)
}

pub fn all(reader: &mut Reader) -> Result<Vec<StoredSession>> {
    let rows: Vec<Row> =
        sessions::table.select((sessions::id, sessions::user_id, sessions::session)).load(reader.connection)?;
    rows.into_iter().map(|row| open(reader, row)).collect()
}

/// Whether the session was there to end.
pub fn delete(tx: &mut Tx, id: SessionId) -> Result<bool> {
    let removed = diesel::delete(sessions::table.find(id.as_bytes())).execute(tx.reader.connection)?;
    Ok(removed > 0)
}

type Row = (Vec<u8>, Vec<u8>, String);

fn open(reader: &mut Reader, (id, user, sealed): Row) -> Result<StoredSession> {
    let session = reader.open_json(place(&id), sealed)?;
    let id = SessionId::from_stored(&id).ok_or_else(malformed)?;
    Ok(StoredSession { id, user: stored_user(&user)?, session })
}

fn malformed() -> Error {
    Error::Internal(anyhow::anyhow!("a stored id is not 16 bytes long"))
}

fn place(row: &[u8]) -> Place<'_> {
    Place { column: Column::Session, room: None, row }
}
