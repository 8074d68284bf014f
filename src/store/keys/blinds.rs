//! Blind indexes while their key changes: which of two a row has, which rows still have an old one, and new ones for them.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;

use super::super::place::BlindColumn;
use super::super::schema::{
    accounts, address_bans, attachments, blocks, client_ids, push_subscriptions, reactions, rooms, sanctions, users,
};
use super::super::{self as store, Reader, Tx, person_text};
use crate::error::Result;
use crate::types::{Identity, NameKey, RoomId, UserId};

/// Whether a row has this blind index.
pub fn is_stored(reader: &mut Reader, column: BlindColumn, blind: &[u8]) -> Result<bool> {
    macro_rules! find {
        ($table:ident.$column:ident) => {
            $table::table
                .filter($table::$column.eq(blind))
                .select($table::$column.is_not_null())
                .first::<bool>(reader.connection)
        };
    }
    let found = match column {
        BlindColumn::UserName => find!(users.name_blind),
        BlindColumn::AccountKey => find!(accounts.key_blind),
        BlindColumn::RoomName => find!(rooms.name_blind),
        BlindColumn::RoomKey => find!(rooms.key_blind),
        BlindColumn::Sanctioned => find!(sanctions.person),
        BlindColumn::AddressBanned => find!(address_bans.person),
        BlindColumn::Blocked => find!(blocks.person),
        BlindColumn::AttachmentOwner => find!(attachments.owner),
        BlindColumn::ClientId => find!(client_ids.id),
        BlindColumn::Reaction => find!(reactions.id),
        BlindColumn::PushEndpoint => find!(push_subscriptions.id),
    };
    Ok(found.optional()?.is_some())
}

/// Rows that are found by a blind index of something that they have in them.
pub trait BlindRows {
    type Key: Send + Sync + 'static;

    /// Every row, with its blind index as it is.
    fn all(reader: &mut Reader) -> Result<Vec<(Self::Key, Vec<u8>)>>;
    /// What its blind index should be; `None` where nothing is left that the row is about.
    fn newest(reader: &mut Reader, key: &Self::Key) -> Result<Option<Vec<u8>>>;
    fn set(tx: &mut Tx, key: &Self::Key, blind: Option<Vec<u8>>) -> Result<()>;
}

/// The rows that have an older blind index.
pub fn older<R: BlindRows>(reader: &mut Reader) -> Result<Vec<R::Key>> {
    let mut older = Vec::new();
    for (key, stored) in R::all(reader)? {
        if R::newest(reader, &key)?.is_none_or(|newest| newest != stored) {
            older.push(key);
        }
    }
    Ok(older)
}

pub fn renew<R: BlindRows>(tx: &mut Tx, key: &R::Key) -> Result<()> {
    let newest = R::newest(tx, key)?;
    R::set(tx, key, newest)
}

fn newest(reader: &mut Reader, column: BlindColumn, value: &str) -> Result<Vec<u8>> {
    Ok(reader.blinds(column, value)?.swap_remove(0))
}

fn newest_of(reader: &mut Reader, column: BlindColumn, person: &Identity, value: &str) -> Result<Vec<u8>> {
    Ok(reader.blinds_of(column, person, value)?.swap_remove(0))
}

/// What people were called: `users`.
pub struct UserNames;

impl BlindRows for UserNames {
    type Key = UserId;

    fn all(reader: &mut Reader) -> Result<Vec<(UserId, Vec<u8>)>> {
        let rows: Vec<(Vec<u8>, Vec<u8>)> =
            users::table.select((users::id, users::name_blind)).load(reader.connection)?;
        rows.into_iter().map(|(id, blind)| Ok((store::people::stored_user(&id)?, blind))).collect()
    }

    fn newest(reader: &mut Reader, user: &UserId) -> Result<Option<Vec<u8>>> {
        let name = store::people::name(reader, *user)?;
        name.map(|name| newest(reader, BlindColumn::UserName, name.as_str())).transpose()
    }

    fn set(tx: &mut Tx, user: &UserId, blind: Option<Vec<u8>>) -> Result<()> {
        let Some(blind) = blind else { return Ok(()) };
        diesel::update(users::table.find(user.as_bytes()))
            .set(users::name_blind.eq(blind))
            .execute(tx.reader.connection)?;
        Ok(())
    }
}

/// What the names of accounts look like.
pub struct AccountKeys;

impl BlindRows for AccountKeys {
    type Key = UserId;

    fn all(reader: &mut Reader) -> Result<Vec<(UserId, Vec<u8>)>> {
        let rows: Vec<(Vec<u8>, Vec<u8>)> =
            accounts::table.select((accounts::user_id, accounts::key_blind)).load(reader.connection)?;
        rows.into_iter().map(|(id, blind)| Ok((store::people::stored_user(&id)?, blind))).collect()
    }

