//! How often one may do what: token buckets, by person and by network, in the memory of this node.
//!
//! Of our own, since a bucket must take back what it gave: only failures of a login count, and a hundred guesses that
//! run at once must not all pass because none has failed yet. The algorithm is GCRA (ITU-T I.371, annex A).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::config::Limits as Rates;
use crate::error::{Error, Result};
use crate::types::{Actor, ConnId, Identity, Network, Rate, Role, RoomId, UserId};

/// Buckets that are remembered. Past that, newcomers share one: an attacker with many addresses fills no memory.
const BUCKETS: usize = 100_000;
/// People behind one address who may send and make rooms at the same time as if each had their own.
const CROWD: u32 = 10;
/// Groups that one may join, and pages that one may read, in the time of one message.
const PASSAGES: u32 = 4;

/// Exports of one person.
const EXPORTS: Rate = Rate { interval: Duration::from_secs(60), burst: 3 };
/// From one time that somebody is told to be writing to the next.
const TYPING: Duration = Duration::from_secs(3);

/// Uploads of one person that go on at the same time. No setting turns it off.
const UPLOADS: usize = 4;
/// Downloads of one person at a time.
const DOWNLOADS: usize = 16;

/// Devices of one account that may guess at the same time as if each were alone.
const DEVICES: u32 = 4;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Act {
    Send,
    Entrance,
    Passage,
    Reading,
    Upload,
    Download,
    SlowMode(RoomId),
    Typing(RoomId),
    Export,
    LoginFailure,
    RoomPassword,
    Registration,
    NewRoom,
    Moderation,
}

/// Whose bucket it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Whose {
    Person(UserId),
    Identity(Identity),
    Network(Network),
    /// A browser in which this account has logged in before.
    Device(UserId, String),
    /// All of those together: whoever owns an account can make as many as they like.
    Devices(UserId),
    Connection(ConnId),
    Newcomers,
}

pub struct Limits {
    rates: Option<Rates>,
    buckets: Arc<Mutex<Buckets>>,
    uploads: Arc<Mutex<HashMap<UserId, usize>>>,
    downloads: Arc<Mutex<HashMap<UserId, usize>>>,
}

/// Something taken that is given back when the attempt turns out to have been right.
#[must_use]
pub struct Taken {
    buckets: Arc<Mutex<Buckets>>,
    keys: Vec<((Act, Whose), Duration)>,
}

impl Limits {
    /// `None` limits nothing.
    pub fn new(rates: Option<Rates>) -> Self {
        Self { rates, buckets: Arc::default(), uploads: Arc::default(), downloads: Arc::default() }
    }

    pub fn send(&self, person: UserId, network: Network) -> Result<()> {
        self.act(Act::Send, 1, person, network)
    }

    /// One person coming in: as often as a crowd behind one address may write.
    pub fn entrance(&self, network: Network) -> Result<()> {
        self.take(Act::Entrance, |rates| vec![(Whose::Network(network), rates.sends.times(CROWD))]).map(drop)
    }

    /// One page of a history.
    pub fn reading(&self, person: UserId, network: Network) -> Result<()> {
        self.act(Act::Reading, PASSAGES, person, network)
    }

    /// Somebody joining or leaving a group: a page that comes back joins all of its groups at once.
    pub fn passage(&self, person: UserId, network: Network) -> Result<()> {
        self.act(Act::Passage, PASSAGES, person, network)
    }

    /// A file that comes: as often as messages, and few at a time.
    pub fn upload(&self, person: UserId, network: Network) -> Result<Place> {
        self.act(Act::Upload, 1, person, network)?;
        Place::take(&self.uploads, person, UPLOADS)
    }

    /// A file or thumbnail that is shown: a page has many of them.
    pub fn download(&self, person: UserId, network: Network) -> Result<Place> {
        self.act(Act::Download, CROWD, person, network)?;
        Place::take(&self.downloads, person, DOWNLOADS)
    }

    /// What one does so many times for each message.
    fn act(&self, act: Act, times: u32, person: UserId, network: Network) -> Result<()> {
        self.take(act, |rates| {
            vec![
                (Whose::Person(person), rates.sends.times(times)),
                (Whose::Network(network), rates.sends.times(CROWD * times)),
            ]
        })
        .map(drop)
    }

    pub fn new_room(&self, person: UserId, network: Network) -> Result<()> {
        self.take(Act::NewRoom, |rates| {
            vec![(Whose::Person(person), rates.rooms), (Whose::Network(network), rates.rooms.times(CROWD))]
        })
        .map(drop)
    }

    /// One act of moderation by who is not the server's staff: each makes an entry in the log, and somebody hear of it.
    pub fn moderation(&self, role: Role, person: UserId) -> Result<()> {
        match role >= Role::Moderator {
            true => Ok(()),
            false => self.take(Act::Moderation, |rates| vec![(Whose::Person(person), rates.moderation)]).map(drop),
        }
    }

