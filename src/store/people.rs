//! People at rest: guests and those with an account, what they have done, whom they have blocked, how they set their rooms.

use std::collections::HashSet;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::schema::users::dsl;
use super::schema::{blocks, room_preferences};
use super::statements::CountMessages;
use super::{BlindColumn, Column, Place, Reader, Tx};
use crate::error::{Error, Result};
use crate::types::{Identity, NameKey, PublicKey, RoomId, Timestamp, User, UserId, Username};

/// The sealed part of a row.
#[derive(Serialize, Deserialize)]
struct Profile {
    name: Username,
    public_key: Option<PublicKey>,
    joined_at: i64,
}

/// What a person has done so far.
pub struct Activity {
    pub message_count: i64,
    pub joined_at: Timestamp,
    pub last_active: Timestamp,
}

pub fn insert(tx: &mut Tx, user: &User) -> Result<()> {
    let id = user.id.as_bytes();
    let profile =
        Profile { name: user.name.clone(), public_key: user.public_key.clone(), joined_at: user.joined_at.micros() };
    let profile = tx.seal_json(place(Column::UserProfile, id), &profile)?;
    let last_active = tx.seal_json(place(Column::UserLastActive, id), &user.joined_at.micros())?;
    let name_blind = tx.blind(BlindColumn::UserName, user.name.as_str())?;
    diesel::insert_into(dsl::users)
        .values((
            dsl::id.eq(id),
            dsl::name_blind.eq(name_blind),
            dsl::profile.eq(profile),
            dsl::last_active.eq(last_active),
            dsl::message_count.eq(0),
        ))
        .execute(tx.reader.connection)?;
    Ok(())
}

/// More messages of this person, the last of them at that time.
pub(super) fn count_messages(tx: &mut Tx, user: UserId, count: i64, last: Timestamp) -> Result<()> {
    let last_active = tx.seal_json(place(Column::UserLastActive, user.as_bytes()), &last.micros())?;
    CountMessages { user: user.as_bytes(), count, last_active: &last_active }.execute(tx.reader.connection)?;
    Ok(())
}

pub fn activity(reader: &mut Reader, user: UserId) -> Result<Activity> {
    let id = user.as_bytes();
    let (profile, last_active, message_count): (String, String, i64) =
        dsl::users.find(id).select((dsl::profile, dsl::last_active, dsl::message_count)).first(reader.connection)?;
    let profile: Profile = reader.open_json(place(Column::UserProfile, id), profile)?;
    let last_active: i64 = reader.open_json(place(Column::UserLastActive, id), last_active)?;
    Ok(Activity { message_count, joined_at: timestamp(profile.joined_at)?, last_active: timestamp(last_active)? })
}

/// What somebody is called.
pub fn name(reader: &mut Reader, user: UserId) -> Result<Option<Username>> {
    let id = user.as_bytes();
    let profile: Option<String> = dsl::users.find(id).select(dsl::profile).first(reader.connection).optional()?;
    profile.map(|sealed| Ok(reader.open_json::<Profile>(place(Column::UserProfile, id), sealed)?.name)).transpose()
}

/// All who have ever been here.
pub fn all(reader: &mut Reader) -> Result<Vec<UserId>> {
    let ids: Vec<Vec<u8>> = dsl::users.select(dsl::id).load(reader.connection)?;
    ids.iter().map(|id| stored_user(id)).collect()
}

pub fn public_key(reader: &mut Reader, user: UserId) -> Result<Option<PublicKey>> {
    let id = user.as_bytes();
    let profile: String = dsl::users.find(id).select(dsl::profile).first(reader.connection)?;
    Ok(reader.open_json::<Profile>(place(Column::UserProfile, id), profile)?.public_key)
}

/// Whether somebody has ever been here under exactly this name.
pub fn was_here(reader: &mut Reader, name: &Username) -> Result<bool> {
    let name_blind = reader.blind(BlindColumn::UserName, name.as_str())?;
    let found =
        dsl::users.filter(dsl::name_blind.eq(name_blind)).select(dsl::message_count).first::<i64>(reader.connection);
    Ok(found.optional()?.is_some())
}

/// Somebody whom a person has blocked.
#[derive(Clone, Serialize, Deserialize)]
pub struct Block {
    pub name: Username,
    /// `None`: a guest, who is no more than their name.
    pub account: Option<UserId>,
}

impl Block {
    pub fn identity(&self) -> Identity {
        match self.account {
            Some(user) => Identity::Account(user),
            None => Identity::Guest(NameKey::of(&self.name)),
        }
    }
}

/// Blocks somebody; who is blocked already stays so.
pub fn block(tx: &mut Tx, user: UserId, block: &Block) -> Result<()> {
    unblock(tx, user, &block.identity())?;
    let person = tx.person(BlindColumn::Blocked, &block.identity())?;
    let row = [user.as_bytes(), &person[..]].concat();
    let sealed = tx.seal_json(place(Column::Block, &row), block)?;
    diesel::insert_into(blocks::table)
        .values((blocks::user_id.eq(user.as_bytes()), blocks::person.eq(&person), blocks::block.eq(sealed)))
        .execute(tx.reader.connection)?;
    Ok(())
}

