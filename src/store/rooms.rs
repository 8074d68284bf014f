//! Rooms and who is in them, at rest.

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use serde::{Deserialize, Serialize};

use super::accounts::timestamp;
use super::schema::{memberships, rooms};
use super::{Column, KeyName, Place, Reader, Tx};
use crate::error::{Error, Result};
use crate::types::{Room, RoomId, RoomName, Timestamp, UserId, Username};

/// The sealed part of a room's row.
#[derive(Serialize, Deserialize)]
struct Profile {
    name: RoomName,
    creator: Option<Username>,
    created_at: i64,
    password_hash: Option<String>,
}

/// The sealed part of a membership.
#[derive(Serialize, Deserialize)]
struct Member {
    name: Username,
    joined_at: i64,
}

/// The lane of the writer that a room's writes go through.
pub fn lane(name: &RoomName) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};

    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// Stores a new room with a message key of its own. `Conflict` when the name is taken.
pub fn insert(tx: &mut Tx, room: &Room) -> Result<()> {
    let profile = Profile {
        name: room.name.clone(),
        creator: room.creator.clone(),
        created_at: room.created_at.micros(),
        password_hash: room.password_hash.clone(),
    };
    let profile = tx.seal_json(profile_place(&id_bytes(room.id)), &profile)?;
    let name_blind = tx.blind("rooms.name", room.name.as_str())?;
    let inserted = diesel::insert_into(rooms::table)
        .values((
            rooms::id.eq(room.id.get()),
            rooms::name_blind.eq(name_blind),
            rooms::profile.eq(profile),
            rooms::last_seq.eq(0),
        ))
        .execute(tx.reader.connection);
    match inserted {
        Err(DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => {
            Err(Error::Conflict("Group already exists".into()))
        }
        Err(error) => Err(error.into()),
        Ok(_) if room.id == RoomId::PUBLIC => Ok(()),
        Ok(_) => tx.create_key(KeyName::messages_of(room.id)),
    }
}

/// The public room, made at the first start.
pub(super) fn ensure_public(tx: &mut Tx, now: Timestamp) -> Result<()> {
    if find(tx, &RoomName::public())?.is_some() {
        return Ok(());
    }
    let room =
        Room { id: RoomId::PUBLIC, name: RoomName::public(), creator: None, created_at: now, password_hash: None };
    insert(tx, &room)
}

pub fn public(reader: &mut Reader) -> Result<Room> {
    find(reader, &RoomName::public())?
        .ok_or_else(|| Error::Internal(anyhow::anyhow!("the public room is missing from the table rooms")))
}

/// A write that changes nothing: it shows that the database takes writes.
pub(super) fn touch_public(tx: &mut Tx) -> Result<()> {
    diesel::update(rooms::table.find(RoomId::PUBLIC.get()))
        .set(rooms::last_seq.eq(rooms::last_seq))
        .execute(tx.reader.connection)?;
    Ok(())
}

pub fn find(reader: &mut Reader, name: &RoomName) -> Result<Option<Room>> {
    let name_blind = reader.blind("rooms.name", name.as_str())?;
    let row: Option<(i64, String)> = rooms::table
        .filter(rooms::name_blind.eq(name_blind))
        .select((rooms::id, rooms::profile))
        .first(reader.connection)
        .optional()?;
    row.map(|(id, profile)| open_room(reader, id, profile)).transpose()
}

/// The names of all groups, in the order of their creation. The public room is none.
pub fn group_names(reader: &mut Reader) -> Result<Vec<RoomName>> {
    let rows: Vec<(i64, String)> = rooms::table
        .filter(rooms::id.ne(RoomId::PUBLIC.get()))
        .select((rooms::id, rooms::profile))
        .load(reader.connection)?;
    let mut groups =
        rows.into_iter().map(|(id, profile)| open_room(reader, id, profile)).collect::<Result<Vec<_>>>()?;
    groups.sort_by_key(|room| (room.created_at, room.id));
    Ok(groups.into_iter().map(|room| room.name).collect())
}

pub fn is_member(reader: &mut Reader, room: RoomId, user: UserId) -> Result<bool> {
    let found = memberships::table
        .find((room.get(), user.as_bytes()))
        .select(memberships::room_id)
        .first::<i64>(reader.connection)
        .optional()?;
    Ok(found.is_some())
}

/// How many groups the person is a member of.
pub fn count_of(reader: &mut Reader, user: UserId) -> Result<i64> {
    let count = memberships::table.filter(memberships::user_id.eq(user.as_bytes())).count();
    Ok(count.get_result(reader.connection)?)
}

/// Makes the person a member; who is one already stays one.
pub fn add_member(tx: &mut Tx, room: RoomId, user: UserId, name: &Username, at: Timestamp) -> Result<()> {
    if is_member(tx, room, user)? {
        return Ok(());
    }
    let member = Member { name: name.clone(), joined_at: at.micros() };
    let member = tx.seal_json(member_place(room, user.as_bytes()), &member)?;
    diesel::insert_into(memberships::table)
        .values((
            memberships::room_id.eq(room.get()),
            memberships::user_id.eq(user.as_bytes()),
            memberships::member.eq(member),
        ))
        .execute(tx.reader.connection)?;
    Ok(())
}

/// Whether the person was a member.
pub fn remove_member(tx: &mut Tx, room: RoomId, user: UserId) -> Result<bool> {
    let removed =
        diesel::delete(memberships::table.find((room.get(), user.as_bytes()))).execute(tx.reader.connection)?;
    Ok(removed > 0)
}

/// Everyone who ever joined and has not left, in the order of joining.
pub fn members(reader: &mut Reader, room: RoomId) -> Result<Vec<(UserId, Username)>> {
    let rows: Vec<(Vec<u8>, String)> = memberships::table
        .filter(memberships::room_id.eq(room.get()))
        .select((memberships::user_id, memberships::member))
        .load(reader.connection)?;
    let mut members = Vec::with_capacity(rows.len());
    for (user, sealed) in rows {
        let member: Member = reader.open_json(member_place(room, &user), sealed)?;
        members.push((member.joined_at, stored_user(&user)?, member.name));
    }
    members.sort_by_key(|(joined_at, _, _)| *joined_at);
    Ok(members.into_iter().map(|(_, user, name)| (user, name)).collect())
}

fn stored_user(bytes: &[u8]) -> Result<UserId> {
    UserId::from_stored(bytes).ok_or_else(|| Error::Internal(anyhow::anyhow!("a stored user id is not 16 bytes long")))
}

fn open_room(reader: &mut Reader, id: i64, profile: String) -> Result<Room> {
    let id = RoomId::from_stored(id);
    let profile: Profile = reader.open_json(profile_place(&id_bytes(id)), profile)?;
    Ok(Room {
        id,
        name: profile.name,
        creator: profile.creator,
        created_at: timestamp(profile.created_at)?,
        password_hash: profile.password_hash,
    })
}

fn id_bytes(id: RoomId) -> [u8; 8] {
    id.get().to_be_bytes()
}

fn profile_place(row: &[u8]) -> Place<'_> {
    Place { column: Column::RoomProfile, room: None, row }
}

fn member_place(room: RoomId, user: &[u8]) -> Place<'_> {
    Place { column: Column::Member, room: Some(room), row: user }
}
