//! A hash table of fixed size, keyed by a pair of texts, whose entries also
//! stand in order of their last touch. Every operation takes constant time in
//! the worst case but for the length of a bucket's chain: all memory is
//! reserved at the start and nothing is ever rehashed.
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
struct Entry<V> {
    key: (String, String),
    /// None in a free place.
    value: Option<V>,
    touched: Millis,
    bucket: u32,
    next_in_bucket: Option<Slot>,
    older: Option<Slot>,
    newer: Option<Slot>,
}

/// A bounded table from pairs of texts to `V`.
#[derive(Debug)]
pub struct Table<V> {
    buckets: Vec<Option<Slot>>,
    slab: Vec<Entry<V>>,
    free: Option<Slot>,
    oldest: Option<Slot>,
    newest: Option<Slot>,
    len: u32,
    capacity: u32,
    hash: FixedState,
}

impl<V> Table<V> {
    /// Room for `capacity` entries, at least 1. `seed` makes the hash unpredictable to callers.
    #[must_use]
    pub fn new(capacity: u32, seed: u64) -> Self {
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

    /// How many entries there are.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// How many there can be.
    #[must_use]
    pub const fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Whether the next entry needs another one's place.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.len >= self.capacity
    }

    /// Moves all entries into a table of another size, which must hold them.
    pub fn resize(&mut self, capacity: u32) {
        if capacity == self.capacity {
            return;
        }
        let mut next = Self::new(capacity, 0);
        next.hash = self.hash.clone();
        while let Some(slot) = self.oldest {
            let Entry { touched, .. } = self.slab[slot.index()];
            if let Some(((first, second), value)) = self.take(slot) {
                next.insert(first, second, value, touched);
            }
        }
        *self = next;
    }

    #[inline]
    fn bucket(&self, first: &str, second: &str) -> u32 {
        // Hashing a pair of texts marks the end of each: ("a:b", "c") and
        // ("a", "b:c") are different input.
        let hash = self.hash.hash_one(Pair(first, second));
        (hash as u32) & (self.capacity.next_power_of_two() - 1)
    }

    /// Where the entry of a key is. The place stays its own until it is removed.
    #[must_use]
    #[inline]
    pub fn find(&self, first: &str, second: &str) -> Option<Slot> {
        if self.len == 0 {
            return None;
        }
        let mut link = self.buckets[self.bucket(first, second) as usize];
        while let Some(slot) = link {
            let entry = &self.slab[slot.index()];
            // The second differs more often.
            if entry.key.1 == second && entry.key.0 == first {
                break;
            }
            link = entry.next_in_bucket;
        }
        link
    }

    /// Adds an entry as the newest. The table must not be full, nor the key be there.
    #[inline]
    pub fn insert(&mut self, first: String, second: String, value: V, now: Millis) -> Slot {
        let bucket = self.bucket(&first, &second);
        let head = self.buckets[bucket as usize];
        let entry = Entry {
            key: (first, second),
            value: Some(value),
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

    /// What stands at a place.
    #[inline]
    pub fn get_mut(&mut self, slot: Slot) -> Option<&mut V> {
        self.slab[slot.index()].value.as_mut()
    }

    /// What stands at a place, and makes it the newest.
    #[inline]
    pub fn touch(&mut self, slot: Slot, now: Millis) -> Option<&mut V> {
        if self.newest != Some(slot) {
            self.unlink(slot);
            self.append(slot);
        }
        let entry = &mut self.slab[slot.index()];
        entry.touched = now;
        entry.value.as_mut()
    }

    /// The place of the entry that was not touched for the longest time, and its last touch.
    #[must_use]
    #[inline]
    pub fn oldest(&self) -> Option<(Slot, Millis)> {
        self.oldest.map(|slot| (slot, self.slab[slot.index()].touched))
    }

    /// Removes the oldest entry.
    pub fn remove_oldest(&mut self) -> Option<V> {
        self.oldest.and_then(|slot| self.remove(slot))
    }

    /// Removes the entry at a place.
    #[inline]
    pub fn remove(&mut self, slot: Slot) -> Option<V> {
        self.take(slot).map(|(_, value)| value)
    }

    #[inline]
    fn take(&mut self, slot: Slot) -> Option<((String, String), V)> {
        let value = self.slab[slot.index()].value.take()?;
        self.unlink(slot);
        self.leave_bucket(slot);
        self.len -= 1;
        let free = self.free.replace(slot);
        let entry = &mut self.slab[slot.index()];
        entry.next_in_bucket = free;
        Some((core::mem::take(&mut entry.key), value))
    }

    #[inline]
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
    #[inline]
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

    #[inline]
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

#[derive(Hash)]
struct Pair<'a>(&'a str, &'a str);
