//! Uploaded files, at rest: whose they are and where they belong. Their content is in `files`.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use serde::{Deserialize, Serialize};

use super::schema::{attachments, discarded_files};
use super::{BlindColumn, Column, Place, Reader, Tx};
use crate::error::{Error, Result};
use crate::types::{Attachment, AttachmentId, FileName, Identity, RoomId, UserId};

/// The sealed part of a row.
#[derive(Clone, Serialize, Deserialize)]
pub struct Upload {
    pub user: UserId,
    /// Microseconds since 1970-01-01 UTC.
    pub at: i64,
    pub name: FileName,
    /// `None` until all of it has come.
    pub file: Option<Attachment>,
}

/// A row.
pub struct Stored {
    pub id: AttachmentId,
    pub room: RoomId,
    /// Of the message; `None` until it is sent.
    pub seq: Option<i64>,
    pub upload: Upload,
}

/// What a file counts with at least: that much it takes on a disk.
const LEAST: u64 = 4096;
/// Stands for all guests as owners of files.
pub(super) const GUESTS: &str = "guests";

/// Notes an upload that begins. It counts with `bytes` until it is known how many there are.
pub fn insert(
    tx: &mut Tx,
    room: RoomId,
    id: AttachmentId,
    whose: &Identity,
    bytes: u64,
    upload: &Upload,
) -> Result<()> {
    let owner = owner(tx, whose)?;
    let sealed = tx.seal_json(place(room, id.as_bytes()), upload)?;
    diesel::insert_into(attachments::table)
        .values((
            attachments::id.eq(id.as_bytes()),
            attachments::room_id.eq(room.get()),
            attachments::owner.eq(owner),
            attachments::bytes.eq(number(bytes.max(LEAST))?),
            attachments::attachment.eq(sealed),
        ))
        .execute(tx.reader.connection)?;
    Ok(())
}

/// All of it has come, and takes so many bytes with its thumbnail. Whether it was still wanted.
pub fn complete(tx: &mut Tx, id: AttachmentId, file: &Attachment, bytes: u64) -> Result<bool> {
    let Some(stored) = get(tx, id)? else { return Ok(false) };
    let upload = Upload { file: Some(file.clone()), ..stored.upload };
    let sealed = tx.seal_json(place(stored.room, id.as_bytes()), &upload)?;
    diesel::update(attachments::table.find(id.as_bytes()))
        .set((attachments::attachment.eq(sealed), attachments::bytes.eq(number(bytes.max(LEAST))?)))
        .execute(tx.reader.connection)?;
    Ok(true)
}

/// It hangs on this message from here on.
pub fn send(tx: &mut Tx, id: AttachmentId, seq: i64) -> Result<()> {
    diesel::update(attachments::table.find(id.as_bytes()))
        .set(attachments::seq.eq(seq))
        .execute(tx.reader.connection)?;
    Ok(())
}

pub fn get(reader: &mut Reader, id: AttachmentId) -> Result<Option<Stored>> {
    let row = attachments::table
        .find(id.as_bytes())
        .select((attachments::id, attachments::room_id, attachments::seq, attachments::attachment))
        .first(reader.connection)
        .optional()?;
    row.map(|row| open(reader, row)).transpose()
}

/// Those that hang on no message.
pub fn unsent(reader: &mut Reader) -> Result<Vec<Stored>> {
    let rows: Vec<Row> = attachments::table
        .filter(attachments::seq.is_null())
        .select((attachments::id, attachments::room_id, attachments::seq, attachments::attachment))
        .load(reader.connection)?;
    rows.into_iter().map(|row| open(reader, row)).collect()
}

/// Those that hang on a message, with their rooms.
pub fn sent(reader: &mut Reader) -> Result<Vec<(RoomId, AttachmentId)>> {
    let rows: Vec<Row> = attachments::table
        .filter(attachments::seq.is_not_null())
        .select((attachments::id, attachments::room_id, attachments::seq, attachments::attachment))
        .load(reader.connection)?;
    rows.into_iter().map(|row| open(reader, row).map(|stored| (stored.room, stored.id))).collect()
}

