//! The buckets of one process.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    Account, BucketLevel, BudgetStore, Foreseen, Foresight, Levels, Price, Terms, Whose,
    bucket::Bucket,
    shadow::{Coming, Shadows},
};
use crate::gateway::Decision;

/// Buckets of tools of one upstream. Callers choose the names of tools.
const MOST_TOOLS: usize = 1_024;
/// Tools of one upstream whose refusals are counted apart.
const MOST_REFUSERS: usize = 256;
/// Upstreams. The operator names them.
const MOST_UPSTREAMS: usize = 1_024;
/// What those beyond them are called together.
const NO_PLACE: &str = "(others)";
/// How often at the most the buckets of an upstream are looked through for
/// those that are full again, in milliseconds.
const SWEEP: u64 = 1_000;

/// Buckets in memory, one set for all threads and all instances of all plugins.
///
/// Only buckets that are not full are kept: to forget a full one loses nothing,
/// and a success at a full one costs next to nothing. If there are too many,
/// those who find no place share one bucket, so that nobody gets a full one by
/// calling many names.
#[derive(Debug, Default)]
pub struct InProcessBudgets {
    named: RwLock<HashMap<String, Arc<Upstream>>>,
    /// Of upstreams without a name.
    unnamed: Upstream,
    /// Of upstreams that found no place.
    others: Upstream,
}

/// The buckets of an upstream, behind one lock: a retry needs two of them at a time.
#[derive(Debug, Default)]
struct Upstream {
    /// Whether there is any; who sees none need not look.
    spent: AtomicBool,
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Default)]
struct Buckets {
    /// That of the upstream itself.
    whole: Option<Bucket>,
    tools: HashMap<String, Bucket>,
    resources: Option<Bucket>,
    /// Of tools that found no place.
    others: Option<Bucket>,
    swept: u64,
    /// How often each refused. Of [`MOST_REFUSERS`] tools; the rest are counted together.
    refused: HashMap<Whose, u64>,
    /// Retries that shadow mode does not make.
    shadows: Option<Box<Shadows>>,
}

impl InProcessBudgets {
    fn with<T>(&self, name: Option<&str>, work: impl FnOnce(&Upstream) -> T) -> T {
        let Some(name) = name else { return work(&self.unnamed) };
        let known = self.named.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        work(known.as_deref().unwrap_or(&self.others))
    }

    /// Looks at the buckets of every upstream, one after the other. Those without
    /// a name have none here; those that found no place have that of nobody else.
    fn each(&self, mut look: impl FnMut(Option<&str>, &Buckets)) {
        look(None, &self.unnamed.lock());
        look(Some(NO_PLACE), &self.others.lock());
        let named = self.named.read().unwrap_or_else(PoisonError::into_inner);
        for (name, upstream) in named.iter() {
            look(Some(name), &upstream.lock());
        }
    }

    /// Makes a place for an upstream, if there is room.
    fn admit(&self, name: Option<&str>) {
        let Some(name) = name else { return };
        if self.named.read().unwrap_or_else(PoisonError::into_inner).contains_key(name) {
            return;
        }
        let mut named = self.named.write().unwrap_or_else(PoisonError::into_inner);
        if named.len() >= MOST_UPSTREAMS {
            named.retain(|_, upstream| upstream.spent.load(Ordering::Acquire));
        }
        if named.len() < MOST_UPSTREAMS {
            named.entry(name.to_owned()).or_default();
        }
    }
}

impl Upstream {
    fn lock(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the buckets, if there are any.
    fn touch(&self, now: u64, work: impl FnOnce(&mut Buckets)) {
        if self.spent.load(Ordering::Acquire) {
            self.open(now, work);
        }
    }

    /// Does something with the buckets, after all that shadow mode would have
    /// done with them by now.
    fn open<T>(&self, now: u64, work: impl FnOnce(&mut Buckets) -> T) -> T {
        let mut buckets = self.lock();
        buckets.catch_up(now);
        let worked = work(&mut buckets);
        self.spent.store(!buckets.say_nothing(), Ordering::Release);
        worked
    }
}

impl Buckets {
    /// Whether they say nothing that new ones would not say.
    fn say_nothing(&self) -> bool {
        self.shadows.is_none() && self.all().next().is_none()
    }

