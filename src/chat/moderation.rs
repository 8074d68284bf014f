//! Moderation: kicking, banning and muting people, in a room or on the server. Each act is in the audit log.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::deletion::remove_messages;
use super::facts::{Facts, Person, any_room, find_person, memberships};
use super::policy::{self, Action, InRoom};
use super::room_settings::pass_on;
use super::rooms::UserLeft;
use super::{audit, sessions};
use crate::app::App;
use crate::error::{Error, Result};
use crate::hub::{Audience, Outbound, Publication};
use crate::limits::Limits;
use crate::store::moderation::{self as sanctions, AddressBan, FOR_EVER, Sanction, Until};
use crate::store::{Lane, Tx, rooms, state};
use crate::types::{Actor, Identity, Network, Reason, Room, RoomName, RoomRole, Timestamp, Username};

/// Longest time that a sanction can be given for; without one it has no end.
const MOST_MINUTES: u32 = 60 * 24 * 365;
/// How far back a ban can remove messages, in hours.
const MOST_HOURS: u32 = 24 * 7;

/// Whom an act is about, and where; no room is the whole server.
pub struct Target {
    pub username: Username,
    pub room: Option<RoomName>,
    pub reason: Reason,
}

/// To who was kicked, banned or muted.
#[derive(Serialize, JsonSchema)]
pub struct Sanctioned {
    action: &'static str,
    /// `null`: on the whole server.
    room: Option<RoomName>,
    /// `null`: it has no end, or ended at once.
    until: Option<Timestamp>,
    reason: Reason,
}

impl Outbound for Sanctioned {
    const NAME: &'static str = "sanctioned";
}

impl Target {
    /// What is done in a room keeps its order with what is said and joined there.
    fn lane(&self) -> Lane {
        self.room.as_ref().map_or(Lane::People, rooms::lane)
    }
}

/// What a moderator wants to do, here and now.
#[derive(Clone)]
struct Act {
    facts: Facts,
    limits: Arc<Limits>,
    actor: Actor,
    in_room: Action,
    on_server: Action,
}

/// A target that was looked up, and may be acted on.
struct Found {
    person: Person,
    /// `None`: the whole server.
    room: Option<Room>,
    /// Whether they are in that room.
    is_there: bool,
}

impl Act {
    fn new(app: &App, actor: &Actor, in_room: Action, on_server: Action) -> Self {
        Self { facts: Facts::of(app), limits: app.limits.clone(), actor: actor.clone(), in_room, on_server }
    }

    /// The target, if the actor may do this to them there, and now.
    fn find(&self, tx: &mut Tx, target: &Target) -> Result<Found> {
        let room = target.room.as_ref().map(|name| any_room(tx, name)).transpose()?;
        let (standing, there) = match &room {
            Some(room) => self.facts.in_room(tx, &self.actor, room)?,
            None => (self.facts.standing(tx, &self.actor)?, InRoom::NOWHERE),
        };
        match room {
            Some(_) => policy::in_room(self.in_room, standing, there)?,
            None => policy::on_server(self.on_server, standing)?,
        }
        let person = find_person(tx, &target.username)?;
        let (other, other_there) = self.facts.of_other(tx, &person, room.as_ref())?;
        policy::act_on(standing, there, other, other_there)?;
        self.limits.moderation(standing.role, self.actor.user)?;
        Ok(Found { person, room, is_there: there.public || other_there.role.is_some() })
    }

    fn note(&self, tx: &mut Tx, action: &str, found: &Found, target: Target) {
        let at = self.facts.at;
        audit::note(tx, at, Some(&self.actor), action, Some(&found.person.name), target.room.as_ref(), target.reason);
    }
}

impl Found {
    /// Who is no member of a group has nothing to do with those who run it.
    fn refuse_stranger(&self) -> Result<()> {
        match self.room.is_none() || self.is_there {
            true => Ok(()),
            false => Err(Error::NotFound("They are no member of this group.".into())),
        }
    }

    fn tell(&self, tx: &mut Tx, action: &'static str, target: &Target, until: Option<Until>) {
        if self.room.is_some() && !self.is_there {
            return;
        }
        let event =
            Sanctioned { action, room: target.room.clone(), until: until.and_then(end), reason: target.reason.clone() };
        tx.publish(Publication::emit(Audience::Person(self.person.identity.clone()), &event));
    }
}

