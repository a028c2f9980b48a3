//! Retries that shadow mode does not make, as if it had made them.
//!
//! A retry that is only planned is paid for like any other. Whether it would
//! have helped nobody knows, and on that depends what else the call would have
//! paid for: so it is drawn, and fails as often as the calls of the same tool do
//! of late. What the call would have done later is paid for when that time has
//! come, in its turn with what other calls pay.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;

use super::{Price, Terms};

/// What a call would have done if its retry had been made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Foreseen {
    /// When.
    pub at: Duration,
    /// What.
    pub what: Foresight,
}

/// A kind of [`Foreseen`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Foresight {
    /// Another retry is paid for; if it is not, the call ends there.
    Retry(Price),
    /// An attempt has succeeded.
    Success(Terms),
}

/// Tools of one upstream whose shares are kept; callers choose their names.
const MOST_TOOLS: usize = 1_024;
/// Calls of one upstream that are thought on at a time. Those beyond them are
/// not, which errs towards more retries.
const MOST_CALLS: usize = 4_096;
/// For so long after its last failure an upstream is kept in mind, in milliseconds.
const MEMORY: u64 = 10 * 60_000;
/// What each attempt takes off the weight of those before it: 64 of them have
/// about two thirds of the say.
const FADING: f64 = 1.0 / 64.0;

/// How often the attempts of a tool fail, the later ones counting more. Counted
/// from the first failure on, and without that one: what one has waited for says
/// nothing of how often it comes.
#[derive(Debug, Clone, Copy)]
struct Share {
    failed: f64,
    all: f64,
    /// As it was before the last failure.
    before: f64,
}

impl Default for Share {
    fn default() -> Self {
        Self { failed: 0.0, all: 0.0, before: 1.0 }
    }
}

impl Share {
    fn add(&mut self, failed: bool) {
        self.failed -= self.failed * FADING;
        self.all -= self.all * FADING;
        self.all += 1.0;
        self.failed += if failed { 1.0 } else { 0.0 };
    }

    fn fail(&mut self) {
        self.before = if self.all > 0.0 { self.failed / self.all } else { 1.0 };
        self.add(true);
    }
}

/// What is kept in mind of one upstream in shadow mode.
#[derive(Debug)]
pub(super) struct Shadows {
    /// By tool; that of none is the resources'.
    shares: HashMap<Option<String>, Share>,
    /// What calls would do, by time and then in the order in which they came.
    coming: BTreeMap<(u64, u64), Coming>,
    calls: u64,
    chance: Pcg32,
    failed_at: u64,
}

/// What one call would do.
#[derive(Debug)]
pub(super) struct Coming {
    pub(super) tool: Option<String>,
    pub(super) rest: VecDeque<Foreseen>,
}

impl Shadows {
    /// Nothing has failed before now. Nobody gains from guessing what is drawn,
    /// and in virtual time a run can be repeated.
    pub(super) fn new(now: u64) -> Self {
        Self {
            shares: HashMap::new(),
            coming: BTreeMap::new(),
            calls: 0,
            chance: Pcg32::seed_from_u64(now),
            failed_at: now,
        }
    }

    /// An attempt of a tool has failed that would be retried.
    pub(super) fn failed(&mut self, tool: Option<&str>, now: u64) {
        self.failed_at = now;
        let tool = tool.map(str::to_owned);
        if let Some(share) = self.shares.get_mut(&tool) {
            share.fail();
        } else if self.shares.len() < MOST_TOOLS {
            self.shares.insert(tool, Share::default());
        }
    }

    /// So many attempts of a tool have succeeded.
    pub(super) fn succeeded(&mut self, tool: Option<&str>, successes: u32) {
        if let Some(share) = self.shares.get_mut(&tool.map(str::to_owned)) {
            // More than a few hundred say no more.
            (0..successes.min(1_000)).for_each(|_| share.add(false));
        }
    }

    /// Draws whether another attempt would fail as well.
    pub(super) fn would_fail(&mut self, tool: Option<&str>) -> bool {
        let share = self.shares.get(&tool.map(str::to_owned)).copied().unwrap_or_default();
        f64::from(self.chance.next_u32()) / f64::from(u32::MAX).next_up() < share.before
    }

    /// What a call would do, in order of time.
    pub(super) fn expect(&mut self, coming: Coming) {
        if let Some(next) = coming.rest.front()
            && self.coming.len() < MOST_CALLS
        {
            self.calls += 1;
            let at = super::in_process::millis(next.at);
            self.coming.insert((at, self.calls), coming);
        }
    }

    /// The next call that would have done something by now, and when.
    pub(super) fn due(&mut self, now: u64) -> Option<(u64, Coming)> {
        let entry = self.coming.first_entry().filter(|entry| entry.key().0 <= now)?;
        let ((at, _), coming) = entry.remove_entry();
        Some((at, coming))
    }

    /// Whether nothing is worth keeping in mind any more.
    pub(super) fn is_over(&self, now: u64) -> bool {
        self.coming.is_empty() && now.saturating_sub(self.failed_at) > MEMORY
    }
}
