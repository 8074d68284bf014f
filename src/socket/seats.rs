//! How many sessions come from one network: counted from the first request to the end, also of those that never get so far
//! as to connect to the chat.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex};

use crate::types::Network;

#[derive(Clone, Default)]
pub struct Seats {
    taken: Arc<Mutex<HashMap<Network, usize>>>,
}

/// One session's place. The library keeps it with the request that opened the session, and drops it with the session.
#[derive(Clone)]
pub struct Seat(Arc<Taken>);

struct Taken {
    seats: Seats,
    network: Network,
    /// Counted when it was taken, itself too.
    number: usize,
}

impl Seats {
    pub fn take(&self, network: Network) -> Seat {
        let mut taken = self.taken.lock().expect("seats lock");
        let count = taken.entry(network).or_default();
        *count += 1;
        Seat(Arc::new(Taken { seats: self.clone(), network, number: *count }))
    }
}

impl Seat {
    /// How many there were from the same network when this one came, itself too.
    pub fn number(&self) -> usize {
        self.0.number
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().expect("seats lock");
        if let Entry::Occupied(mut count) = taken.entry(self.network) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}
