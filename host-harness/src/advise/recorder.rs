//! Writes the log of calls that `advise` reads.

use std::{
    collections::HashMap,
    io::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::trace::{LoggedAttempt, LoggedCall};
use crate::{
    contract::{Reason, Verdict},
    gateway::{Clock, Hook, LogicalCall, Observer, Step, Stop, label},
};

/// Writes one line for each call of a tool that ends. See [`super::trace`].
pub struct Recorder {
    clock: Arc<dyn Clock>,
    began: Duration,
    /// Milliseconds since 1970 (UTC) when the clock said `began`.
    epoch_ms: u64,
    inner: Mutex<Inner>,
}

struct Inner {
    out: Box<dyn Write + Send>,
    /// Calls that are alive, by upstream, tool and request id.
    alive: HashMap<Key, Alive>,
    /// Whether a line could not be written.
    broken: bool,
}

type Key = (Option<String>, String, String);

struct Alive {
    began: Duration,
    attempts: Vec<LoggedAttempt>,
}

impl Recorder {
    /// Writes to `out`, each line with one call of its `write_all`. The times of
    /// the log are those of this clock, and 0 is now.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, out: Box<dyn Write + Send>) -> Self {
        let began = clock.now();
        let inner = Inner { out, alive: HashMap::new(), broken: false };
        Self { clock, began, epoch_ms: 0, inner: Mutex::new(inner) }
    }

    /// Times are since 1970 (UTC), of which it is `now`, so that a log may be
    /// gone on with by another process.
    #[must_use]
    pub fn since_1970(self, now: SystemTime) -> Self {
        let epoch_ms = now.duration_since(UNIX_EPOCH).map_or(0, millis);
        Self { epoch_ms, ..self }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Recorder {
    fn observe(&self, call: &LogicalCall, step: &Step<'_>) {
        if call.hook != Hook::ToolPostInvoke {
            return;
        }
        let now = self.clock.now().saturating_sub(self.began);
        let key = || {
            let upstream = call.context.upstream.clone();
            (upstream, call.target.to_string(), call.request_id.clone())
        };
        match step {
            Step::AttemptStarted(attempt) if attempt.retries() == 0 => {
                self.lock().alive.insert(key(), Alive { began: now, attempts: Vec::new() });
            }
            Step::AttemptStarted(_) => {}
            Step::AttemptEnded { outcome, took, .. } => {
                if let Some(alive) = self.lock().alive.get_mut(&key()) {
                    let began = now.saturating_sub(*took).saturating_sub(alive.began);
                    alive.attempts.push(LoggedAttempt {
                        after_ms: millis(began),
                        took_ms: millis(*took),
                        outcome: (*outcome).into(),
                        class: None,
                        reason: None,
                        not_executed: None,
                        planned_delay_ms: None,
                    });
                }
            }
            Step::Waiting { verdict, .. } => {
                if let Some(alive) = self.lock().alive.get_mut(&key()) {
                    alive.judged(verdict);
                }
            }
            Step::Finished { stop, .. } => {
                let mut inner = self.lock();
                // One that was given up before it was answered tells nothing.
                let alive = inner.alive.remove(&key());
                if let Some(mut alive) = alive.filter(|alive| !alive.attempts.is_empty()) {
                    // The verdict of `NoMoreAttempts` was heard when the wait began.
                    if let Some(verdict) = stop.verdict() {
                        alive.judged(verdict);
                    }
                    inner.write(&self.call(call, stop, alive));
                }
            }
        }
    }
}

impl Recorder {
    fn call(&self, call: &LogicalCall, stop: &Stop, alive: Alive) -> LoggedCall {
        let late = || call.hints.as_ref().and_then(crate::gateway::Hints::now);
        let context = &call.context;
        LoggedCall {
            at_ms: self.epoch_ms.saturating_add(millis(alive.began)),
            tool: call.target.to_string(),
            upstream: context.upstream.clone(),
            hints: context.annotations.or_else(late).map(Into::into),
            trusted: context.trusted,
            ended: Some(label::end(stop).to_owned()),
            attempts: alive.attempts,
        }
    }
}

impl Alive {
    /// What the plugin says of the last attempt.
    fn judged(&mut self, verdict: &Verdict) {
        let Some(last) = self.attempts.last_mut() else { return };
        let delay = match verdict.reason {
            Reason::Shadow => verdict.delay_ceiling_ms,
            _ => verdict.retry_delay_ms,
        };
        last.class = Some(verdict.class.into());
        last.reason = Some(label::reason(verdict.reason).to_owned());
        last.not_executed = Some(verdict.not_executed);
        last.planned_delay_ms = Some(delay).filter(|delay| *delay > 0);
    }
}

impl Inner {
    fn write(&mut self, call: &LoggedCall) {
        let line = serde_json::to_string(call).map(|line| line + "\n");
        let written = line
            .map_err(std::io::Error::from)
            .and_then(|line| self.out.write_all(line.as_bytes()).and_then(|()| self.out.flush()));
        if let (Err(error), false) = (written, self.broken) {
            // Said once: a full disk is no reason to fail calls, nor to flood the log.
            tracing::error!(%error, "the log of calls cannot be written");
            self.broken = true;
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
