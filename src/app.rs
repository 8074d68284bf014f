//! All shared state of a running server, built once and handed to every edge. There are no globals.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use chrono::{DateTime, Utc};

use crate::config::Config;
use crate::hub::{Fanout, Here, Publisher};
use crate::images::Images;
use crate::limits::Limits;
use crate::passwords::Passwords;
use crate::pressure::Pressure;
use crate::push::Push;
use crate::run::Run;
use crate::signer::Signer;
use crate::store::Db;
use crate::store::files::Files;
use crate::types::{Network, Timestamp, UserId};

pub struct App {
    pub config: Config,
    pub db: Db,
    pub hub: Arc<dyn Fanout>,
    pub publisher: Publisher,
    /// The content of attachments.
    pub files: Files,
    pub images: Images,
    pub passwords: Passwords,
    pub limits: Arc<Limits>,
    pub pressure: Pressure,
    pub push: Push,
    pub signer: Arc<Signer>,
    pub clock: Arc<dyn Clock>,
    pub run: Run,
    /// Networks that may not come in, and until when, as the database has them: asked for at every connection.
    pub banned_networks: RwLock<HashMap<Network, i64>>,
    /// Who was here when it was last looked.
    pub here: RwLock<Arc<HashMap<UserId, Here>>>,
}

impl App {
    pub fn now(&self) -> Timestamp {
        self.clock.now().into()
    }

    pub fn here(&self) -> Arc<HashMap<UserId, Here>> {
        self.here.read().expect("here lock").clone()
    }

    pub fn set_here(&self, here: Arc<HashMap<UserId, Here>>) {
        *self.here.write().expect("here lock") = here;
    }

    /// In microseconds since 1970-01-01 UTC.
    pub fn banned_until(&self, network: Network) -> Option<i64> {
        self.banned_networks.read().expect("bans lock").get(&network).copied()
    }

    pub fn set_banned_networks(&self, bans: impl Iterator<Item = (Network, i64)>) {
        let mut banned = self.banned_networks.write().expect("bans lock");
        banned.clear();
        add_longest(&mut banned, bans);
    }

    pub fn add_banned_networks(&self, bans: impl Iterator<Item = (Network, i64)>) {
        add_longest(&mut self.banned_networks.write().expect("bans lock"), bans);
    }
}

/// A network may be banned for several people: the longest ban counts.
fn add_longest(banned: &mut HashMap<Network, i64>, bans: impl Iterator<Item = (Network, i64)>) {
    for (network, until) in bans {
        let longest = banned.entry(network).or_insert(until);
        *longest = until.max(*longest);
    }
}

/// Where time comes from.
pub trait Clock: Send + Sync {
    fn now(&self) -> DateTime<Utc>;
}

pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}