    fn newest(reader: &mut Reader, user: &UserId) -> Result<Option<Vec<u8>>> {
        let Some(account) = store::accounts::get(reader, *user)? else { return Ok(None) };
        let key = NameKey::of(&account.name);
        // Where two look alike by newer rules, the name is the one's that has it.
        let value = match store::accounts::find(reader, &key)? {
            Some((other, _)) if other != *user => format!("{} {user}", key.as_str()),
            _ => key.as_str().to_owned(),
        };
        newest(reader, BlindColumn::AccountKey, &value).map(Some)
    }

    fn set(tx: &mut Tx, user: &UserId, blind: Option<Vec<u8>>) -> Result<()> {
        let Some(blind) = blind else { return Ok(()) };
        diesel::update(accounts::table.find(user.as_bytes()))
            .set(accounts::key_blind.eq(blind))
            .execute(tx.reader.connection)?;
        Ok(())
    }
}

/// The names of rooms.
pub struct RoomNames;

impl BlindRows for RoomNames {
    type Key = RoomId;

    fn all(reader: &mut Reader) -> Result<Vec<(RoomId, Vec<u8>)>> {
        let rows: Vec<(i64, Vec<u8>)> = rooms::table.select((rooms::id, rooms::name_blind)).load(reader.connection)?;
        Ok(rows.into_iter().map(|(id, blind)| (RoomId::from_stored(id), blind)).collect())
    }

    fn newest(reader: &mut Reader, room: &RoomId) -> Result<Option<Vec<u8>>> {
        let room = store::rooms::by_id(reader, *room)?;
        room.map(|room| newest(reader, BlindColumn::RoomName, room.name.as_str())).transpose()
    }

    fn set(tx: &mut Tx, room: &RoomId, blind: Option<Vec<u8>>) -> Result<()> {
        let Some(blind) = blind else { return Ok(()) };
        diesel::update(rooms::table.find(room.get())).set(rooms::name_blind.eq(blind)).execute(tx.reader.connection)?;
        Ok(())
    }
}

/// What the names of rooms look like.
pub struct RoomKeys;

impl BlindRows for RoomKeys {
    type Key = RoomId;

    fn all(reader: &mut Reader) -> Result<Vec<(RoomId, Vec<u8>)>> {
        let rows: Vec<(i64, Option<Vec<u8>>)> =
            rooms::table.select((rooms::id, rooms::key_blind)).load(reader.connection)?;
        Ok(rows.into_iter().filter_map(|(id, blind)| Some((RoomId::from_stored(id), blind?))).collect())
    }

    fn newest(reader: &mut Reader, room: &RoomId) -> Result<Option<Vec<u8>>> {
        let room = store::rooms::by_id(reader, *room)?;
        room.map(|room| newest(reader, BlindColumn::RoomKey, NameKey::of_room(&room.name).as_str())).transpose()
    }

    fn set(tx: &mut Tx, room: &RoomId, blind: Option<Vec<u8>>) -> Result<()> {
        let Some(blind) = blind else { return Ok(()) };
        diesel::update(rooms::table.find(room.get())).set(rooms::key_blind.eq(blind)).execute(tx.reader.connection)?;
        Ok(())
    }
}

/// Who has reacted how.
pub struct Reactions;

impl BlindRows for Reactions {
    type Key = (i64, i64, Vec<u8>);

    fn all(reader: &mut Reader) -> Result<Vec<(Self::Key, Vec<u8>)>> {
        let rows: Vec<Self::Key> =
            reactions::table.select((reactions::room_id, reactions::seq, reactions::id)).load(reader.connection)?;
        Ok(rows.into_iter().map(|key| (key.clone(), key.2)).collect())
    }

    fn newest(reader: &mut Reader, (room, seq, id): &Self::Key) -> Result<Option<Vec<u8>>> {
        let reaction = store::reactions::get(reader, RoomId::from_stored(*room), *seq, id)?;
        reaction
            .map(|reaction| newest_of(reader, BlindColumn::Reaction, &reaction.author(), reaction.emoji.as_str()))
            .transpose()
    }

    fn set(tx: &mut Tx, (room, seq, id): &Self::Key, blind: Option<Vec<u8>>) -> Result<()> {
        match blind {
            Some(blind) => store::reactions::rename(tx, RoomId::from_stored(*room), *seq, id, &blind),
            None => Ok(()),
        }
    }
}

/// What senders have called their messages. What is left of messages that are gone is removed.
pub struct ClientIds;

impl BlindRows for ClientIds {
    type Key = Vec<u8>;

    fn all(reader: &mut Reader) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let rows: Vec<Vec<u8>> = client_ids::table.select(client_ids::id).load(reader.connection)?;
        Ok(rows.into_iter().map(|id| (id.clone(), id)).collect())
    }

    fn newest(reader: &mut Reader, id: &Vec<u8>) -> Result<Option<Vec<u8>>> {
        let Some((room, seq)) = store::client_ids::message_of(reader, id)? else { return Ok(None) };
        let Some((author, name)) = store::messages::name_of(reader, room, seq)? else { return Ok(None) };
        newest_of(reader, BlindColumn::ClientId, &author, name.as_str()).map(Some)
    }

    fn set(tx: &mut Tx, id: &Vec<u8>, blind: Option<Vec<u8>>) -> Result<()> {
        store::client_ids::rename(tx, id, blind.as_deref())
    }
}

