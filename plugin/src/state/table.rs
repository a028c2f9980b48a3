//! A hash table of fixed size whose entries also stand in order of their last touch.
//!
//! One slab holds the entries. Each is in two linked lists: the chain of its
//! hash bucket, and the order of touch. Links are places in the slab.

use alloc::{string::String, vec, vec::Vec};
use core::{hash::BuildHasher, num::NonZeroU32};

use foldhash::fast::FixedState;

use crate::Millis;

/// A place in the slab; stored plus one, so that an absent link takes no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot(NonZeroU32);

impl Slot {
    fn new(index: usize) -> Self {
        // A slab has at most u32::MAX - 1 entries, see `Table::new`.
        let index = u32::try_from(index).unwrap_or(u32::MAX - 1);
        Self(NonZeroU32::MIN.saturating_add(index))
    }

    const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

#[derive(Debug)]
pub(super) struct Entry {
    target: String,
    request_id: String,
    pub(super) failures: u32,
    pub(super) touched: Millis,
    bucket: u32,
    next_in_bucket: Option<Slot>,
    older: Option<Slot>,
    newer: Option<Slot>,
}

impl Entry {
    fn is(&self, target: &str, request_id: &str) -> bool {
        self.request_id == request_id && self.target == target
    }
}

#[derive(Debug)]
pub(super) struct Table {
    buckets: Vec<Option<Slot>>,
    slab: Vec<Entry>,
    free: Option<Slot>,
    oldest: Option<Slot>,
    newest: Option<Slot>,
    len: u32,
    capacity: u32,
    hash: FixedState,
}

impl Table {
    pub(super) fn new(capacity: u32, seed: u64) -> Self {
        let capacity = capacity.clamp(1, 1 << 24);
        Self {
            buckets: vec![None; capacity.next_power_of_two() as usize],
            slab: Vec::with_capacity(capacity as usize),
            free: None,
            oldest: None,
            newest: None,
            len: 0,
            capacity,
            hash: FixedState::with_seed(seed),
        }
    }

    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    pub(super) const fn capacity(&self) -> u32 {
        self.capacity
    }

    pub(super) const fn is_full(&self) -> bool {
        self.len >= self.capacity
    }

    /// Moves the newest entries into a table of another size; returns how many
    /// of the oldest found no place.
    pub(super) fn resize(&mut self, capacity: u32) -> u32 {
        if capacity == self.capacity {
            return 0;
        }
        let mut lost = 0;
        while self.len > capacity.max(1) {
            self.remove_oldest();
            lost += 1;
        }
        let mut next = Self::new(capacity, 0);
        next.hash = self.hash.clone();
        while let Some(entry) = self.remove_oldest() {
            next.insert(entry.target, entry.request_id, entry.failures, entry.touched);
        }
        *self = next;
        lost
    }

    fn bucket(&self, target: &str, request_id: &str) -> u32 {
        // Hashing a pair of texts marks the end of each: ("a:b", "c") and
        // ("a", "b:c") are different input.
        let hash = self.hash.hash_one(Pair(target, request_id));
        (hash as u32) & (self.capacity.next_power_of_two() - 1)
    }

    pub(super) fn find(&self, target: &str, request_id: &str) -> Option<Slot> {
        let mut link = self.buckets[self.bucket(target, request_id) as usize];
        while let Some(slot) = link {
            let entry = &self.slab[slot.index()];
            if entry.is(target, request_id) {
                break;
            }
            link = entry.next_in_bucket;
        }
        link
    }

    /// Adds an entry as the newest. The table must not be full, nor the pair be there.
    pub(super) fn insert(
        &mut self,
        target: String,
        request_id: String,
        failures: u32,
        now: Millis,
    ) -> Slot {
        let bucket = self.bucket(&target, &request_id);
        let head = self.buckets[bucket as usize];
        let entry = Entry {
            target,
            request_id,
            failures,
            touched: now,
            bucket,
            next_in_bucket: head,
            older: None,
            newer: None,
        };
        let slot = match self.free {
            Some(slot) => {
                self.free = self.slab[slot.index()].next_in_bucket;
                self.slab[slot.index()] = entry;
                slot
            }
            None => {
                self.slab.push(entry);
                Slot::new(self.slab.len() - 1)
            }
        };
        self.buckets[bucket as usize] = Some(slot);
        self.len += 1;
        self.append(slot);
        slot
    }

    /// Makes an entry the newest.
    pub(super) fn touch(&mut self, slot: Slot, now: Millis) -> &mut Entry {
        if self.newest != Some(slot) {
            self.unlink(slot);
            self.append(slot);
        }
        let entry = &mut self.slab[slot.index()];
        entry.touched = now;
        entry
    }

    pub(super) fn oldest(&self) -> Option<&Entry> {
        self.oldest.map(|slot| &self.slab[slot.index()])
    }

    pub(super) fn remove_oldest(&mut self) -> Option<Removed> {
        self.oldest.map(|slot| self.remove(slot))
    }

    pub(super) fn remove(&mut self, slot: Slot) -> Removed {
        self.unlink(slot);
        self.leave_bucket(slot);
        self.len -= 1;
        let free = self.free.replace(slot);
        let entry = &mut self.slab[slot.index()];
        entry.next_in_bucket = free;
        Removed {
            target: core::mem::take(&mut entry.target),
            request_id: core::mem::take(&mut entry.request_id),
            failures: entry.failures,
            touched: entry.touched,
        }
    }

    fn leave_bucket(&mut self, slot: Slot) {
        let Entry { bucket, next_in_bucket, .. } = self.slab[slot.index()];
        let head = &mut self.buckets[bucket as usize];
        if *head == Some(slot) {
            *head = next_in_bucket;
            return;
        }
        let mut link = *head;
        while let Some(before) = link {
            let before = &mut self.slab[before.index()];
            if before.next_in_bucket == Some(slot) {
                before.next_in_bucket = next_in_bucket;
                return;
            }
            link = before.next_in_bucket;
        }
    }

    /// Puts an entry that is not in the order of touch at its newest end.
    fn append(&mut self, slot: Slot) {
        let newest = self.newest.replace(slot);
        let entry = &mut self.slab[slot.index()];
        entry.older = newest;
        entry.newer = None;
        match newest {
            Some(newest) => self.slab[newest.index()].newer = Some(slot),
            None => self.oldest = Some(slot),
        }
    }

    fn unlink(&mut self, slot: Slot) {
        let Entry { older, newer, .. } = self.slab[slot.index()];
        match older {
            Some(older) => self.slab[older.index()].newer = newer,
            None => self.oldest = newer,
        }
        match newer {
            Some(newer) => self.slab[newer.index()].older = older,
            None => self.newest = older,
        }
    }
}

/// What an entry held.
pub(super) struct Removed {
    target: String,
    request_id: String,
    failures: u32,
    touched: Millis,
}

#[derive(Hash)]
struct Pair<'a>(&'a str, &'a str);
