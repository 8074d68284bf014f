//! Moderation: kicking, banning, muting, deleting, slow mode, roles in rooms. Each act is in the audit log.

use serde::Serialize;

use super::facts::{Facts, Person, any_room, find_person, memberships};
use super::policy::{self, Action, InRoom, Standing};
use super::rooms::UserLeft;
use super::{audit, sessions};
use crate::app::App;
use crate::error::{Error, Result};
use crate::hub::{Audience, Outbound, Publication};
use crate::store::moderation::{self as sanctions, AddressBan, FOR_EVER, Sanction, Until};
use crate::store::{Lane, Reader, Tx, messages, rooms, state};
use crate::types::{
    Actor, Identity, Message, MessageId, Network, Reason, Room, RoomId, RoomName, RoomRole, Timestamp, UserId, Username,
};

/// Longest time that a sanction can be given for; without one it has no end.
const MOST_MINUTES: u32 = 60 * 24 * 365;
/// Longest pause of the slow mode, in seconds.
const SLOWEST: u32 = 3_600;
/// How far back a ban can remove messages, in hours.
const MOST_HOURS: u32 = 24 * 7;
/// Messages that one write deletes, and one read looks at.
const AT_ONCE: usize = 200;

/// Whom an act is about, and where; no room is the whole server.
pub struct Target {
    pub username: Username,
    pub room: Option<RoomName>,
    pub reason: Reason,
}

/// To who was kicked, banned or muted.
#[derive(Serialize)]
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

/// To the room: pages drop the message at once.
#[derive(Serialize)]
pub struct MessageDeleted {
    id: MessageId,
    room: RoomName,
}

impl Outbound for MessageDeleted {
    const NAME: &'static str = "message_deleted";
}

/// To the room: how many seconds must lie between two messages of one member.
#[derive(Serialize)]
pub struct SlowModeSet {
    room: RoomName,
    seconds: u32,
}

impl Outbound for SlowModeSet {
    const NAME: &'static str = "slow_mode_set";
}

/// To the room: somebody is something else there now.
#[derive(Serialize)]
pub struct RoleSet {
    username: Username,
    room: RoomName,
    role: RoomRole,
}

impl Outbound for RoleSet {
    const NAME: &'static str = "role_set";
}

/// A target that was looked up, and may be acted on.
struct Found {
    person: Person,
    room: Option<Room>,
}

/// The target, if the actor may do this to them there.
fn find(
    facts: Facts,
    reader: &mut Reader,
    actor: &Actor,
    target: &Target,
    here: Action,
    everywhere: Action,
) -> Result<Found> {
    let room = target.room.as_ref().map(|name| any_room(reader, name)).transpose()?;
    let (standing, there) = match &room {
        Some(room) => facts.in_room(reader, actor, room)?,
        None => (facts.standing(reader, actor)?, InRoom::NOWHERE),
    };
    match room {
        Some(_) => policy::in_room(here, standing, there)?,
        None => policy::on_server(everywhere, standing)?,
    }
    let person = find_person(reader, &target.username)?;
    let (other, other_there) = facts.of_other(reader, &person, room.as_ref())?;
    policy::act_on(standing, there, other, other_there)?;
    Ok(Found { person, room })
}

