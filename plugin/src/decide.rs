//! From a detection to a verdict.

use alloc::string::String;

use rand_core::Rng;

use crate::{
    Millis,
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

    let failure = match detection {
        Detection::Transient(failure) => failure,
        Detection::Success => {
            let recovered = state.end(kind, &target, &request_id);
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
    let delay = match refusal(kind, &failure, failures, rules, known, context) {
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
            state.sleeps(place, delay.drawn);
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

/// Why a transient failure is not retried, as far as time has no say.
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
    if known.outer && failures > retries(policy, context) {
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

/// The most retries that a call gets: those of the policy, less what layers
/// before this one make already. If all layers `shrink`, they make together no
/// more attempts than the one among them that makes the most.
#[inline]
pub fn retries(policy: &Policy, context: &impl Context) -> u32 {
    let own = policy.max_retries.0;
    let outer = match policy.nested_retries {
        NestedRetries::Ignore => None,
        NestedRetries::Shrink | NestedRetries::StandBack => context.outer(),
    };
    match outer {
        None => own,
        // It makes one attempt: that is no retrying.
        Some(OuterAttempts { most: ..=1, .. }) => own,
        Some(_) if policy.nested_retries == NestedRetries::StandBack => 0,
        // The outer layer has attempts left: let it make them.
        Some(OuterAttempts { attempt, most }) if attempt < most => 0,
        Some(OuterAttempts { most, .. }) => (own + 1).saturating_sub(most),
    }
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
