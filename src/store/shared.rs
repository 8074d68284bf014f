//! Rows that writes of all lanes change: who has said how much, and the audit log. They are changed at the end of a
//! transaction, in one order, so that no two transactions wait for each other in a circle.

use std::collections::BTreeMap;

use super::audit::{self, Entry};
use super::{Tx, people};
use crate::error::Result;
use crate::types::{Timestamp, UserId};

#[derive(Default)]
pub struct Shared {
    notes: Vec<Entry>,
    activity: BTreeMap<UserId, Activity>,
}

struct Activity {
    messages: i64,
    last: Timestamp,
}

impl Shared {
    /// An entry for the audit log.
    pub fn note(&mut self, entry: Entry) {
        self.notes.push(entry);
    }

    /// One more message of this person.
    pub fn count_message(&mut self, user: UserId, at: Timestamp) {
        self.count(user, Activity { messages: 1, last: at });
    }

    /// What another write has left to do.
    pub(super) fn add(&mut self, other: Self) {
        self.notes.extend(other.notes);
        other.activity.into_iter().for_each(|(user, activity)| self.count(user, activity));
    }

    fn count(&mut self, user: UserId, new: Activity) {
        let known = self.activity.entry(user).or_insert(Activity { messages: 0, last: new.last });
        known.messages += new.messages;
        known.last = known.last.max(new.last);
    }

    pub(super) fn write(self, tx: &mut Tx) -> Result<()> {
        self.notes.iter().try_for_each(|entry| audit::append(tx, entry))?;
        self.activity
            .iter()
            .try_for_each(|(user, activity)| people::count_messages(tx, *user, activity.messages, activity.last))
    }
}
