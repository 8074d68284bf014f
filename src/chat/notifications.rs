//! Notifications: what an account wants to hear of while it looks at no page, and in which browsers.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

use super::facts::{Facts, room_for};
use super::policy::{self, Action};
use crate::app::App;
use crate::decode::shorten;
use crate::error::{Error, Result};
use crate::push::Key;
use crate::store::notifications::{self, Settings};
use crate::store::{Lane, Reader, Tx, rooms};
use crate::types::{Actor, Endpoint, Network, QuietHours, RoomId, RoomName, UserId, Worth};

/// Browsers of one account; the oldest goes when another one comes.
const MOST_BROWSERS: usize = 10;
/// Rooms that one account has set by themselves.
const MOST_ROOMS: usize = 1_000;

/// How an account has set its notifications.
#[derive(Serialize, JsonSchema)]
pub struct Notifications {
    /// The server's key, for `pushManager.subscribe`: an uncompressed point on P-256, in base64url.
    public_key: String,
    /// In how many browsers the account gets notifications.
    subscriptions: usize,
    /// For rooms that are not in `rooms`.
    default: Worth,
    rooms: BTreeMap<RoomName, Worth>,
    quiet_hours: Option<QuietHours>,
}

/// What is to be set in another way; what is not there stays.
#[derive(Deserialize, JsonSchema)]
pub struct Change {
    #[serde(default)]
    default: Option<Worth>,
    /// `null` takes a room out.
    #[serde(default)]
    rooms: Option<BTreeMap<RoomName, Option<Worth>>>,
    /// `null` turns them off.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<QuietHours>")]
    quiet_hours: Option<Option<QuietHours>>,
}

/// Tells `null` from nothing.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<QuietHours>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A browser's `PushSubscription`, as its `toJSON` gives it.
#[derive(Deserialize, JsonSchema)]
pub struct Browser {
    endpoint: Endpoint,
    keys: Keys,
}

/// Of the browser, for content. There is none in what is sent: they are checked, and not kept.
#[derive(Deserialize, JsonSchema)]
pub struct Keys {
    p256dh: String,
    auth: String,
}

#[derive(Serialize, JsonSchema)]
pub struct Subscribed {
    /// In how many browsers the account gets notifications now.
    subscriptions: usize,
}

pub async fn get(app: &App, actor: &Actor) -> Result<Notifications> {
    app.limits.reading(actor.user, Network::of(actor.address))?;
    let (facts, actor) = (Facts::of(app), actor.clone());
    let public_key = key(app).await?.public();
    app.db
        .read(move |reader| {
            policy::on_server(Action::ManageOneself, facts.standing(reader, &actor)?)?;
            let settings = notifications::settings(reader, actor.user)?;
            told(reader, actor.user, settings, public_key)
        })
        .await
}

pub async fn set(app: &App, actor: &Actor, change: Change) -> Result<Notifications> {
    app.limits.reading(actor.user, Network::of(actor.address))?;
    if let Some(Some(hours)) = &change.quiet_hours
        && hours.from == hours.to
    {
        let message = "must be another time than from. To be told of nothing at all, set default to none.";
        return Err(Error::invalid("quiet_hours.to", message));
    }
    let (facts, actor) = (Facts::of(app), actor.clone());
    let public_key = key(app).await?.public();
    app.db
        .write(Lane::People, move |tx| {
            policy::on_server(Action::ManageOneself, facts.standing(tx, &actor)?)?;
            let before = notifications::settings(tx, actor.user)?;
            let mut settings = before.clone();
            settings.default = change.default.unwrap_or(settings.default);
            settings.quiet_hours = change.quiet_hours.unwrap_or(settings.quiet_hours);
            for (name, worth) in change.rooms.unwrap_or_default() {
                set_room(facts, tx, &actor, &mut settings, name, worth)?;
            }
            if settings != before {
                notifications::set_settings(tx, actor.user, &settings)?;
            }
            told(tx, actor.user, settings, public_key)
        })
        .await
}

fn set_room(
    facts: Facts,
    tx: &mut Tx,
    actor: &Actor,
    settings: &mut Settings,
    name: RoomName,
    worth: Option<Worth>,
) -> Result<()> {
    let Some(worth) = worth else {
        // Also of a room that one has left.
        if let Some(room) = rooms::find(tx, &name)? {
            settings.rooms.remove(&room.id.get());
        }
        return Ok(());
    };
    let field = format!("rooms.{}", shorten(name.as_str()));
    let room = room_for(facts, tx, actor, &name, Action::ReadRoom).map_err(|error| match error {
        // The same for a room that one is not in: nobody finds out here which rooms there are.
        Error::NotFound(_) | Error::Forbidden(_) => {
            Error::invalid(&field, "must be the name of a room that you are in")
        }
        error => error,
    })?;
    settings.rooms.insert(room.id.get(), worth);
    match settings.rooms.len() > MOST_ROOMS {
        true => Err(Error::invalid("rooms", format!("At most {MOST_ROOMS} rooms can be set by themselves."))),
        false => Ok(()),
    }
}

