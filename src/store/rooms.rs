//! Rooms and who is in them, at rest.

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use serde::{Deserialize, Serialize};

use super::people::{stored_user, timestamp};
use super::schema::{memberships, rooms};
use super::{BlindColumn, Column, KeyName, Lane, Place, Reader, Tx};
use crate::error::{Error, Result};
use crate::types::{NameKey, Room, RoomId, RoomName, RoomRole, Timestamp, UserId, Username};

/// The sealed part of a room's row.
#[derive(Serialize, Deserialize)]
struct Profile {
    name: RoomName,
    creator: Option<Username>,
    created_at: i64,
    password_hash: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    slow_mode: u32,
    /// Seconds that messages stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    direct: Option<Box<[(UserId, Username); 2]>>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The sealed part of a membership.
#[derive(Serialize, Deserialize)]
struct Stored {
    name: Username,
    joined_at: i64,
    #[serde(default)]
    role: RoomRole,
}

/// Somebody who is in a room.
#[derive(Clone, Debug)]
pub struct Member {
    pub user: UserId,
    pub name: Username,
    pub joined_at: i64,
    pub role: RoomRole,
}

/// The lane of the writer that a room's writes go through.
pub fn lane(name: &RoomName) -> Lane {
    use std::hash::{DefaultHasher, Hash, Hasher};

    if *name == RoomName::public() {
        return Lane::People;
    }
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    Lane::Group(hasher.finish())
}

/// Stores a new room with a message key of its own. `Conflict` when the name is taken, or one that looks like it.
pub fn insert(tx: &mut Tx, room: &Room) -> Result<()> {
    let profile = seal_profile(tx, room)?;
    let name_blind = tx.blind(BlindColumn::RoomName, room.name.as_str())?;
    // Nobody mistakes a room of two for another one: it has no name that people read.
    let key_blind = match room.direct {
        Some(_) => None,
        None => Some(key_blind(tx, &room.name)?),
    };
    let inserted = diesel::insert_into(rooms::table)
        .values((
            rooms::id.eq(room.id.get()),
            rooms::name_blind.eq(name_blind),
            rooms::key_blind.eq(key_blind),
            rooms::profile.eq(profile),
            rooms::last_seq.eq(0),
            rooms::direct.eq(room.direct.is_some()),
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

fn key_blind(reader: &mut Reader, name: &RoomName) -> Result<Vec<u8>> {
    reader.blind(BlindColumn::RoomKey, NameKey::of_room(name).as_str())
}

/// Whether there is a room of this name, or of one that looks like it.
pub fn is_taken(reader: &mut Reader, name: &RoomName) -> Result<bool> {
    let key_blind = key_blind(reader, name)?;
    let found = rooms::table.filter(rooms::key_blind.eq(key_blind)).select(rooms::id);
    Ok(found.first::<i64>(reader.connection).optional()?.is_some() || find(reader, name)?.is_some())
}

/// Makes the keys of all rooms anew. Of rooms that look alike, from before there were keys, the oldest has it.
pub(super) fn renew_keys(tx: &mut Tx) -> Result<()> {
    let groups = rooms::table.filter(rooms::direct.eq(false)).select((rooms::id, rooms::profile));
    let rows: Vec<(i64, String)> = groups.load(tx.reader.connection)?;
    let mut all = rows.into_iter().map(|(id, profile)| open_room(tx, id, profile)).collect::<Result<Vec<_>>>()?;
    all.sort_by_key(|room| (room.created_at, room.id));
    diesel::update(rooms::table).set(rooms::key_blind.eq(None::<Vec<u8>>)).execute(tx.reader.connection)?;
    let mut taken = std::collections::HashSet::new();
    for room in all {
        let key = key_blind(tx, &room.name)?;
        if taken.insert(key.clone()) {
            diesel::update(rooms::table.find(room.id.get()))
                .set(rooms::key_blind.eq(key))
                .execute(tx.reader.connection)?;
        }
    }
    Ok(())
}

/// The public room, made at the first start.
pub(super) fn ensure_public(tx: &mut Tx, now: Timestamp) -> Result<()> {
    if find(tx, &RoomName::public())?.is_some() {
        return Ok(());
    }
    let room = Room {
        id: RoomId::PUBLIC,
        name: RoomName::public(),
        creator: None,
        created_at: now,
        password_hash: None,
        slow_mode: 0,
        keep: None,
        direct: None,
    };
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
    let name_blind = reader.blind(BlindColumn::RoomName, name.as_str())?;
    let row: Option<(i64, String)> = rooms::table
        .filter(rooms::name_blind.eq(name_blind))
        .select((rooms::id, rooms::profile))
        .first(reader.connection)
        .optional()?;
    row.map(|(id, profile)| open_room(reader, id, profile)).transpose()
}

pub fn by_id(reader: &mut Reader, id: RoomId) -> Result<Option<Room>> {
    let profile: Option<String> =
        rooms::table.find(id.get()).select(rooms::profile).first(reader.connection).optional()?;
    profile.map(|profile| open_room(reader, id.get(), profile)).transpose()
}

/// Stores what has changed of a room: all but its name.
pub fn update(tx: &mut Tx, room: &Room) -> Result<()> {
    let profile = seal_profile(tx, room)?;
    diesel::update(rooms::table.find(room.id.get())).set(rooms::profile.eq(profile)).execute(tx.reader.connection)?;
    Ok(())
}

fn seal_profile(tx: &mut Tx, room: &Room) -> Result<String> {
    let profile = Profile {
        name: room.name.clone(),
        creator: room.creator.clone(),
        created_at: room.created_at.micros(),
        password_hash: room.password_hash.clone(),
        slow_mode: room.slow_mode,
        keep: room.keep.map(|keep| keep.as_secs()),
        direct: room.direct.clone(),
    };
    tx.seal_json(profile_place(&id_bytes(room.id)), &profile)
}

/// The name of the room of two people: the same whoever asks, and nobody else can tell it.
pub fn direct_name(reader: &mut Reader, one: UserId, other: UserId) -> Result<RoomName> {
    let (first, second) = (one.min(other), one.max(other));
    let hash = reader.vault.name_of("rooms.direct", &format!("{first} {second}")).map_err(Error::Internal)?;
    let digits: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(RoomName::direct(&digits))
}

/// As [`every`], in the order of their making, with the number of members and of messages.
pub fn all(reader: &mut Reader) -> Result<Vec<(Room, i64, i64)>> {
    use diesel::dsl::count_star;

    use super::schema::messages;

    let mut all = Vec::new();
    for room in every(reader)? {
        let id = room.id.get();
        let members =
            memberships::table.filter(memberships::room_id.eq(id)).select(count_star()).first(reader.connection)?;
        let written = messages::table.filter(messages::room_id.eq(id)).select(count_star()).first(reader.connection)?;
        all.push((room, members, written));
    }
    all.sort_by_key(|(room, _, _)| (room.created_at, room.id));
    Ok(all)
}

/// All rooms, the public one and those of two people too.
pub fn every(reader: &mut Reader) -> Result<Vec<Room>> {
    let rows: Vec<(i64, String)> = rooms::table.select((rooms::id, rooms::profile)).load(reader.connection)?;
    rows.into_iter().map(|(id, profile)| open_room(reader, id, profile)).collect()
}

/// The position of a room's newest message, deleted ones counted too; 0 where there was none.
pub fn last_seq(reader: &mut Reader, room: RoomId) -> Result<i64> {
    Ok(rooms::table.find(room.get()).select(rooms::last_seq).first(reader.connection)?)
}

/// As [`last_seq`], of all rooms.
pub fn last_seqs(reader: &mut Reader) -> Result<std::collections::HashMap<RoomId, i64>> {
    let rows: Vec<(i64, i64)> = rooms::table.select((rooms::id, rooms::last_seq)).load(reader.connection)?;
    Ok(rows.into_iter().map(|(room, seq)| (RoomId::from_stored(room), seq)).collect())
}

/// The names of all groups, in the order of their creation. The public room is none.
pub fn group_names(reader: &mut Reader) -> Result<Vec<RoomName>> {
    let groups = rooms::table.filter(rooms::id.ne(RoomId::PUBLIC.get()).and(rooms::direct.eq(false)));
    let ids: Vec<i64> = groups.select(rooms::id).load(reader.connection)?;
    let ids: Vec<_> = ids.into_iter().map(RoomId::from_stored).collect();
    let unknown: Vec<_> = {
        let known = reader.vault.room_names.read().expect("names lock");
        ids.iter().copied().filter(|id| !known.contains_key(id)).collect()
    };
    for id in unknown {
        if let Some(room) = by_id(reader, id)? {
            let mut known = reader.vault.room_names.write().expect("names lock");
            known.insert(id, (room.created_at, room.name));
        }
    }
    let known = reader.vault.room_names.read().expect("names lock");
    let mut groups: Vec<_> = ids.iter().filter_map(|id| Some((&known.get(id)?.0, id, &known.get(id)?.1))).collect();
    groups.sort();
    Ok(groups.into_iter().map(|(_, _, name)| name.clone()).collect())
}

/// What the person is in the room; `None` for who is no member.
pub fn membership(reader: &mut Reader, room: RoomId, user: UserId) -> Result<Option<Member>> {
    let sealed: Option<String> = memberships::table
        .find((room.get(), user.as_bytes()))
        .select(memberships::member)
        .first(reader.connection)
        .optional()?;
    sealed.map(|sealed| open_member(reader, room, user.as_bytes(), sealed)).transpose()
}

/// How many groups the person is a member of.
pub fn count_of(reader: &mut Reader, user: UserId) -> Result<i64> {
    let count = memberships::table.filter(memberships::user_id.eq(user.as_bytes())).count();
    Ok(count.get_result(reader.connection)?)
}

/// How many members a room has.
pub fn member_count(reader: &mut Reader, room: RoomId) -> Result<usize> {
    let count: i64 =
        memberships::table.filter(memberships::room_id.eq(room.get())).count().get_result(reader.connection)?;
    Ok(count as usize)
}

/// The rooms that the person is a member of.
pub fn of_member(reader: &mut Reader, user: UserId) -> Result<Vec<Room>> {
    let rows: Vec<(i64, String)> = memberships::table
        .inner_join(rooms::table)
        .filter(memberships::user_id.eq(user.as_bytes()))
        .select((rooms::id, rooms::profile))
        .load(reader.connection)?;
    rows.into_iter().map(|(id, profile)| open_room(reader, id, profile)).collect()
}

/// Makes the person a member; who is one already stays what they are.
pub fn add_member(
    tx: &mut Tx,
    room: RoomId,
    user: UserId,
    name: &Username,
    at: Timestamp,
    role: RoomRole,
) -> Result<()> {
    if membership(tx, room, user)?.is_some() {
        return Ok(());
    }
    insert_member(tx, room, &Member { user, name: name.clone(), joined_at: at.micros(), role })
}

/// Changes what a member is.
pub fn set_room_role(tx: &mut Tx, room: RoomId, member: &Member, role: RoomRole) -> Result<()> {
    remove_member(tx, room, member.user)?;
    insert_member(tx, room, &Member { role, ..member.clone() })
}

fn insert_member(tx: &mut Tx, room: RoomId, member: &Member) -> Result<()> {
    let stored = Stored { name: member.name.clone(), joined_at: member.joined_at, role: member.role };
    let sealed = tx.seal_json(member_place(room, member.user.as_bytes()), &stored)?;
    diesel::insert_into(memberships::table)
        .values((
            memberships::room_id.eq(room.get()),
            memberships::user_id.eq(member.user.as_bytes()),
            memberships::member.eq(sealed),
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
pub fn members(reader: &mut Reader, room: RoomId) -> Result<Vec<Member>> {
    let rows: Vec<(Vec<u8>, String)> = memberships::table
        .filter(memberships::room_id.eq(room.get()))
        .select((memberships::user_id, memberships::member))
        .load(reader.connection)?;
    let mut members =
        rows.into_iter().map(|(user, sealed)| open_member(reader, room, &user, sealed)).collect::<Result<Vec<_>>>()?;
    members.sort_by_key(|member| member.joined_at);
    Ok(members)
}

fn open_member(reader: &mut Reader, room: RoomId, user: &[u8], sealed: String) -> Result<Member> {
    let stored: Stored = reader.open_json(member_place(room, user), sealed)?;
    Ok(Member { user: stored_user(user)?, name: stored.name, joined_at: stored.joined_at, role: stored.role })
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
        slow_mode: profile.slow_mode,
        keep: profile.keep.map(std::time::Duration::from_secs),
        direct: profile.direct,
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
