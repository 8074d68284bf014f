//! Search: what was said where one may read, by its words.

use std::collections::{BTreeMap, HashSet, VecDeque};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::facts::{Facts, hidden_from, readable_rooms, room_for};
use super::policy::Action;
use crate::app::App;
use crate::error::{Error, Result};
use crate::store::messages::{self, Written};
use crate::store::words::{self, Mark, Sets};
use crate::store::{Reader, accounts, rooms};
use crate::types::{Actor, Identity, Message, NameKey, Network, Query, Room, RoomName, Term, Timestamp};

const MOST: u32 = 100;
const USUAL: u32 = 20;
/// Messages that may be what is looked for, and are read to find out: in one search, and at a time.
const MOST_READ: usize = 5_000;
const READ_TOGETHER: usize = 400;
const FIRST: usize = 25;
/// A message's time is when it came in; it is stored a moment later, so that neighbours may have changed places.
const OUT_OF_ORDER: i64 = 60_000_000;

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "SearchRequest")]
pub struct Wanted {
    #[schemars(with = "String", length(max = 500))]
    pub query: Query,
    /// The same as `in:` in the query.
    #[serde(default)]
    pub room: Option<RoomName>,
    /// `next` of the page before.
    #[serde(default)]
    pub before: Option<Cursor>,
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    pub limit: Option<u32>,
}

/// The newest comes first, as far as clocks agree. A page may have fewer than `limit`, or none, and others after it.
#[derive(Serialize, JsonSchema)]
pub struct Hits {
    pub hits: Vec<Hit>,
    /// `before` of the next page; `null` where all has been looked through.
    pub next: Option<Cursor>,
}

#[derive(Serialize, JsonSchema)]
pub struct Hit {
    #[serde(flatten)]
    pub message: Message,
    /// The message's text in pieces, one after the other.
    pub parts: Vec<Part>,
}

#[derive(Serialize, JsonSchema)]
pub struct Part {
    pub text: String,
    /// Whether this is what was looked for.
    pub hit: bool,
}

/// Positions in the rooms that are not looked through yet. Opaque to clients; what it says is checked as all they send.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Cursor(#[schemars(with = "String")] BTreeMap<i64, i64>);

impl TryFrom<String> for Cursor {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let decoded = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        decoded.and_then(|json| serde_json::from_slice(&json).ok()).map(Self).ok_or("is no cursor of a search")
    }
}

impl From<Cursor> for String {
    fn from(cursor: Cursor) -> Self {
        BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&cursor.0).expect("numbers are JSON"))
    }
}

/// What was said in rooms that one may read, by people whom one has not blocked.
pub async fn search(app: &App, actor: &Actor, wanted: Wanted) -> Result<Hits> {
    let Wanted { mut query, room, before, limit } = wanted;
    let limit = limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return Err(Error::invalid("limit", format!("must be a number from 1 to {MOST}")));
    }
    query.rooms.extend(room);
    if query.is_empty() {
        return Err(Error::invalid("query", "must have a word to look for"));
    }
    app.limits.reading(actor.user, Network::of(actor.address))?;
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .read(move |reader| {
            let rooms = readable(facts, reader, &actor, &query)?;
            let hidden = hidden_from(reader, actor.user)?;
            let from = query.from.iter().map(|name| people_called(reader, name)).collect::<Result<Vec<_>>>()?.concat();
            let mut lookups = Vec::new();
            for room in rooms {
                let before = before.as_ref().map_or(Some(i64::MAX), |cursor| cursor.0.get(&room.id.get()).copied());
                if let Some(before) = before {
                    lookups.push(Lookup::new(reader, &query, &from, room, before)?);
                }
            }
            // All of them get on, however many there are.
            let together = (MOST_READ / lookups.len().max(1)).clamp(1, FIRST);
            lookups.iter_mut().for_each(|lookup| lookup.together = together);
            collect(reader, &query, &from, &hidden, lookups, limit as usize)
        })
        .await
}

/// The rooms to look through: those asked for, or all that the person may read.
fn readable(facts: Facts, reader: &mut Reader, actor: &Actor, query: &Query) -> Result<Vec<Room>> {
    if query.rooms.is_empty() {
        return readable_rooms(facts, reader, actor);
    }
    let mut asked: Vec<Room> = Vec::with_capacity(query.rooms.len());
    for name in &query.rooms {
        let room = room_for(facts, reader, actor, name, Action::ReadRoom)?;
        if asked.iter().all(|known| known.id != room.id) {
            asked.push(room);
        }
    }
    Ok(asked)
}

/// All who may be meant: the account of that name, and guests who had it.
fn people_called(reader: &mut Reader, name: &crate::types::Username) -> Result<Vec<Identity>> {
    let account = accounts::find(reader, &NameKey::of(name))?.map(|(user, _)| Identity::Account(user));
    Ok(account.into_iter().chain([Identity::guest(name)]).collect())
}

