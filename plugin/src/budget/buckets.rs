//! The buckets of all upstreams and tools, bounded in number.

use alloc::string::String;

use super::{Bucket, Terms, Tokens};
use crate::{
    Millis,
    table::{Slot, Table},
};

/// Buckets of their own. Whoever finds no place shares one with all the others like it.
const MOST: u32 = 1_024;

/// Whose budget it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner<'a> {
    /// All tools of an upstream.
    Upstream(&'a str),
    /// A tool of an upstream without a name, or one whose override says something of the budget.
    Tool(&'a str),
    /// All resources of upstreams without a name.
    Resources,
}

/// Where a bucket is. It stays there while a retry holds tokens of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The owner's own.
    Own(Slot),
    /// The one of all who found no place.
    Shared,
}

/// Tokens that a sleeping retry holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    from: Place,
    held: Tokens,
}

/// Sums over all buckets: they also add up over the instances of a plugin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Levels {
    /// How many there are.
    pub buckets: u64,
    /// How many of them allow no retries.
    pub drained: u64,
    /// Their sizes.
    pub size: Tokens,
    /// What is left in them.
    pub left: Tokens,
}

/// All buckets.
///
/// A bucket makes room for another only when it is as new; so nobody gets a
/// drained one filled by calling many names.
#[derive(Debug)]
pub struct Budgets {
    own: Table<Bucket>,
    shared: Option<Bucket>,
}

impl Budgets {
    /// No bucket yet. `seed` makes the hash unpredictable to callers.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { own: Table::new(MOST, seed), shared: None }
    }

    /// The bucket of an owner, up to date.
    pub fn open(&mut self, owner: Owner<'_>, terms: &Terms, now: Millis) -> Place {
        let place = self.place(owner, terms, now);
        self.at(place, terms, now).update(terms, now);
        place
    }

    fn place(&mut self, owner: Owner<'_>, terms: &Terms, now: Millis) -> Place {
        let key = match owner {
            Owner::Upstream(name) => ("upstream", name),
            Owner::Tool(name) => ("tool", name),
            Owner::Resources => ("resources", ""),
        };
        if let Some(slot) = self.own.find(key.0, key.1) {
            self.own.touch(slot, now);
            return Place::Own(slot);
        }
        if self.own.is_full() && !self.drop_one_as_new(terms, now) {
            return Place::Shared;
        }
        let bucket = Bucket::full(terms, now);
        Place::Own(self.own.insert(key.0.into(), String::from(key.1), bucket, now))
    }

    /// Looks at the oldest alone, which has had the most time to fill up; one
    /// that is not as new goes to the end of the queue.
    fn drop_one_as_new(&mut self, terms: &Terms, now: Millis) -> bool {
        let Some((slot, _)) = self.own.oldest() else { return false };
        let as_new = self.own.touch(slot, now).is_none_or(|bucket| {
            bucket.update(terms, now);
            bucket.is_as_new()
        });
        if as_new {
            self.own.remove(slot);
        }
        as_new
    }

    /// The bucket at a place.
    pub fn at(&mut self, place: Place, terms: &Terms, now: Millis) -> &mut Bucket {
        let own = match place {
            Place::Own(slot) => self.own.get_mut(slot),
            Place::Shared => None,
        };
        own.unwrap_or_else(|| self.shared.get_or_insert(Bucket::full(terms, now)))
    }

    /// Holds tokens for a retry that goes to sleep.
    pub fn reserve(&mut self, from: Place, terms: &Terms, now: Millis) -> Reservation {
        Reservation { from, held: self.at(from, terms, now).reserve(terms) }
    }

    /// Gives back what a retry held.
    pub fn give_back(&mut self, reservation: Reservation) {
        let bucket = match reservation.from {
            Place::Own(slot) => self.own.get_mut(slot),
            Place::Shared => self.shared.as_mut(),
        };
        if let Some(bucket) = bucket {
            bucket.give_back(reservation.held);
        }
    }

    /// What there is in all of them, each as of when it was last asked.
    #[must_use]
    pub fn levels(&self) -> Levels {
        let mut levels = Levels::default();
        for bucket in self.own.values().chain(&self.shared) {
            levels.buckets += 1;
            levels.drained += u64::from(!bucket.allows_retries());
            levels.size = levels.size.plus(bucket.size);
            levels.left = levels.left.plus(bucket.left);
        }
        levels
    }
}
