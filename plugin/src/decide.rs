//! From a detection to a verdict.

use alloc::string::String;

use rand_core::Rng;

use crate::{
    Millis,
    budget::{Owner, Terms, Tokens},
    config::{NestedRetries, Policy, ReplaySafety, TrustedUpstreams},
    context::{Context, Known, OuterAttempts},
    delay::Delay,
    detect::{Detection, Failure, Wish},
    replay,
    state::{Kind, State},
    verdict::{Stop, Verdict},
};

/// One attempt of one logical call.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// What is called.
    pub kind: Kind,
    /// The tool's name, or the resource's URI.
    pub target: String,
    /// Names the logical call.
    pub request_id: String,
    /// The gateway's own count of attempts, from 1.
    pub attempt: u32,
    /// The gateway's monotonic clock.
    pub now: Millis,
    /// Time until the deadline of the call.
    pub time_left: Option<Millis>,
    /// What the gateway can be asked about it.
    pub known: Known,
}

/// What a decision is made with, beside the attempt itself.
#[derive(Debug)]
pub struct Rules<'a> {
    /// The policy of the tool.
    pub policy: &'a Policy,
    /// Whose annotations are believed.
    pub trusted: &'a TrustedUpstreams,
}

/// Decides about one attempt and updates the state of its call: a retry keeps
/// it, everything else ends the call and drops it.
#[inline]
pub fn decide(
    invocation: Invocation,
    detection: Detection,
    rules: &Rules<'_>,
    state: &mut State,
    rng: &mut impl Rng,
    context: &impl Context,
) -> Verdict {
    let Invocation { kind, target, request_id, attempt, now, time_left, known } = invocation;
    let policy = rules.policy;
    state.evict_expired(kind, now);
    let usual = match time_left {
        Some(_) if policy.deadline_fit => state.times.learn(kind, &target, context.took(), now),
        _ => Millis(0),
    };
    let budget = policy.budget.as_ref().map(|terms| {
        let shared = known.upstream && !policy.own_budget;
        let upstream = if shared { context.upstream() } else { None };
        let owner = match (&upstream, kind) {
            (Some(name), _) => Owner::Upstream(name),
            (None, Kind::Tool) => Owner::Tool(&target),
            // URIs are too many, and each is read too seldom, for a bucket each.
            (None, Kind::Resource) => Owner::Resources,
        };
        (state.budgets.open(owner, terms, now), terms)
    });

    let failure = match detection {
        Detection::Transient(failure) => failure,
        Detection::Success => {
            let recovered = state.end(kind, &target, &request_id);
            if let Some((place, terms)) = budget {
                state.budgets.at(place, terms, now).deposit(terms);
            }
            return Verdict::Stop {
                why: Stop::Succeeded { recovered },
                failures: 0,
                failure: None,
            };
        }
        Detection::Permanent(permanent) => {
            state.end(kind, &target, &request_id);
            let why = Stop::Permanent(permanent);
            return Verdict::Stop { why, failures: 0, failure: None };
        }
    };

    let (place, call) = state.record_failure(kind, target, request_id, attempt, now);
    let failures = call.failures;
    if let Some((place, terms)) = budget {
        state.budgets.at(place, terms, now).charge(failure.cost(terms));
    }
    let within_budget = |state: &mut State| {
        budget.is_none_or(|(place, terms)| state.budgets.at(place, terms, now).allows_retries())
    };
    let refusal = refusal(kind, &failure, failures, rules, known, context);
    let refusal = refusal.or_else(|| (!within_budget(state)).then_some(Stop::BudgetExhausted));
    let delay = match refusal {
        Some(why) => Err(why),
        None => {
            let mut delay = policy.backoff.draw(failures - 1, call.last_delay, rng);
            if let Some(Wish::Wait(pushback)) = failure.wish {
                delay = policy.backoff.not_before(pushback, delay, rng);
            }
            in_time(delay, usual, time_left)
        }
    };
    match delay {
        Ok(delay) => {
            let held = budget.map(|(place, terms)| state.budgets.reserve(place, terms, now));
            state.sleeps(place, delay.drawn, held);
            if policy.shadow {
                Verdict::Shadow { delay, failure, failures }
            } else {
                Verdict::Retry { delay, failure, failures }
            }
        }
        Err(why) => {
            state.release(place);
            Verdict::Stop { why, failures, failure: Some(failure) }
        }
    }
}

