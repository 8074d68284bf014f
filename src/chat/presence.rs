//! Who is here: online, away, or when last. Who does not want that to be seen is offline to others.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::facts::{Facts, hidden_from, room_for};
use super::policy::{self, Action};
use crate::app::App;
use crate::error::Result;
use crate::hub::{Audience, Here, Outbound, Publication, Step};
use crate::store::presence::{self, Stored};
use crate::store::{Lane, Reader, accounts, people, rooms};
use crate::types::{Actor, Identity, Network, Presence, Room, RoomId, RoomName, RoomRole, Timestamp, UserId, Username};

/// How often the server looks who is here. Who is gone at two looks is offline: a page that is loaded anew is not.
const LOOK: Duration = Duration::from_secs(2);
/// In larger groups nobody is told who comes and goes, and who is offline is not listed.
const LARGE: usize = 50;
/// People who are listed.
const MOST: usize = 1_000;
/// Accounts of which is written down together that they have gone.
const AT_ONCE: usize = 200;

/// To those in small groups who have asked who is here: it has changed.
#[derive(Serialize, JsonSchema)]
pub struct PresenceChanged {
    #[serde(flatten)]
    person: Seen,
    room: RoomName,
}

impl Outbound for PresenceChanged {
    const NAME: &'static str = "presence_changed";
}

/// Somebody, as others see them.
#[derive(Clone, Serialize, JsonSchema)]
pub struct Seen {
    pub username: Username,
    pub presence: Presence,
    /// When an account that is offline was here last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
    /// Of who runs the group, as `get_presence` tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<RoomRole>,
}

impl Seen {
    fn new(username: Username, presence: Presence) -> Self {
        Self { username, presence, last_seen: None, role: None }
    }
}

#[derive(Serialize, JsonSchema)]
pub struct People {
    pub people: Vec<Seen>,
}

/// How one wants to be seen.
#[derive(Serialize, JsonSchema)]
pub struct Wish {
    pub hidden: bool,
}

/// `away`: nobody looks at this client. `hidden`: nobody is to see whether one is here; it holds until it is taken back.
pub async fn set(app: &App, actor: &Actor, away: Option<bool>, hidden: Option<bool>) -> Result<Wish> {
    app.limits.reading(actor.user, Network::of(actor.address))?;
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .write(Lane::People, move |tx| {
            policy::on_server(Action::ManageOneself, facts.standing(tx, &actor)?)?;
            if let (Some(conn), Some(away)) = (actor.conn, away) {
                tx.publish(Publication::Away { conn, away });
            }
            let stored = presence::get(tx, actor.user)?;
            let hidden = hidden.unwrap_or(stored.hidden);
            if hidden != stored.hidden {
                let last_seen = if hidden { Some(facts.at.micros()) } else { stored.last_seen };
                presence::set(tx, actor.user, Stored { hidden, last_seen })?;
                let identity = actor.identity.clone();
                tx.publish(Publication::Invisible { identity, user: actor.user, invisible: hidden });
            }
            Ok(Wish { hidden })
        })
        .await
}

/// Who of a room is here; of a small group, or a room of two, also who is not. The connection is told from here on what
/// changes there.
pub async fn of_room(app: &App, actor: &Actor, name: RoomName) -> Result<People> {
    app.limits.reading(actor.user, Network::of(actor.address))?;
    let (facts, who) = (Facts::of(app), actor.clone());
    let room = app.db.read(move |reader| room_for(facts, reader, &who, &name, Action::ReadRoom)).await?;
    // First, so that it misses nothing that is told after the look that it gets to see.
    if let Some(conn) = actor.conn {
        app.publisher.carry_out(Publication::Watch { conn, room: room.id }).await;
    }
    let (here, who) = (app.here(), actor.clone());
    app.db.read(move |reader| Ok(People { people: seen_in(reader, &who, &room, &here)? })).await
}