/// Sends somebody out of a room, or closes their connections. They may come back.
pub async fn kick(app: &App, actor: &Actor, target: Target) -> Result<()> {
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .write(Lane::Accounts, move |tx| {
            let Found { person, room } =
                find(facts, tx, &actor, &target, Action::KickFromRoom, Action::KickFromServer)?;
            tell(tx, &person, "kick", &target, None);
            match &room {
                Some(room) => put_out(tx, &person, room)?,
                None => sessions::close(tx, Audience::Person(person.identity.clone()), None, "You were sent away."),
            }
            audit::note(tx, facts.at, Some(&actor), "kick", Some(&person.name), target.room.as_ref(), target.reason)
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
#[derive(Serialize)]
pub struct Banned {
    pub addresses_banned: usize,
    pub messages_removed: usize,
}

/// Bars somebody from a room or from the server: their sessions and connections end, and the name is barred.
pub async fn ban(app: &App, actor: &Actor, target: Target, options: BanOptions) -> Result<Banned> {
    let facts = Facts::of(app);
    let until = until(facts.at, options.minutes)?;
    if options.remove_hours > MOST_HOURS {
        return Err(Error::invalid("remove_hours", format!("must be a number from 0 to {MOST_HOURS}")));
    }
    if options.addresses && target.room.is_some() {
        return Err(Error::invalid("addresses", "can be banned from the whole server alone"));
    }
    let own = Network::of(actor.address);
    let hub = app.hub.clone();
    let by = actor.clone();
    let (person, room, networks) = app
        .db
        .write(Lane::Accounts, move |tx| {
            let Found { person, room } = find(facts, tx, &by, &target, Action::BanFromRoom, Action::BanFromServer)?;
            change_sanction(tx, &person, room.as_ref(), &by, &target.reason, |sanction| {
                sanction.banned_until = Some(until);
            })?;
            let mut networks = if options.addresses { hub.networks_of(&person.identity) } else { Vec::new() };
            // A moderator must not bar themselves, nor the machine itself.
            networks.retain(|network| *network != own && !network.is_loopback());
            for network in &networks {
                sanctions::ban_address(tx, &person.identity, &AddressBan { network: *network, until })?;
                sessions::close(tx, Audience::Network(*network), None, "Your address is banned from this server.");
            }
            tell(tx, &person, "ban", &target, Some(until));
            match &room {
                Some(room) => put_out(tx, &person, room)?,
                None => {
                    if let Identity::Account(user) = person.identity {
                        sessions::end_all(tx, user, None)?;
                    }
                    let conns = Audience::Person(person.identity.clone());
                    sessions::close(tx, conns, None, "You are banned from this server.");
                    state::touch(tx, state::ACCESS)?;
                }
            }
            audit::note(tx, facts.at, Some(&by), "ban", Some(&person.name), target.room.as_ref(), target.reason)?;
            Ok((person, room, networks))
        })
        .await?;
    app.add_banned_networks(networks.iter().map(|network| (*network, until)));
    let since = facts.at.micros() - i64::from(options.remove_hours) * 3_600_000_000;
    let messages_removed = match options.remove_hours {
        0 => 0,
        _ => remove_messages(app, &person.identity, room, since).await?,
    };
    Ok(Banned { addresses_banned: networks.len(), messages_removed })
}

/// Whether there was a ban to lift.
pub async fn unban(app: &App, actor: &Actor, target: Target) -> Result<bool> {
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .write(Lane::Accounts, move |tx| {
            let Found { person, room } = find(facts, tx, &actor, &target, Action::BanFromRoom, Action::BanFromServer)?;
            let mut was_banned = false;
            change_sanction(tx, &person, room.as_ref(), &actor, &target.reason, |sanction| {
                was_banned = sanction.banned_until.take().is_some();
            })?;
            if !was_banned {
                return Ok(false);
            }
            if room.is_none() {
                sanctions::unban_addresses(tx, &person.identity)?;
                state::touch(tx, state::ACCESS)?;
            }
            audit::note(tx, facts.at, Some(&actor), "unban", Some(&person.name), target.room.as_ref(), target.reason)?;
            Ok(true)
        })
        .await
}

/// Takes somebody's voice for some minutes, or for ever; 0 gives it back.
pub async fn mute(app: &App, actor: &Actor, target: Target, minutes: Option<u32>) -> Result<()> {
    let facts = Facts::of(app);
    let until = match minutes {
        Some(0) => None,
        minutes => Some(until(facts.at, minutes)?),
    };
    let actor = actor.clone();
    app.db
        .write(Lane::Accounts, move |tx| {
            let Found { person, room } = find(facts, tx, &actor, &target, Action::MuteInRoom, Action::MuteOnServer)?;
            change_sanction(tx, &person, room.as_ref(), &actor, &target.reason, |sanction| {
                sanction.muted_until = until;
            })?;
            let action = if until.is_some() { "mute" } else { "unmute" };
            tell(tx, &person, action, &target, until);
            audit::note(tx, facts.at, Some(&actor), action, Some(&person.name), target.room.as_ref(), target.reason)
        })
        .await
}

/// Deletes a message: one's own, or anyone's where one moderates.
pub async fn delete_message(app: &App, actor: &Actor, id: MessageId, reason: Reason) -> Result<()> {
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .write(Lane::Accounts, move |tx| {
            let FoundMessage { room, written, standing, there } = find_message(facts, tx, &actor, id)?;
            let own = written.message.user_id == actor.user;
            policy::in_room(if own { Action::DeleteOwnMessage } else { Action::DeleteAnyMessage }, standing, there)?;
            delete(tx, &room, &written.message)?;
            match own {
                true => Ok(()),
                false => {
                    let author = &written.message.username;
                    audit::note(tx, facts.at, Some(&actor), "delete_message", Some(author), Some(&room.name), reason)
                }
            }
        })
        .await
}

/// A message, where it stands, and what holds for the actor there.
pub(super) struct FoundMessage {
    pub room: Room,
    pub written: messages::Written,
    pub standing: Standing,
    pub there: InRoom,
}

/// A message that the actor may read or moderate. To anybody else there is none, whatever id they try.
pub(super) fn find_message(facts: Facts, reader: &mut Reader, actor: &Actor, id: MessageId) -> Result<FoundMessage> {
    let none = || Error::NotFound("There is no such message.".into());
    let (room, seq) = messages::place_of(reader, id)?.ok_or_else(none)?;
    let room = rooms::by_id(reader, room)?.ok_or_else(none)?;
    let (standing, there) = facts.in_room(reader, actor, &room)?;
    let may = |action| policy::in_room(action, standing, there).is_ok();
    if !may(Action::ReadRoom) && !may(Action::DeleteAnyMessage) {
        return Err(none());
    }
    let written = messages::get(reader, &room, seq)?.ok_or_else(none)?;
    Ok(FoundMessage { room, written, standing, there })
}

fn delete(tx: &mut Tx, room: &Room, message: &Message) -> Result<()> {
    if messages::delete(tx, room.id, message.seq)? {
        let deleted = MessageDeleted { id: message.id, room: room.name.clone() };
        tx.publish(Publication::emit(Audience::Room(room.id), &deleted));
    }
    Ok(())
}

/// Removes what a person wrote since then, in one room or in all. How many messages.
async fn remove_messages(app: &App, whom: &Identity, room: Option<Room>, since: i64) -> Result<usize> {
    let whom = whom.clone();
    let found = app
        .db
        .read(move |reader| {
            let rooms = match room {
                Some(room) => vec![room],
                None => rooms::all(reader)?.into_iter().map(|(room, _, _)| room).collect(),
            };
            let mut found = Vec::new();
            for room in rooms {
                let by_them =
                    messages_since(reader, &room, since)?.into_iter().filter(|written| written.author == whom);
                found.extend(by_them.map(|written| (room.clone(), written.message)));
            }
            Ok(found)
        })
        .await?;
    let count = found.len();
    for some in found.chunks(AT_ONCE) {
        let some = some.to_vec();
        let work = move |tx: &mut Tx| some.iter().try_for_each(|(room, message)| delete(tx, room, message));
        app.db.write(Lane::Accounts, work).await?;
    }
    Ok(count)
}

fn messages_since(reader: &mut Reader, room: &Room, since: i64) -> Result<Vec<messages::Written>> {
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

/// How many seconds must lie between two messages of one member; 0 turns it off.
pub async fn set_slow_mode(app: &App, actor: &Actor, name: RoomName, seconds: u32) -> Result<()> {
    if seconds > SLOWEST {
        return Err(Error::invalid("seconds", format!("must be a number from 0 to {SLOWEST}")));
    }
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .write(Lane::Accounts, move |tx| {
            let room = any_room(tx, &name)?;
            let (standing, there) = facts.in_room(tx, &actor, &room)?;
            policy::in_room(Action::SetSlowMode, standing, there)?;
            rooms::update(tx, &Room { slow_mode: seconds, ..room.clone() })?;
            let set = SlowModeSet { room: room.name.clone(), seconds };
            tx.publish(Publication::emit(Audience::Room(room.id), &set));
            let action = format!("set_slow_mode {seconds}");
            audit::note(tx, facts.at, Some(&actor), &action, None, Some(&room.name), Reason::default())
        })
        .await
}

/// Makes a member something else in a room. Who makes somebody its owner hands it over.
pub async fn set_room_role(app: &App, actor: &Actor, username: Username, name: RoomName, role: RoomRole) -> Result<()> {
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .write(Lane::Accounts, move |tx| {
            let room = any_room(tx, &name)?;
            let (standing, there) = facts.in_room(tx, &actor, &room)?;
            policy::in_room(Action::SetRoomRole, standing, there)?;
            let person = find_person(tx, &username)?;
            // A guest's role is for exactly that name: those that look like it are other people.
            let mut members = memberships(tx, room.id, &person.identity)?;
            members.retain(|member| member.name == person.name);
            if members.len() > 1 && role != RoomRole::Member {
                return Err(Error::Conflict("Several guests have this name. Ask them to make an account.".into()));
            }
            if members.is_empty() {
                return Err(Error::NotFound("They are no member of this group.".into()));
            }
            if person.identity == actor.identity {
                return Err(Error::invalid("username", "This is you. Make somebody else the owner to step down."));
            }
            if role == RoomRole::Owner {
                step_down(tx, &room)?;
            }
            for member in &members {
                rooms::set_room_role(tx, room.id, member, role)?;
            }
            let set = RoleSet { username: person.name.clone(), room: room.name.clone(), role };
            tx.publish(Publication::emit(Audience::Room(room.id), &set));
            let action = format!("set_room_role {role:?}").to_lowercase();
            audit::note(tx, facts.at, Some(&actor), &action, Some(&person.name), Some(&room.name), Reason::default())
        })
        .await
}

/// A room has one owner: the one so far stays as a moderator.
fn step_down(tx: &mut Tx, room: &Room) -> Result<()> {
    for member in rooms::members(tx, room.id)?.iter().filter(|member| member.role == RoomRole::Owner) {
        rooms::set_room_role(tx, room.id, member, RoomRole::Moderator)?;
    }
    Ok(())
}

/// When an owner leaves, the longest-standing moderator takes over, else the longest-standing member; where nobody is
/// left, the server's moderators look after the room.
pub(super) fn pass_on(tx: &mut Tx, room: RoomId, gone: UserId) -> Result<()> {
    let members = rooms::members(tx, room)?;
    let left: Vec<_> = members.into_iter().filter(|member| member.user != gone).collect();
    if left.iter().any(|member| member.role == RoomRole::Owner) {
        return Ok(());
    }
    let heir = left.iter().find(|member| member.role == RoomRole::Moderator).or(left.first());
    heir.map_or(Ok(()), |heir| rooms::set_room_role(tx, room, heir, RoomRole::Owner))
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
    person: &Person,
    room: Option<&Room>,
    by: &Actor,
    reason: &Reason,
    change: impl FnOnce(&mut Sanction),
) -> Result<()> {
    let room = room.map(|room| room.id);
    let (server, own) = sanctions::sanctions_of(tx, &person.identity, room)?;
    let mut sanction = if room.is_some() { own } else { server }.unwrap_or_default();
    change(&mut sanction);
    sanction.name = Some(person.name.clone());
    sanction.by = Some(by.name.clone());
    sanction.reason = reason.clone();
    sanctions::set_sanction(tx, &person.identity, room, &sanction)
}

fn tell(tx: &mut Tx, person: &Person, action: &'static str, target: &Target, until: Option<Until>) {
    let until = until.filter(|until| *until != FOR_EVER).and_then(Timestamp::from_micros);
    let event = Sanctioned { action, room: target.room.clone(), until, reason: target.reason.clone() };
    tx.publish(Publication::emit(Audience::Person(person.identity.clone()), &event));
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
