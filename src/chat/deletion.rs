//! Deleting messages: one's own, anybody's where one moderates, and what a banned person wrote.

use schemars::JsonSchema;
use serde::Serialize;

use super::facts::{Facts, FoundMessage, find_message, lane_of};
use super::policy::{self, Action};
use super::{attachments, audit};
use crate::app::App;
use crate::error::Result;
use crate::hub::{Audience, Outbound, Publication};
use crate::store::messages::Written;
use crate::store::{Reader, Tx, messages, rooms};
use crate::types::{Actor, Identity, MessageId, Reason, Room, RoomName};

/// Messages that one write deletes, and one read looks at.
const AT_ONCE: usize = 200;

/// To the room: pages drop the message at once.
#[derive(Serialize, JsonSchema)]
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
        .await?;
    attachments::clear(app).await;
    Ok(())
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
                None => rooms::every(reader)?,
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
    attachments::clear(app).await;
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