/// Where browsers get notifications.
pub struct PushEndpoints;

impl BlindRows for PushEndpoints {
    type Key = Vec<u8>;

    fn all(reader: &mut Reader) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let rows: Vec<Vec<u8>> = push_subscriptions::table.select(push_subscriptions::id).load(reader.connection)?;
        Ok(rows.into_iter().map(|id| (id.clone(), id)).collect())
    }

    fn newest(reader: &mut Reader, id: &Vec<u8>) -> Result<Option<Vec<u8>>> {
        let endpoint = store::notifications::endpoint(reader, id)?;
        endpoint.map(|endpoint| newest(reader, BlindColumn::PushEndpoint, endpoint.as_str())).transpose()
    }

    fn set(tx: &mut Tx, id: &Vec<u8>, blind: Option<Vec<u8>>) -> Result<()> {
        match blind {
            Some(blind) => store::notifications::rename(tx, id, &blind),
            None => Ok(()),
        }
    }
}

/// Does the same for all of these.
macro_rules! for_each_blind {
    ($do:ident!($argument:expr)) => {
        $crate::store::keys::blinds::for_each_blind!(@ $do!($argument)
            UserNames AccountKeys RoomNames RoomKeys Reactions ClientIds PushEndpoints)
    };
    (@ $do:ident!($argument:expr) $($rows:ident)+) => {
        $($do!($crate::store::keys::blinds::$rows, $argument);)+
    };
}

pub(in crate::store) use for_each_blind;

/// Blind indexes of people, old to new. Rows do not have in them whom they are about, or several belong together: those of
/// one person are changed at one moment.
pub struct People {
    renewed: HashMap<Vec<u8>, Vec<u8>>,
    newest: HashSet<Vec<u8>>,
    /// For bans of addresses whose person nobody knows any more.
    nobody: Vec<u8>,
}

impl People {
    pub fn load(reader: &mut Reader) -> Result<Self> {
        let mut texts = vec![store::attachments::GUESTS.to_owned()];
        texts.extend(store::accounts::all(reader)?.iter().map(|(user, _)| person_text(&Identity::Account(*user))));
        texts.extend(store::moderation::names(reader)?.iter().map(|name| person_text(&Identity::guest(name))));
        texts.extend(store::people::blocked(reader)?.iter().map(person_text));
        let nobody = newest(reader, BlindColumn::AddressBanned, "nobody")?;
        let (mut renewed, mut known) = (HashMap::new(), HashSet::from([nobody.clone()]));
        for text in texts {
            let mut blinds = reader.blinds(BlindColumn::Blocked, &text)?;
            let newest = blinds.swap_remove(0);
            renewed.extend(blinds.into_iter().filter(|older| *older != newest).map(|older| (older, newest.clone())));
            known.insert(newest);
        }
        Ok(Self { renewed, newest: known, nobody })
    }

    /// How many rows have an older blind index.
    pub fn older(&self, reader: &mut Reader) -> Result<usize> {
        let mut stored: Vec<Vec<u8>> = sanctions::table.select(sanctions::person).load(reader.connection)?;
        stored.extend(address_bans::table.select(address_bans::person).load::<Vec<u8>>(reader.connection)?);
        stored.extend(blocks::table.select(blocks::person).load::<Vec<u8>>(reader.connection)?);
        stored.extend(attachments::table.select(attachments::owner).load::<Vec<u8>>(reader.connection)?);
        Ok(stored.iter().filter(|blind| !self.newest.contains(*blind)).count())
    }

    pub fn renew(&self, tx: &mut Tx) -> Result<()> {
        let rows: Vec<(i64, Vec<u8>)> =
            sanctions::table.select((sanctions::room_id, sanctions::person)).load(tx.reader.connection)?;
        for (room, person) in rows {
            if let Some(new) = self.renewed.get(&person) {
                store::moderation::rename(tx, room, &person, new)?;
            }
        }
        let rows: Vec<(Vec<u8>, Vec<u8>)> =
            blocks::table.select((blocks::user_id, blocks::person)).load(tx.reader.connection)?;
        for (user, person) in rows {
            if let Some(new) = self.renewed.get(&person) {
                store::people::rename_block(tx, &user, &person, new)?;
            }
        }
        let banned: Vec<Vec<u8>> =
            address_bans::table.select(address_bans::person).distinct().load(tx.reader.connection)?;
        for person in banned.iter().filter(|person| !self.newest.contains(*person)) {
            diesel::update(address_bans::table.filter(address_bans::person.eq(person)))
                .set(address_bans::person.eq(self.renewed.get(person).unwrap_or(&self.nobody)))
                .execute(tx.reader.connection)?;
        }
        for (old, new) in &self.renewed {
            diesel::update(attachments::table.filter(attachments::owner.eq(old)))
                .set(attachments::owner.eq(new))
                .execute(tx.reader.connection)?;
        }
        Ok(())
    }
}