    /// What shadow mode would have done by now.
    fn catch_up(&mut self, now: u64) {
        while let Some((at, mut coming)) =
            self.shadows.as_mut().and_then(|shadows| shadows.due(now))
        {
            let goes_on = match coming.rest.pop_front().map(|next| next.what) {
                Some(Foresight::Retry(price)) => self.withdraw(coming.tool.as_deref(), price, at),
                Some(Foresight::Success(terms)) => {
                    self.deposit(coming.tool.as_deref(), terms, 1, at);
                    true
                }
                None => false,
            };
            if let (true, Some(shadows)) = (goes_on, &mut self.shadows) {
                shadows.expect(coming);
            }
        }
        self.shadows = self.shadows.take().filter(|shadows| !shadows.is_over(now));
    }

    fn deposit(&mut self, tool: Option<&str>, terms: Terms, successes: u32, now: u64) {
        self.both(tool, &terms, |bucket, whole| {
            let own = if whole { terms.upstream.as_ref() } else { None };
            bucket.deposit(own.unwrap_or(&terms.target), successes, now);
        });
    }

    fn all(&self) -> impl Iterator<Item = &Bucket> {
        self.tools.values().chain(&self.whole).chain(&self.resources).chain(&self.others)
    }

    /// The bucket of a target, if it is not full.
    fn target(&mut self, tool: Option<&str>) -> Option<&mut Bucket> {
        match tool {
            None => self.resources.as_mut(),
            Some(tool) => {
                // Else it is full, or one of those that found no place.
                let crowded = self.tools.len() >= MOST_TOOLS;
                let own = self.tools.get_mut(tool);
                own.or_else(|| self.others.as_mut().filter(|_| crowded))
            }
        }
    }

    /// The bucket of a target; a full one if there was none.
    fn open(&mut self, tool: Option<&str>, terms: &Terms, now: u64) -> &mut Bucket {
        let full = || Bucket::full(&terms.target, now);
        let Some(tool) = tool else { return self.resources.get_or_insert_with(full) };
        if !self.tools.contains_key(tool) {
            if self.tools.len() >= MOST_TOOLS && now.saturating_sub(self.swept) >= SWEEP {
                self.swept = now;
                self.tools.retain(|_, bucket| {
                    bucket.update(&terms.target, now);
                    !bucket.is_full()
                });
            }
            if self.tools.len() >= MOST_TOOLS {
                return self.others.get_or_insert_with(full);
            }
        }
        self.tools.entry(tool.to_owned()).or_insert_with(full)
    }

    /// Does something with both buckets, and forgets those that are full then.
    fn both(&mut self, tool: Option<&str>, terms: &Terms, work: impl Fn(&mut Bucket, bool)) {
        if let Some(bucket) = self.target(tool) {
            work(bucket, false);
        }
        if let (Some(bucket), Some(_)) = (&mut self.whole, terms.upstream) {
            work(bucket, true);
        }
        self.whole = self.whole.filter(|bucket| !bucket.is_full());
        self.resources = self.resources.filter(|bucket| !bucket.is_full());
        self.others = self.others.filter(|bucket| !bucket.is_full());
        if let Some(tool) = tool
            && self.tools.get(tool).is_some_and(Bucket::is_full)
        {
            self.tools.remove(tool);
        }
    }

    /// Counts a refusal: the upstream's if the target had enough.
    fn refuse(&mut self, tool: Option<&str>, by_the_upstream: bool) {
        let whose = match tool {
            _ if by_the_upstream => Whose::Upstream,
            None => Whose::Resources,
            Some(tool) => Whose::Tool(tool.to_owned()),
        };
        let crowded = self.refused.len() >= MOST_REFUSERS && !self.refused.contains_key(&whose);
        let others = crowded && matches!(whose, Whose::Tool(_));
        *self.refused.entry(if others { Whose::Others } else { whose }).or_default() += 1;
    }

