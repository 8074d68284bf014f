//! Web Push: wakes a browser up whose page is closed, through the push service that its maker runs.
//!
//! Nothing is in what is sent but that there is something: no name, no text, no room. So there is nothing to encrypt for the
//! browser, either (RFC 8291), and the push service learns no more than when somebody was to be woken.

mod address;
mod pace;
mod service;
mod vapid;

use std::sync::Mutex;

use tokio::sync::mpsc;

pub use pace::Pace;
pub use service::{Outcome, Service};
pub use vapid::Key;

use crate::config::Config;
use crate::types::{Identity, RoomId, Username};

/// Messages that wait to be looked at. Past that they wake nobody: who writes never waits for this.
const WAITING: usize = 4_096;

/// A message that was stored, as far as it matters here.
pub struct Posted {
    pub room: RoomId,
    pub author: Identity,
    pub mentions: Vec<Username>,
}

/// Where messages are handed over, and what sends.
pub struct Push {
    queue: mpsc::Sender<Posted>,
    /// Until somebody listens.
    posted: Mutex<Option<mpsc::Receiver<Posted>>>,
    pub service: Service,
    /// Whom push services may write to about what comes from here (RFC 8292, section 2.1).
    pub subject: String,
}

impl Push {
    pub fn new(config: &Config) -> Self {
        let (queue, posted) = mpsc::channel(WAITING);
        Self {
            queue,
            posted: Mutex::new(Some(posted)),
            service: Service::new(config.push_allow_private),
            subject: config.vapid_subject.clone(),
        }
    }

    /// To be called once a message is committed. Waits for nothing.
    pub fn post(&self, posted: Posted) {
        if self.queue.try_send(posted).is_err() {
            count("dropped");
        }
    }

    /// What is posted; `None` where somebody listens already.
    pub fn listen(&self) -> Option<mpsc::Receiver<Posted>> {
        self.posted.lock().expect("posted lock").take()
    }
}

/// Counts what has become of a notification.
pub fn count(outcome: &'static str) {
    metrics::counter!("secure_chat_pushes_total", "outcome" => outcome).increment(1);
}
