//! What the server looks after for as long as it runs: it closes what others have ended or time has, keeps the list of banned
//! networks, sends guests away whose name is somebody's now, and forgets what is over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::attachments;
use super::facts::Facts;
use super::retention;
use super::sessions::{goodbye, is_over, is_stale, touch};
use crate::app::App;
use crate::config::SessionLife;
use crate::error::Result;
use crate::hub::{Audience, Publication, Step};
use crate::store::sessions::{self, StoredSession};
use crate::store::{Lane, Reader, accounts, moderation, resume, state};
use crate::types::{Identity, SessionId, Timestamp};

/// How often the server looks for what other nodes, or its own command line, have done.
const WATCH: Duration = Duration::from_millis(500);
/// How often it looks for what time has ended.
const SWEEP: Duration = Duration::from_secs(60);
/// How many of those between two looks at the tickets of lost connections, of which there are many.
const TICKETS: u32 = 60;

/// How often others have changed something, when it was last looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Versions {
    access: i64,
    names: i64,
}

impl Versions {
    fn read(reader: &mut Reader) -> Result<Self> {
        let access = state::version(reader, state::ACCESS)?;
        Ok(Self { access, names: state::version(reader, state::NAMES)? })
    }
}

/// Runs for as long as the server.
pub async fn watch(app: Arc<App>) {
    let mut seen = None;
    let mut swept = Instant::now();
    let mut sweeps = 0;
    loop {
        let is_due = swept.elapsed() >= SWEEP;
        // Where the database cannot be reached, those who write hear of it.
        if let Err(error) = app.db.refresh_keys().await {
            tracing::error!("the keys were changed, and cannot be read again: {error}");
        }
        if let Ok(versions) = app.db.read(Versions::read).await
            && (Some(versions) != seen || is_due)
        {
            match look_again(&app, seen, versions, is_due).await {
                Ok(()) => seen = Some(versions),
                Err(error) => tracing::warn!("sessions and bans could not be looked up: {error}"),
            }
            if is_due {
                swept = Instant::now();
                sweeps += 1;
                if let Err(error) = attachments::forget_unsent(&app).await {
                    tracing::warn!("old uploads could not be removed: {error}");
                }
                if let Err(error) = retention::expire_all(&app).await {
                    tracing::warn!("old messages could not be removed: {error}");
                }
            }
            if is_due
                && sweeps % TICKETS == 0
                && let Err(error) = forget_lost_connections(&app).await
            {
                tracing::warn!("old tickets could not be removed: {error}");
            }
        }
        tokio::time::sleep(WATCH).await;
    }
}

async fn look_again(app: &App, seen: Option<Versions>, now: Versions, sweep: bool) -> Result<()> {
    end_what_is_over(app).await?;
    if seen.is_none_or(|seen| seen.names != now.names) {
        send_namesakes_away(app).await?;
    }
    match sweep {
        true => forget_the_old(app).await,
        false => Ok(()),
    }
}

async fn end_what_is_over(app: &App) -> Result<()> {
    let (at, life) = (app.now(), app.config.session_life);
    let connected = app.hub.sessions();
    let (bans, over) = app
        .db
        .read(move |reader| {
            let mut over = Vec::new();
            for id in connected {
                if is_over_or_gone(reader, id, at, life)? {
                    over.push(id);
                }
            }
            Ok((moderation::address_bans(reader)?, over))
        })
        .await?;
    app.set_banned_networks(bans.into_iter().map(|ban| (ban.network, ban.until)));
    say(app, over.into_iter().map(|id| goodbye(Audience::Session(id), None, "This session is over. Sign in again.")));
    Ok(())
}

/// Guests under a name that an account has by now: made on another node, or from the command line.
async fn send_namesakes_away(app: &App) -> Result<()> {
    let guests = app.hub.guests();
    let namesakes = app
        .db
        .read(move |reader| {
            let mut found = Vec::new();
            for key in guests {
                if accounts::find(reader, &key)?.is_some() {
                    found.push(Audience::Person(Identity::Guest(key)));
                }
            }
            Ok(found)
        })
        .await?;
    say(app, namesakes.into_iter().map(|guest| goodbye(guest, None, "This name belongs to an account now.")));
    Ok(())
}

fn say(app: &App, goodbyes: impl Iterator<Item = [Publication; 2]>) {
    app.publisher.publish(goodbyes.flatten().map(Step::Publish).collect());
}

/// A session with an open connection is in use: its idle time does not run.
fn is_over_or_gone(reader: &mut Reader, id: SessionId, at: Timestamp, life: SessionLife) -> Result<bool> {
    let idle = Duration::MAX;
    let Some(stored) = sessions::get(reader, id)? else { return Ok(true) };
    Ok(is_over(&stored.session, at, SessionLife { idle, ..life }))
}

async fn forget_lost_connections(app: &App) -> Result<()> {
    let facts = Facts::of(app);
    let mut over = app.db.read(resume::all).await?;
    over.retain(|(_, ticket)| super::resume::is_over(ticket, facts));
    app.db.write(Lane::People, move |tx| over.iter().try_for_each(|(id, _)| resume::delete(tx, *id).map(drop))).await
}

/// Sessions, mutes and bans whose time is over leave the database; sessions in use are noted as such.
async fn forget_the_old(app: &App) -> Result<()> {
    let (at, life) = (app.now(), app.config.session_life);
    let connected = app.hub.sessions();
    let (stored, any_expired) =
        app.db.read(move |reader| Ok((sessions::all(reader)?, moderation::any_expired(reader, at)?))).await?;
    let in_use = |session: &StoredSession| connected.contains(&session.id);
    for stored in stored.iter().filter(|stored| in_use(stored) && is_stale(&stored.session, at)) {
        touch(app, stored.id).await;
    }
    let over: Vec<_> = stored.iter().filter(|s| !in_use(s) && is_over(&s.session, at, life)).map(|s| s.id).collect();
    if over.is_empty() && !any_expired {
        return Ok(());
    }
    app.db
        .write(Lane::People, move |tx| {
            for id in over {
                sessions::delete(tx, id)?;
            }
            moderation::forget_expired(tx, at)
        })
        .await
}
