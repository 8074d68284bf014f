//! Messages: checked, stored, then told.

use std::collections::HashSet;
use std::time::Duration;

use super::attachments;
use super::direct::{self, Pair};
use super::facts::Facts;
use super::policy::{self, Action};
use super::rooms::find_group;
use crate::app::App;
use crate::error::{Error, Result};
use crate::hub::{Audience, Mark, Outbound, Publication};
use crate::limits::Limits;
use crate::push::Posted;
use crate::store::messages::Written;
use crate::store::{Reader, Tx, client_ids, messages, rooms};
use crate::types::{
    Actor, Attachment, AttachmentId, ClientId, Message, MessageId, MessageText, Network, Room, RoomId, RoomName, Sent,
};

impl Outbound for Message {
    const NAME: &'static str = "new_message";
}

/// What somebody wants to say.
pub struct Draft {
    /// Where there is none, the names of the files stand in its place.
    pub text: Option<MessageText>,
    /// What the sender's page made of the text for other pages; opaque to the server.
    pub encrypted_content: String,
    /// What the sender calls it: sent again under the same id, it is not stored again.
    pub client_id: Option<ClientId>,
    /// The message of the same room that it answers.
    pub reply_to: Option<MessageId>,
    /// Files that were uploaded for it.
    pub attachments: Vec<AttachmentId>,
}

pub enum Target {
    Public,
    Group(RoomName),
    /// A room of two people, which is made with their first message.
    Direct(Box<Pair>),
}

/// Stores a message and tells the room. It is on the disk before anyone sees it.
pub async fn post(app: &App, actor: &Actor, target: Target, draft: Draft) -> Result<Sent> {
    check_length(app, draft.text.as_ref(), &draft.encrypted_content)?;
    app.limits.send(actor.user, Network::of(actor.address))?;
    let name = match &target {
        Target::Public => RoomName::public(),
        Target::Group(name) => name.clone(),
        Target::Direct(pair) => pair.room.clone(),
    };
    let (facts, actor) = (Facts::of(app), actor.clone());
    let (limits, longest) = (app.limits.clone(), app.config.max_message_length);
    let lane = rooms::lane(&name);
    let (sent, posted) = app
        .db
        .write(lane, move |tx| {
            if let Some(id) = &draft.client_id
                && let Some((room, first)) = client_ids::find(tx, &actor.identity, id)?
            {
                let is_same = rooms::by_id(tx, room)?.is_none_or(|room| room.name == name);
                return if is_same { Ok((first, None)) } else { Err(client_ids::in_use()) };
            }
            let room = open_room(facts, tx, &actor, target, &limits)?;
            let attachments = attachments::to_send(tx, &actor, &room, &draft.attachments)?;
            let new = messages::NewMessage {
                user: actor.user,
                name: actor.name,
                by_account: !actor.identity.is_guest(),
                text: draft.text.map_or_else(|| names(&attachments, longest), Ok)?,
                encrypted_content: draft.encrypted_content,
                client_id: draft.client_id,
                reply_to: draft.reply_to.map(|id| answered(tx, &room, id)).transpose()?,
                attachments,
                at: facts.at,
            };
            let written = messages::insert(tx, &room, new)?;
            let message = &written.message;
            let sent = Sent::from(message);
            if let Some(id) = &message.client_id {
                client_ids::insert(tx, &actor.identity, id, room.id, &sent)?;
            }
            tx.shared.count_message(actor.user, facts.at);
            let mark = Mark { room: room.id, seq: message.seq, id: message.id };
            tell(tx, &written, Some(mark), room.id, |message| message);
            let Written { message, author, .. } = written;
            Ok((sent, Some(Posted { room: room.id, author, mentions: message.mentions })))
        })
        .await?;
    if let Some(posted) = posted {
        app.push.post(posted);
    }
    Ok(sent)
}

/// What pages that know of no files show of them.
fn names(files: &[Attachment], longest: usize) -> Result<MessageText> {
    let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
    let text: String = names.join(", ").chars().take(longest).collect();
    MessageText::try_from(text).map_err(|problem| Error::invalid("message", problem))
}

/// Publishes an event of a message to its room: without the words that it quotes to those who have blocked whose they are.
pub(super) fn tell<E: Outbound>(
    tx: &mut Tx,
    written: &Written,
    mark: Option<Mark>,
    room: RoomId,
    event: fn(Message) -> E,
) {
    let to_all = match mark {
        Some(mark) => Publication::message(written.author.clone(), mark, &event(written.message.clone())),
        None => Publication::emit(Audience::Room(room), &event(written.message.clone())).by(written.author.clone()),
    };
    let quoted = written.quoted.iter().find(|quoted| **quoted != written.author);
    let publication = match quoted {
        Some(quoted) => match written.clone().without(&HashSet::from([quoted.clone()])) {
            // As in the event to the others: reactions come with the history.
            Some(message) => to_all.instead(quoted.clone(), &event(Message { reactions: Vec::new(), ..message })),
            None => to_all,
        },
        None => to_all,
    };
    tx.publish(publication);
}

/// The position of a message of this room.
fn answered(reader: &mut Reader, room: &Room, id: MessageId) -> Result<i64> {
    let here = messages::place_of(reader, id)?.filter(|(place, _)| *place == room.id);
    let there = here.map(|(_, seq)| messages::get(reader, room, seq)).transpose()?.flatten();
    there
        .map(|written| written.message.seq)
        .ok_or_else(|| Error::invalid("reply_to", "The message that you answer is not in this room any more."))
}

/// The room to post to, if the person may, and may now.
fn open_room(facts: Facts, tx: &mut Tx, actor: &Actor, target: Target, limits: &Limits) -> Result<Room> {
    let room = match target {
        Target::Public => rooms::public(tx)?,
        Target::Group(name) => find_group(tx, &name)?.ok_or_else(|| Error::NotFound("Group does not exist".into()))?,
        Target::Direct(pair) => direct::find_or_make(facts, tx, actor, *pair)?,
    };
    let (standing, there) = facts.in_room(tx, actor, &room)?;
    policy::in_room(Action::Post, standing, there)?;
    if room.slow_mode > 0 && policy::in_room(Action::SetSlowMode, standing, there).is_err() {
        limits.slow_mode(room.id, actor, Duration::from_secs(room.slow_mode.into()))?;
    }
    Ok(room)
}

pub(super) fn check_length(app: &App, text: Option<&MessageText>, encrypted_content: &str) -> Result<()> {
    /// Encoding a text for other pages makes it longer: base64 of UTF-16, say.
    const ENCODED: usize = 8;

    let limit = app.config.max_message_length;
    let too_large = |field, limit| Error::TooLarge {
        field,
        message: format!("{field} must have at most {limit} characters").into(),
    };
    if text.is_some_and(|text| text.length() > limit) {
        return Err(too_large("message", limit));
    }
    if encrypted_content.chars().count() > limit * ENCODED {
        return Err(too_large("encrypted_content", limit * ENCODED));
    }
    Ok(())
}
