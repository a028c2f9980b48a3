//! What the latest names belong to.

use std::collections::HashMap;

/// The longest name that is remembered, in bytes.
const MOST_BYTES: usize = 1024;

/// Which upstream a name belongs to, in two generations: the older one goes
/// when the other is full.
#[derive(Debug)]
pub(super) struct Generations {
    most: usize,
    young: HashMap<String, usize>,
    old: HashMap<String, usize>,
}

impl Generations {
    /// At most so many names.
    pub(super) fn of(most: usize) -> Self {
        Self { most, young: HashMap::new(), old: HashMap::new() }
    }

    /// A name stays with whom it was first.
    pub(super) fn remember(&mut self, name: &str, at: usize) {
        if name.len() > MOST_BYTES || self.find(name).is_some() {
            return;
        }
        if self.young.len() >= self.most / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name.to_owned(), at);
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.young.get(name).or_else(|| self.old.get(name)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_names_are_remembered_and_never_too_many() {
        let mut names = Generations::of(1_000);
        for name in 0..2_000 {
            names.remember(&name.to_string(), 1);
        }
        assert_eq!((names.find("1999"), names.find("0")), (Some(1), None));
        assert!(names.young.len() + names.old.len() <= 1_000);
        names.remember(&"x".repeat(MOST_BYTES + 1), 1);
        assert_eq!(names.find(&"x".repeat(MOST_BYTES + 1)), None);
    }

    #[test]
    fn a_name_stays_with_whom_it_was_first() {
        let mut names = Generations::of(10);
        names.remember("task", 1);
        names.remember("task", 0);
        assert_eq!(names.find("task"), Some(1));
    }
}