    pub fn registration(&self, network: Network) -> Result<Taken> {
        self.take(Act::Registration, |rates| vec![(Whose::Network(network), rates.registrations)])
    }

    /// One try of a room's password.
    pub fn room_password(&self, person: UserId, network: Network) -> Result<Taken> {
        self.take(Act::RoomPassword, |rates| {
            [Whose::Person(person), Whose::Network(network)].map(|whose| (whose, rates.room_passwords)).into()
        })
    }

    /// One try to log in as somebody. A device that the account is `known` on has a bucket of its own, so that an attacker
    /// elsewhere cannot lock the person out (OWASP, "Slow Down Online Guessing Attacks with Device Cookies").
    pub fn login(&self, account: Identity, network: Network, known: Option<(UserId, String)>) -> Result<Taken> {
        self.take(Act::LoginFailure, |rates| match known {
            Some((user, device)) => {
                vec![(Whose::Device(user, device), rates.logins), (Whose::Devices(user), rates.logins.times(DEVICES))]
            }
            None => [Whose::Identity(account), Whose::Network(network)].map(|whose| (whose, rates.logins)).into(),
        })
    }

    /// One message each `interval` in a room, of one person and from one connection: another name makes nobody faster.
    /// No setting turns it off: a moderator has turned it on.
    pub fn slow_mode(&self, room: RoomId, actor: &Actor, interval: Duration) -> Result<()> {
        let rate = Rate { interval, burst: 1 };
        let whose = actor.conn.map(Whose::Connection).into_iter().chain([Whose::Identity(actor.identity.clone())]);
        take(&self.buckets, Act::SlowMode(room), whose.map(|whose| (whose, rate)).collect()).map(drop)
    }

    /// All that one has, which is read from all corners.
    pub fn export(&self, person: UserId) -> Result<()> {
        self.take(Act::Export, |_| vec![(Whose::Person(person), EXPORTS)]).map(drop)
    }

    /// Whether it is to be told that somebody is writing. No setting turns it off.
    pub fn typing(&self, room: RoomId, person: UserId) -> bool {
        let rate = Rate { interval: TYPING, burst: 1 };
        take(&self.buckets, Act::Typing(room), vec![(Whose::Person(person), rate)]).is_ok()
    }

    fn take(&self, act: Act, whose: impl FnOnce(&Rates) -> Vec<(Whose, Rate)>) -> Result<Taken> {
        let wanted = self.rates.as_ref().map(whose).unwrap_or_default();
        take(&self.buckets, act, wanted)
    }
}

impl Taken {
    /// The attempt was right: it does not count.
    pub fn give_back(self) {
        let mut buckets = self.buckets.lock().expect("buckets lock");
        for (key, interval) in self.keys {
            if let Some(full_at) = buckets.full_at.get_mut(&key) {
                *full_at -= interval;
            }
        }
    }
}

/// Held by an upload or a download for as long as it goes on.
pub struct Place {
    taken: Arc<Mutex<HashMap<UserId, usize>>>,
    person: UserId,
}

impl Place {
    fn take(taken: &Arc<Mutex<HashMap<UserId, usize>>>, person: UserId, most: usize) -> Result<Self> {
        let mut counts = taken.lock().expect("uploads lock");
        let count = counts.entry(person).or_default();
        if *count == most {
            return Err(Error::TooMany { retry_ms: 1_000 });
        }
        *count += 1;
        Ok(Self { taken: taken.clone(), person })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.taken.lock().expect("uploads lock");
        if let Some(count) = counts.get_mut(&self.person) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.person);
            }
        }
    }
}

/// Takes from all of the buckets or from none.
fn take(buckets: &Arc<Mutex<Buckets>>, act: Act, wanted: Vec<(Whose, Rate)>) -> Result<Taken> {
    let now = Instant::now();
    let mut locked = buckets.lock().expect("buckets lock");
    let wanted: Vec<_> = wanted.into_iter().map(|(whose, rate)| (locked.key(act, whose, now), rate)).collect();
    let wait = wanted.iter().map(|(key, rate)| locked.wait(key, *rate, now)).max().unwrap_or_default();
    if wait > Duration::ZERO {
        metrics::counter!("secure_chat_limited_total", "act" => act.name()).increment(1);
        return Err(Error::TooMany { retry_ms: wait.as_millis().max(1) as u64 });
    }
    let keys = wanted.into_iter().map(|(key, rate)| {
        let full_at = locked.full_at.entry(key.clone()).or_insert(now);
        *full_at = (*full_at).max(now) + rate.interval;
        (key, rate.interval)
    });
    Ok(Taken { keys: keys.collect(), buckets: buckets.clone() })
}

