//! This run of the server: what was before it, and which browsers have just loaded the page.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::types::{RoomId, random_uuid};

/// Between the page and its first connection.
const LOADING: Duration = Duration::from_secs(60);

/// One run of the server: what is lost with it is known by this.
pub struct Run {
    pub id: Uuid,
    /// The newest message of each room when it began: whoever was connected when the run before ended had heard so much.
    pub seqs: HashMap<RoomId, i64>,
    began: Instant,
    /// Browsers that have just loaded the page.
    loading: Mutex<HashMap<[u8; 32], Vec<Instant>>>,
}

impl Run {
    pub fn new(seqs: HashMap<RoomId, i64>) -> Self {
        Self { id: random_uuid(), seqs, began: Instant::now(), loading: Mutex::default() }
    }

    /// For how long it has been running.
    pub fn lasts(&self) -> Duration {
        self.began.elapsed()
    }

    /// The page has gone to this browser.
    pub fn loads(&self, owner: [u8; 32]) {
        let mut loading = self.loading.lock().expect("loading lock");
        loading.retain(|_, since| since.iter().any(|since| since.elapsed() < LOADING));
        loading.entry(owner).or_default().push(Instant::now());
    }

    /// Whether a page of this browser has been loaded that has not connected yet: then this is its connection.
    pub fn has_loaded(&self, owner: &[u8; 32]) -> bool {
        let mut loading = self.loading.lock().expect("loading lock");
        let Some(since) = loading.get_mut(owner) else { return false };
        since.retain(|since| since.elapsed() < LOADING);
        since.pop().is_some()
    }
}
