//! Models of published retry policies, to compare the component with and to
//! check the simulation against what their authors report. They are no part of
//! the component and run outside of the sandbox.
//!
//! A model is asked about every failure that it would see in the place of the
//! component; it reads no words, so that a result with `isError` is a failure
//! like another one, as it was for the original plugin. What a document leaves to
//! the operator is what the component does: three retries.

mod aws_standard;
mod bucket;
mod envoy;
mod finagle;
mod grpc;
mod hook;
#[cfg(test)]
mod tests;

use std::{fmt::Debug, time::Duration};

use super::chance::Chance;
pub use bucket::BucketTerms;
pub(super) use hook::Modelled;

/// A published policy.
#[derive(Debug, Clone, Copy)]
pub enum Published {
    /// gRPC's retry throttling.
    Grpc,
    /// The mode `standard` of the SDKs of AWS.
    AwsStandard,
    /// Finagle's `RetryBudget`.
    Finagle,
    /// Envoy's retry budget.
    Envoy,
    /// A token bucket on a scenario's own terms.
    Bucket(BucketTerms),
}

impl Published {
    /// What one client of one upstream starts with.
    fn algorithm(self) -> Box<dyn Algorithm> {
        match self {
            Self::Grpc => Box::new(grpc::Grpc::default()),
            Self::AwsStandard => Box::new(aws_standard::AwsStandard::default()),
            Self::Finagle => Box::new(finagle::Finagle::default()),
            Self::Envoy => Box::new(envoy::Envoy::default()),
            Self::Bucket(terms) => Box::new(bucket::Bucket::full(terms)),
        }
    }
}

/// The state that a policy keeps for one upstream, and what it does with it.
trait Algorithm: Debug + Send {
    /// An attempt begins; the first of its call has number 1.
    fn started(&mut self, _attempt: u32, _now: Duration) {}

    /// An attempt has ended, in whatever way.
    fn ended(&mut self) {}

    /// A call has succeeded.
    fn succeeded(&mut self, call: &Call);

    /// An attempt has failed. Whoever lets it be retried pays at once.
    fn failed(&mut self, failed: &Failed, call: &mut Call, chance: &mut Chance) -> Decision;

    /// The retry that was allowed last has been judged in its turn, or will
    /// never be made.
    fn settled(&mut self) {}

    /// What is left of its budget, in retries.
    fn left(&self) -> Option<f64> {
        None
    }
}

/// What a policy remembers of a call.
#[derive(Debug, Default)]
struct Call {
    /// What its last retry cost; 0 if there was none.
    paid: f64,
    /// The wait before its last retry.
    waited: Option<Duration>,
}

/// An attempt that failed.
#[derive(Debug, Clone, Copy)]
struct Failed {
    /// Its number within the call, from 1.
    attempt: u32,
    /// Whether it was given up.
    timed_out: bool,
    /// When the server asks to come back.
    pushback: Option<Pushback>,
    /// When.
    now: Duration,
}

/// What a server asks of those that it turned away.
#[derive(Debug, Clone, Copy)]
enum Pushback {
    After(Duration),
    Never,
}

/// What a policy says.
#[derive(Debug, Clone, Copy)]
enum Decision {
    /// Again, after this wait, which is at most so long.
    Retry { wait: Duration, at_most: Duration },
    /// The call has had its retries, or the server wants no more.
    Enough,
    /// All calls together have had theirs.
    BudgetExhausted,
}

/// Retries of a call where a document leaves their number to the operator.
const RETRIES: u32 = 3;

impl Decision {
    /// Uniform from none to `most`.
    fn up_to(most: Duration, chance: &mut Chance) -> Self {
        Self::Retry { wait: most.mul_f64(chance.share()), at_most: most }
    }
}

/// `base * 2^earlier`, at most `cap`.
fn doubled(base: Duration, earlier: u32, cap: Duration) -> Duration {
    base.saturating_mul(1_u32.checked_shl(earlier).unwrap_or(u32::MAX)).min(cap)
}
