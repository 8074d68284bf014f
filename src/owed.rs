//! What is there for a client, and was not taken yet.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Smaller packets are not counted: the library bounds their number.
const LARGE: usize = 16 * 1024;
/// With more than this waiting, nothing else is begun for the client.
const MOST: usize = 1024 * 1024;

/// The bytes of the large packets that wait for one client. Who asks and does not read would fill the memory otherwise.
#[derive(Default)]
pub struct Owed {
    bytes: AtomicUsize,
    changed: Notify,
}

impl Owed {
    /// A packet of this size is handed to the library.
    pub fn add(&self, size: usize) {
        if size >= LARGE {
            self.bytes.fetch_add(size, Ordering::SeqCst);
        }
    }

    /// It was not taken in by the library: it will never go out.
    pub fn take_back(&self, size: usize) {
        if size >= LARGE {
            self.taken(size);
        }
    }

    /// So many bytes went out to the client.
    pub fn taken(&self, size: usize) {
        if self.bytes.load(Ordering::SeqCst) == 0 {
            return;
        }
        let less = |bytes: usize| Some(bytes.saturating_sub(size));
        let _ = self.bytes.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        self.changed.notify_waiters();
    }

    /// Lets who waits look again whether to go on waiting.
    pub fn look_again(&self) {
        self.changed.notify_waiters();
    }

    /// Waits until the client has taken enough, or there is no reason to wait for it any more.
    pub async fn settled(&self, in_vain: impl Fn() -> bool) {
        loop {
            let changed = self.changed.notified();
            if self.bytes.load(Ordering::SeqCst) <= MOST || in_vain() {
                return;
            }
            changed.await;
        }
    }
}