/// Sends somebody out of a room, or closes their connections. They may come back.
pub async fn kick(app: &App, actor: &Actor, target: Target) -> Result<()> {
    let act = Act::new(app, actor, Action::KickFromRoom, Action::KickFromServer);
    app.db
        .write(target.lane(), move |tx| {
            let found = act.find(tx, &target)?;
            found.refuse_stranger()?;
            found.tell(tx, "kick", &target, None);
            match &found.room {
                Some(room) => put_out(tx, &found.person, room)?,
                None => {
                    sessions::close(tx, Audience::Person(found.person.identity.clone()), None, "You were sent away.")
                }
            }
            act.note(tx, "kick", &found, target);
            Ok(())
        })
        .await
}

/// What comes with a ban.
pub struct BanOptions {
    /// `None`: for ever.
    pub minutes: Option<u32>,
    /// Also bar the networks that the person is connected from.
    pub addresses: bool,
    /// Also remove the person's messages of the last hours.
    pub remove_hours: u32,
}

/// What a ban has done besides.
#[derive(Serialize, JsonSchema)]
pub struct Banned {
    pub addresses_banned: usize,
    pub messages_removed: usize,
}

/// Bars somebody from a room or from the server: their sessions and connections end, and the name is barred. A group may
/// bar people before they ever came.
pub async fn ban(app: &App, actor: &Actor, target: Target, options: BanOptions) -> Result<Banned> {
    let act = Act::new(app, actor, Action::BanFromRoom, Action::BanFromServer);
    let at = act.facts.at;
    let until = until(at, options.minutes)?;
    if options.remove_hours > MOST_HOURS {
        return Err(Error::invalid("remove_hours", format!("must be a number from 0 to {MOST_HOURS}")));
    }
    if options.addresses && target.room.is_some() {
        return Err(Error::invalid("addresses", "can be banned from the whole server alone"));
    }
    let hub = app.hub.clone();
    let (found, networks) = app
        .db
        .write(target.lane(), move |tx| {
            let found = act.find(tx, &target)?;
            change_sanction(tx, &found, &act.actor, &target.reason, |sanction| sanction.banned_until = Some(until))?;
            found.tell(tx, "ban", &target, Some(until));
            let networks = match &found.room {
                Some(room) if found.is_there => put_out(tx, &found.person, room).map(|()| Vec::new())?,
                // No member, but a connection may hear the room all the same: in a namespace, say.
                Some(room) => {
                    let conns = Audience::Person(found.person.identity.clone());
                    tx.publish(Publication::Leave { conns, room: room.id });
                    Vec::new()
                }
                None => {
                    let networks = match options.addresses {
                        true => hub.networks_of(&found.person.identity),
                        false => Vec::new(),
                    };
                    bar_from_server(tx, &act.actor, &found.person, networks, until)?
                }
            };
            act.note(tx, "ban", &found, target);
            Ok((found, networks))
        })
        .await?;
    app.add_banned_networks(networks.iter().map(|network| (*network, until)));
    let since = at.micros() - i64::from(options.remove_hours) * 3_600_000_000;
    let messages_removed = match options.remove_hours {
        0 => 0,
        _ => remove_messages(app, &found.person.identity, found.room, since).await?,
    };
    Ok(Banned { addresses_banned: networks.len(), messages_removed })
}

/// Ends all that the person has open, and bars these networks; those that were.
fn bar_from_server(
    tx: &mut Tx,
    by: &Actor,
    person: &Person,
    mut networks: Vec<Network>,
    until: Until,
) -> Result<Vec<Network>> {
    // A moderator must not bar themselves, nor the machine itself.
    networks.retain(|network| *network != Network::of(by.address) && !network.is_loopback());
    sanctions::unban_addresses(tx, &person.identity)?;
    for network in &networks {
        sanctions::ban_address(tx, &person.identity, &AddressBan { network: *network, until })?;
        sessions::close(tx, Audience::Network(*network), None, "Your address is banned from this server.");
    }
    if let Identity::Account(user) = person.identity {
        sessions::end_all(tx, user, None)?;
    }
    sessions::close(tx, Audience::Person(person.identity.clone()), None, "You are banned from this server.");
    state::touch(tx, state::ACCESS)?;
    Ok(networks)
}

/// Whether there was a ban to lift.
pub async fn unban(app: &App, actor: &Actor, target: Target) -> Result<bool> {
    let act = Act::new(app, actor, Action::BanFromRoom, Action::BanFromServer);
    app.db
        .write(target.lane(), move |tx| {
            let found = act.find(tx, &target)?;
            let mut was_banned = false;
            change_sanction(tx, &found, &act.actor, &target.reason, |sanction| {
                was_banned = sanction.banned_until.take().is_some();
            })?;
            if !was_banned {
                return Ok(false);
            }
            if found.room.is_none() {
                sanctions::unban_addresses(tx, &found.person.identity)?;
                state::touch(tx, state::ACCESS)?;
            }
            act.note(tx, "unban", &found, target);
            Ok(true)
        })
        .await
}

