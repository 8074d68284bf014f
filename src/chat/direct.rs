//! Direct messages: rooms of two people, which nobody else sees or comes into.

use schemars::JsonSchema;
use serde::Serialize;

use super::facts::{Facts, Person, find_person, hidden_from};
use super::messages::{Draft, Target, post};
use super::policy::{self, Action};
use crate::app::App;
use crate::error::{Error, Result};
use crate::hub::Publication;
use crate::store::{Reader, Tx, rooms};
use crate::types::{Actor, Identity, Network, Room, RoomId, RoomName, RoomRole, Sent, UserId, Username};

/// The two people of a room, the one who writes first.
pub struct Pair {
    pub room: RoomName,
    author: Identity,
    partner: Person,
    partner_user: UserId,
}

/// Where a direct message stands.
#[derive(Serialize, JsonSchema)]
pub struct SentTo {
    pub room: RoomName,
    #[serde(flatten)]
    pub sent: Sent,
}

/// Says something to one person alone. Guests can be written to while they are here.
pub async fn send(app: &App, actor: &Actor, to: Username, draft: Draft) -> Result<SentTo> {
    let hub = app.hub.clone();
    let who = actor.clone();
    let pair = app
        .db
        .read(move |reader| {
            let partner = find_person(reader, &to)?;
            if partner.identity == who.identity {
                return Err(Error::invalid("to", "This is you."));
            }
            let partner_user = match partner.identity {
                Identity::Account(user) => user,
                Identity::Guest(_) => match hub.users_of(&partner.identity)[..] {
                    [user] => user,
                    [] => return Err(Error::NotFound("They are not here now.".into())),
                    _ => return Err(Error::Conflict("Several guests have this name.".into())),
                },
            };
            let room = rooms::direct_name(reader, who.user, partner_user)?;
            Ok(Pair { room, author: who.identity, partner, partner_user })
        })
        .await?;
    let room = pair.room.clone();
    let sent = post(app, actor, Target::Direct(Box::new(pair)), draft).await?;
    Ok(SentTo { room, sent })
}

/// The room of the two; made when it is not there yet. What they have open hears it from here on.
pub(super) fn find_or_make(facts: Facts, tx: &mut Tx, actor: &Actor, pair: Pair) -> Result<Room> {
    if let Some(room) = rooms::find(tx, &pair.room)? {
        return Ok(room);
    }
    policy::on_server(Action::CreateGroup, facts.standing(tx, actor)?)?;
    let people = [(actor.user, actor.name.clone()), (pair.partner_user, pair.partner.name.clone())];
    let room = Room {
        id: RoomId::random(),
        name: pair.room,
        creator: None,
        created_at: facts.at,
        password_hash: None,
        slow_mode: 0,
        keep: None,
        direct: Some(Box::new(people.clone())),
    };
    rooms::insert(tx, &room)?;
    for ((user, name), identity) in people.into_iter().zip([pair.author, pair.partner.identity]) {
        rooms::add_member(tx, room.id, user, &name, facts.at, RoomRole::Member)?;
        tx.publish(Publication::JoinPerson { identity, user, room: room.id, name: room.name.clone(), seq: 0 });
    }
    Ok(room)
}

/// One's rooms of two.
#[derive(Serialize, JsonSchema)]
pub struct Directs {
    pub directs: Vec<DirectRoom>,
}

#[derive(Serialize, JsonSchema)]
pub struct DirectRoom {
    /// For `get_history`, `mark_read` and the like.
    pub room: RoomName,
    /// Who the other one is.
    pub username: Username,
    /// Of the newest message.
    pub last: i64,
}

pub async fn list(app: &App, actor: &Actor) -> Result<Directs> {
    app.limits.reading(actor.user, Network::of(actor.address))?;
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .read(move |reader| {
            policy::on_server(Action::ManageOneself, facts.standing(reader, &actor)?)?;
            let hidden = hidden_from(reader, actor.user)?;
            let mut directs = Vec::new();
            for room in of_user(reader, actor.user)? {
                let last = rooms::last_seq(reader, room.id)?;
                let partner = room.direct.iter().flat_map(|two| two.iter()).find(|(user, _)| *user != actor.user);
                let is_hidden = partner.is_some_and(|(user, name)| {
                    hidden.contains(&Identity::Account(*user)) || hidden.contains(&Identity::guest(name))
                });
                if is_hidden {
                    continue;
                }
                if let Some(username) = room.partner_of(actor.user).cloned() {
                    directs.push(DirectRoom { room: room.name, username, last });
                }
            }
            Ok(Directs { directs })
        })
        .await
}

/// The rooms of two that this person is in.
pub(super) fn of_user(reader: &mut Reader, user: UserId) -> Result<Vec<Room>> {
    Ok(rooms::of_member(reader, user)?.into_iter().filter(|room| room.direct.is_some()).collect())
}