/// For each bucket when it will be full again (the "theoretical arrival time" of GCRA).
#[derive(Default)]
struct Buckets {
    full_at: HashMap<(Act, Whose), Instant>,
}

impl Buckets {
    /// The bucket's key. Makes room for a new one by forgetting those that are full.
    fn key(&mut self, act: Act, whose: Whose, now: Instant) -> (Act, Whose) {
        let key = (act, whose);
        if self.full_at.len() < BUCKETS || self.full_at.contains_key(&key) {
            return key;
        }
        self.full_at.retain(|_, full_at| *full_at > now);
        match self.full_at.len() < BUCKETS {
            true => key,
            false => (act, Whose::Newcomers),
        }
    }

    /// How long until there is one to take.
    fn wait(&self, key: &(Act, Whose), rate: Rate, now: Instant) -> Duration {
        let full_at = self.full_at.get(key).copied().unwrap_or(now).max(now);
        (full_at + rate.interval).saturating_duration_since(now + rate.interval * rate.burst)
    }
}

impl Act {
    fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Entrance => "entrance",
            Self::Passage => "passage",
            Self::Reading => "reading",
            Self::Upload => "upload",
            Self::Download => "download",
            Self::SlowMode(_) => "slow_mode",
            Self::Typing(_) => "typing",
            Self::Export => "export",
            Self::LoginFailure => "login",
            Self::RoomPassword => "room_password",
            Self::Registration => "registration",
            Self::NewRoom => "new_room",
            Self::Moderation => "moderation",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(rate: &str) -> Limits {
        let rate: Rate = rate.parse().unwrap();
        Limits::new(Some(Rates {
            sends: rate,
            logins: rate,
            room_passwords: rate,
            registrations: rate,
            rooms: rate,
            moderation: rate,
        }))
    }

    fn network(number: u32) -> Network {
        Network::of(std::net::Ipv4Addr::from_bits(number).into())
    }

    #[test]
    fn after_the_burst_one_waits() {
        let limits = limits("1/h burst 3");
        let ann = UserId::random();
        for _ in 0..3 {
            limits.send(ann, network(1)).unwrap();
        }
        let Err(Error::TooMany { retry_ms }) = limits.send(ann, network(1)) else { panic!("not limited") };
        assert!((3_500_000..=3_600_000).contains(&retry_ms), "{retry_ms}");
        limits.send(UserId::random(), network(1)).expect("somebody else has a bucket of their own");
    }

    #[test]
    fn what_was_right_is_given_back() {
        let limits = limits("1/h burst 1");
        for _ in 0..5 {
            limits.room_password(UserId::random(), network(1)).unwrap().give_back();
        }
        let _failed = limits.room_password(UserId::random(), network(1)).unwrap();
        assert!(limits.room_password(UserId::random(), network(1)).is_err(), "the network's bucket is empty");
        assert!(limits.room_password(UserId::random(), network(2)).is_ok());
    }

    #[test]
    fn a_known_device_is_not_locked_out_by_others() {
        let limits = limits("1/h burst 1");
        let user = UserId::random();
        let victim = Identity::Account(user);
        let _guess = limits.login(victim.clone(), network(1), None).unwrap();
        assert!(limits.login(victim.clone(), network(2), None).is_err());
        assert!(limits.login(victim.clone(), network(2), Some((user, "device".into()))).is_ok());
        let guesses =
            (0..100).filter(|n| limits.login(victim.clone(), network(2), Some((user, n.to_string()))).is_ok());
        assert_eq!(guesses.count() as u32, DEVICES - 1, "many devices of one account are one attacker");
    }

    #[test]
    fn many_addresses_fill_no_memory() {
        let limits = limits("1/h burst 1");
        for number in 0..BUCKETS as u32 + 10 {
            let _ = limits.registration(network(number));
        }
        assert!(limits.buckets.lock().unwrap().full_at.len() <= BUCKETS + 1);
    }

    #[test]
    fn few_uploads_of_one_person_go_on_at_a_time() {
        let limits = Limits::new(None);
        let ann = UserId::random();
        let mut places: Vec<_> = (0..UPLOADS).map(|_| limits.upload(ann, network(1)).unwrap()).collect();
        assert!(limits.upload(ann, network(1)).is_err());
        assert!(limits.upload(UserId::random(), network(1)).is_ok());
        places.pop();
        assert!(limits.upload(ann, network(1)).is_ok());
    }

    #[test]
    fn nothing_is_limited_where_the_setting_says_so() {
        let limits = Limits::new(None);
        let ann = UserId::random();
        assert!((0..1000).all(|_| limits.send(ann, network(1)).is_ok()));
    }
}
