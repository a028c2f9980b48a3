//! The loop. One counter, owned here, for every path an attempt can take.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use crate::{
    contract::{Invocation, Outcome, Verdict},
    gateway::{Attempt, Clock, LogicalCall, Observer, Reply, Step, Stop, Texts},
    sandbox::HookFailure,
};

/// What the loop needs of a plugin.
pub trait RetryHook: Send + Sync {
    /// Judges one attempt. The verdict has passed the boundary checks.
    ///
    /// # Errors
    /// The plugin refused, broke, or answered outside of the contract.
    fn post_invoke(
        &self,
        invocation: Invocation<'_>,
        outcome: &Outcome,
        texts: Arc<dyn Texts>,
    ) -> Result<Verdict, HookFailure>;

    /// The call ends without a further verdict: its state can go.
    fn forget(&self, target: &str, request_id: &str);
}

/// Bounds that the gateway sets and no plugin can exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Retries of one call at the most (`max_tool_retries`); default 3.
    pub max_tool_retries: u32,
    /// How long one attempt may take; default unlimited.
    pub attempt_timeout: Option<Duration>,
    /// How long a call may take from the start of its first attempt, sleeps
    /// included; default unlimited.
    pub deadline: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_tool_retries: 3, attempt_timeout: None, deadline: None }
    }
}

/// How a call ended.
#[derive(Debug)]
pub enum Finished<R> {
    /// The last attempt's own reply, unchanged.
    Answered {
        /// What the client gets.
        reply: R,
        /// The last attempt that was made.
        attempts: Attempt,
        /// Why there was no other.
        stop: Stop,
    },
    /// The client went away; there is nobody to answer.
    Cancelled {
        /// The last attempt that was started.
        attempts: Attempt,
    },
}

/// Runs calls: attempts, verdicts and waits, within [`Limits`].
pub struct Gateway {
    /// Decides about retries; without one there are none.
    pub hook: Option<Arc<dyn RetryHook>>,
    /// What the gateway allows at the most.
    pub limits: Limits,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
}

impl Gateway {
    /// Runs one logical call to its end. `invoke` makes one attempt upstream;
    /// its future is dropped when the attempt times out or the call is cancelled.
    ///
    /// Upstream calls never exceed 1 + [`Limits::max_tool_retries`].
    pub async fn run<R, F, Fut>(&self, call: &LogicalCall, mut invoke: F) -> Finished<R>
    where
        R: Reply,
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = R>,
    {
        let started = self.clock.now();
        let deadline = self.limits.deadline.map(|limit| started.saturating_add(limit));
        let mut attempt = Attempt::FIRST;
        // Dropping this future (the client's connection is gone) releases the state as well.
        let mut state = StateGuard { hook: self.hook.as_deref(), call, held: false };

        let stop = loop {
            self.watch(call, &Step::AttemptStarted(attempt));
            let sent = self.clock.now();
            let Some(reply) = self.attempt(call, deadline, invoke(attempt)).await else {
                break (None, Stop::Cancelled);
            };
            let outcome = reply.outcome();
            let now = self.clock.now();
            self.watch(
                call,
                &Step::AttemptEnded { attempt, outcome: &outcome, took: now.saturating_sub(sent) },
            );

            let Some(hook) = state.hook else { break (Some(reply), Stop::NoPlugin) };
            let time_left = deadline.map(|deadline| deadline.saturating_sub(now));
            let invocation = Invocation {
                target: &call.target,
                request_id: &call.request_id,
                attempt: attempt.number(),
                now_ms: millis(now),
                time_left_ms: time_left.map(millis),
                traced: call.traced,
            };
            state.held = true;
            let verdict = match hook.post_invoke(invocation, &outcome, reply.texts()) {
                Ok(verdict) => verdict,
                Err(failure) => break (Some(reply), Stop::PluginFailed(failure)),
            };
            if verdict.retry_delay_ms == 0 {
                // The contract has the plugin drop the state with a refusal.
                state.held = false;
                break (Some(reply), Stop::Plugin(verdict));
            }
            let delay = Duration::from_millis(verdict.retry_delay_ms);
            if attempt.retries() >= self.limits.max_tool_retries {
                break (Some(reply), Stop::Ceiling(verdict));
            }
            if time_left.is_some_and(|left| delay >= left) {
                break (Some(reply), Stop::Deadline(verdict));
            }
            self.watch(call, &Step::Waiting { after: attempt, verdict: &verdict });
            tokio::select! {
                biased;
                () = call.cancel.cancelled() => break (None, Stop::Cancelled),
                () = self.clock.sleep(delay) => {}
            }
            attempt = attempt.next();
        };
        drop(state);

        let (reply, stop) = stop;
        let took = self.clock.now().saturating_sub(started);
        self.watch(call, &Step::Finished { attempts: attempt, stop: &stop, took });
        match reply {
            Some(reply) => Finished::Answered { reply, attempts: attempt, stop },
            None => Finished::Cancelled { attempts: attempt },
        }
    }

    /// One attempt, given up at its timeout or at the call's deadline,
    /// whichever is first; none if the call was cancelled.
    async fn attempt<R: Reply>(
        &self,
        call: &LogicalCall,
        deadline: Option<Duration>,
        attempt: impl Future<Output = R>,
    ) -> Option<R> {
        let attempt = pin!(attempt);
        let left = deadline.map(|deadline| deadline.saturating_sub(self.clock.now()));
        let limit = [self.limits.attempt_timeout, left].into_iter().flatten().min();
        let timeout = async {
            match limit {
                Some(limit) => {
                    self.clock.sleep(limit).await;
                    limit
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = call.cancel.cancelled() => None,
            reply = attempt => Some(reply),
            after = timeout => Some(R::timed_out(after)),
        }
    }

    fn watch(&self, call: &LogicalCall, step: &Step<'_>) {
        self.observer.observe(call, step);
    }
}

/// Whole milliseconds, rounded down: a plugin never sees more time left than there is.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Gives the plugin's state of a call back, unless the plugin has already dropped it.
struct StateGuard<'a> {
    hook: Option<&'a dyn RetryHook>,
    call: &'a LogicalCall,
    held: bool,
}

impl Drop for StateGuard<'_> {
    fn drop(&mut self) {
        if let (Some(hook), true) = (self.hook, self.held) {
            hook.forget(&self.call.target, &self.call.request_id);
        }
    }
}
