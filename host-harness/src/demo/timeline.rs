//! What happened to one call, told while it happens.

use std::{io::Write, time::Duration};

use host_harness::{
    contract::{Outcome, Reason},
    gateway::{LogicalCall, Observer, Step, Stop, sentences},
};
use tokio::sync::mpsc;

use crate::demo::{paint::Paint, script::End};

/// One step, in a form that outlives the loop.
#[derive(Debug)]
pub enum Event {
    AttemptEnded { number: u32, outcome: String, failed: bool, took: Duration },
    Waiting { reason: &'static str, delay_ms: u64, ceiling_ms: u64 },
    Finished { attempts: u32, stop: String, end: Option<End>, took: Duration },
}

/// Passes the loop's steps on to whoever prints them.
#[derive(Debug)]
pub struct Recorder(pub mpsc::UnboundedSender<Event>);

impl Observer for Recorder {
    fn observe(&self, _: &LogicalCall, step: &Step<'_>) {
        let event = match step {
            Step::AttemptStarted(_) => return,
            Step::AttemptEnded { attempt, outcome, took } => Event::AttemptEnded {
                number: attempt.number(),
                outcome: sentences::outcome(outcome),
                failed: !matches!(outcome, Outcome::Returned(facts) if !facts.is_error),
                took: *took,
            },
            Step::Waiting { verdict, .. } => Event::Waiting {
                reason: sentences::reason(verdict.reason),
                delay_ms: verdict.retry_delay_ms,
                ceiling_ms: verdict.delay_ceiling_ms,
            },
            Step::Finished { attempts, stop, took } => Event::Finished {
                attempts: attempts.number(),
                stop: sentences::stop(stop),
                end: end(stop, attempts.retries()),
                took: *took,
            },
        };
        // A demo that ended early prints nothing any more.
        let _ = self.0.send(event);
    }
}

/// None if the call ended in no way that the demo shows.
fn end(stop: &Stop, retries: u32) -> Option<End> {
    match stop {
        Stop::Ceiling(_) => Some(End::Exhausted),
        Stop::Deadline(_) => Some(End::OutOfTime),
        Stop::Plugin(verdict) => match verdict.reason {
            Reason::Succeeded if retries == 0 => Some(End::AtOnce),
            Reason::Succeeded => Some(End::Recovered),
            Reason::RetriesExhausted => Some(End::Exhausted),
            Reason::StatusNotRetryable | Reason::RpcCodeNotRetryable => Some(End::NotRetryable),
            Reason::DeadlineTooClose => Some(End::OutOfTime),
            Reason::HintsSilent => Some(End::NotReplayed),
            _ => None,
        },
        Stop::NoMoreAttempts(_)
        | Stop::WaitTooLong(_)
        | Stop::BudgetExhausted(_)
        | Stop::NotJudged(_)
        | Stop::PluginFailed(_)
        | Stop::FailedClosed(_)
        | Stop::NoPlugin
        | Stop::Cancelled => None,
    }
}

/// What the timeline saw of one call.
#[derive(Debug, Default)]
pub struct Seen {
    pub attempts: u32,
    pub end: Option<End>,
    /// Delays outside of 1 ms to their ceiling.
    pub bad_delays: u32,
    pub finished: bool,
}

/// Prints a call's events and remembers what the check needs.
#[derive(Debug)]
pub struct Timeline {
    paint: Paint,
    pub seen: Seen,
    /// How the call ended, in words; painted.
    pub ending: String,
    /// The same without paint.
    pub plain_ending: String,
    /// All that was told.
    pub events: Vec<Event>,
}

impl Timeline {
    pub fn new(paint: Paint) -> Self {
        Self {
            paint,
            seen: Seen::default(),
            ending: String::new(),
            plain_ending: String::new(),
            events: Vec::new(),
        }
    }

    /// Prints one event.
    pub fn tell(&mut self, out: &mut impl Write, event: Event) -> std::io::Result<()> {
        match &event {
            Event::AttemptEnded { number, outcome, failed, took } => {
                // Padded before it is painted: escapes take no columns.
                let outcome = format!("{outcome:<18}");
                let outcome =
                    if *failed { self.paint.bad(outcome) } else { self.paint.good(outcome) };
                write!(out, "    attempt {number}  {:>4} ms  {outcome}", took.as_millis())
            }
            Event::Waiting { reason, delay_ms, ceiling_ms } => {
                self.seen.bad_delays += u32::from(*delay_ms == 0 || delay_ms > ceiling_ms);
                let wait = format!("waits {delay_ms:>3} ms of at most {ceiling_ms:>3}");
                writeln!(out, "{reason:<32}  {}", self.paint.waiting(wait))
            }
            Event::Finished { attempts, stop, end, took } => {
                self.seen = Seen { attempts: *attempts, end: *end, finished: true, ..self.seen };
                let attempts = match attempts {
                    1 => "1 attempt".to_owned(),
                    more => format!("{more} attempts"),
                };
                let (word, good) = match end {
                    Some(End::AtOnce) => ("fine at once", true),
                    Some(End::Recovered) => ("recovered", true),
                    Some(End::Exhausted) => ("exhausted", false),
                    Some(End::NotRetryable) => ("not retryable", false),
                    Some(End::NotReplayed) => ("not repeated", false),
                    Some(End::OutOfTime) => ("out of time", false),
                    None => ("broken", false),
                };
                let painted = if good { self.paint.good(word) } else { self.paint.bad(word) };
                let rest = format!("after {attempts}, {} ms in total", took.as_millis());
                self.ending = format!("{} {rest}", self.paint.bold(painted));
                self.plain_ending = format!("{word} {rest}");
                writeln!(out, "{stop}")
            }
        }?;
        self.events.push(event);
        out.flush()
    }
}
