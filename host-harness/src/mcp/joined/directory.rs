//! Whose everything is, as the lists of the upstreams say.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{claims::Claims, generations::Generations, listed::Listed, relisting::Relisting};

/// Tasks whose makers are remembered; older ones are forgotten.
const MOST_TASKS: usize = 10_000;
/// Resources that nobody lists whose upstreams are remembered; older ones are forgotten.
const MOST_FOUND: usize = 10_000;

/// One thing that an upstream offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The upstream.
    pub(super) at: usize,
    /// What the upstream calls it.
    pub(super) own: String,
}

#[derive(Debug)]
pub(super) struct Directory {
    lists: Mutex<HashMap<Listed, Claims>>,
    /// By kind.
    relistings: [Relisting; 5],
    /// Who did not answer when an unknown name was looked for last.
    silent: Mutex<HashMap<Listed, Vec<usize>>>,
    /// Who has made which task.
    tasks: Mutex<Generations>,
    /// Who has answered for which URI that nobody lists.
    found: Mutex<Generations>,
}

impl Default for Directory {
    fn default() -> Self {
        Self {
            lists: Mutex::default(),
            relistings: Default::default(),
            silent: Mutex::default(),
            tasks: Mutex::new(Generations::of(MOST_TASKS)),
            found: Mutex::new(Generations::of(MOST_FOUND)),
        }
    }
}

impl Directory {
    /// None if it is not listed.
    pub(super) fn find(&self, kind: Listed, name: &str) -> Option<Place> {
        self.lists().get(&kind)?.find(name)
    }

    /// Whose a resource was first, whether it is listed by now or not.
    pub(super) fn owner_of_uri(&self, uri: &str) -> Option<usize> {
        let listed = self.lists().get(&Listed::Resources).and_then(|all| all.owner_of(uri));
        listed.or_else(|| locked(&self.found).find(uri))
    }

    /// Whose a task is: who has made it, or else has listed it first.
    pub(super) fn owner_of_task(&self, task: &str) -> Option<usize> {
        let maker = locked(&self.tasks).find(task);
        maker.or_else(|| self.lists().get(&Listed::Tasks)?.owner_of(task))
    }

    /// When an unknown name makes the upstreams list again.
    pub(super) fn relisting(&self, kind: Listed) -> &Relisting {
        &self.relistings[kind as usize]
    }

    /// Who did not answer when an unknown name of this kind was looked for last.
    pub(super) fn silent(&self, kind: Listed) -> Vec<usize> {
        locked(&self.silent).get(&kind).cloned().unwrap_or_default()
    }

    pub(super) fn set_silent(&self, kind: Listed, silent: &[usize]) {
        locked(&self.silent).insert(kind, silent.to_vec());
    }

    /// Whether there was a list of this kind.
    pub(super) fn has(&self, kind: Listed) -> bool {
        self.lists().contains_key(&kind)
    }

    /// Takes in what a new round of lists says, without a gap.
    pub(super) fn update<T>(&self, kind: Listed, round: impl FnOnce(&mut Claims) -> T) -> T {
        round(self.lists().entry(kind).or_default())
    }

    /// Whose a template was first, whether it is listed by now or not.
    pub(super) fn owner_of_template(&self, template: &str) -> Option<usize> {
        self.lists().get(&Listed::Templates)?.owner_of(template)
    }

    /// The upstreams with a name that `fits`, whoever had one first before the others.
    pub(super) fn fitting(&self, kind: Listed, fits: impl Fn(&str) -> bool) -> Vec<usize> {
        self.lists().get(&kind).map(|claims| claims.fitting(fits)).unwrap_or_default()
    }

    /// An upstream has made a task. It stays whose it was if another says the same.
    pub(super) fn remember_task(&self, task: &str, at: usize) {
        if self.owner_of_task(task).is_none() {
            locked(&self.tasks).remember(task, at);
        }
    }

    /// An upstream has answered for a URI. It stays whose it was if another does.
    pub(super) fn remember_found(&self, uri: &str, at: usize) {
        if self.owner_of_uri(uri).is_none() {
            locked(&self.found).remember(uri, at);
        }
    }

    fn lists(&self) -> MutexGuard<'_, HashMap<Listed, Claims>> {
        locked(&self.lists)
    }
}

/// No code that can panic runs under these locks.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
