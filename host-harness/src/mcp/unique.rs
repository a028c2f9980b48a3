//! Names that nothing else has, and that nobody can guess.

use std::{
    collections::{VecDeque, hash_map::RandomState},
    hash::BuildHasher,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Makes names of the form `WHAT-NUMBER-SEAL`. The seal is 128 bits of a keyed
/// hash (SipHash, keyed by the operating system for each maker), so whoever has
/// seen some names can neither guess the others nor make one up. Towards a
/// client or a server this is what keeps one from answering for another.
#[derive(Debug, Default)]
pub(super) struct Unique {
    key: RandomState,
    made: AtomicU64,
    /// The last integers, the oldest first.
    integers: Mutex<VecDeque<u64>>,
}

/// So many integers are known again as made here.
const MOST_INTEGERS: usize = 4096;

impl Unique {
    /// The next name for a `what`.
    pub(super) fn name(&self, what: &str) -> String {
        self.sealed(what, self.made.fetch_add(1, Ordering::Relaxed))
    }

    /// An integer below 2^53, which every JSON parser reads exactly. Keyed as the
    /// seals are, and none of the last ones.
    pub(super) fn integer(&self) -> u64 {
        let mut integers = self.integers.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let made = self.made.fetch_add(1, Ordering::Relaxed);
            let integer = self.key.hash_one(("integer", made)) >> 11;
            if !integers.contains(&integer) {
                if integers.len() == MOST_INTEGERS {
                    integers.pop_front();
                }
                integers.push_back(integer);
                return integer;
            }
        }
    }

    /// Whether this id is a name for a `what` that was made here, or one of the
    /// last integers.
    pub(super) fn made(&self, what: &str, id: &serde_json::value::RawValue) -> bool {
        if let Ok(integer) = id.get().parse::<u64>() {
            let integers = self.integers.lock().unwrap_or_else(PoisonError::into_inner);
            return integers.contains(&integer);
        }
        let name = id.get().trim_matches('"');
        let number = name
            .strip_prefix(what)
            .and_then(|rest| rest.strip_prefix('-')?.split('-').next()?.parse().ok());
        number.is_some_and(|number| self.sealed(what, number) == name)
    }

    fn sealed(&self, what: &str, number: u64) -> String {
        let seal = |half: u8| self.key.hash_one((what, number, half));
        format!("{what}-{number}-{:016x}{:016x}", seal(0), seal(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_made(unique: &Unique, what: &str, name: &str) -> bool {
        unique.made(what, &serde_json::value::to_raw_value(name).expect("JSON"))
    }

    #[test]
    fn only_names_that_were_made_here_are_known_again() {
        let (ours, others) = (Unique::default(), Unique::default());
        for number in 0..20 {
            let name = ours.name("attempt");
            assert!(is_made(&ours, "attempt", &name), "{name}");
            assert!(!is_made(&ours, "call", &name), "{name}");
            assert!(!is_made(&others, "attempt", &name), "{name}");
            // The number is no secret; what follows it is.
            let forged = name.replace(&format!("-{number}-"), &format!("-{}-", number + 1));
            assert!(!is_made(&ours, "attempt", &forged), "{forged}");
        }
        for name in ["attempt", "attempt-", "attempt-0", "attempt-0-", "attempt--1-0", ""] {
            assert!(!is_made(&ours, "attempt", name), "{name}");
        }
    }
}
