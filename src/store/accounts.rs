//! Accounts at rest.

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use serde::{Deserialize, Serialize};

use super::people::stored_user;
use super::schema::accounts;
use super::{BlindColumn, Column, Place, Reader, Tx, state};
use crate::error::{Error, Result};
use crate::types::{NameKey, Role, UserId, Username};

/// An account: the sealed part of its row.
#[derive(Clone, Serialize, Deserialize)]
pub struct Account {
    pub name: Username,
    pub role: Role,
    /// In Werkzeug's spelling.
    pub password_hash: String,
    #[serde(default)]
    pub disabled: bool,
    /// Microseconds since 1970-01-01 UTC.
    pub created_at: i64,
    #[serde(default)]
    pub second_factor: Option<SecondFactor>,
}

/// TOTP (RFC 6238) and the codes for who has lost the device.
#[derive(Clone, Serialize, Deserialize)]
pub struct SecondFactor {
    /// In base32, as authenticator apps take it.
    pub secret: String,
    /// Whether the person has shown that their app has the secret. Before that it is not asked for.
    pub confirmed: bool,
    /// The last step that was used: no step is good twice.
    pub last_step: u64,
    /// Keyed hashes of the codes that are left.
    pub recovery_codes: Vec<String>,
}

impl Account {
    pub fn has_second_factor(&self) -> bool {
        self.second_factor.as_ref().is_some_and(|factor| factor.confirmed)
    }
}

/// `Conflict` when an account has this name, or one that looks like it.
pub fn insert(tx: &mut Tx, user: UserId, account: &Account) -> Result<()> {
    let key_blind = tx.blind(BlindColumn::AccountKey, NameKey::of(&account.name).as_str())?;
    let sealed = tx.seal_json(place(user.as_bytes()), account)?;
    let inserted = diesel::insert_into(accounts::table)
        .values((
            accounts::user_id.eq(user.as_bytes()),
            accounts::key_blind.eq(key_blind),
            accounts::account.eq(sealed),
        ))
        .execute(tx.reader.connection);
    match inserted {
        Err(DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => Err(name_taken()),
        Err(error) => Err(error.into()),
        Ok(_) => state::touch(tx, state::NAMES),
    }
}

/// Makes the keys of all accounts' names anew. Where two have come to look alike, the younger one is still found by its old
/// key, and is named in the log.
pub(super) fn renew_keys(tx: &mut Tx) -> Result<()> {
    for (user, account) in all(tx)? {
        let key_blind = tx.blind(BlindColumn::AccountKey, NameKey::of(&account.name).as_str())?;
        let other = accounts::table.filter(accounts::key_blind.eq(&key_blind)).select(accounts::user_id);
        match other.first::<Vec<u8>>(tx.reader.connection).optional()? {
            Some(other) if other != user.as_bytes() => {
                tracing::warn!(account = %user, "the name of this account looks like another one's by the newest rules");
            }
            _ => {
                diesel::update(accounts::table.find(user.as_bytes()))
                    .set(accounts::key_blind.eq(key_blind))
                    .execute(tx.reader.connection)?;
            }
        }
    }
    Ok(())
}

pub fn name_taken() -> Error {
    Error::Conflict("Somebody has this name already, or one that looks like it.".into())
}

pub fn update(tx: &mut Tx, user: UserId, account: &Account) -> Result<()> {
    let sealed = tx.seal_json(place(user.as_bytes()), account)?;
    diesel::update(accounts::table.find(user.as_bytes()))
        .set(accounts::account.eq(sealed))
        .execute(tx.reader.connection)?;
    Ok(())
}

/// The account whose name looks like that.
pub fn find(reader: &mut Reader, key: &NameKey) -> Result<Option<(UserId, Account)>> {
    let key_blind = reader.blind(BlindColumn::AccountKey, key.as_str())?;
    let row: Option<(Vec<u8>, String)> = accounts::table
        .filter(accounts::key_blind.eq(key_blind))
        .select((accounts::user_id, accounts::account))
        .first(reader.connection)
        .optional()?;
    row.map(|(user, sealed)| open(reader, &user, sealed)).transpose()
}

/// `None` for a guest.
pub fn get(reader: &mut Reader, user: UserId) -> Result<Option<Account>> {
    let row: Option<String> =
        accounts::table.find(user.as_bytes()).select(accounts::account).first(reader.connection).optional()?;
    row.map(|sealed| Ok(open(reader, user.as_bytes(), sealed)?.1)).transpose()
}

/// All accounts, the oldest first.
pub fn all(reader: &mut Reader) -> Result<Vec<(UserId, Account)>> {
    let rows: Vec<(Vec<u8>, String)> =
        accounts::table.select((accounts::user_id, accounts::account)).load(reader.connection)?;
    let mut all = rows.into_iter().map(|(user, sealed)| open(reader, &user, sealed)).collect::<Result<Vec<_>>>()?;
    all.sort_by_key(|(_, account)| account.created_at);
    Ok(all)
}

fn open(reader: &mut Reader, user: &[u8], sealed: String) -> Result<(UserId, Account)> {
    let account = reader.open_json(place(user), sealed)?;
    Ok((stored_user(user)?, account))
}

fn place(row: &[u8]) -> Place<'_> {
    Place { column: Column::Account, room: None, row }
}