    /// Those that are not full at this time.
    fn levels<'a>(
        &'a self,
        upstream: Option<&'a str>,
        now: u64,
    ) -> impl Iterator<Item = BucketLevel> + 'a {
        let tools = self.tools.iter().map(|(tool, bucket)| (Whose::Tool(tool.clone()), bucket));
        let whole = self.whole.iter().map(|bucket| (Whose::Upstream, bucket));
        let resources = self.resources.iter().map(|bucket| (Whose::Resources, bucket));
        let others = self.others.iter().map(|bucket| (Whose::Others, bucket));
        let all = whole.chain(tools).chain(resources).chain(others);
        let level = move |(whose, bucket): (Whose, &Bucket)| BucketLevel {
            upstream: upstream.map(str::to_owned),
            whose,
            left: bucket.left_at(now),
            size: bucket.size(),
        };
        all.map(level).filter(|level| level.left < level.size)
    }

    fn withdraw(&mut self, tool: Option<&str>, price: Price, now: u64) -> bool {
        let Price { cost, terms } = price;
        let bucket = self.open(tool, &terms, now);
        bucket.update(&terms.target, now);
        let enough = bucket.left() >= cost.into();
        let whole = terms.upstream.map(|terms| {
            let bucket = self.whole.get_or_insert_with(|| Bucket::full(&terms, now));
            bucket.update(&terms, now);
            bucket.left()
        });
        let allowed = enough && whole.is_none_or(|left| left >= cost.into());
        if !allowed {
            self.refuse(tool, enough);
        }
        let cost = if allowed { cost } else { 0 };
        self.both(tool, &terms, |bucket, _| bucket.take(cost));
        allowed
    }
}

impl BudgetStore for InProcessBudgets {
    fn withdraw<'a>(
        &'a self,
        account: Account<'a>,
        price: Price,
        now: Duration,
    ) -> Decision<'a, bool> {
        self.admit(account.upstream);
        let now = millis(now);
        Decision::Made(self.with(account.upstream, |upstream| {
            upstream.open(now, |buckets| buckets.withdraw(account.tool, price, now))
        }))
    }

    fn give_back(&self, account: Account<'_>, price: Price, now: Duration) {
        let Price { cost, terms } = price;
        self.with(account.upstream, |upstream| {
            upstream.touch(millis(now), |buckets| {
                buckets.both(account.tool, &terms, |bucket, whole| {
                    let terms = if whole { terms.upstream.as_ref() } else { None };
                    bucket.update(terms.unwrap_or(&price.terms.target), millis(now));
                    bucket.put_in(cost.into());
                });
            });
        });
    }

    fn deposit(&self, account: Account<'_>, terms: Terms, successes: u32, now: Duration) {
        self.with(account.upstream, |upstream| {
            upstream.touch(millis(now), |buckets| {
                if let Some(shadows) = &mut buckets.shadows {
                    shadows.succeeded(account.tool, successes);
                }
                buckets.deposit(account.tool, terms, successes, millis(now));
            });
        });
    }

    fn failed_in_shadow(&self, account: Account<'_>, now: Duration) {
        self.admit(account.upstream);
        let now = millis(now);
        self.with(account.upstream, |upstream| {
            upstream.open(now, |buckets| {
                let new = || Box::new(Shadows::new(now));
                buckets.shadows.get_or_insert_with(new).failed(account.tool, now);
            });
        });
    }

    fn would_fail(&self, account: Account<'_>) -> bool {
        self.with(account.upstream, |upstream| {
            let mut buckets = upstream.lock();
            buckets.shadows.as_mut().is_none_or(|shadows| shadows.would_fail(account.tool))
        })
    }

    fn foresee(&self, account: Account<'_>, coming: Vec<Foreseen>) {
        self.with(account.upstream, |upstream| {
            if let Some(shadows) = &mut upstream.lock().shadows {
                let tool = account.tool.map(str::to_owned);
                shadows.expect(Coming { tool, rest: coming.into() });
            }
        });
    }

    fn buckets(&self, now: Duration) -> Vec<BucketLevel> {
        let mut levels = Vec::new();
        self.each(|name, buckets| levels.extend(buckets.levels(name, millis(now))));
        levels
    }

    fn refusals(&self) -> Vec<((Option<String>, Whose), u64)> {
        let mut refusals = Vec::new();
        self.each(|name, buckets| {
            let counted = buckets.refused.iter();
            refusals.extend(
                counted.map(|(whose, count)| ((name.map(str::to_owned), whose.clone()), *count)),
            );
        });
        refusals
    }

    fn levels(&self) -> Levels {
        let mut levels = Levels::default();
        self.each(|_, buckets| {
            for bucket in buckets.all() {
                levels.buckets += 1;
                levels.drained += u64::from(bucket.left() < 1_000);
                let least = levels.emptiest.unwrap_or(u64::MAX).min(bucket.left());
                levels.emptiest = Some(least);
            }
        });
        levels
    }
}

/// Whole milliseconds, rounded down.
pub(super) fn millis(now: Duration) -> u64 {
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
