//! How far people have read rooms, at rest.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::people::stored_user;
use super::schema::read_marks;
use super::{Column, Place, Reader, Tx};
use crate::error::Result;
use crate::types::{Identity, RoomId, UserId, Username};

/// The sealed part of a row.
#[derive(Clone, Serialize, Deserialize)]
pub struct ReadMark {
    pub seq: i64,
    pub name: Username,
    /// Whether an account stands behind the name.
    pub account: bool,
    /// Whether others do not see it.
    pub hidden: bool,
}

impl ReadMark {
    pub fn identity(&self, user: UserId) -> Identity {
        Identity::of(self.account, user, &self.name)
    }
}

pub fn get(reader: &mut Reader, room: RoomId, user: UserId) -> Result<Option<ReadMark>> {
    let row = read_marks::table.find((room.get(), user.as_bytes())).select(read_marks::mark);
    let sealed: Option<String> = row.first(reader.connection).optional()?;
    sealed.map(|sealed| reader.open_json(place(room, user.as_bytes()), sealed)).transpose()
}

pub fn set(tx: &mut Tx, room: RoomId, user: UserId, mark: &ReadMark) -> Result<()> {
    let key = (room.get(), user.as_bytes());
    let sealed = tx.seal_json(place(room, user.as_bytes()), mark)?;
    diesel::delete(read_marks::table.find(key)).execute(tx.reader.connection)?;
    diesel::insert_into(read_marks::table)
        .values((
            read_marks::room_id.eq(room.get()),
            read_marks::user_id.eq(user.as_bytes()),
            read_marks::mark.eq(sealed),
        ))
        .execute(tx.reader.connection)?;
    Ok(())
}

/// The marks of all who have read the room.
pub fn of_room(reader: &mut Reader, room: RoomId) -> Result<Vec<(UserId, ReadMark)>> {
    let rows: Vec<(Vec<u8>, String)> = read_marks::table
        .filter(read_marks::room_id.eq(room.get()))
        .select((read_marks::user_id, read_marks::mark))
        .load(reader.connection)?;
    rows.into_iter()
        .map(|(user, sealed)| Ok((stored_user(&user)?, reader.open_json(place(room, &user), sealed)?)))
        .collect()
}

fn place(room: RoomId, row: &[u8]) -> Place<'_> {
    Place { column: Column::ReadMark, room: Some(room), row }
}
