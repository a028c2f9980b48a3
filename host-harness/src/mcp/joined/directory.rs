//! Whose everything is, as the lists of the upstreams say.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::listed::Listed;

/// Tasks that are remembered; older ones are forgotten.
const MOST_TASKS: usize = 10_000;

/// One thing that an upstream offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The upstream.
    pub(super) at: usize,
    /// What the upstream calls it.
    pub(super) own: String,
}

/// By what the client calls it.
pub(super) type Places = HashMap<String, Place>;

#[derive(Debug, Default)]
pub(super) struct Directory {
    lists: Mutex<HashMap<Listed, Places>>,
    tasks: Mutex<Tasks>,
}

/// Who makes which task, in two generations: the older one goes when the other is full.
#[derive(Debug, Default)]
struct Tasks {
    young: HashMap<String, usize>,
    old: HashMap<String, usize>,
}

impl Directory {
    /// None if it is not listed.
    pub(super) fn find(&self, kind: Listed, name: &str) -> Option<Place> {
        self.lists().get(&kind)?.get(name).cloned()
    }

    /// Whether there was a list of this kind.
    pub(super) fn has(&self, kind: Listed) -> bool {
        self.lists().contains_key(&kind)
    }

    /// All of a kind that these upstreams are known to have.
    pub(super) fn places_of(&self, kind: Listed, upstreams: &[usize]) -> Places {
        let lists = self.lists();
        let known = lists.get(&kind).into_iter().flatten();
        let theirs = known.filter(|(_, place)| upstreams.contains(&place.at));
        theirs.map(|(name, place)| (name.clone(), place.clone())).collect()
    }

    /// A new list in place of the one before.
    pub(super) fn replace(&self, kind: Listed, places: Places) {
        self.lists().insert(kind, places);
    }

    /// The upstreams with a listed name that `fits`, in their order.
    pub(super) fn fitting(&self, kind: Listed, fits: impl Fn(&str) -> bool) -> Vec<usize> {
        let lists = self.lists();
        let places = lists.get(&kind).into_iter().flatten();
        let mut found: Vec<_> =
            places.filter(|(name, _)| fits(name)).map(|(_, place)| place.at).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// An upstream has made a task.
    pub(super) fn remember_task(&self, task: String, at: usize) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if tasks.young.len() >= MOST_TASKS / 2 {
            tasks.old = std::mem::take(&mut tasks.young);
        }
        tasks.young.insert(task, at);
    }

    /// Who has made a task.
    pub(super) fn maker_of(&self, task: &str) -> Option<usize> {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.young.get(task).or_else(|| tasks.old.get(task)).copied()
    }

    fn lists(&self) -> MutexGuard<'_, HashMap<Listed, Places>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_remembered_and_never_too_many() {
        let directory = Directory::default();
        for task in 0..2 * MOST_TASKS {
            directory.remember_task(task.to_string(), 1);
        }
        assert_eq!(directory.maker_of(&(2 * MOST_TASKS - 1).to_string()), Some(1));
        assert_eq!(directory.maker_of("0"), None);
        let tasks = directory.tasks.lock().expect("no panic");
        assert!(tasks.young.len() + tasks.old.len() <= MOST_TASKS);
    }
}