/// Whether there was a block to lift.
pub fn unblock(tx: &mut Tx, user: UserId, whom: &Identity) -> Result<bool> {
    let person = tx.person(BlindColumn::Blocked, whom)?;
    let removed = diesel::delete(blocks::table.find((user.as_bytes(), person))).execute(tx.reader.connection)?;
    Ok(removed > 0)
}

pub fn blocks(reader: &mut Reader, user: UserId) -> Result<Vec<Block>> {
    let rows: Vec<(Vec<u8>, String)> = blocks::table
        .filter(blocks::user_id.eq(user.as_bytes()))
        .select((blocks::person, blocks::block))
        .load(reader.connection)?;
    rows.into_iter()
        .map(|(person, sealed)| {
            let row = [user.as_bytes(), &person[..]].concat();
            reader.open_json(place(Column::Block, &row), sealed)
        })
        .collect()
}

/// Gives a block another blind index.
pub(super) fn rename_block(tx: &mut Tx, user: &[u8], person: &[u8], new: &[u8]) -> Result<()> {
    let row = blocks::table.find((user, person));
    let sealed: Option<String> = row.select(blocks::block).first(tx.reader.connection).optional()?;
    let Some(sealed) = sealed else { return Ok(()) };
    let block: Block = tx.open_json(place(Column::Block, &[user, person].concat()), sealed)?;
    let sealed = tx.seal_json(place(Column::Block, &[user, new].concat()), &block)?;
    diesel::update(row).set((blocks::person.eq(new), blocks::block.eq(sealed))).execute(tx.reader.connection)?;
    Ok(())
}

/// Everybody who is blocked by anybody.
pub(super) fn blocked(reader: &mut Reader) -> Result<Vec<Identity>> {
    let users: Vec<Vec<u8>> = blocks::table.select(blocks::user_id).distinct().load(reader.connection)?;
    let mut blocked = Vec::new();
    for user in users {
        blocked.extend(self::blocks(reader, stored_user(&user)?)?.into_iter().map(|block| block.identity()));
    }
    Ok(blocked)
}

/// Those who have blocked somebody.
pub fn blocked_by(reader: &mut Reader, whom: &Identity) -> Result<HashSet<UserId>> {
    let person = reader.person(BlindColumn::Blocked, whom)?;
    let rows: Vec<Vec<u8>> =
        blocks::table.filter(blocks::person.eq(person)).select(blocks::user_id).load(reader.connection)?;
    rows.iter().map(|user| stored_user(user)).collect()
}

/// How a person has set a room for themselves.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub struct RoomPreferences {
    pub muted: bool,
}

pub fn set_preferences(tx: &mut Tx, user: UserId, room: RoomId, preferences: RoomPreferences) -> Result<()> {
    let key = (user.as_bytes(), room.get());
    diesel::delete(room_preferences::table.find(key)).execute(tx.reader.connection)?;
    let sealed = tx.seal_json(preferences_place(room, user.as_bytes()), &preferences)?;
    diesel::insert_into(room_preferences::table)
        .values((
            room_preferences::user_id.eq(user.as_bytes()),
            room_preferences::room_id.eq(room.get()),
            room_preferences::preferences.eq(sealed),
        ))
        .execute(tx.reader.connection)?;
    Ok(())
}

/// The rooms that the person has set in any way.
pub fn preferences(reader: &mut Reader, user: UserId) -> Result<Vec<(RoomId, RoomPreferences)>> {
    let rows: Vec<(i64, String)> = room_preferences::table
        .filter(room_preferences::user_id.eq(user.as_bytes()))
        .select((room_preferences::room_id, room_preferences::preferences))
        .load(reader.connection)?;
    rows.into_iter()
        .map(|(room, sealed)| {
            let room = RoomId::from_stored(room);
            Ok((room, reader.open_json(preferences_place(room, user.as_bytes()), sealed)?))
        })
        .collect()
}

fn preferences_place(room: RoomId, user: &[u8]) -> Place<'_> {
    Place { column: Column::RoomPreferences, room: Some(room), row: user }
}

fn place(column: Column, row: &[u8]) -> Place<'_> {
    Place { column, room: None, row }
}

pub(super) fn stored_user(bytes: &[u8]) -> Result<UserId> {
    UserId::from_stored(bytes).ok_or_else(|| Error::Internal(anyhow::anyhow!("a stored user id is not 16 bytes long")))
}

/// A stored time.
pub fn timestamp(micros: i64) -> Result<Timestamp> {
    Timestamp::from_micros(micros).ok_or_else(|| Error::Internal(anyhow::anyhow!("a stored time is out of range")))
}