fn seen_in(reader: &mut Reader, actor: &Actor, room: &Room, here: &HashMap<UserId, Here>) -> Result<Vec<Seen>> {
    let members: Vec<(UserId, RoomRole)> = match room.id {
        RoomId::PUBLIC => here.keys().map(|user| (*user, RoomRole::Member)).collect(),
        _ => rooms::members(reader, room.id)?.into_iter().map(|member| (member.user, member.role)).collect(),
    };
    let is_small = room.id != RoomId::PUBLIC && members.len() <= LARGE;
    let blocked_by = people::blocked_by(reader, &actor.identity)?;
    let blocked = hidden_from(reader, actor.user)?;
    // Who asks is here, whether or not it was looked since they came.
    let own = Here {
        name: actor.name.clone(),
        identity: actor.identity.clone(),
        presence: Presence::Online,
        invisible: false,
    };
    let mut found: HashMap<Username, Seen> = HashMap::new();
    for (user, role) in members {
        let one = here.get(&user).or((user == actor.user).then_some(&own));
        let one = one.filter(|one| !blocked_by.contains(&user) && !blocked.contains(&one.identity));
        let one = one.filter(|one| !one.invisible || user == actor.user);
        let mut seen = match one {
            Some(one) => Seen::new(one.name.clone(), one.presence),
            None if is_small => match gone(reader, user)? {
                Some(seen) => seen,
                None => continue,
            },
            None => continue,
        };
        seen.role = Some(role).filter(|role| *role != RoomRole::Member);
        // A guest is somebody new at each visit.
        let known = found.entry(seen.username.clone()).or_insert_with(|| seen.clone());
        if known.presence < seen.presence {
            *known = seen;
        }
        if found.len() == MOST {
            break;
        }
    }
    let mut people: Vec<_> = found.into_values().collect();
    people.sort_by(|one, other| (other.presence, &one.username).cmp(&(one.presence, &other.username)));
    Ok(people)
}

/// Somebody who is offline, as far as others can tell.
fn gone(reader: &mut Reader, user: UserId) -> Result<Option<Seen>> {
    let Some(username) = people::name(reader, user)? else { return Ok(None) };
    let last_seen = match accounts::get(reader, user)? {
        Some(_) => Some(last_seen_of(reader, user)?),
        None => None,
    };
    Ok(Some(Seen { last_seen, ..Seen::new(username, Presence::Offline) }))
}

/// When an account was here last: of one that hides, when that began; a server that was killed remembers when it wrote.
fn last_seen_of(reader: &mut Reader, user: UserId) -> Result<Timestamp> {
    let stored = presence::get(reader, user)?;
    let gone = stored.last_seen.map(people::timestamp).transpose()?;
    let active = people::activity(reader, user)?.last_active;
    Ok(match (gone, stored.hidden) {
        (Some(gone), true) => gone,
        (gone, _) => gone.map_or(active, |gone| gone.max(active)),
    })
}

/// What the looks remember.
#[derive(Default)]
struct Memory {
    /// Those who were gone at the last look.
    missed: HashSet<UserId>,
    /// Accounts that have gone, which is still to be written down.
    unwritten: HashSet<UserId>,
}

/// Runs for as long as the server: tells who comes and goes.
pub async fn watch(app: Arc<App>) {
    let mut memory = Memory::default();
    loop {
        tokio::time::sleep(LOOK).await;
        if let Err(error) = look(&app, &mut memory).await {
            tracing::warn!("it could not be told who came and went: {error}");
        }
    }
}

async fn look(app: &App, memory: &mut Memory) -> Result<()> {
    let before = app.here();
    let Look { here, changed, gone } = compare(&before, app.hub.here(), &mut memory.missed);
    let here = Arc::new(here);
    app.set_here(here.clone());
    memory.unwritten.extend(gone);
    memory.unwritten.retain(|user| memory.missed.contains(user) || !here.contains_key(user));
    let watched = if changed.is_empty() { HashSet::new() } else { app.hub.watched() };
    if !watched.is_empty() {
        let events = app.db.read(move |reader| events(reader, changed, &here, &watched)).await;
        // What could not be told is still to be told at the next look.
        let events = events.inspect_err(|_| app.set_here(before))?;
        app.publisher.publish(events.into_iter().map(Step::Publish).collect());
    }
    while !memory.unwritten.is_empty() {
        let some: Vec<_> = memory.unwritten.iter().copied().take(AT_ONCE).collect();
        note_gone(app, some.clone(), app.now()).await?;
        memory.unwritten.retain(|user| !some.contains(user));
    }
    Ok(())
}

