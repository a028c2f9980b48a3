//! What is remembered: the calls that have failed and are not over, the retry
//! budgets, and how long the attempts of a tool take.
//!
//! Bounded in number, and every operation takes constant time in the worst
//! case, not only on average: at most [`EVICTIONS_PER_CALL`] silent entries
//! are dropped at a time. A call can therefore not be slow because others were
//! abandoned.

mod attempt_times;

#[cfg(test)]
mod tests;

use alloc::string::String;

use crate::{
    Millis,
    budget::{Budgets, Reservation},
    table::{Slot, Table},
};
pub use attempt_times::AttemptTimes;

/// How many expired entries one call drops at the most. A call adds at most
/// one, so with two the expired ones can only become fewer.
pub const EVICTIONS_PER_CALL: usize = 2;

/// A call that has failed and is not over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Call {
    /// Transient failures up to now.
    pub failures: u32,
    /// How long it slept before its last attempt.
    pub last_delay: Option<Millis>,
    /// What it holds of a budget while it sleeps.
    held: Option<Reservation>,
}

/// All that is remembered.
#[derive(Debug)]
pub struct State {
    /// By (target, request id).
    calls: Table<Call>,
    ttl: Millis,
    evicted: Evictions,
    /// By upstream or tool.
    pub budgets: Budgets,
    /// By tool.
    pub times: AttemptTimes,
}

/// How many entries went without their call having ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evictions {
    /// Because nothing was heard of the call for the TTL.
    pub expired: u64,
    /// Because room was needed for a newer call.
    pub displaced: u64,
}

impl State {
    /// Room for `capacity` calls (at least 1), each kept for `ttl` after its
    /// last failure. `seed` makes the hashes unpredictable to callers.
    #[must_use]
    pub fn new(capacity: u32, ttl: Millis, seed: u64) -> Self {
        Self {
            calls: Table::new(capacity, seed),
            ttl,
            evicted: Evictions::default(),
            budgets: Budgets::new(seed),
            times: AttemptTimes::new(seed),
        }
    }

    /// Other bounds for the calls that are there. If there are more than
    /// `capacity`, the oldest go.
    pub fn rebound(&mut self, capacity: u32, ttl: Millis) {
        self.ttl = ttl;
        while self.calls.len() > capacity.max(1) {
            self.displace_oldest();
        }
        self.calls.resize(capacity);
    }

    /// Counts a failure of a call, which holds nothing of a budget any more.
    /// It has at least `at_least` failures now. The oldest call is dropped if
    /// there is no room.
    pub fn record_failure(
        &mut self,
        target: String,
        request_id: String,
        at_least: u32,
        now: Millis,
    ) -> (Slot, Call) {
        let found = self.calls.find(&target, &request_id);
        if let Some(slot) = found
            && let Some(call) = self.calls.touch(slot, now)
        {
            call.failures = call.failures.saturating_add(1).max(at_least);
            let held = call.held.take();
            let call = *call;
            self.give_back(held);
            return (slot, call);
        }
        if self.calls.is_full() {
            self.displace_oldest();
        }
        let call = Call { failures: at_least.max(1), ..Call::default() };
        (self.calls.insert(target, request_id, call, now), call)
    }

    /// The call goes to sleep, and may hold something of a budget until it is
    /// heard of again.
    pub fn sleeps(&mut self, slot: Slot, delay: Millis, held: Option<Reservation>) {
        match self.calls.get_mut(slot) {
            Some(call) => (call.last_delay, call.held) = (Some(delay), held),
            None => self.give_back(held),
        }
    }

    /// Drops a call by its place.
    pub fn release(&mut self, slot: Slot) {
        let held = self.calls.remove(slot).and_then(|call| call.held);
        self.give_back(held);
    }

    /// Drops a call, and gives back what it held; false if it is not known.
    pub fn end(&mut self, target: &str, request_id: &str) -> bool {
        let found = self.calls.find(target, request_id);
        if let Some(slot) = found {
            self.release(slot);
        }
        found.is_some()
    }

    /// Drops calls that were silent for longer than the TTL, oldest first, and
    /// at most [`EVICTIONS_PER_CALL`] of them.
    pub fn evict_expired(&mut self, now: Millis) {
        for _ in 0..EVICTIONS_PER_CALL {
            match self.calls.oldest() {
                Some((slot, touched)) if now.since(touched) > self.ttl => {
                    self.release(slot);
                    self.evicted.expired += 1;
                }
                _ => return,
            }
        }
    }

    fn displace_oldest(&mut self) {
        if let Some((slot, _)) = self.calls.oldest() {
            self.release(slot);
            self.evicted.displaced += 1;
        }
    }

    fn give_back(&mut self, held: Option<Reservation>) {
        if let Some(reservation) = held {
            self.budgets.give_back(reservation);
        }
    }

    /// How many calls are remembered.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.calls.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// How many can be remembered.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.calls.capacity()
    }

    /// What was evicted since the start.
    #[must_use]
    pub const fn evicted(&self) -> Evictions {
        self.evicted
    }
}
