//! From a detection to a verdict.

use alloc::string::String;

use rand_core::Rng;

use crate::{
    Millis,
    config::{NestedRetries, Policy, ReplaySafety, TrustedUpstreams},
    context::{Context, Known, OuterAttempts},
    delay::{Delay, Span},
    detect::{Detection, Failure, Wish},
    replay,
    state::{Attempted, Kind, State},
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
/// it, everything else ends the call and drops it. `answered`: the upstream did
/// what it was asked for, well or badly, and so took the time that it takes.
#[inline]
pub fn decide(
    invocation: Invocation,
    answered: bool,
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
        Some(_) if policy.deadline_fit => {
            let upstream = if known.upstream { context.upstream() } else { None };
            let tool = (kind == Kind::Tool).then_some(&*target);
            let of = Attempted { upstream: upstream.as_deref().unwrap_or_default(), tool };
            // What was given up, never sent or turned away says nothing of how long it takes.
            match answered {
                true => state.times.learn(of, context.took(), now),
                false => state.times.usual(of),
            }
        }
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
            let time = Time { left: time_left, usual };
            let delay = time.draw(policy.backoff.span(failures - 1, call.last_delay), rng);
            match failure.wish {
                Some(Wish::Wait(pushback)) => delay.and_then(|delay| {
                    let span = policy.backoff.span_after(pushback);
                    // Jitter must not make a wait too long that was not.
                    let cap = policy.pushback.as_ref().map_or(Millis::HOUR, |it| it.cap);
                    let later = time.draw(span.capped(cap), rng)?;
                    Ok(delay.or_later(later))
                }),
                _ => delay,
            }
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
    let trusted = context.trusted();
    let known = Known { upstream: true, annotations: true, trusted, ..Known::default() };
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

/// What a delay, and the attempt after it, have to fit into.
#[derive(Clone, Copy)]
struct Time {
    left: Option<Millis>,
    usual: Millis,
}

impl Time {
    /// One of these delays, drawn among those that fit: a shorter wait than
    /// chance would have had it is better than none.
    #[inline]
    fn draw(self, span: Span, rng: &mut impl Rng) -> Result<Delay, Stop> {
        let Some(left) = self.left else { return Ok(span.draw(rng)) };
        // An attempt takes a moment, whatever is usual.
        let room = left.since(self.usual.max(Millis(1)));
        match span.within(room) {
            Some(span) => Ok(span.draw(rng)),
            None if span.least < left => Err(Stop::AttemptWouldNotFit),
            None => Err(Stop::DeadlineTooClose),
        }
    }
}
