//! Editing one's own messages, and what they said before.

use schemars::JsonSchema;
use serde::Serialize;

use super::facts::{Facts, FoundMessage, find_message, lane_of};
use super::messages::{check_length, tell};
use super::policy::{self, Action};
use crate::app::App;
use crate::error::{Error, Result};
use crate::hub::Outbound;
use crate::store::{edits, messages};
use crate::types::{Actor, Message, MessageId, MessageText, Network, Timestamp};

/// To the room: a message says something else now. In the shape of `new_message`.
#[derive(Serialize, JsonSchema)]
#[serde(transparent)]
pub struct MessageEdited(Message);

impl Outbound for MessageEdited {
    const NAME: &'static str = "message_edited";
}

/// When it was edited.
#[derive(Serialize, JsonSchema)]
pub struct Edited {
    pub edited_at: Timestamp,
}

/// Changes what a message of one's own says; what it said before is kept for moderators.
pub async fn edit(
    app: &App,
    actor: &Actor,
    id: MessageId,
    text: MessageText,
    encrypted_content: String,
) -> Result<Edited> {
    check_length(app, Some(&text), &encrypted_content)?;
    app.limits.send(actor.user, Network::of(actor.address))?;
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .write(lane_of(app, id).await?, move |tx| {
            let FoundMessage { room, written, standing, there } = find_message(facts, tx, &actor, id)?;
            policy::in_room(Action::EditOwnMessage, standing, there)?;
            if written.message.user_id != actor.user {
                return Err(Error::Forbidden("One edits one's own messages.".into()));
            }
            let edited = messages::edit(tx, &room, &written, text, encrypted_content, facts.at)?;
            tell(tx, &edited, None, room.id, MessageEdited);
            Ok(Edited { edited_at: facts.at })
        })
        .await
}

/// What a message said before, the oldest version first.
#[derive(Serialize, JsonSchema)]
pub struct Versions {
    pub versions: Vec<Version>,
}

#[derive(Serialize, JsonSchema)]
pub struct Version {
    pub message: MessageText,
    pub encrypted_content: String,
    /// Since when it said so.
    pub timestamp: Timestamp,
}

/// For moderators.
pub async fn versions(app: &App, actor: &Actor, id: MessageId) -> Result<Versions> {
    app.limits.reading(actor.user, Network::of(actor.address))?;
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .read(move |reader| {
            let FoundMessage { room, written, standing, there } = find_message(facts, reader, &actor, id)?;
            policy::in_room(Action::ReadEdits, standing, there)?;
            let found = edits::of_message(reader, &room, written.message.seq)?;
            let version = |version: edits::Version| Version {
                message: version.message,
                encrypted_content: version.encrypted_content,
                timestamp: version.since,
            };
            Ok(Versions { versions: found.into_iter().map(version).collect() })
        })
        .await
}
