//! What is remembered of calls that have failed and are not over.
//!
//! Bounded in number, and every operation takes constant time in the worst
//! case, not only on average: all memory is reserved at the start, nothing is
//! ever rehashed, and at most [`EVICTIONS_PER_CALL`] silent entries are dropped
//! at a time. A call can therefore not be slow because others were abandoned.

mod table;

#[cfg(test)]
mod tests;

use alloc::string::String;

use crate::Millis;
pub use table::Slot;
use table::Table;

/// How many expired entries one call drops at the most. A call adds at most
/// one, so with two the expired ones can only become fewer.
pub const EVICTIONS_PER_CALL: usize = 2;

/// The failures of the calls that are alive, keyed by (target, request id).
#[derive(Debug)]
pub struct CallState {
    table: Table,
    ttl: Millis,
    evicted: Evictions,
}

/// How many entries went without their call having ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evictions {
    /// Because nothing was heard of the call for the TTL.
    pub expired: u64,
    /// Because room was needed for a newer call.
    pub displaced: u64,
}

impl CallState {
    /// Room for `capacity` calls (at least 1), each kept for `ttl` after its
    /// last failure. `seed` makes the hash unpredictable to callers.
    #[must_use]
    pub fn new(capacity: u32, ttl: Millis, seed: u64) -> Self {
        Self { table: Table::new(capacity, seed), ttl, evicted: Evictions::default() }
    }

    /// Other bounds for the entries that are there. If there are more than
    /// `capacity`, the oldest go.
    pub fn rebound(&mut self, capacity: u32, ttl: Millis) {
        self.ttl = ttl;
        let lost = self.table.resize(capacity);
        self.evicted.displaced += u64::from(lost);
    }

    /// Counts a failure of a call and returns how many it has now, at least
    /// `at_least`, and its place. Drops the oldest entry if there is no room.
    pub fn record_failure(
        &mut self,
        target: String,
        request_id: String,
        at_least: u32,
        now: Millis,
    ) -> (Slot, u32) {
        if let Some(slot) = self.table.find(&target, &request_id) {
            let entry = self.table.touch(slot, now);
            entry.failures = entry.failures.saturating_add(1).max(at_least);
            return (slot, entry.failures);
        }
        if self.table.is_full() && self.table.remove_oldest().is_some() {
            self.evicted.displaced += 1;
        }
        let failures = at_least.max(1);
        (self.table.insert(target, request_id, failures, now), failures)
    }

    /// Drops an entry by its place.
    pub fn release(&mut self, slot: Slot) {
        self.table.remove(slot);
    }

    /// Drops the entry of a call; false if there is none.
    pub fn remove(&mut self, target: &str, request_id: &str) -> bool {
        if self.table.len() == 0 {
            return false;
        }
        let found = self.table.find(target, request_id);
        if let Some(slot) = found {
            self.table.remove(slot);
        }
        found.is_some()
    }

    /// Drops entries that were silent for longer than the TTL, oldest first,
    /// and at most [`EVICTIONS_PER_CALL`] of them.
    pub fn evict_expired(&mut self, now: Millis) {
        for _ in 0..EVICTIONS_PER_CALL {
            match self.table.oldest() {
                Some(entry) if now.since(entry.touched) > self.ttl => {
                    self.table.remove_oldest();
                    self.evicted.expired += 1;
                }
                _ => return,
            }
        }
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        while self.table.remove_oldest().is_some() {}
    }

    /// How many calls are remembered.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.table.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// How many can be remembered.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.table.capacity()
    }

    /// What was evicted since the start.
    #[must_use]
    pub const fn evicted(&self) -> Evictions {
        self.evicted
    }
}
