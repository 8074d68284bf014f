//! Retention: how long a room keeps its messages.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::facts::{Facts, any_room};
use super::policy::{self, Action};
use super::{attachments, audit};
use crate::app::App;
use crate::error::{Error, Result};
use crate::hub::{Audience, Outbound, Publication};
use crate::store::messages::Written;
use crate::store::{Lane, admin, messages, rooms};
use crate::types::{Actor, Reason, Room, RoomName};

/// Longest time, in days.
const LONGEST: f64 = 36_500.0;
/// Messages that one write deletes.
const AT_ONCE: i64 = 2_000;
const DAY: f64 = 86_400.0;

/// To the room: how long it keeps messages from now on; 0 is for ever.
#[derive(Serialize, JsonSchema)]
pub struct RetentionSet {
    room: RoomName,
    days: f64,
}

impl Outbound for RetentionSet {
    const NAME: &'static str = "retention_set";
}

/// To the room: the messages before this `seq` are gone.
#[derive(Serialize, JsonSchema)]
pub struct MessagesExpired {
    room: RoomName,
    before: i64,
}

impl Outbound for MessagesExpired {
    const NAME: &'static str = "messages_expired";
}

/// Sets how many days a room keeps its messages, or parts of days; 0 is for ever. Older ones go at once.
pub async fn set(app: &App, actor: &Actor, name: RoomName, days: f64) -> Result<()> {
    if !(0.0..=LONGEST).contains(&days) {
        return Err(Error::invalid("days", format!("must be a number from 0 to {LONGEST}")));
    }
    let (facts, actor) = (Facts::of(app), actor.clone());
    let limits = app.limits.clone();
    let room = app
        .db
        .write(rooms::lane(&name), move |tx| {
            let room = any_room(tx, &name)?;
            let (standing, there) = facts.in_room(tx, &actor, &room)?;
            policy::in_room(Action::SetRetention, standing, there)?;
            limits.moderation(standing.role, actor.user)?;
            let keep = (days > 0.0).then(|| Duration::from_secs((days * DAY).ceil() as u64));
            let room = Room { keep, ..room };
            rooms::update(tx, &room)?;
            tx.publish(Publication::emit(Audience::Room(room.id), &RetentionSet { room: room.name.clone(), days }));
            let action = format!("set_retention {days}");
            audit::note(tx, facts.at, Some(&actor), &action, None, Some(&room.name), Reason::default());
            Ok(room)
        })
        .await?;
    let any = expire(app, room).await?;
    shrink(app, any).await
}

/// How many days a room keeps its messages; 0 is for ever.
pub(super) fn days(room: &Room) -> f64 {
    room.keep.map_or(0.0, |keep| keep.as_secs_f64() / DAY)
}

/// Deletes what rooms do not keep any longer. For [`super::watch`].
pub(super) async fn expire_all(app: &App) -> Result<()> {
    let rooms = app.db.read(rooms::every).await?;
    let mut any = false;
    for room in rooms.into_iter().filter(|room| room.keep.is_some()) {
        any |= expire(app, room).await?;
    }
    shrink(app, any).await
}

/// The space of what was deleted, if anything was, goes back to the file system.
async fn shrink(app: &App, any: bool) -> Result<()> {
    match any {
        true => {
            attachments::clear(app).await;
            app.db.write(Lane::People, admin::shrink).await
        }
        false => Ok(()),
    }
}

/// Whether anything was deleted.
async fn expire(app: &App, room: Room) -> Result<bool> {
    let now = app.now().micros();
    let mut any = false;
    loop {
        let here = room.clone();
        let is_done = app
            .db
            .write(rooms::lane(&room.name), move |tx| {
                // What was set meanwhile counts.
                let Some(Room { keep: Some(keep), .. }) = rooms::by_id(tx, here.id)? else { return Ok(true) };
                let oldest = now.saturating_sub(i64::try_from(keep.as_micros()).unwrap_or(i64::MAX));
                let is_due = |written: &Written| written.message.timestamp.micros() < oldest;
                if !messages::after(tx, &here, 0, 1)?.iter().any(is_due) {
                    return Ok(true);
                }
                let first = messages::after(tx, &here, 0, AT_ONCE)?;
                let expired = first.iter().take_while(|written| is_due(written));
                let Some(last) = expired.last() else { return Ok(true) };
                let before = last.message.seq + 1;
                messages::delete_before(tx, &here, before)?;
                let expired = MessagesExpired { room: here.name.clone(), before };
                tx.publish(Publication::emit(Audience::Room(here.id), &expired));
                Ok(false)
            })
            .await?;
        match is_done {
            true => return Ok(any),
            false => any = true,
        }
    }
}
