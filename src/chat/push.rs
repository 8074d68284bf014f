//! Who is woken up by a message: those who may read it, want to hear of it, and look at no page.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::facts::{Facts, Person, hidden_from};
use super::policy::{self, Action};
use crate::app::App;
use crate::error::{Error, Result};
use crate::hub::Fanout;
use crate::push::{Key, Outcome, Pace, Posted, count};
use crate::store::notifications::{self, Settings, Subscription};
use crate::store::{Lane, Reader, accounts, people, rooms};
use crate::types::{Identity, NameKey, Room, RoomId, UserId, Worth};

/// Messages that are looked at together.
const AT_ONCE: usize = 1_024;
/// Between two looks: where people write fast, the database is not asked for each message.
const PAUSE: Duration = Duration::from_millis(20);
/// How often it is looked who has been seen, and whose pause is over.
const LOOK: Duration = Duration::from_secs(2);

/// Runs for as long as the server.
pub async fn run(app: Arc<App>) {
    let Some(mut posted) = app.push.listen() else { return };
    let mut pace = Pace::default();
    let mut sending = JoinSet::new();
    loop {
        let mut some = Vec::new();
        tokio::select! {
            count = posted.recv_many(&mut some, AT_ONCE) => if count == 0 { return },
            _ = tokio::time::sleep(LOOK), if !pace.is_empty() => {}
            Some(_) = sending.join_next() => continue,
        }
        match to_tell(&app, some, &mut pace).await {
            Ok(told) => told.into_iter().for_each(|(subscription, key)| start(&app, &mut sending, subscription, &key)),
            Err(error) => tracing::warn!("it could not be looked up who is to be notified: {error}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The browsers to be woken now.
async fn to_tell(app: &App, posted: Vec<Posted>, pace: &mut Pace) -> Result<Vec<(Subscription, Arc<Key>)>> {
    pace.forget(|user| app.hub.is_looking(&Identity::Account(user)));
    let (facts, hub) = (Facts::of(app), app.hub.clone());
    let now = Instant::now();
    let mut users = Vec::new();
    if !posted.is_empty() {
        users = app.db.read(move |reader| who_wants(facts, reader, &*hub, &posted)).await?;
        users.retain(|user| pace.take(*user, now));
    }
    users.extend(pace.due(now));
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let (subscriptions, over, key) = app.db.read(move |reader| browsers(facts, reader, &users)).await?;
    if !over.is_empty() {
        app.db.write(Lane::People, move |tx| over.iter().try_for_each(|id| notifications::unsubscribe(tx, id))).await?;
    }
    let Some(key) = key else { return Ok(Vec::new()) };
    let key = Arc::new(Key::open(&key).map_err(Error::Internal)?);
    Ok(subscriptions.into_iter().map(|subscription| (subscription, key.clone())).collect())
}

/// Of those with a browser, who is to hear of any of these messages.
fn who_wants(facts: Facts, reader: &mut Reader, hub: &dyn Fanout, posted: &[Posted]) -> Result<Vec<UserId>> {
    let subscribed = notifications::subscribed(reader)?;
    if subscribed.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Found::default();
    for one in posted {
        found.add(reader, one)?;
    }
    let mut wanting = Vec::new();
    for (user, settings) in subscribed {
        let is_quiet = settings.quiet_hours.as_ref().is_some_and(|hours| hours.cover(facts.at));
        if !is_quiet && !hub.is_looking(&Identity::Account(user)) && found.any_for(facts, reader, user, &settings)? {
            wanting.push(user);
        }
    }
    Ok(wanting)
}

/// Messages with what there is to know of them.
#[derive(Default)]
struct Found<'a> {
    rooms: HashMap<RoomId, Room>,
    /// Each with those whom it mentions.
    messages: Vec<(&'a Posted, HashSet<UserId>)>,
}

impl<'a> Found<'a> {
    fn add(&mut self, reader: &mut Reader, posted: &'a Posted) -> Result<()> {
        if let Entry::Vacant(entry) = self.rooms.entry(posted.room) {
            // One that was deleted meanwhile has nothing to tell.
            let Some(room) = rooms::by_id(reader, posted.room)? else { return Ok(()) };
            entry.insert(room);
        }
        let mut mentioned = HashSet::new();
        for name in &posted.mentions {
            mentioned.extend(accounts::find(reader, &NameKey::of(name))?.map(|(user, _)| user));
        }
        self.messages.push((posted, mentioned));
        Ok(())
    }

    /// Whether any of the messages is for this person. What costs most is looked up last.
    fn any_for(&self, facts: Facts, reader: &mut Reader, user: UserId, settings: &Settings) -> Result<bool> {
        let own = Identity::Account(user);
        let mut wanted = self.messages.iter().filter(|(posted, mentioned)| {
            let is_worth = match settings.of_room(posted.room) {
                Worth::All => true,
                Worth::Mentions => mentioned.contains(&user) || self.rooms[&posted.room].direct.is_some(),
                Worth::None => false,
            };
            is_worth && posted.author != own
        });
        let Some(first) = wanted.next() else { return Ok(false) };
        let hidden = hidden_from(reader, user)?;
        let muted: HashSet<RoomId> = people::preferences(reader, user)?
            .into_iter()
            .filter_map(|(room, preferences)| preferences.muted.then_some(room))
            .collect();
        let mut readable: HashMap<RoomId, bool> = HashMap::new();
        for (posted, _) in std::iter::once(first).chain(wanted) {
            if hidden.contains(&posted.author) || muted.contains(&posted.room) {
                continue;
            }
            let may = match readable.get(&posted.room) {
                Some(may) => *may,
                None => may_read(facts, reader, user, &self.rooms[&posted.room])?,
            };
            if may {
                return Ok(true);
            }
            readable.insert(posted.room, may);
        }
        Ok(false)
    }
}

fn may_read(facts: Facts, reader: &mut Reader, user: UserId, room: &Room) -> Result<bool> {
    let Some(account) = accounts::get(reader, user)? else { return Ok(false) };
    let person = Person { name: account.name, identity: Identity::Account(user) };
    let (standing, there) = facts.of_other(reader, &person, Some(room))?;
    Ok(policy::in_room(Action::ReadRoom, standing, there).is_ok())
}

/// Subscriptions that are told, ids of those that are over, and the key to sign with.
type Browsers = (Vec<Subscription>, Vec<Vec<u8>>, Option<zeroize::Zeroizing<String>>);

fn browsers(facts: Facts, reader: &mut Reader, users: &[UserId]) -> Result<Browsers> {
    let (mut told, mut over) = (Vec::new(), Vec::new());
    for user in users {
        // Those whose pause is over may have gone to bed since.
        let settings = notifications::settings(reader, *user)?;
        if settings.quiet_hours.is_some_and(|hours| hours.cover(facts.at)) {
            continue;
        }
        for subscription in notifications::subscriptions(reader, *user)? {
            match subscription.signed_in {
                true => told.push(subscription),
                false => over.push(subscription.id),
            }
        }
    }
    Ok((told, over, notifications::key(reader)?))
}

/// Sends beside everything else.
fn start(app: &Arc<App>, sending: &mut JoinSet<()>, subscription: Subscription, key: &Key) {
    let Some(place) = app.push.service.place(&subscription.endpoint) else { return count("dropped") };
    let authorization = match key.authorization(&place.origin(), &app.push.subject, app.now()) {
        Ok(authorization) => authorization,
        Err(error) => return tracing::error!("a notification could not be signed: {error}"),
    };
    let app = app.clone();
    sending.spawn(async move {
        let outcome = app.push.service.send(place, &authorization).await;
        count(outcome.name());
        if outcome == Outcome::Gone {
            let gone = app.db.write(Lane::People, move |tx| notifications::unsubscribe(tx, &subscription.id)).await;
            if let Err(error) = gone {
                tracing::warn!("a subscription that is over could not be removed: {error}");
            }
        }
    });
}
