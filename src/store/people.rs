//! People at rest.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::schema::users::dsl;
use super::statements::CountMessage;
use super::{Column, Place, Reader, Tx};
use crate::error::{Error, Result};
use crate::types::{PublicKey, Timestamp, User, UserId, Username};

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
    let name_blind = tx.blind("users.name", user.name.as_str())?;
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

/// One more message of this person.
pub fn count_message(tx: &mut Tx, user: UserId, at: Timestamp) -> Result<()> {
    let last_active = tx.seal_json(place(Column::UserLastActive, user.as_bytes()), &at.micros())?;
    CountMessage { user: user.as_bytes(), last_active: &last_active }.execute(tx.reader.connection)?;
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

fn place(column: Column, row: &[u8]) -> Place<'_> {
    Place { column, room: None, row }
}

pub(super) fn timestamp(micros: i64) -> Result<Timestamp> {
    Timestamp::from_micros(micros).ok_or_else(|| Error::Internal(anyhow::anyhow!("a stored time is out of range")))
}
