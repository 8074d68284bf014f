//! What accounts want to be told of, the browsers that are told, and the key that it is told under, at rest.

use std::collections::{BTreeMap, HashMap};

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::people::stored_user;
use super::schema::{notification_settings, push_subscriptions};
use super::{BlindColumn, Column, Place, Reader, Tx, sessions, state};
use crate::error::Result;
use crate::types::{Endpoint, QuietHours, RoomId, SessionId, UserId, Worth};

/// How an account has set it.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    pub default: Worth,
    /// Rooms that are set in another way, by their ids.
    pub rooms: BTreeMap<i64, Worth>,
    pub quiet_hours: Option<QuietHours>,
}

impl Settings {
    pub fn of_room(&self, room: RoomId) -> Worth {
        self.rooms.get(&room.get()).copied().unwrap_or(self.default)
    }
}

pub fn settings(reader: &mut Reader, user: UserId) -> Result<Settings> {
    let row = notification_settings::table.find(user.as_bytes()).select(notification_settings::settings);
    let sealed: Option<String> = row.first(reader.connection).optional()?;
    let settings = sealed.map(|sealed| reader.open_json(settings_place(user.as_bytes()), sealed)).transpose()?;
    Ok(settings.unwrap_or_default())
}

pub fn set_settings(tx: &mut Tx, user: UserId, settings: &Settings) -> Result<()> {
    let sealed = tx.seal_json(settings_place(user.as_bytes()), settings)?;
    diesel::delete(notification_settings::table.find(user.as_bytes())).execute(tx.reader.connection)?;
    diesel::insert_into(notification_settings::table)
        .values((notification_settings::user_id.eq(user.as_bytes()), notification_settings::settings.eq(sealed)))
        .execute(tx.reader.connection)?;
    Ok(())
}

/// Everybody who has a browser that is told, and how they have set it.
pub fn subscribed(reader: &mut Reader) -> Result<HashMap<UserId, Settings>> {
    let users: Vec<Vec<u8>> =
        push_subscriptions::table.select(push_subscriptions::user_id).distinct().load(reader.connection)?;
    let mut subscribed: HashMap<UserId, Settings> = HashMap::with_capacity(users.len());
    for user in &users {
        subscribed.insert(stored_user(user)?, Settings::default());
    }
    if subscribed.is_empty() {
        return Ok(subscribed);
    }
    let rows: Vec<(Vec<u8>, String)> = notification_settings::table
        .select((notification_settings::user_id, notification_settings::settings))
        .load(reader.connection)?;
    for (user, sealed) in rows {
        if let Some(settings) = subscribed.get_mut(&stored_user(&user)?) {
            *settings = reader.open_json(settings_place(&user), sealed)?;
        }
    }
    Ok(subscribed)
}

/// The sealed part of a subscription.
#[derive(Serialize, Deserialize)]
struct Stored {
    endpoint: Endpoint,
    /// In which it was made: who is signed out of a browser is told nothing more there.
    session: Option<SessionId>,
    /// Microseconds since 1970-01-01 UTC.
    at: i64,
}

/// A browser that is told.
pub struct Subscription {
    pub id: Vec<u8>,
    pub endpoint: Endpoint,
    at: i64,
    /// Whether the person is still signed in there.
    pub signed_in: bool,
}

/// An account's subscriptions, the oldest first.
pub fn subscriptions(reader: &mut Reader, user: UserId) -> Result<Vec<Subscription>> {
    let rows: Vec<(Vec<u8>, String)> = push_subscriptions::table
        .filter(push_subscriptions::user_id.eq(user.as_bytes()))
        .select((push_subscriptions::id, push_subscriptions::subscription))
        .load(reader.connection)?;
    let mut found = Vec::with_capacity(rows.len());
    for (id, sealed) in rows {
        let Stored { endpoint, session, at } = reader.open_json(subscription_place(&id), sealed)?;
        let signed_in = session.map_or(Ok(true), |session| sessions::exists(reader, session))?;
        found.push(Subscription { id, endpoint, at, signed_in });
    }
    found.sort_by_key(|subscription| subscription.at);
    Ok(found)
}

/// Stores a subscription. A browser is told for one account: for the one that was there last.
pub fn subscribe(tx: &mut Tx, user: UserId, session: Option<SessionId>, endpoint: Endpoint, at: i64) -> Result<()> {
    let id = tx.blind(BlindColumn::PushEndpoint, endpoint.as_str())?;
    unsubscribe(tx, &id)?;
    let sealed = tx.seal_json(subscription_place(&id), &Stored { endpoint, session, at })?;
    diesel::insert_into(push_subscriptions::table)
        .values((
            push_subscriptions::id.eq(id),
            push_subscriptions::user_id.eq(user.as_bytes()),
            push_subscriptions::subscription.eq(sealed),
        ))
        .execute(tx.reader.connection)?;
    Ok(())
}

pub fn unsubscribe(tx: &mut Tx, id: &[u8]) -> Result<()> {
    diesel::delete(push_subscriptions::table.find(id)).execute(tx.reader.connection)?;
    Ok(())
}

/// Where a subscription's messages go.
pub(super) fn endpoint(reader: &mut Reader, id: &[u8]) -> Result<Option<Endpoint>> {
    Ok(stored(reader, id)?.map(|stored| stored.endpoint))
}

/// Gives a subscription another blind index.
pub(super) fn rename(tx: &mut Tx, id: &[u8], new: &[u8]) -> Result<()> {
    let Some(stored) = stored(tx, id)? else { return Ok(()) };
    let sealed = tx.seal_json(subscription_place(new), &stored)?;
    diesel::update(push_subscriptions::table.find(id))
        .set((push_subscriptions::id.eq(new), push_subscriptions::subscription.eq(sealed)))
        .execute(tx.reader.connection)?;
    Ok(())
}

fn stored(reader: &mut Reader, id: &[u8]) -> Result<Option<Stored>> {
    let row = push_subscriptions::table.find(id).select(push_subscriptions::subscription);
    let sealed: Option<String> = row.first(reader.connection).optional()?;
    sealed.map(|sealed| reader.open_json(subscription_place(id), sealed)).transpose()
}

/// The key of the installation, as `push::vapid` writes it.
pub fn key(reader: &mut Reader) -> Result<Option<Zeroizing<String>>> {
    Ok(state::get(reader, state::PUSH_KEY)?.map(Zeroizing::new))
}

pub fn set_key(tx: &mut Tx, key: &str) -> Result<()> {
    state::touch(tx, state::PUSH_KEY)?;
    state::set(tx, state::PUSH_KEY, &key)
}

fn settings_place(row: &[u8]) -> Place<'_> {
    Place { column: Column::NotificationSettings, room: None, row }
}

fn subscription_place(row: &[u8]) -> Place<'_> {
    Place { column: Column::PushSubscription, room: None, row }
}
