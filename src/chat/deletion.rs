//! Deleting messages: one's own, anybody's where one moderates, and what a banned person wrote.

use serde::Serialize;

use super::audit;
use super::facts::Facts;
use super::policy::{self, Action, InRoom, Standing};
use crate::app::App;
use crate::error::{Error, Result};
use crate::hub::{Audience, Outbound, Publication};
use crate::store::messages::Written;
use crate::store::{Lane, Reader, Tx, messages, rooms};
use crate::types::{Actor, Identity, MessageId, Reason, Room, RoomName};

/// Messages that one write deletes, and one read looks at.
const AT_ONCE: usize = 200;

/// To the room: pages drop the message at once.
#[derive(Serialize)]
pub struct MessageDeleted {
    id: MessageId,
    room: RoomName,
}

impl Outbound for MessageDeleted {
    const NAME: &'static str = "message_deleted";
}

/// Deletes a message: one's own, or anyone's where one moderates.
pub async fn delete_message(app: &App, actor: &Actor, id: MessageId, reason: Reason) -> Result<()> {
    let (facts, actor) = (Facts::of(app), actor.clone());
    let limits = app.limits.clone();
    app.db
        .write(lane_of(app, id).await?, move |tx| {
            let FoundMessage { room, written, standing, there } = find_message(facts, tx, &actor, id)?;
            let own = written.message.user_id == actor.user;
            policy::in_room(if own { Action::DeleteOwnMessage } else { Action::DeleteAnyMessage }, standing, there)?;
            if !own {
                limits.moderation(standing.role, actor.user)?;
                let author = Some(&written.message.username);
                audit::note(tx, facts.at, Some(&actor), "delete_message", author, Some(&room.name), reason);
            }
            delete(tx, &room, &written)
        })
        .await
}

/// The lane of the message's room. Which messages there are, [`find_message`] tells.
async fn lane_of(app: &App, id: MessageId) -> Result<Lane> {
    let room = app.db.read(move |reader| match messages::place_of(reader, id)? {
        Some((room, _)) => rooms::by_id(reader, room),
        None => Ok(None),
    });
    Ok(room.await?.map_or(Lane::People, |room| rooms::lane(&room.name)))
}

/// A message, where it stands, and what holds for the actor there.
pub(super) struct FoundMessage {
    pub room: Room,
    pub written: Written,
    pub standing: Standing,
    pub there: InRoom,
}

/// A message that the actor may read or moderate. To anybody else there is none, whatever id they try.
pub(super) fn find_message(facts: Facts, reader: &mut Reader, actor: &Actor, id: MessageId) -> Result<FoundMessage> {
    let none = || Error::NotFound("There is no such message.".into());
    let (room, seq) = messages::place_of(reader, id)?.ok_or_else(none)?;
    let room = rooms::by_id(reader, room)?.ok_or_else(none)?;
    let (standing, there) = facts.in_room(reader, actor, &room)?;
    let may = |action| policy::in_room(action, standing, there).is_ok();
    if !may(Action::ReadRoom) && !may(Action::DeleteAnyMessage) {
        return Err(none());
    }
    let written = messages::get(reader, &room, seq)?.ok_or_else(none)?;
    Ok(FoundMessage { room, written, standing, there })
}

fn delete(tx: &mut Tx, room: &Room, written: &Written) -> Result<()> {
    if messages::delete(tx, room, written)? {
        let deleted = MessageDeleted { id: written.message.id, room: room.name.clone() };
        tx.publish(Publication::emit(Audience::Room(room.id), &deleted));
    }
    Ok(())
}

/// Removes what a person wrote since then, in one room or in all. How many messages.
pub(super) async fn remove_messages(app: &App, whom: &Identity, room: Option<Room>, since: i64) -> Result<usize> {
    let whom = whom.clone();
    let found = app
        .db
        .read(move |reader| {
            let rooms = match room {
                Some(room) => vec![room],
                None => rooms::all(reader)?.into_iter().map(|(room, _, _)| room).collect(),
            };
            let mut found = Vec::new();
            for room in rooms {
                let written = messages_since(reader, &room, since)?;
                found.push((room, written.into_iter().filter(|written| written.author == whom).collect::<Vec<_>>()));
            }
            Ok(found)
        })
        .await?;
    let mut count = 0;
    for (room, written) in found {
        count += written.len();
        for some in written.chunks(AT_ONCE) {
            let (room, some) = (room.clone(), some.to_vec());
            let lane = rooms::lane(&room.name);
            app.db.write(lane, move |tx| some.iter().try_for_each(|written| delete(tx, &room, written))).await?;
        }
    }
    Ok(count)
}

fn messages_since(reader: &mut Reader, room: &Room, since: i64) -> Result<Vec<Written>> {
    let mut found = Vec::new();
    let mut before = i64::MAX;
    loop {
        let page = messages::page(reader, room, before, AT_ONCE as i64)?;
        let Some(oldest) = page.last() else { return Ok(found) };
        before = oldest.message.seq;
        let is_past = oldest.message.timestamp.micros() < since;
        found.extend(page.into_iter().filter(|written| written.message.timestamp.micros() >= since));
        if is_past {
            return Ok(found);
        }
    }
}
