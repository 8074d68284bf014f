//! All shared state of a running server, built once and handed to every edge. There are no globals.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::config::Config;
use crate::hub::{Fanout, Publisher};
use crate::passwords::Passwords;
use crate::store::Db;
use crate::types::Timestamp;

pub struct App {
    pub config: Config,
    pub db: Db,
    pub hub: Arc<dyn Fanout>,
    pub publisher: Publisher,
    pub passwords: Passwords,
    pub clock: Arc<dyn Clock>,
}

impl App {
    pub fn now(&self) -> Timestamp {
        self.clock.now().into()
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
