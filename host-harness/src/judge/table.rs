//! How many of which kind were retried, and how the waits were read.

use super::{Judged, Recorded};

/// So many of so many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Share {
    /// Those that are retried.
    pub retried: usize,
    /// All.
    pub total: usize,
}

/// The waits that answers name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Waits {
    /// Failures that pass and name a wait.
    pub named: usize,
    /// Of these: read within a second, and never too short.
    pub right: usize,
    /// Of these: retried before the time that was named.
    pub early: usize,
    /// Waits that were read where none is named.
    pub invented: usize,
}

/// The sums over lines that say their class. Lines that can be argued about
/// (`open`) are counted apart, and their waits are not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Table {
    classes: [Share; 4],
    open: [Share; 4],
    /// The waits.
    pub waits: Waits,
}

impl Table {
    /// Of these.
    #[must_use]
    pub fn of<'a>(judged: impl IntoIterator<Item = &'a Judged>) -> Self {
        let mut table = Self::default();
        for judged in judged {
            table.count(judged);
        }
        table
    }

    fn count(&mut self, judged: &Judged) {
        let Some(class) = judged.line.class else { return };
        let shares = if judged.line.open.is_some() { &mut self.open } else { &mut self.classes };
        let share = &mut shares[class as usize];
        share.total += 1;
        share.retried += usize::from(judged.retried());
        if judged.line.open.is_some() {
            return;
        }
        match (judged.line.pushback_ms.filter(|_| class.wants_retry()), judged.wait_ms()) {
            (Some(named), read) => {
                self.waits.named += 1;
                let right =
                    read.is_some_and(|read| (named..=named.saturating_add(1_000)).contains(&read));
                self.waits.right += usize::from(right);
                let early = judged.retried() && read.is_none_or(|read| read < named);
                self.waits.early += usize::from(early);
            }
            (None, Some(_)) => self.waits.invented += 1,
            (None, None) => {}
        }
    }

    /// How many of a class are retried.
    #[must_use]
    pub const fn class(&self, class: Recorded) -> Share {
        self.classes[class as usize]
    }

    /// The same of the lines that can be argued about.
    #[must_use]
    pub const fn open(&self, class: Recorded) -> Share {
        self.open[class as usize]
    }
}

impl Judged {
    /// Whether the decision, or the wait that was read, is not what the line asks for.
    #[must_use]
    pub fn differs(&self) -> bool {
        let Some(class) = self.line.class else { return false };
        let table = Table::of([self]);
        class.wants_retry() != self.retried()
            || table.waits.right != table.waits.named
            || table.waits.invented > 0
    }
}