/// Takes the newest of what the lookups find, again and again.
fn collect(
    reader: &mut Reader,
    query: &Query,
    from: &[Identity],
    hidden: &HashSet<Identity>,
    mut lookups: Vec<Lookup>,
    limit: usize,
) -> Result<Hits> {
    let wants = |written: &Written| {
        let at = written.message.timestamp;
        (from.is_empty() || from.contains(&written.author))
            && query.after.is_none_or(|after| at >= after)
            && query.before.is_none_or(|before| at < before)
    };
    let mut hits = Vec::new();
    let mut left_to_read = MOST_READ;
    while hits.len() < limit {
        for lookup in lookups.iter_mut() {
            lookup.fill(reader, query, &wants, hidden, &mut left_to_read)?;
        }
        // One that has not found its next yet may have the newest.
        if lookups.iter().any(|lookup| lookup.found.is_empty() && !lookup.at_end) {
            break;
        }
        let newest = lookups.iter_mut().max_by_key(|lookup| lookup.found.front().map(|hit| hit.message.timestamp));
        match newest.and_then(|lookup| lookup.found.pop_front()) {
            Some(hit) => hits.push(hit),
            None => break,
        }
    }
    let rest: BTreeMap<_, _> =
        lookups.iter().filter_map(|lookup| Some((lookup.room.id.get(), lookup.position()?))).collect();
    Ok(Hits { hits, next: (!rest.is_empty()).then_some(Cursor(rest)) })
}

/// The search through one room.
struct Lookup {
    room: Room,
    sets: Sets,
    /// What is before it is not looked through yet.
    before: i64,
    found: VecDeque<Hit>,
    at_end: bool,
    /// Messages to read next.
    together: usize,
}

impl Lookup {
    fn new(reader: &mut Reader, query: &Query, from: &[Identity], room: Room, before: i64) -> Result<Self> {
        let mut sets = Sets::default();
        for Term { words, open } in &query.terms {
            for (place, word) in words.iter().enumerate() {
                let mark = match *open && place == words.len() - 1 {
                    true => Mark::Beginning(word),
                    false => Mark::Word(word),
                };
                sets.require(reader, &room, &[mark])?;
            }
        }
        let by: Vec<_> = from.iter().map(Mark::By).collect();
        sets.require(reader, &room, &by)?;
        let mut lookup = Self { room, sets, before, found: VecDeque::new(), at_end: false, together: FIRST };
        if let Some(time) = query.before {
            lookup.before = lookup.before.min(position_at(reader, &lookup.room, time)?);
        }
        Ok(lookup)
    }

    /// Looks on until something is found.
    fn fill(
        &mut self,
        reader: &mut Reader,
        query: &Query,
        wants: &impl Fn(&Written) -> bool,
        hidden: &HashSet<Identity>,
        left_to_read: &mut usize,
    ) -> Result<()> {
        while self.found.is_empty() && !self.at_end && *left_to_read > 0 {
            let count = self.together.min(*left_to_read);
            // Few at first: most of what is found is what is looked for.
            self.together = READ_TOGETHER.min(2 * self.together);
            let read = words::candidates(reader, &self.room, &mut self.sets, (0, self.before), count)?;
            *left_to_read -= read.len();
            let Some(oldest) = read.last() else {
                self.at_end = true;
                return Ok(());
            };
            self.before = oldest.message.seq;
            let is_past = |after: Timestamp| oldest.message.timestamp.micros() < after.micros() - OUT_OF_ORDER;
            self.at_end = read.len() < count || query.after.is_some_and(is_past);
            for message in read.into_iter().filter(wants).filter_map(|written| written.without(hidden)) {
                if let Some(places) = query.find_in(&message.message) {
                    self.found.push_back(Hit { parts: parts(&message, &places), message });
                }
            }
        }
        Ok(())
    }

    /// Where to go on; `None` when there is nothing more.
    fn position(&self) -> Option<i64> {
        match self.found.front() {
            Some(hit) => Some(hit.message.seq + 1),
            None if self.at_end => None,
            None => Some(self.before),
        }
    }
}

/// A position that all messages from before that time stand before. Found by halving: times grow with positions, by and
/// large.
fn position_at(reader: &mut Reader, room: &Room, time: Timestamp) -> Result<i64> {
    let (mut low, mut high) = (0, rooms::last_seq(reader, room.id)? + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let page = messages::page(reader, room, middle + 1, 1)?;
        match page.first().filter(|written| written.message.seq > low) {
            Some(written) if written.message.timestamp.micros() >= time.micros() + OUT_OF_ORDER => {
                high = written.message.seq.min(middle);
            }
            _ => low = middle + 1,
        }
    }
    Ok(high)
}

fn parts(message: &Message, places: &[std::ops::Range<usize>]) -> Vec<Part> {
    let text = message.message.as_str();
    let mut parts = Vec::new();
    let mut end = 0;
    let mut push = |text: &str, hit| {
        if !text.is_empty() {
            parts.push(Part { text: text.to_owned(), hit });
        }
    };
    for place in places {
        push(&text[end..place.start], false);
        push(&text[place.clone()], true);
        end = place.end;
    }
    push(&text[end..], false);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::RoomId;

    #[test]
    fn a_cursor_is_text_that_leads_back() {
        let cursor = Cursor(BTreeMap::from([(RoomId::PUBLIC.get(), 7)]));
        assert_eq!(Cursor::try_from(String::from(cursor.clone())).unwrap().0, cursor.0);
        assert!(Cursor::try_from("?".to_string()).is_err());
    }
}
