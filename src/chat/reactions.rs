//! Reactions: one emoji a person and kind.

use schemars::JsonSchema;
use serde::Serialize;

use super::facts::{Facts, FoundMessage, find_message, lane_of};
use super::policy::{self, Action};
use crate::app::App;
use crate::error::{Error, Result};
use crate::hub::{Audience, Outbound, Publication};
use crate::store::reactions::{self, Reaction};
use crate::types::{Actor, Emoji, MessageId, Network, RoomName, Username};

/// Different emoji on one message.
const MOST: usize = 30;
/// Reactions to one message: whoever reads it gets all of them.
const MOST_IN_ALL: usize = 500;

/// To the room: somebody has reacted to a message, or takes a reaction back.
#[derive(Serialize, JsonSchema)]
pub struct MessageReacted {
    id: MessageId,
    room: RoomName,
    username: Username,
    emoji: Emoji,
    /// `false`: taken back.
    added: bool,
}

impl Outbound for MessageReacted {
    const NAME: &'static str = "message_reacted";
}

/// Whether that changed anything.
pub async fn react(app: &App, actor: &Actor, id: MessageId, emoji: Emoji, remove: bool) -> Result<bool> {
    app.limits.passage(actor.user, Network::of(actor.address))?;
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .write(lane_of(app, id).await?, move |tx| {
            let FoundMessage { room, written, standing, there } = find_message(facts, tx, &actor, id)?;
            policy::in_room(Action::React, standing, there)?;
            let seq = written.message.seq;
            if !remove && written.reactions.len() >= MOST_IN_ALL {
                return Err(Error::Conflict("This message has as many reactions as one can have.".into()));
            }
            let kinds = reactions::by_emoji(written.reactions.into_iter());
            let changed = match remove {
                true => reactions::remove(tx, &room, seq, &actor.identity, &emoji)?,
                false if kinds.len() >= MOST && !kinds.iter().any(|known| known.emoji == emoji) => {
                    return Err(Error::Conflict(
                        "This message has as many different reactions as one can have.".into(),
                    ));
                }
                false => {
                    let account = !actor.identity.is_guest();
                    let (user, name, at) = (actor.user, actor.name.clone(), facts.at.micros());
                    reactions::add(tx, &room, seq, &Reaction { user, name, account, emoji: emoji.clone(), at })?
                }
            };
            if changed {
                let reacted = MessageReacted { id, room: room.name, username: actor.name, emoji, added: !remove };
                tx.publish(Publication::emit(Audience::Room(room.id), &reacted).by(actor.identity));
            }
            Ok(changed)
        })
        .await
}
