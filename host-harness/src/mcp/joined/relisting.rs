//! When an unknown name makes the upstreams list again.
//!
//! The name may be new, but a client can think of any number of names, and
//! each list costs every upstream a great deal more than the name costs the client.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Unknown names in a row that are looked for at once.
const BURST: u32 = 2;
/// How long it takes until one more is.
const REFILL: Duration = Duration::from_secs(5);
/// And if an upstream has said since that its list has changed.
const CHANGED: Duration = Duration::from_secs(1);

/// A token bucket of the lists that unknown names ask for, of one kind.
#[derive(Debug)]
pub(super) struct Relisting {
    /// Held while the upstreams list: who comes meanwhile shares the outcome.
    pub(super) listing: tokio::sync::Mutex<()>,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: u32,
    filled: Instant,
    /// When the upstreams listed last.
    listed: Option<Instant>,
    /// How often they did.
    rounds: u64,
    changed: bool,
}

impl Default for Relisting {
    fn default() -> Self {
        let filled = Instant::now();
        let bucket = Bucket { tokens: BURST, filled, listed: None, rounds: 0, changed: false };
        Self { listing: tokio::sync::Mutex::default(), bucket: Mutex::new(bucket) }
    }
}

impl Relisting {
    /// How often the upstreams have listed.
    pub(super) fn rounds(&self) -> u64 {
        self.with(|bucket| bucket.rounds)
    }

    /// Whether they may be asked to list again now.
    pub(super) fn is_allowed(&self, now: Instant) -> bool {
        self.with(|bucket| {
            let Some(listed) = bucket.listed else { return true };
            if bucket.changed && now - listed >= CHANGED {
                return true;
            }
            while bucket.tokens < BURST && now - bucket.filled >= REFILL {
                bucket.tokens += 1;
                bucket.filled += REFILL;
            }
            let Some(left) = bucket.tokens.checked_sub(1) else { return false };
            if bucket.tokens == BURST {
                bucket.filled = now;
            }
            bucket.tokens = left;
            true
        })
    }

    /// They have listed, for whichever reason.
    pub(super) fn done(&self, now: Instant) {
        self.with(|bucket| {
            bucket.listed = Some(now);
            bucket.rounds += 1;
            bucket.changed = false;
        });
    }

    /// One of them says that its list has changed.
    pub(super) fn changed(&self) {
        self.with(|bucket| bucket.changed = true);
    }

    fn with<T>(&self, act: impl FnOnce(&mut Bucket) -> T) -> T {
        act(&mut self.bucket.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_unknown_names_are_looked_for_at_once_and_then_one_in_a_while() {
        let relisting = Relisting::default();
        let mut now = Instant::now();
        let listed = |now: Instant| {
            let asked = (0..100).filter(|_| {
                let allowed = relisting.is_allowed(now);
                if allowed {
                    relisting.done(now);
                }
                allowed
            });
            asked.count()
        };
        assert_eq!(listed(now), 3, "the first list is nobody's fault");
        now += REFILL - Duration::from_millis(1);
        assert_eq!(listed(now), 0);
        now += Duration::from_millis(1);
        assert_eq!(listed(now), 1);
        now += 100 * REFILL;
        assert_eq!(listed(now), 2);
    }

    #[test]
    fn a_list_that_has_changed_is_read_again_but_not_all_the_time() {
        let relisting = Relisting::default();
        let (mut listed, mut now) = (0, Instant::now());
        for _ in 0..1_000 {
            relisting.changed();
            if relisting.is_allowed(now) {
                relisting.done(now);
                listed += 1;
            }
            now += Duration::from_millis(10);
        }
        assert!((8..=15).contains(&listed), "{listed} times in 10 s");
    }
}
