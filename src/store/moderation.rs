//! Mutes and bans at rest.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::schema::{address_bans, sanctions};
use super::{BlindColumn, Column, Place, Reader, Tx};
use crate::error::Result;
use crate::types::{Identity, InviteId, Network, Reason, RoomId, Timestamp, Username};

/// Until when something holds, in microseconds since 1970-01-01 UTC; `FOR_EVER` has no end.
pub type Until = i64;
pub const FOR_EVER: Until = i64::MAX;

/// What a person may not do, on the whole server or in a room: the sealed part of a row.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Sanction {
    /// `None`: not muted.
    pub muted_until: Option<Until>,
    /// `None`: not banned.
    pub banned_until: Option<Until>,
    pub name: Option<Username>,
    pub by: Option<Username>,
    #[serde(default)]
    pub reason: Reason,
}

impl Sanction {
    pub fn mutes(&self, now: Timestamp) -> bool {
        self.muted_until.is_some_and(|until| until > now.micros())
    }

    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.mutes(now) || self.bans(now)
    }

    pub fn bans(&self, now: Timestamp) -> bool {
        self.banned_until.is_some_and(|until| until > now.micros())
    }
}

/// A room's id in the table; the whole server is 0.
fn scope(room: Option<RoomId>) -> i64 {
    room.map_or(0, RoomId::get)
}

/// What holds for the person on the whole server, and in the room.
pub fn sanctions_of(
    reader: &mut Reader,
    person: &Identity,
    room: Option<RoomId>,
) -> Result<(Option<Sanction>, Option<Sanction>)> {
    let blind = reader.person(BlindColumn::Sanctioned, person)?;
    let rows: Vec<(i64, String)> = sanctions::table
        .filter(sanctions::person.eq(&blind).and(sanctions::room_id.eq_any([0, scope(room)])))
        .select((sanctions::room_id, sanctions::sanction))
        .load(reader.connection)?;
    let (mut server, mut own) = (None, None);
    for (id, sealed) in rows {
        let sanction = reader.open_json(sanction_place(id, &blind), sealed)?;
        match id {
            0 => server = Some(sanction),
            _ => own = Some(sanction),
        }
    }
    Ok((server, own))
}

pub fn set_sanction(tx: &mut Tx, person: &Identity, room: Option<RoomId>, sanction: &Sanction) -> Result<()> {
    let blind = tx.person(BlindColumn::Sanctioned, person)?;
    let id = scope(room);
    diesel::delete(sanctions::table.find((id, &blind))).execute(tx.reader.connection)?;
    if sanction.muted_until.is_none() && sanction.banned_until.is_none() {
        return Ok(());
    }
    let sealed = tx.seal_json(sanction_place(id, &blind), sanction)?;
    diesel::insert_into(sanctions::table)
        .values((sanctions::room_id.eq(id), sanctions::person.eq(&blind), sanctions::sanction.eq(sealed)))
        .execute(tx.reader.connection)?;
    Ok(())
}

/// Gives a mute or ban another blind index. The room 0 is the server.
pub(super) fn rename(tx: &mut Tx, room: i64, person: &[u8], new: &[u8]) -> Result<()> {
    let row = sanctions::table.find((room, person));
    let sealed: Option<String> = row.select(sanctions::sanction).first(tx.reader.connection).optional()?;
    let Some(sealed) = sealed else { return Ok(()) };
    let sanction: Sanction = tx.open_json(sanction_place(room, person), sealed)?;
    let sealed = tx.seal_json(sanction_place(room, new), &sanction)?;
    diesel::update(row)
        .set((sanctions::person.eq(new), sanctions::sanction.eq(sealed)))
        .execute(tx.reader.connection)?;
    Ok(())
}

/// Those who are called in mutes and bans.
pub(super) fn names(reader: &mut Reader) -> Result<Vec<Username>> {
    Ok(all_sanctions(reader)?.into_iter().filter_map(|row| row.sanction.name).collect())
}

/// A network that may not come in: the sealed part of a row.
#[derive(Clone, Serialize, Deserialize)]
pub struct AddressBan {
    pub network: Network,
    pub until: Until,
}

