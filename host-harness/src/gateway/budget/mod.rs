//! Retry budgets: what bounds the retries of all calls together.
//!
//! A plugin names the price of a retry and the terms of the buckets; the
//! gateway pays, or makes no retry. Each tool of an upstream has a bucket (all
//! its resources share one), and the upstream has one for all of them: a tool
//! that is down spends its own bucket, and many that are down together no more
//! than the upstream's. What is priced are retries, not failures, so that there
//! is no share of failures at which all retries end.
//!
//! After Marc Brooker, "Fixing retries with token buckets and circuit breakers"
//! (2022), which is also what the SDKs of AWS do.

mod bucket;
mod in_process;
mod shadow;

pub use in_process::InProcessBudgets;
pub use shadow::{Foreseen, Foresight};

use super::{Decision, Hook, LogicalCall};
use crate::contract::BudgetTerms;

use std::time::Duration;

/// The terms of the buckets of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// Of the bucket of its target.
    pub target: BudgetTerms,
    /// Of the one that all targets of its upstream share, if there is one.
    pub upstream: Option<BudgetTerms>,
}

/// What a retry costs, and on what terms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// In thousandths of a token; 0 where no retry is asked for.
    pub cost: u32,
    /// The terms of the buckets that it is taken from.
    pub terms: Terms,
}

/// Whose buckets they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account<'a> {
    /// The operator's name for the upstream. Those without one share an account.
    pub upstream: Option<&'a str>,
    /// The tool; none for resources, which have one bucket together: their URIs
    /// are too many, and each is read too seldom, for a bucket each.
    pub tool: Option<&'a str>,
}

impl<'a> Account<'a> {
    /// That of a call.
    #[must_use]
    pub fn of(call: &'a LogicalCall) -> Self {
        let tool = match call.hook {
            Hook::ToolPostInvoke => Some(&*call.target),
            Hook::ResourcePostFetch => None,
        };
        Self { upstream: call.context.upstream.as_deref(), tool }
    }
}

/// Where the buckets are.
///
/// It is asked only after a failure, and must not hold up the thread: a store
/// that several gateways share answers later ([`Decision::Pending`]). Deposits
/// come after every success and need no answer, so that such a store may keep
/// them and send them in batches. A withdrawal is final; what was not needed is
/// given back, so that a gateway that dies leaves no reservation behind.
pub trait BudgetStore: Send + Sync {
    /// Takes the price of a retry out of both buckets: true. If one of them
    /// holds less, both stay as they are: false.
    fn withdraw<'a>(
        &'a self,
        account: Account<'a>,
        price: Price,
        now: Duration,
    ) -> Decision<'a, bool>;

    /// Puts back what was taken for a retry that was not made.
    fn give_back(&self, account: Account<'_>, price: Price, now: Duration);

    /// So many attempts have succeeded since the last deposit.
    fn deposit(&self, account: Account<'_>, terms: Terms, successes: u32, now: Duration);

    /// An attempt has failed for which shadow mode plans a retry. It is counted
    /// so that [`would_fail`](Self::would_fail) knows how often attempts fail.
    fn failed_in_shadow(&self, account: Account<'_>, now: Duration) {
        let _ = (account, now);
    }

    /// Whether a retry that shadow mode does not make is taken to fail as well.
    /// A store that does not know says yes: then more is paid, not less.
    fn would_fail(&self, account: Account<'_>) -> bool {
        let _ = account;
        true
    }

    /// What a call of shadow mode would go on to do, in order of time, after the
    /// retry that was paid for. A store that does not keep it for later pays for
    /// the first retry of a call alone.
    fn foresee(&self, account: Account<'_>, coming: Vec<Foreseen>) {
        let _ = (account, coming);
    }

    /// Every bucket that is not full at this time.
    fn buckets(&self, now: Duration) -> Vec<BucketLevel> {
        let _ = now;
        Vec::new()
    }

    /// How often a bucket held less than was to be paid, by its upstream and whose
    /// it is. If neither of two holds enough, it is the target's that refuses.
    fn refusals(&self) -> Vec<((Option<String>, Whose), u64)> {
        Vec::new()
    }

    /// What is left, as of the last time that each bucket was asked.
    fn levels(&self) -> Levels {
        Levels::default()
    }
}

/// Whose bucket it is, within its upstream.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whose {
    /// That of all its tools and resources together.
    Upstream,
    /// That of a tool.
    Tool(String),
    /// That of its resources.
    Resources,
    /// The one of tools that found no place.
    Others,
}

/// One bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketLevel {
    /// The operator's name for the upstream. Those without one share buckets.
    pub upstream: Option<String>,
    /// Whose it is.
    pub whose: Whose,
    /// What is left, in thousandths of a token.
    pub left: u64,
    /// What it holds when it is full, in thousandths of a token.
    pub size: u64,
}

/// Sums over the buckets that are not full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Levels {
    /// How many there are.
    pub buckets: u64,
    /// How many of them hold less than one token.
    pub drained: u64,
    /// What is left in the emptiest, in thousandths of a token.
    pub emptiest: Option<u64>,
}
