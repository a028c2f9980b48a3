//! Warnings that are given once, not once for each client.

use std::{
    collections::{HashMap, HashSet, hash_map::RandomState},
    hash::{BuildHasher, Hash},
    sync::{Mutex, PoisonError},
};

/// Warnings about one upstream; what it does after as many says no more of it.
const MOST: usize = 100;

/// What was warned of, by the upstream that it is about: one that gives cause
/// for many warnings does not use up those about another.
#[derive(Debug, Default)]
pub(super) struct Warned {
    given: Mutex<HashMap<String, HashSet<u64>>>,
    hasher: RandomState,
}

impl Warned {
    /// Whether to warn of this now: it was not done before.
    pub(super) fn first(&self, upstream: &str, about: &impl Hash) -> bool {
        let about = self.hasher.hash_one(about);
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let given = given.entry(upstream.to_owned()).or_default();
        if given.len() > MOST || !given.insert(about) {
            return false;
        }
        if given.len() > MOST {
            tracing::warn!(upstream, "gives cause for many warnings; there are no more of these");
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_warning_is_given_once_and_one_upstream_does_not_silence_those_about_another() {
        let warned = Warned::default();
        assert!(warned.first("a", &"x"));
        assert!(!warned.first("a", &"x"));
        let given = (0..10 * MOST).filter(|n| warned.first("a", n)).count();
        assert_eq!(given, MOST - 1);
        assert!(warned.first("b", &"x"));
    }
}
