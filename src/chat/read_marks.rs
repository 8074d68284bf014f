//! Read marks: how far one has read each room, and what is new there.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::facts::{Facts, hidden_from, readable_rooms, room_for};
use super::policy::Action;
use crate::app::App;
use crate::error::{Error, Result};
use crate::hub::{Audience, Outbound, Publication};
use crate::store::read_marks::{self, ReadMark};
use crate::store::words::{self, Mark, Sets};
use crate::store::{Reader, messages, rooms};
use crate::types::{Actor, NameKey, Network, Room, RoomId, RoomName, Username};

/// Unread messages are counted so far.
const MOST: usize = 100;
/// In larger groups nobody is told how far others have read: each message would bring as many events as there are members.
const LARGE: usize = 50;

/// To others of a small group: somebody has read it up to there.
#[derive(Serialize, JsonSchema)]
pub struct RoomRead {
    room: RoomName,
    username: Username,
    seq: i64,
}

impl Outbound for RoomRead {
    const NAME: &'static str = "room_read";
}

/// What is new in a room. Also an event, to one's own connections, when one has read on.
#[derive(Serialize, JsonSchema)]
pub struct Unread {
    pub room: RoomName,
    /// The `seq` of the last message that was read; `null` where nothing was marked yet.
    pub read: Option<i64>,
    /// Of the room's newest message.
    pub last: i64,
    /// Messages of others after it, counted up to 100.
    pub unread: usize,
    /// Those of them that mention one's name.
    pub mentions: usize,
}

impl Outbound for Unread {
    const NAME: &'static str = "unread_changed";
}

/// Marks a room as read up to a message. Marks move forward alone. `hidden`: others are not told.
pub async fn mark(app: &App, actor: &Actor, name: RoomName, seq: Option<i64>, hidden: bool) -> Result<Unread> {
    if seq.is_some_and(|seq| seq < 0) {
        return Err(Error::invalid("seq", "must be the seq of a message"));
    }
    app.limits.reading(actor.user, Network::of(actor.address))?;
    let (facts, who) = (Facts::of(app), actor.clone());
    let actor = actor.clone();
    let (room, changed) = app
        .db
        .write(rooms::lane(&name), move |tx| {
            let room = room_for(facts, tx, &actor, &name, Action::ReadRoom)?;
            let last = rooms::last_seq(tx, room.id)?;
            let before = read_marks::get(tx, room.id, actor.user)?;
            let seq = seq.unwrap_or(last).min(last).max(before.as_ref().map_or(0, |mark| mark.seq));
            if before.is_some_and(|before| before.seq == seq && before.hidden == hidden) {
                return Ok((room, false));
            }
            let account = !actor.identity.is_guest();
            read_marks::set(tx, room.id, actor.user, &ReadMark { seq, name: actor.name.clone(), account, hidden })?;
            if !hidden && room.id != RoomId::PUBLIC && rooms::member_count(tx, room.id)? <= LARGE {
                let read = RoomRead { room: room.name.clone(), username: actor.name.clone(), seq };
                tx.publish(Publication::emit_except(Audience::Room(room.id), actor.conn, &read).by(actor.identity));
            }
            Ok((room, true))
        })
        .await?;
    // Counting takes a while in a large room: nobody who writes waits for it.
    let reader = who.clone();
    let unread = app.db.read(move |reading| unread(reading, &reader, &room)).await?;
    if changed {
        app.publisher.emit(Audience::own(&who), &unread).await;
    }
    Ok(unread)
}

/// What is new in each room that one is in.
pub async fn all(app: &App, actor: &Actor) -> Result<Vec<Unread>> {
    app.limits.reading(actor.user, Network::of(actor.address))?;
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .read(move |reader| {
            let rooms = readable_rooms(facts, reader, &actor)?;
            rooms.iter().map(|room| unread(reader, &actor, room)).collect()
        })
        .await
}

fn unread(reader: &mut Reader, actor: &Actor, room: &Room) -> Result<Unread> {
    let mark = read_marks::get(reader, room.id, actor.user)?;
    let last = rooms::last_seq(reader, room.id)?;
    let empty = Unread { room: room.name.clone(), read: None, last, unread: 0, mentions: 0 };
    let Some(mark) = mark else { return Ok(empty) };
    if mark.seq >= last {
        return Ok(Unread { read: Some(mark.seq), ..empty });
    }
    let hidden = hidden_from(reader, actor.user)?;
    let key = NameKey::of(&actor.name);
    let is_new = |written: &messages::Written| {
        written.message.seq > mark.seq && written.message.user_id != actor.user && !hidden.contains(&written.author)
    };
    let after = messages::after(reader, room, mark.seq, MOST as i64)?;
    let mut sets = Sets::default();
    sets.require(reader, room, &[Mark::Mention(&key)])?;
    let mentioning = words::candidates(reader, room, &mut sets, (mark.seq, i64::MAX), MOST)?;
    let mentions_one =
        |written: &&messages::Written| written.message.mentions.iter().any(|name| NameKey::of(name) == key);
    Ok(Unread {
        read: Some(mark.seq),
        unread: after.iter().filter(|written| is_new(written)).count(),
        mentions: mentioning.iter().filter(|written| is_new(written)).filter(mentions_one).count(),
        ..empty
    })
}

/// How far others have read.
#[derive(Serialize, JsonSchema)]
pub struct Readers {
    pub readers: Vec<ReadBy>,
}

#[derive(Serialize, JsonSchema)]
pub struct ReadBy {
    pub username: Username,
    pub seq: i64,
}

/// Those who are in a small group and do not hide it.
pub async fn readers(app: &App, actor: &Actor, name: RoomName) -> Result<Readers> {
    app.limits.reading(actor.user, Network::of(actor.address))?;
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .read(move |reader| {
            let room = room_for(facts, reader, &actor, &name, Action::ReadRoom)?;
            let members: HashSet<_> = rooms::members(reader, room.id)?.into_iter().map(|member| member.user).collect();
            if room.id == RoomId::PUBLIC || members.len() > LARGE {
                return Err(Error::Conflict("Who has read what is told in small groups alone.".into()));
            }
            let hidden = hidden_from(reader, actor.user)?;
            let mut readers = Vec::new();
            for (user, mark) in read_marks::of_room(reader, room.id)? {
                if !mark.hidden
                    && members.contains(&user)
                    && user != actor.user
                    && !hidden.contains(&mark.identity(user))
                {
                    readers.push(ReadBy { username: mark.name, seq: mark.seq });
                }
            }
            Ok(Readers { readers })
        })
        .await
}
