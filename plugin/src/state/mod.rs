//! What is remembered: the calls that have failed and are not over, and how
//! long the attempts of a tool take.
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
    table::{Slot, Table},
};
pub use attempt_times::{AttemptTimes, Attempted};

/// How many expired entries one call drops at the most. A call adds at most
/// one, so with two the expired ones can only become fewer.
pub const EVICTIONS_PER_CALL: usize = 2;

/// What is called. A tool and a resource of the same name are two targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A tool.
    Tool,
    /// A resource.
    Resource,
}

/// Where a call is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(Kind, Slot);

/// A call that has failed and is not over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Call {
    /// Transient failures up to now.
    pub failures: u32,
    /// How long it slept before its last attempt.
    pub last_delay: Option<Millis>,
}

/// All that is remembered.
#[derive(Debug)]
pub struct State {
    /// By (tool, request id).
    calls: Table<Call>,
    /// By (resource, request id).
    reads: Table<Call>,
    ttl: Millis,
    evicted: Evictions,
    /// By upstream and tool.
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
    /// Room for so many calls of tools and of resources (at least 1 each), each
    /// kept for `ttl` after its last failure. `seed` makes the hashes
    /// unpredictable to callers.
    #[must_use]
    pub fn new(calls: u32, reads: u32, ttl: Millis, seed: u64) -> Self {
        Self {
            calls: Table::new(calls, seed),
            reads: Table::new(reads, seed),
            ttl,
            evicted: Evictions::default(),
            times: AttemptTimes::new(seed),
        }
    }

    /// Other bounds for the calls that are there. If there are more than have
    /// room, the oldest go.
    pub fn rebound(&mut self, calls: u32, reads: u32, ttl: Millis) {
        self.ttl = ttl;
        for (kind, capacity) in [(Kind::Tool, calls), (Kind::Resource, reads)] {
            while self.table(kind).len() > capacity.max(1) {
                self.displace_oldest(kind);
            }
            self.table(kind).resize(capacity);
        }
    }

    #[inline]
    fn table(&mut self, kind: Kind) -> &mut Table<Call> {
        match kind {
            Kind::Tool => &mut self.calls,
            Kind::Resource => &mut self.reads,
        }
    }

    /// Counts a failure of a call. It has at least `at_least` failures now. The oldest call is dropped if
    /// there is no room.
    #[inline]
    pub fn record_failure(
        &mut self,
        kind: Kind,
        target: String,
        request_id: String,
        at_least: u32,
        now: Millis,
    ) -> (Place, Call) {
        let table = self.table(kind);
        if let Some(slot) = table.find(&target, &request_id)
            && let Some(call) = table.touch(slot, now)
        {
            call.failures = call.failures.saturating_add(1).max(at_least);
            return (Place(kind, slot), *call);
        }
        if table.is_full() {
            self.displace_oldest(kind);
        }
        let call = Call { failures: at_least.max(1), ..Call::default() };
        (Place(kind, self.table(kind).insert(target, request_id, call, now)), call)
    }

    /// The call goes to sleep for so long.
    #[inline]
    pub fn sleeps(&mut self, Place(kind, slot): Place, delay: Millis) {
        if let Some(call) = self.table(kind).get_mut(slot) {
            call.last_delay = Some(delay);
        }
    }

    /// Drops a call by its place.
    #[inline]
    pub fn release(&mut self, Place(kind, slot): Place) {
        self.table(kind).remove(slot);
    }

    /// Drops a call; false if it is not known.
    #[inline]
    pub fn end(&mut self, kind: Kind, target: &str, request_id: &str) -> bool {
        let found = self.table(kind).find(target, request_id);
        if let Some(slot) = found {
            self.release(Place(kind, slot));
        }
        found.is_some()
    }

    /// Drops calls of a kind that were silent for longer than the TTL, oldest
    /// first, and at most [`EVICTIONS_PER_CALL`] of them.
    #[inline]
    pub fn evict_expired(&mut self, kind: Kind, now: Millis) {
        for _ in 0..EVICTIONS_PER_CALL {
            match self.table(kind).oldest() {
                Some((slot, touched)) if now.since(touched) > self.ttl => {
                    self.release(Place(kind, slot));
                    self.evicted.expired += 1;
                }
                _ => return,
            }
        }
    }

    fn displace_oldest(&mut self, kind: Kind) {
        if let Some((slot, _)) = self.table(kind).oldest() {
            self.release(Place(kind, slot));
            self.evicted.displaced += 1;
        }
    }

    /// How many calls are remembered.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.calls.len() + self.reads.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many calls of tools can be remembered.
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