fn events(
    reader: &mut Reader,
    changed: Vec<(UserId, Identity)>,
    here: &HashMap<UserId, Here>,
    watched: &HashSet<RoomId>,
) -> Result<Vec<Publication>> {
    let mut events = Vec::new();
    for (user, identity) in changed {
        let seen = match here.get(&user).filter(|one| !one.invisible) {
            Some(one) => Seen::new(one.name.clone(), one.presence),
            None => match gone(reader, user)? {
                Some(seen) => seen,
                None => continue,
            },
        };
        // Whom one has blocked learns nothing of it.
        let blocked = Arc::new(hidden_from(reader, user)?);
        for room in small_rooms(reader, user, watched)? {
            let event = PresenceChanged { person: seen.clone(), room: room.name };
            let audience = Audience::Watching { room: room.id, except: blocked.clone() };
            events.push(Publication::emit(audience, &event).by(identity.clone()));
        }
    }
    Ok(events)
}

/// What one look has shown.
struct Look {
    here: HashMap<UserId, Here>,
    /// Those who are to be seen in another way than before.
    changed: Vec<(UserId, Identity)>,
    /// Accounts that were here at the look before.
    gone: Vec<UserId>,
}

fn compare(before: &HashMap<UserId, Here>, mut here: HashMap<UserId, Here>, missed: &mut HashSet<UserId>) -> Look {
    let mut gone = Vec::new();
    let mut now_missed = HashSet::new();
    for (user, one) in before {
        if !here.contains_key(user) && !missed.contains(user) {
            now_missed.insert(*user);
            here.insert(*user, one.clone());
            gone.extend((!one.identity.is_guest()).then_some(*user));
        }
    }
    *missed = now_missed;
    let look = |seen: Option<&Here>| seen.filter(|one| !one.invisible).map(|one| one.presence);
    let everybody: HashSet<_> = before.keys().chain(here.keys()).collect();
    let changed = everybody.into_iter().filter(|user| look(before.get(user)) != look(here.get(user)));
    let identity = |user: &UserId| here.get(user).or(before.get(user)).map(|one| (*user, one.identity.clone()));
    let changed = changed.filter_map(identity).collect();
    Look { here, changed, gone }
}

/// The rooms in which it is told that somebody comes or goes.
fn small_rooms(reader: &mut Reader, user: UserId, watched: &HashSet<RoomId>) -> Result<Vec<Room>> {
    let mut small = Vec::new();
    for room in rooms::of_member(reader, user)?.into_iter().filter(|room| watched.contains(&room.id)) {
        if rooms::member_count(reader, room.id)? <= LARGE {
            small.push(room);
        }
    }
    Ok(small)
}

async fn note_gone(app: &App, gone: Vec<UserId>, at: Timestamp) -> Result<()> {
    app.db
        .write(Lane::People, move |tx| {
            for user in gone {
                let stored = presence::get(tx, user)?;
                // Of who hides it stays known when that began.
                if !stored.hidden {
                    presence::set(tx, user, Stored { last_seen: Some(at.micros()), ..stored })?;
                }
            }
            Ok(())
        })
        .await
}

/// The server stops: all who are here were here last now.
pub async fn all_go(app: &App) {
    let here = app.hub.here().into_iter().filter(|(_, one)| !one.identity.is_guest());
    let users: Vec<_> = here.map(|(user, _)| user).collect();
    for some in users.chunks(AT_ONCE) {
        if let Err(error) = note_gone(app, some.to_vec(), app.now()).await {
            return tracing::warn!("it could not be stored who was here: {error}");
        }
    }
}
