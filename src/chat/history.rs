//! History: the messages of a room, page by page.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::facts::{Facts, hidden_from, room_for};
use super::policy::Action;
use crate::app::App;
use crate::error::{Error, Result};
use crate::store::messages::{self, Written};
use crate::types::{Actor, Message, Network, RoomName};

/// Messages that a page has at most.
const MOST: u32 = 100;
const USUAL: u32 = 50;
/// Bytes of text after which a page ends: a few long messages would make an answer of megabytes.
const MOST_BYTES: usize = 1 << 20;

/// Which page is wanted: the newest one, or the one before or after a message by its `seq`.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "PageRequest")]
pub struct Wanted {
    #[serde(default)]
    pub before: Option<i64>,
    #[serde(default)]
    pub after: Option<i64>,
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    pub limit: Option<u32>,
}

/// The oldest message comes first. Cursors belong to messages that stay where they are: whoever follows them gets each
/// message once, whatever is written meanwhile.
#[derive(Serialize, JsonSchema)]
pub struct Page {
    pub room: RoomName,
    pub messages: Vec<Message>,
    /// `after` of the page of newer messages; `null` where there are none yet.
    pub next: Option<i64>,
    /// `before` of the page of older messages; `null` where there are none.
    pub prev: Option<i64>,
}

/// A page of a room that one may read, without the messages of those whom one has blocked: it may have fewer than
/// `limit`, or none, and others before it.
pub async fn page(app: &App, actor: &Actor, name: RoomName, wanted: Wanted) -> Result<Page> {
    let limit = wanted.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return Err(Error::invalid("limit", format!("must be a number from 1 to {MOST}")));
    }
    if wanted.before.is_some() && wanted.after.is_some() {
        return Err(Error::invalid("before", "cannot be given together with after"));
    }
    app.limits.reading(actor.user, Network::of(actor.address))?;
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .read(move |reader| {
            let room = room_for(facts, reader, &actor, &name, Action::ReadRoom)?;
            // One more than the page has tells whether there is another one.
            let most = i64::from(limit) + 1;
            let mut found = match wanted.after {
                Some(after) => messages::after(reader, &room, after, most)?,
                None => messages::page(reader, &room, wanted.before.unwrap_or(i64::MAX), most)?,
            };
            let fits = fitting(&found).min(limit as usize);
            let is_more = found.len() > fits;
            found.truncate(fits);
            if wanted.after.is_none() {
                found.reverse();
            }
            let ends = found.first().zip(found.last()).map(|(one, other)| (one.message.seq, other.message.seq));
            let (first, last) = ends.unzip();
            let (prev, next) = match (wanted.after, wanted.before) {
                (Some(_), _) => (first, last.filter(|_| is_more)),
                (None, Some(_)) => (first.filter(|_| is_more), last),
                (None, None) => (first.filter(|_| is_more), None),
            };
            let hidden = hidden_from(reader, actor.user)?;
            Ok(Page {
                room: room.name,
                messages: found.into_iter().filter_map(|written| written.without(&hidden)).collect(),
                next,
                prev,
            })
        })
        .await
}

/// How many of the messages a page takes: one at least.
fn fitting(found: &[Written]) -> usize {
    let sizes =
        found.iter().map(|Written { message, .. }| message.message.as_str().len() + message.encrypted_content.len());
    let sums = sizes.scan(0, |sum, size| {
        *sum += size;
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= MOST_BYTES).count().max(1)
}
