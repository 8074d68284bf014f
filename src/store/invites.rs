//! Invitations at rest.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::schema::invites;
use super::{Column, Place, Reader, Tx};
use crate::error::{Error, Result};
use crate::types::{InviteId, Role, Username};

/// A link by which accounts can be made: the sealed part of its row.
#[derive(Clone, Serialize, Deserialize)]
pub struct Invite {
    pub role: Role,
    pub uses_left: u32,
    /// Microseconds since 1970-01-01 UTC.
    pub expires_at: i64,
    /// `None`: the server itself, at its first start.
    pub made_by: Option<Username>,
}

pub fn insert(tx: &mut Tx, id: InviteId, invite: &Invite, token_hash: &[u8]) -> Result<()> {
    let sealed = tx.seal_json(place(id.as_bytes()), invite)?;
    diesel::insert_into(invites::table)
        .values((invites::id.eq(id.as_bytes()), invites::token_hash.eq(token_hash), invites::invite.eq(sealed)))
        .execute(tx.reader.connection)?;
    Ok(())
}

pub fn update(tx: &mut Tx, id: InviteId, invite: &Invite) -> Result<()> {
    let sealed = tx.seal_json(place(id.as_bytes()), invite)?;
    diesel::update(invites::table.find(id.as_bytes())).set(invites::invite.eq(sealed)).execute(tx.reader.connection)?;
    Ok(())
}

/// Whether the invitation was there to take back.
pub fn delete(tx: &mut Tx, id: InviteId) -> Result<bool> {
    let removed = diesel::delete(invites::table.find(id.as_bytes())).execute(tx.reader.connection)?;
    Ok(removed > 0)
}

pub fn by_token(reader: &mut Reader, token_hash: &[u8]) -> Result<Option<(InviteId, Invite)>> {
    let row: Option<(Vec<u8>, String)> = invites::table
        .filter(invites::token_hash.eq(token_hash))
        .select((invites::id, invites::invite))
        .first(reader.connection)
        .optional()?;
    row.map(|row| open(reader, row)).transpose()
}

pub fn all(reader: &mut Reader) -> Result<Vec<(InviteId, Invite)>> {
    let rows: Vec<(Vec<u8>, String)> = invites::table.select((invites::id, invites::invite)).load(reader.connection)?;
    rows.into_iter().map(|row| open(reader, row)).collect()
}

fn open(reader: &mut Reader, (id, sealed): (Vec<u8>, String)) -> Result<(InviteId, Invite)> {
    let invite = reader.open_json(place(&id), sealed)?;
    Ok((
        InviteId::from_stored(&id)
            .ok_or_else(|| Error::Internal(anyhow::anyhow!("a stored id is not 16 bytes long")))?,
        invite,
    ))
}

fn place(row: &[u8]) -> Place<'_> {
    Place { column: Column::Invite, room: None, row }
}
