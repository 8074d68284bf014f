//! How often one account is woken up: a busy room is one notification, not a hundred.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::types::UserId;

/// Between two notifications of an account that nobody has seen in between.
const PAUSE: Duration = Duration::from_secs(30);

/// Those who were told lately.
#[derive(Default)]
pub struct Pace {
    told: HashMap<UserId, Told>,
}

struct Told {
    at: Instant,
    /// More has come since: it is told when the pause is over.
    again: bool,
}

impl Pace {
    /// Whether somebody is to be told now. If not, [`Pace::due`] names them later.
    pub fn take(&mut self, user: UserId, now: Instant) -> bool {
        match self.told.get_mut(&user) {
            Some(told) if now.saturating_duration_since(told.at) < PAUSE => {
                told.again = true;
                false
            }
            _ => {
                self.told.insert(user, Told { at: now, again: false });
                true
            }
        }
    }

    /// Those whose pause is over and for whom more has come.
    pub fn due(&mut self, now: Instant) -> Vec<UserId> {
        let is_over = |told: &Told| now.saturating_duration_since(told.at) >= PAUSE;
        self.told.retain(|_, told| told.again || !is_over(told));
        let due = self.told.iter_mut().filter(|(_, told)| is_over(told));
        due.map(|(user, told)| {
            *told = Told { at: now, again: false };
            *user
        })
        .collect()
    }

    /// Who has looked at a page since is told of what comes next at once.
    pub fn forget(&mut self, has_looked: impl Fn(UserId) -> bool) {
        self.told.retain(|user, _| !has_looked(*user));
    }

    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_room_is_told_once_in_a_pause_and_once_behind_it() {
        let (ann, start) = (UserId::random(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::default();
        assert!(pace.take(ann, start));
        assert!((1..20).all(|seconds| !pace.take(ann, after(seconds))));
        assert_eq!(pace.due(after(29)), []);
        assert_eq!(pace.due(after(30)), [ann]);
        assert_eq!(pace.due(after(31)), []);
        assert!(!pace.take(ann, after(32)), "a pause begins with each");
        assert_eq!(pace.due(after(60)), [ann]);
        assert_eq!(pace.due(after(90)), [], "nothing came any more");
        assert!(pace.is_empty());
    }

    #[test]
    fn who_was_seen_is_told_at_once() {
        let (ann, bob, start) = (UserId::random(), UserId::random(), Instant::now());
        let mut pace = Pace::default();
        assert!(pace.take(ann, start) && pace.take(bob, start));
        assert!(!pace.take(ann, start) && !pace.take(bob, start));
        pace.forget(|user| user == ann);
        assert!(pace.take(ann, start) && !pace.take(bob, start));
        assert_eq!(pace.due(start + PAUSE), [bob], "what ann has seen herself is not told again");
    }
}