/// Bytes that somebody's uploads have in all. Guests count together: a name is changed in no time.
pub fn bytes_of(reader: &mut Reader, whose: &Identity) -> Result<u64> {
    let owner = owner(reader, whose)?;
    // Adding up BIGINTs gives a NUMERIC on PostgreSQL.
    let sum = sql::<BigInt>("CAST(COALESCE(SUM(bytes), 0) AS BIGINT)");
    let bytes: i64 = attachments::table.filter(attachments::owner.eq(owner)).select(sum).first(reader.connection)?;
    Ok(bytes.unsigned_abs())
}

/// Removes an upload, if it is still there.
pub fn remove(tx: &mut Tx, id: AttachmentId) -> Result<()> {
    match diesel::delete(attachments::table.find(id.as_bytes())).execute(tx.reader.connection)? {
        0 => Ok(()),
        _ => discard(tx, vec![id.as_bytes().to_vec()]),
    }
}

/// Removes those of the messages before a position.
pub(super) fn remove_before(tx: &mut Tx, room: RoomId, seq: i64) -> Result<()> {
    let before = attachments::room_id.eq(room.get()).and(attachments::seq.lt(seq));
    let ids = attachments::table.filter(before).select(attachments::id).load(tx.reader.connection)?;
    diesel::delete(attachments::table.filter(before)).execute(tx.reader.connection)?;
    discard(tx, ids)
}

/// Removes those of one message.
pub(super) fn remove_of(tx: &mut Tx, files: &[Attachment]) -> Result<()> {
    files.iter().try_for_each(|file| remove(tx, file.id))
}

/// Files to remove, at most so many.
pub fn discarded(reader: &mut Reader, limit: i64) -> Result<Vec<AttachmentId>> {
    let ids: Vec<Vec<u8>> = discarded_files::table.select(discarded_files::id).limit(limit).load(reader.connection)?;
    ids.iter().map(|id| stored_id(id)).collect()
}

/// They have been removed.
pub fn forget_discarded(tx: &mut Tx, ids: &[AttachmentId]) -> Result<()> {
    for id in ids {
        diesel::delete(discarded_files::table.find(id.as_bytes())).execute(tx.reader.connection)?;
    }
    Ok(())
}

fn discard(tx: &mut Tx, ids: Vec<Vec<u8>>) -> Result<()> {
    for id in ids {
        diesel::insert_into(discarded_files::table).values(discarded_files::id.eq(id)).execute(tx.reader.connection)?;
    }
    Ok(())
}

type Row = (Vec<u8>, i64, Option<i64>, String);

fn open(reader: &mut Reader, (id, room, seq, sealed): Row) -> Result<Stored> {
    let (id, room) = (stored_id(&id)?, RoomId::from_stored(room));
    let upload = reader.open_json(place(room, id.as_bytes()), sealed)?;
    Ok(Stored { id, room, seq, upload })
}

fn owner(reader: &mut Reader, whose: &Identity) -> Result<Vec<u8>> {
    match whose {
        Identity::Account(_) => reader.person(BlindColumn::AttachmentOwner, whose),
        Identity::Guest(_) => reader.blind(BlindColumn::AttachmentOwner, GUESTS),
    }
}

pub(super) fn stored_id(bytes: &[u8]) -> Result<AttachmentId> {
    AttachmentId::from_stored(bytes).ok_or_else(|| Error::Internal(anyhow::anyhow!("a stored id is not 16 bytes long")))
}

fn number(bytes: u64) -> Result<i64> {
    i64::try_from(bytes).map_err(Error::internal)
}

fn place(room: RoomId, row: &[u8]) -> Place<'_> {
    Place { column: Column::Attachment, room: Some(room), row }
}
