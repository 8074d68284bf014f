//! Numbers about the server over time: written down by a schedule, for administrators to look at. There are no names in them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::policy::{self, Action};
use crate::app::App;
use crate::error::{Error, Result};
use crate::store::samples::{self, Stored};
use crate::store::{Lane, rooms};
use crate::types::{Actor, Identity, RoomId, Timestamp};

/// How often it is looked who is here, and whether a sample is due.
const LOOK: Duration = Duration::from_secs(30);
const DAY: i64 = 86_400 * 1_000_000;
/// How long samples are kept.
const KEPT_DAYS: u32 = 400;
const USUAL_DAYS: u32 = 30;

/// Which of them are wanted.
#[derive(Deserialize, JsonSchema)]
pub struct Wanted {
    /// Those of so many days, up to 400; without it, of 30.
    pub days: Option<u32>,
}

/// The oldest first.
#[derive(Serialize, JsonSchema)]
pub struct Samples {
    /// Seconds between two; 0: none are taken.
    every: u64,
    samples: Vec<Sample>,
}

/// What was counted of the time that ended then.
#[derive(Serialize, JsonSchema)]
struct Sample {
    at: Timestamp,
    /// Sent in that time.
    messages: i64,
    /// Who were here in that time.
    people: i64,
    accounts: i64,
    /// The public one, and groups.
    rooms: i64,
    /// Of the database.
    bytes: i64,
}

pub async fn list(app: &App, actor: &Actor, wanted: Wanted) -> Result<Samples> {
    let days = wanted.days.unwrap_or(USUAL_DAYS);
    if !(1..=KEPT_DAYS).contains(&days) {
        return Err(Error::invalid("days", format!("must be a whole number from 1 to {KEPT_DAYS}")));
    }
    let (facts, actor) = (Facts::of(app), actor.clone());
    let every = app.config.sample_every.map_or(0, |every| every.as_secs());
    app.db
        .read(move |reader| {
            policy::on_server(Action::ReadServerStats, facts.standing(reader, &actor)?)?;
            let stored = samples::since(reader, facts.at.micros() - i64::from(days) * DAY)?;
            Ok(Samples { every, samples: stored.into_iter().filter_map(shown).collect() })
        })
        .await
}

fn shown((at, stored): (i64, Stored)) -> Option<Sample> {
    let Stored { messages, people, accounts, rooms, bytes, .. } = stored;
    Some(Sample { at: Timestamp::from_micros(at)?, messages, people, accounts, rooms, bytes })
}

/// Runs for as long as the server: writes a sample at the end of every span.
pub async fn schedule(app: Arc<App>) {
    let Some(every) = app.config.sample_every else { return };
    let span = every.as_micros() as i64;
    let mut meter = None;
    loop {
        if meter.is_none() {
            meter = Meter::start(&app, span).await.inspect_err(failed).ok();
        }
        if let Some(meter) = &mut meter {
            meter.people.extend(app.here().values().map(|here| here.identity.clone()));
            let now = app.now().micros();
            if let Some(at) = due(now, span, meter.taken)
                && let Err(error) = meter.take(&app, at).await
            {
                failed(&error);
            }
        }
        tokio::time::sleep(LOOK.min(every)).await;
    }
}

fn failed(error: &Error) {
    tracing::warn!("the numbers of the server could not be written down: {error}");
}

/// The end of the last span that is over, unless it has its sample. One that was missed while the server was off is made up
/// for by the next.
fn due(now: i64, span: i64, taken: i64) -> Option<i64> {
    let at = now - now.rem_euclid(span);
    (taken < at).then_some(at)
}

/// What happens in a span.
struct Meter {
    /// The end of the span before.
    taken: i64,
    /// The newest message of each room then: a room that goes meanwhile takes nothing away.
    seqs: HashMap<RoomId, i64>,
    /// Messages of this span from before the server was started.
    carried: i64,
    people: HashSet<Identity>,
}

impl Meter {
    /// Goes on from the last sample, or begins in this span.
    async fn start(app: &App, span: i64) -> Result<Self> {
        let now = app.now().micros();
        let seqs = app.run.seqs.clone();
        let (taken, carried) = match app.db.read(samples::latest).await? {
            Some((at, latest)) => (at, (seqs.values().sum::<i64>() - latest.total).max(0)),
            None => (now - now.rem_euclid(span), 0),
        };
        Ok(Self { taken, seqs, carried, people: HashSet::new() })
    }

    async fn take(&mut self, app: &App, at: i64) -> Result<()> {
        let (seqs, (accounts, rooms, bytes)) =
            app.db.read(|reader| Ok((rooms::last_seqs(reader)?, samples::counts(reader)?))).await?;
        let sample = Stored {
            messages: self.carried + self.sent(&seqs),
            total: seqs.values().sum(),
            people: self.people.len() as i64,
            accounts,
            rooms,
            bytes,
        };
        let oldest = at - i64::from(KEPT_DAYS) * DAY;
        app.db
            .write(Lane::People, move |tx| {
                samples::insert(tx, at, sample)?;
                samples::forget_before(tx, oldest)
            })
            .await?;
        *self = Self { taken: at, seqs, carried: 0, people: HashSet::new() };
        Ok(())
    }

    fn sent(&self, now: &HashMap<RoomId, i64>) -> i64 {
        now.iter().map(|(room, seq)| (seq - self.seqs.get(room).unwrap_or(&0)).max(0)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_due_once_a_span() {
        assert_eq!(due(7_200, 3_600, 3_600), Some(7_200), "at the end of a span");
        assert_eq!(due(7_201, 3_600, 3_600), Some(7_200));
        assert_eq!(due(10_799, 3_600, 7_200), None, "not yet");
        assert_eq!(due(50_000, 3_600, 7_200), Some(46_800), "one for all that were missed");
        assert_eq!(due(5_000, 3_600, 7_200), None, "a clock that was set back makes no second one");
    }

    #[test]
    fn a_room_that_is_gone_takes_nothing_away() {
        let room = RoomId::from_stored;
        let before = HashMap::from([(room(1), 10), (room(2), 100)]);
        let meter = Meter { taken: 0, seqs: before, carried: 0, people: HashSet::new() };
        assert_eq!(meter.sent(&HashMap::from([(room(1), 12), (room(3), 5)])), 7);
    }
}