/// Takes somebody's voice for some minutes, or for ever; 0 gives it back.
pub async fn mute(app: &App, actor: &Actor, target: Target, minutes: Option<u32>) -> Result<()> {
    let act = Act::new(app, actor, Action::MuteInRoom, Action::MuteOnServer);
    let until = match minutes {
        Some(0) => None,
        minutes => Some(until(act.facts.at, minutes)?),
    };
    app.db
        .write(target.lane(), move |tx| {
            let found = act.find(tx, &target)?;
            if until.is_some() {
                found.refuse_stranger()?;
            }
            change_sanction(tx, &found, &act.actor, &target.reason, |sanction| sanction.muted_until = until)?;
            let action = if until.is_some() { "mute" } else { "unmute" };
            found.tell(tx, action, &target, until);
            act.note(tx, action, &found, target);
            Ok(())
        })
        .await
}

/// A mute or a ban, or both, as moderators see them.
#[derive(Serialize, JsonSchema)]
pub struct SanctionInfo {
    username: Option<Username>,
    muted: bool,
    /// `null`: for ever, or not at all.
    muted_until: Option<Timestamp>,
    banned: bool,
    banned_until: Option<Timestamp>,
    by: Option<Username>,
    reason: Reason,
}

/// Who is muted or banned: in a room, or on the whole server.
pub async fn list(app: &App, actor: &Actor, room: Option<RoomName>) -> Result<Vec<SanctionInfo>> {
    app.limits.reading(actor.user, Network::of(actor.address))?;
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .read(move |reader| {
            let room = room.map(|name| any_room(reader, &name)).transpose()?;
            match &room {
                Some(room) => {
                    let (standing, there) = facts.in_room(reader, &actor, room)?;
                    policy::in_room(Action::BanFromRoom, standing, there)?;
                }
                None => policy::on_server(Action::BanFromServer, facts.standing(reader, &actor)?)?,
            }
            let all = sanctions::sanctions_in(reader, room.map(|room| room.id), facts.at)?;
            Ok(all.into_iter().map(|sanction| shown(sanction, facts.at)).collect())
        })
        .await
}

fn shown(sanction: Sanction, now: Timestamp) -> SanctionInfo {
    SanctionInfo {
        muted: sanction.mutes(now),
        muted_until: sanction.muted_until.filter(|_| sanction.mutes(now)).and_then(end),
        banned: sanction.bans(now),
        banned_until: sanction.banned_until.filter(|_| sanction.bans(now)).and_then(end),
        username: sanction.name,
        by: sanction.by,
        reason: sanction.reason,
    }
}

/// `None` for what has no end.
fn end(until: Until) -> Option<Timestamp> {
    Some(until).filter(|until| *until != FOR_EVER).and_then(Timestamp::from_micros)
}

fn until(at: Timestamp, minutes: Option<u32>) -> Result<Until> {
    match minutes {
        None => Ok(FOR_EVER),
        Some(minutes) if (1..=MOST_MINUTES).contains(&minutes) => Ok(at.micros() + i64::from(minutes) * 60_000_000),
        Some(_) => Err(Error::invalid("minutes", format!("must be a number from 1 to {MOST_MINUTES}"))),
    }
}

fn change_sanction(
    tx: &mut Tx,
    found: &Found,
    by: &Actor,
    reason: &Reason,
    change: impl FnOnce(&mut Sanction),
) -> Result<()> {
    let person = &found.person;
    let room = found.room.as_ref().map(|room| room.id);
    let (server, own) = sanctions::sanctions_of(tx, &person.identity, room)?;
    let mut sanction = if room.is_some() { own } else { server }.unwrap_or_default();
    change(&mut sanction);
    sanction.name = Some(person.name.clone());
    sanction.by = Some(by.name.clone());
    sanction.reason = reason.clone();
    sanctions::set_sanction(tx, &person.identity, room, &sanction)
}

/// Out of a room: no member any more, and hears nothing of it.
fn put_out(tx: &mut Tx, person: &Person, room: &Room) -> Result<()> {
    for member in memberships(tx, room.id, &person.identity)? {
        rooms::remove_member(tx, room.id, member.user)?;
        if member.role == RoomRole::Owner {
            pass_on(tx, room.id, member.user)?;
        }
    }
    tx.publish(Publication::Leave { conns: Audience::Person(person.identity.clone()), room: room.id });
    let left = UserLeft { username: person.name.clone(), room: room.name.clone() };
    tx.publish(Publication::emit(Audience::Room(room.id), &left));
    Ok(())
}
