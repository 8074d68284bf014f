//! Messages: checked, stored, then told.

use std::time::Duration;

use super::facts::Facts;
use super::policy::{self, Action};
use super::rooms::find_group;
use crate::app::App;
use crate::error::{Error, Result};
use crate::hub::{Mark, Outbound, Publication};
use crate::limits::Limits;
use crate::store::{Tx, client_ids, messages, rooms};
use crate::types::{Actor, ClientId, Message, MessageText, Network, Room, RoomName, Sent};

impl Outbound for Message {
    const NAME: &'static str = "new_message";
}

/// What somebody wants to say.
pub struct Draft {
    pub text: MessageText,
    /// What the sender's page made of the text for other pages; opaque to the server.
    pub encrypted_content: String,
    /// What the sender calls it: sent again under the same id, it is not stored again.
    pub client_id: Option<ClientId>,
}

pub enum Target {
    Public,
    Group(RoomName),
}

/// Stores a message and tells the room. It is on the disk before anyone sees it.
pub async fn post(app: &App, actor: &Actor, target: Target, draft: Draft) -> Result<Sent> {
    check_length(app, &draft)?;
    app.limits.send(actor.user, Network::of(actor.address))?;
    let name = match &target {
        Target::Public => RoomName::public(),
        Target::Group(name) => name.clone(),
    };
    let (facts, actor) = (Facts::of(app), actor.clone());
    let limits = app.limits.clone();
    app.db
        .write(rooms::lane(&name), move |tx| {
            if let Some(id) = &draft.client_id
                && let Some(first) = client_ids::find(tx, &actor.identity, id)?
            {
                return Ok(first);
            }
            let room = open_room(facts, tx, &actor, target, &limits)?;
            let new = messages::NewMessage {
                user: actor.user,
                name: actor.name,
                by_account: !actor.identity.is_guest(),
                text: draft.text,
                encrypted_content: draft.encrypted_content,
                client_id: draft.client_id,
                at: facts.at,
            };
            let message = messages::insert(tx, &room, new)?;
            let sent = Sent::from(&message);
            if let Some(id) = &message.client_id {
                client_ids::insert(tx, &actor.identity, id, room.id, &sent)?;
            }
            tx.shared.count_message(actor.user, facts.at);
            let mark = Mark { room: room.id, seq: message.seq, id: message.id };
            tx.publish(Publication::message(actor.identity, mark, &message));
            Ok(sent)
        })
        .await
}

/// The room to post to, if the person may, and may now.
fn open_room(facts: Facts, tx: &mut Tx, actor: &Actor, target: Target, limits: &Limits) -> Result<Room> {
    let room = match target {
        Target::Public => rooms::public(tx)?,
        Target::Group(name) => find_group(tx, &name)?.ok_or_else(|| Error::NotFound("Group does not exist".into()))?,
    };
    let (standing, there) = facts.in_room(tx, actor, &room)?;
    policy::in_room(Action::Post, standing, there)?;
    if room.slow_mode > 0 && policy::in_room(Action::SetSlowMode, standing, there).is_err() {
        limits.slow_mode(room.id, actor, Duration::from_secs(room.slow_mode.into()))?;
    }
    Ok(room)
}

fn check_length(app: &App, draft: &Draft) -> Result<()> {
    /// Encoding a text for other pages makes it longer: base64 of UTF-16, say.
    const ENCODED: usize = 8;

    let limit = app.config.max_message_length;
    let too_large = |field, limit| Error::TooLarge {
        field,
        message: format!("{field} must have at most {limit} characters").into(),
    };
    if draft.text.length() > limit {
        return Err(too_large("message", limit));
    }
    if draft.encrypted_content.chars().count() > limit * ENCODED {
        return Err(too_large("encrypted_content", limit * ENCODED));
    }
    Ok(())
}