/// Gives a browser of the account notifications. The session ends them, too.
pub async fn subscribe(app: &App, actor: &Actor, browser: Browser) -> Result<Subscribed> {
    app.limits.reading(actor.user, Network::of(actor.address))?;
    if !app.config.push_allow_private {
        browser.endpoint.may_be_public().map_err(|problem| Error::invalid("endpoint", problem))?;
    }
    check_key("keys.p256dh", &browser.keys.p256dh, |key| key.len() == 65 && key[0] == 4)?;
    check_key("keys.auth", &browser.keys.auth, |key| key.len() == 16)?;
    key(app).await?;
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .write(Lane::People, move |tx| {
            policy::on_server(Action::ManageOneself, facts.standing(tx, &actor)?)?;
            notifications::subscribe(tx, actor.user, actor.session, browser.endpoint, facts.at.micros())?;
            let (current, over): (Vec<_>, Vec<_>) =
                notifications::subscriptions(tx, actor.user)?.into_iter().partition(|one| one.signed_in);
            let too_many = current.len().saturating_sub(MOST_BROWSERS);
            for one in over.iter().chain(&current[..too_many]) {
                notifications::unsubscribe(tx, &one.id)?;
            }
            Ok(Subscribed { subscriptions: current.len() - too_many })
        })
        .await
}

/// Nothing is told in that browser any more. One that was not told is fine, too.
pub async fn unsubscribe(app: &App, actor: &Actor, endpoint: Endpoint) -> Result<Subscribed> {
    app.limits.reading(actor.user, Network::of(actor.address))?;
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .write(Lane::People, move |tx| {
            policy::on_server(Action::ManageOneself, facts.standing(tx, &actor)?)?;
            let own = notifications::subscriptions(tx, actor.user)?;
            let (gone, left): (Vec<_>, Vec<_>) = own.into_iter().partition(|one| one.endpoint == endpoint);
            gone.iter().try_for_each(|one| notifications::unsubscribe(tx, &one.id))?;
            Ok(Subscribed { subscriptions: left.iter().filter(|one| one.signed_in).count() })
        })
        .await
}

fn told(reader: &mut Reader, user: UserId, settings: Settings, public_key: String) -> Result<Notifications> {
    let mut rooms = BTreeMap::new();
    for (room, worth) in settings.rooms {
        if let Some(room) = rooms::by_id(reader, RoomId::from_stored(room))? {
            rooms.insert(room.name, worth);
        }
    }
    let subscriptions = notifications::subscriptions(reader, user)?;
    Ok(Notifications {
        public_key,
        subscriptions: subscriptions.iter().filter(|one| one.signed_in).count(),
        default: settings.default,
        rooms,
        quiet_hours: settings.quiet_hours,
    })
}

/// What an account takes along: all but where its browsers are told.
pub(super) fn exported(reader: &mut Reader, user: UserId) -> Result<serde_json::Value> {
    let settings = notifications::settings(reader, user)?;
    let told = told(reader, user, settings, String::new())?;
    Ok(serde_json::json!({
        "default": told.default,
        "rooms": told.rooms,
        "quiet_hours": told.quiet_hours,
        "subscriptions": told.subscriptions,
    }))
}

/// The installation's key, which is made when it is first asked for.
async fn key(app: &App) -> Result<Key> {
    let stored = match app.db.read(notifications::key).await? {
        Some(stored) => stored,
        None => make_key(app).await?,
    };
    Key::open(&stored).map_err(Error::Internal)
}

async fn make_key(app: &App) -> Result<Zeroizing<String>> {
    app.db
        .write(Lane::People, |tx| {
            // Somebody else may have been as fast.
            if let Some(stored) = notifications::key(tx)? {
                return Ok(stored);
            }
            let key = Key::generate().map_err(Error::Internal)?;
            notifications::set_key(tx, &key)?;
            Ok(key)
        })
        .await
}

/// Browsers leave the padding out; some libraries do not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn check_key(field: &'static str, text: &str, is_right: fn(&[u8]) -> bool) -> Result<()> {
    match BASE64.decode(text).is_ok_and(|key| is_right(&key)) {
        true => Ok(()),
        false => Err(Error::invalid(field, "must be a key of the browser's subscription, in base64url")),
    }
}