pub fn ban_address(tx: &mut Tx, person: &Identity, ban: &AddressBan) -> Result<()> {
    let id = InviteId::random();
    let sealed = tx.seal_json(address_place(id.as_bytes()), ban)?;
    let person = tx.person(BlindColumn::AddressBanned, person)?;
    diesel::insert_into(address_bans::table)
        .values((address_bans::id.eq(id.as_bytes()), address_bans::person.eq(person), address_bans::ban.eq(sealed)))
        .execute(tx.reader.connection)?;
    Ok(())
}

/// Lifts what the person's ban brought.
pub fn unban_addresses(tx: &mut Tx, person: &Identity) -> Result<()> {
    let person = tx.person(BlindColumn::AddressBanned, person)?;
    diesel::delete(address_bans::table.filter(address_bans::person.eq(person))).execute(tx.reader.connection)?;
    Ok(())
}

pub fn address_bans(reader: &mut Reader) -> Result<Vec<AddressBan>> {
    Ok(all_address_bans(reader)?.into_iter().map(|(_, ban)| ban).collect())
}

fn all_address_bans(reader: &mut Reader) -> Result<Vec<(Vec<u8>, AddressBan)>> {
    let rows: Vec<(Vec<u8>, String)> =
        address_bans::table.select((address_bans::id, address_bans::ban)).load(reader.connection)?;
    rows.into_iter()
        .map(|(id, sealed)| {
            let ban = reader.open_json(address_place(&id), sealed)?;
            Ok((id, ban))
        })
        .collect()
}

/// A row of the table, opened.
struct Row {
    /// 0: the server.
    room: i64,
    person: Vec<u8>,
    sealed: String,
    sanction: Sanction,
}

fn all_sanctions(reader: &mut Reader) -> Result<Vec<Row>> {
    let rows: Vec<(i64, Vec<u8>, String)> = sanctions::table
        .select((sanctions::room_id, sanctions::person, sanctions::sanction))
        .load(reader.connection)?;
    rows.into_iter()
        .map(|(room, person, sealed)| {
            let sanction = reader.open_json(sanction_place(room, &person), sealed.clone())?;
            Ok(Row { room, person, sealed, sanction })
        })
        .collect()
}

/// Mutes and bans of one room, or of the whole server, that are in force.
pub fn sanctions_in(reader: &mut Reader, room: Option<RoomId>, now: Timestamp) -> Result<Vec<Sanction>> {
    let there = all_sanctions(reader)?.into_iter().filter(|row| row.room == scope(room));
    Ok(there.map(|row| row.sanction).filter(|sanction| sanction.is_in_force(now)).collect())
}

/// Whether there is something for [`forget_expired`] to do.
pub fn any_expired(reader: &mut Reader, now: Timestamp) -> Result<bool> {
    let sanction = all_sanctions(reader)?.iter().any(|row| !row.sanction.is_in_force(now));
    Ok(sanction || all_address_bans(reader)?.iter().any(|(_, ban)| ban.until <= now.micros()))
}

/// Removes what holds no longer.
pub fn forget_expired(tx: &mut Tx, now: Timestamp) -> Result<()> {
    for row in all_sanctions(tx)?.into_iter().filter(|row| !row.sanction.is_in_force(now)) {
        // Whoever was banned anew meanwhile stays banned.
        let same = sanctions::table.find((row.room, &row.person)).filter(sanctions::sanction.eq(&row.sealed));
        diesel::delete(same).execute(tx.reader.connection)?;
    }
    for (id, ban) in all_address_bans(tx)? {
        if ban.until <= now.micros() {
            diesel::delete(address_bans::table.find(&id)).execute(tx.reader.connection)?;
        }
    }
    Ok(())
}

fn address_place(row: &[u8]) -> Place<'_> {
    Place { column: Column::AddressBan, room: None, row }
}

fn sanction_place(room: i64, person: &[u8]) -> Place<'_> {
    Place { column: Column::Sanction, room: Some(RoomId::from_stored(room)), row: person }
}
