//! Messages: checked, stored, then told.

use super::{policy, rooms::find_group};
use crate::app::App;
use crate::error::{Error, Result};
use crate::hub::{Audience, Outbound, Publication};
use crate::store::{Tx, accounts, messages, rooms};
use crate::types::{Actor, Message, MessageText, Room, RoomName};

impl Outbound for Message {
    const NAME: &'static str = "new_message";
}

/// What somebody wants to say.
pub struct Draft {
    pub text: MessageText,
    /// What the sender's page made of the text for other pages; opaque to the server.
    pub encrypted_content: String,
}

pub enum Target {
    Public,
    Group(RoomName),
}

/// Stores a message and tells the room. It is on the disk before anyone sees it.
pub async fn post(app: &App, actor: &Actor, target: Target, draft: Draft) -> Result<Message> {
    check_length(app, &draft)?;
    let name = match &target {
        Target::Public => RoomName::public(),
        Target::Group(name) => name.clone(),
    };
    let actor = actor.clone();
    let at = app.now();
    app.db
        .write(rooms::lane(&name), move |tx| {
            let room = open_room(tx, &actor, target)?;
            let new = messages::NewMessage {
                user: actor.user,
                name: actor.name,
                text: draft.text,
                encrypted_content: draft.encrypted_content,
                at,
            };
            let message = messages::insert(tx, &room, new)?;
            accounts::count_message(tx, actor.user, at)?;
            tx.publish(Publication::emit(Audience::Room(room.id), &message));
            Ok(message)
        })
        .await
}

/// The room to post to, if the person may.
fn open_room(tx: &mut Tx, actor: &Actor, target: Target) -> Result<Room> {
    let Target::Group(name) = target else { return rooms::public(tx) };
    let room = find_group(tx, &name)?.ok_or_else(|| Error::NotFound("Group does not exist".into()))?;
    policy::post_to_group(rooms::is_member(tx, room.id, actor.user)?)?;
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