/// Why a transient failure is not retried, as far as neither budget nor time has a say.
#[inline]
fn refusal(
    kind: Kind,
    failure: &Failure,
    failures: u32,
    rules: &Rules<'_>,
    known: Known,
    context: &impl Context,
) -> Option<Stop> {
    let policy = rules.policy;
    if failures > policy.max_retries.0 {
        return Some(Stop::RetriesExhausted);
    }
    if known.outer && failures > retries(policy, context, failure.not_executed) {
        return Some(Stop::OuterLayerRetries);
    }
    // A read changes nothing.
    let ambiguous = kind == Kind::Tool && !failure.not_executed;
    if ambiguous {
        // What it continues is spent, whatever the tool promises.
        if known.continuation && policy.replay_safety != ReplaySafety::Always {
            return Some(Stop::Continuation);
        }
        if let Some(why) = replay::forbids(rules, known, context) {
            return Some(Stop::Unsafe(why));
        }
    }
    match (failure.wish, &policy.pushback) {
        (Some(Wish::Stop), _) => Some(Stop::PushbackStop),
        (Some(Wish::Wait(time)), Some(pushback)) if time > pushback.cap => {
            Some(Stop::PushbackTooLong)
        }
        _ => None,
    }
}

/// The most retries that a call gets, after failures that were surely not
/// executed or after others: those of the policy, less what layers before this
/// one make already. If all layers `shrink`, they make together no more
/// attempts than the one among them that makes the most.
#[inline]
fn retries(policy: &Policy, context: &impl Context, not_executed: bool) -> u32 {
    let own = policy.max_retries.0;
    let outer = match policy.nested_retries {
        NestedRetries::Ignore => None,
        NestedRetries::Shrink | NestedRetries::StandBack => context.outer(),
    };
    let Some(OuterAttempts { attempt, most, most_not_executed }) = outer else { return own };
    match if not_executed { most_not_executed } else { most } {
        // It makes one attempt: that is no retrying.
        ..=1 => own,
        _ if policy.nested_retries == NestedRetries::StandBack => 0,
        // The outer layer has attempts left: let it make them.
        most if attempt < most => 0,
        most => (own + 1).saturating_sub(most),
    }
}

/// What the layers behind this one may rely on: the retries that will be made,
/// and not those that are only allowed.
pub(crate) fn promised(kind: Kind, rules: &Rules<'_>, context: &impl Context) -> MostRetries {
    if rules.policy.shadow {
        return MostRetries::NONE;
    }
    let known = Known { upstream: true, annotations: true, ..Known::default() };
    let safe = kind == Kind::Resource || replay::forbids(rules, known, context).is_none();
    MostRetries {
        maybe_executed: if safe { retries(rules.policy, context, false) } else { 0 },
        not_executed: retries(rules.policy, context, true),
    }
}

/// The most retries that a call may get, by what is known of its failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MostRetries {
    /// After attempts that may have been executed.
    pub maybe_executed: u32,
    /// After attempts that surely were not.
    pub not_executed: u32,
}

impl MostRetries {
    /// No retries at all.
    pub(crate) const NONE: Self = Self { maybe_executed: 0, not_executed: 0 };
}

/// Holds a delay, and the attempt after it, against the deadline.
#[inline]
fn in_time(delay: Delay, usual: Millis, time_left: Option<Millis>) -> Result<Delay, Stop> {
    match time_left {
        Some(left) if delay.drawn >= left => Err(Stop::DeadlineTooClose),
        Some(left) if delay.drawn.0 + usual.0 > left.0 => Err(Stop::AttemptWouldNotFit),
        _ => Ok(delay),
    }
}

impl Failure {
    /// What it takes out of a budget.
    fn cost(&self, terms: &Terms) -> Tokens {
        if self.is_throttling() {
            terms.throttle
        } else if self.is_timeout() {
            terms.timeout
        } else {
            terms.failure
        }
    }
}
