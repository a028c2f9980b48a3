//! Writes the log of calls that `advise` reads.

use std::{
    collections::HashMap,
    io::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::trace::{LoggedAttempt, LoggedCall};
use crate::gateway::{Clock, Hook, LogicalCall, Observer, Step};

/// Writes one line for each call of a tool that ends. See [`super::trace`].
pub struct Recorder {
    clock: Arc<dyn Clock>,
    began: Duration,
    inner: Mutex<Inner>,
}

struct Inner {
    out: Box<dyn Write + Send>,
    /// Calls that are alive, by tool and request id.
    alive: HashMap<(String, String), Alive>,
    /// Whether a line could not be written.
    broken: bool,
}

struct Alive {
    began: Duration,
    attempts: Vec<LoggedAttempt>,
}

impl Recorder {
    /// Writes to `out`, a line at a time. The log begins now.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, out: Box<dyn Write + Send>) -> Self {
        let began = clock.now();
        let inner = Inner { out, alive: HashMap::new(), broken: false };
        Self { clock, began, inner: Mutex::new(inner) }
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
        let key = || (call.target.to_string(), call.request_id.clone());
        match step {
            Step::AttemptStarted(attempt) if attempt.retries() == 0 => {
                self.lock().alive.insert(key(), Alive { began: now, attempts: Vec::new() });
            }
            Step::AttemptEnded { outcome, took, .. } => {
                if let Some(alive) = self.lock().alive.get_mut(&key()) {
                    let began = now.saturating_sub(*took).saturating_sub(alive.began);
                    let (after_ms, took_ms) = (millis(began), millis(*took));
                    alive.attempts.push(LoggedAttempt {
                        after_ms,
                        took_ms,
                        outcome: (*outcome).into(),
                    });
                }
            }
            Step::Finished { .. } => {
                let mut inner = self.lock();
                // One that was given up before it was answered tells nothing.
                let alive = inner.alive.remove(&key());
                if let Some(alive) = alive.filter(|alive| !alive.attempts.is_empty()) {
                    inner.write(&LoggedCall {
                        at_ms: millis(alive.began),
                        tool: call.target.to_string(),
                        upstream: call.context.upstream.clone(),
                        attempts: alive.attempts,
                    });
                }
            }
            _ => {}
        }
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
