//! Pinned messages: what a room's moderators keep in view.

use schemars::JsonSchema;
use serde::Serialize;

use super::audit;
use super::facts::{Facts, FoundMessage, find_message, hidden_from, lane_of, room_for};
use super::policy::{self, Action};
use crate::app::App;
use crate::error::{Error, Result};
use crate::hub::{Audience, Outbound, Publication};
use crate::store::{messages, pins};
use crate::types::{Actor, Message, MessageId, Network, Reason, RoomName, Timestamp, Username};

/// Pins of one room.
const MOST: usize = 50;

/// To the room: a message is pinned, or not any more.
#[derive(Serialize, JsonSchema)]
pub struct MessagePinned {
    id: MessageId,
    room: RoomName,
    username: Username,
    pinned: bool,
}

impl Outbound for MessagePinned {
    const NAME: &'static str = "message_pinned";
}

/// Whether that changed anything.
pub async fn pin(app: &App, actor: &Actor, id: MessageId, pinned: bool) -> Result<bool> {
    let (facts, actor) = (Facts::of(app), actor.clone());
    let limits = app.limits.clone();
    app.db
        .write(lane_of(app, id).await?, move |tx| {
            let FoundMessage { room, written, standing, there } = find_message(facts, tx, &actor, id)?;
            policy::in_room(Action::Pin, standing, there)?;
            limits.moderation(standing.role, actor.user)?;
            let seq = written.message.seq;
            let changed = match pinned {
                false => pins::remove(tx, &room, seq)?,
                true if pins::of_room(tx, &room)?.len() >= MOST => {
                    return Err(Error::Conflict("This room has as many pins as it can have. Take one off.".into()));
                }
                true => pins::add(tx, &room, &pins::Pin { seq, by: actor.name.clone(), at: facts.at })?,
            };
            if changed {
                let action = if pinned { "pin_message" } else { "unpin_message" };
                audit::note(tx, facts.at, Some(&actor), action, None, Some(&room.name), Reason::default());
                let told = MessagePinned { id, room: room.name, username: actor.name, pinned };
                tx.publish(Publication::emit(Audience::Room(room.id), &told).by(written.author));
            }
            Ok(changed)
        })
        .await
}

/// The one that was pinned last comes first.
#[derive(Serialize, JsonSchema)]
pub struct Pins {
    pub pins: Vec<Pin>,
}

#[derive(Serialize, JsonSchema)]
pub struct Pin {
    pub message: Message,
    pub pinned_by: Username,
    pub pinned_at: Timestamp,
}

pub async fn list(app: &App, actor: &Actor, name: RoomName) -> Result<Pins> {
    app.limits.reading(actor.user, Network::of(actor.address))?;
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .read(move |reader| {
            let room = room_for(facts, reader, &actor, &name, Action::ReadRoom)?;
            let hidden = hidden_from(reader, actor.user)?;
            let mut listed = Vec::new();
            for pin in pins::of_room(reader, &room)? {
                let written = messages::get(reader, &room, pin.seq)?;
                if let Some(message) = written.and_then(|written| written.without(&hidden)) {
                    listed.push(Pin { message, pinned_by: pin.by, pinned_at: pin.at });
                }
            }
            Ok(Pins { pins: listed })
        })
        .await
}
