//! Tickets at rest: what a connection leaves behind, so that its page is found again after a lost network or a restart.

use std::collections::BTreeMap;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::schema::tickets;
use super::{Column, Place, Reader, Tx};
use crate::error::{Error, Result};
use crate::types::{Identity, TicketId, TicketKey, UserId, Username};

/// The sealed part of a row. Times are in microseconds since 1970-01-01 UTC.
#[derive(Clone, Serialize, Deserialize)]
pub struct Ticket {
    pub user: UserId,
    pub name: Username,
    /// Whether an account stands behind the name.
    pub account: bool,
    /// The run of the server that the connection belongs to.
    pub run: Uuid,
    /// The rooms that it hears, and the last message that it got there; `None` while it is connected.
    pub rooms: BTreeMap<i64, Option<i64>>,
    pub at: i64,
    /// Whether the connection is lost. One of an earlier run is, too.
    pub lost: bool,
}

impl Ticket {
    pub fn identity(&self) -> Identity {
        match self.account {
            true => Identity::Account(self.user),
            false => Identity::guest(&self.name),
        }
    }

    /// Whether it would bring a page to the same place: then it does not matter whose it is.
    pub fn leads_where(&self, other: &Self) -> bool {
        (&self.name, self.account, &self.rooms) == (&other.name, other.account, &other.rooms)
    }
}

pub fn set(tx: &mut Tx, key: TicketKey, ticket: &Ticket) -> Result<()> {
    delete(tx, key.id)?;
    let sealed = tx.seal_json(place(key.id.as_bytes()), ticket)?;
    diesel::insert_into(tickets::table)
        .values((tickets::id.eq(key.id.as_bytes()), tickets::owner.eq(&key.owner[..]), tickets::ticket.eq(sealed)))
        .execute(tx.reader.connection)?;
    Ok(())
}

/// Whether it was there.
pub fn delete(tx: &mut Tx, id: TicketId) -> Result<bool> {
    Ok(diesel::delete(tickets::table.find(id.as_bytes())).execute(tx.reader.connection)? > 0)
}

/// The tickets of a session or of a browser, the newest first.
pub fn of_owner(reader: &mut Reader, owner: &[u8]) -> Result<Vec<(TicketId, Ticket)>> {
    let rows = tickets::table
        .filter(tickets::owner.eq(owner))
        .select((tickets::id, tickets::ticket))
        .load(reader.connection)?;
    let mut found = open(reader, rows)?;
    found.sort_by_key(|(_, ticket)| std::cmp::Reverse(ticket.at));
    Ok(found)
}

pub fn all(reader: &mut Reader) -> Result<Vec<(TicketId, Ticket)>> {
    let rows = tickets::table.select((tickets::id, tickets::ticket)).load(reader.connection)?;
    open(reader, rows)
}

fn open(reader: &mut Reader, rows: Vec<(Vec<u8>, String)>) -> Result<Vec<(TicketId, Ticket)>> {
    rows.into_iter()
        .map(|(id, sealed)| {
            let ticket = reader.open_json(place(&id), sealed)?;
            let id = TicketId::from_stored(&id)
                .ok_or_else(|| Error::Internal(anyhow::anyhow!("a stored ticket id is not 16 bytes long")))?;
            Ok((id, ticket))
        })
        .collect()
}

fn place(row: &[u8]) -> Place<'_> {
    Place { column: Column::Ticket, room: None, row }
}
