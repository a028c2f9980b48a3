//! The loop. One counter, owned here, for every path an attempt can take.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use tracing::Instrument;

use crate::{
    contract::{Invocation, MostRetries, Outcome, Verdict},
    gateway::{
        Attempt, Background, BudgetStore, CallContext, Clock, Decision, Hook, Judged, LogicalCall,
        Observer, Past, Reply, Step, Stop, live::Live, questions::SinceNow, span,
    },
    sandbox::{FailPolicy, HookFailure},
};

/// What the loop needs of a plugin.
///
/// [`judge`](Self::judge) and [`retries`](Self::retries) may block the thread.
/// The loop runs on threads that serve other calls as well, so it asks
/// [`decide`](Self::decide) and [`decide_retries`](Self::decide_retries), which
/// must not.
pub trait RetryHook: Send + Sync {
    /// Judges one attempt. The verdict has passed the boundary checks.
    ///
    /// # Errors
    /// The plugin refused, broke, or answered outside of the contract.
    fn judge(
        &self,
        hook: Hook,
        invocation: Invocation<'_>,
        outcome: &Outcome,
        background: Background,
    ) -> Result<Verdict, HookFailure>;

    /// The most retries that a call to this target may get.
    ///
    /// # Errors
    /// The plugin refused or broke.
    fn retries(
        &self,
        hook: Hook,
        target: &str,
        context: &Arc<CallContext>,
    ) -> Result<MostRetries, HookFailure>;

    /// What becomes of a call for which there is no verdict that can be used.
    fn fail_policy(&self) -> FailPolicy {
        FailPolicy::Open
    }

    /// As [`judge`](Self::judge), without holding up the thread, and with a
    /// failure what becomes of its call. Where several plugins stand behind
    /// this one, that is for the one that failed to say.
    ///
    /// By itself it judges at once and outside of any budget, which is right for
    /// a hook that never takes long and has none.
    fn decide<'a>(
        &'a self,
        hook: Hook,
        invocation: Invocation<'a>,
        outcome: &'a Outcome,
        background: Background,
    ) -> Decision<'a, Judged> {
        let judged = self.judge(hook, invocation, outcome, background);
        Decision::Made(judged.map(Into::into).map_err(|failure| (failure, self.fail_policy())))
    }

    /// As [`retries`](Self::retries), without holding up the thread.
    ///
    /// By itself it asks at once, which is right for a hook that never takes long.
    fn decide_retries<'a>(
        &'a self,
        hook: Hook,
        target: &'a str,
        context: &'a Arc<CallContext>,
    ) -> Decision<'a, Result<MostRetries, HookFailure>> {
        Decision::Made(self.retries(hook, target, context))
    }

    /// The call ends without a further verdict: its state can go. Must not
    /// hold up the thread; the state may go later.
    fn forget(&self, hook: Hook, target: &str, request_id: &str, context: &CallContext);
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
    /// The longest wait between two attempts; default 60 s. A call whose plugin
    /// asks for more ends with its last reply ([`Stop::WaitTooLong`]): an
    /// earlier attempt than was asked for would help nobody.
    pub max_wait: Duration,
    /// How long the next attempt waits for the upstream to take the
    /// cancellation of the one that timed out; default 1 s.
    pub cancel_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_tool_retries: 3,
            attempt_timeout: None,
            deadline: None,
            max_wait: Duration::from_secs(60),
            cancel_wait: Duration::from_secs(1),
        }
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
        /// What the attempts before it leave behind.
        past: Past<R>,
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
    /// Who pays for retries.
    pub budgets: Arc<dyn BudgetStore>,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
}

impl Gateway {
    /// Runs one logical call to its end. `invoke` makes one attempt upstream;
    /// its future is dropped when the attempt times out or the call is cancelled.
    /// Both run within the attempt's span.
    ///
    /// Upstream calls never exceed 1 + [`Limits::max_tool_retries`].
    pub async fn run<R, F, Fut>(&self, call: &LogicalCall, invoke: F) -> Finished<R>
    where
        R: Reply,
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = R>,
    {
        self.run_settled(call, invoke, || std::future::ready(())).await
    }

    /// As [`run`](Self::run), of attempts that the upstream has to be done with
    /// before the next one: what `settled` makes is awaited between the sleep
    /// and the attempt, for [`Limits::cancel_wait`] at the most. The deadline
    /// and the call's cancellation end that wait as they end the others.
    pub async fn run_settled<R, F, Fut, S, Settled>(
        &self,
        call: &LogicalCall,
        invoke: F,
        settled: S,
    ) -> Finished<R>
    where
        R: Reply,
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = R>,
        S: FnMut() -> Settled,
        Settled: Future<Output = ()>,
    {
        self.run_between(call, invoke, |_, _| std::future::pending(), settled).await
    }

    /// As [`run_settled`](Self::run_settled). What `waiting` makes of the
    /// attempt that failed and of its verdict runs while the gateway waits
    /// before the next one, and is dropped with the wait.
    pub async fn run_between<R, F, Fut, W, Waiting, S, Settled>(
        &self,
        call: &LogicalCall,
        mut invoke: F,
        mut waiting: W,
        mut settled: S,
    ) -> Finished<R>
    where
        R: Reply,
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = R>,
        W: FnMut(Attempt, &Verdict) -> Waiting,
        Waiting: Future<Output = ()>,
        S: FnMut() -> Settled,
        Settled: Future<Output = ()>,
    {
        let mut live = Live::begin(self, call);
        let mut past = Past::default();
        let (reply, stop) = loop {
            self.watch(call, &Step::AttemptStarted(live.attempt));
            let sent = self.clock.now();
            let span = span::attempt(call, live.attempt);
            let invoked = span.in_scope(|| invoke(live.attempt)).instrument(span.clone());
            let Some(reply) = self.attempt(&live, invoked).await else {
                span::attempt_ended(&span, None);
                break (None, Stop::Cancelled);
            };
            let (attempt, outcome) = (live.attempt, reply.outcome());
            let took = self.clock.now().saturating_sub(sent);
            span::attempt_ended(&span, Some(&outcome));
            drop(span);
            self.watch(call, &Step::AttemptEnded { attempt, outcome: &outcome, took });

            live.hear_hints(&outcome).await;
            let background =
                Background { content: reply.content(), context: live.context.clone(), took };
            let verdict = match live.judge(&outcome, background).await {
                Ok(verdict) => verdict,
                Err(stop) => {
                    past.ends(&outcome, stop.verdict());
                    break (Some(reply), stop);
                }
            };
            past.ends(&outcome, Some(&verdict));
            self.watch(call, &Step::Waiting { after: attempt, verdict: &verdict });
            let slept = self.clock.now();
            let meanwhile = async {
                waiting(attempt, &verdict).await;
                std::future::pending().await
            };
            tokio::select! {
                biased;
                () = call.cancel.cancelled() => break (None, Stop::Cancelled),
                () = call.no_more_attempts.cancelled() => {
                    break (Some(reply), Stop::NoMoreAttempts(verdict));
                }
                () = meanwhile => {}
                () = self.clock.sleep(Duration::from_millis(verdict.retry_delay_ms)) => {}
            }
            let wait = live.at_most(Some(self.limits.cancel_wait)).unwrap_or_default();
            tokio::select! {
                biased;
                () = call.cancel.cancelled() => break (None, Stop::Cancelled),
                () = call.no_more_attempts.cancelled() => {
                    break (Some(reply), Stop::NoMoreAttempts(verdict));
                }
                () = settled() => {}
                () = async { self.clock.sleep(wait).await } => {}
            }
            if live.time_left() == Some(Duration::ZERO) {
                break (Some(reply), Stop::Deadline(verdict));
            }
            past.waited = past.waited.saturating_add(self.clock.now().saturating_sub(slept));
            past.keep(reply, &outcome);
            live.next_attempt();
        };

        let attempts = live.attempt;
        past.took = live.took();
        live.end(&stop);
        match reply {
            Some(reply) => Finished::Answered { reply, attempts, stop, past },
            None => Finished::Cancelled { attempts },
        }
    }

    /// The most retries that this call may get, from the plugin and from
    /// [`Limits`]. None if the plugin gives no answer that can be used, there is
    /// none, or the call is not judged.
    pub async fn retries(&self, call: &LogicalCall) -> Option<MostRetries> {
        let hook = self.hook.as_deref()?;
        let target = call.target.judged().ok()?;
        match hook.decide_retries(call.hook, target, &call.context).wait().await {
            Ok(MostRetries { maybe_executed, not_executed }) => {
                let most = self.limits.max_tool_retries;
                // What continues another call is seldom repeated after it was sent.
                let maybe_executed = if call.context.continuation { 0 } else { maybe_executed };
                Some(MostRetries {
                    maybe_executed: maybe_executed.min(most),
                    not_executed: not_executed.min(most),
                })
            }
            Err(failure) => {
                tracing::warn!(tool = &*call.shown(), %failure, "the plugin does not say how often it retries");
                None
            }
        }
    }

    /// One attempt, given up at its timeout or at the call's deadline,
    /// whichever is first; none if the call was cancelled.
    async fn attempt<R: Reply>(
        &self,
        live: &Live<'_>,
        attempt: impl Future<Output = R>,
    ) -> Option<R> {
        let attempt = pin!(attempt);
        // Before the attempt is polled, in which a question may be the first thing.
        let questions = live.call.questions.since_now();
        let timeout = self.given_up(live, questions);
        tokio::select! {
            biased;
            () = live.call.cancel.cancelled() => None,
            reply = attempt => Some(reply),
            after = timeout => Some(R::timed_out(after)),
        }
    }

    /// Waits until an attempt that begins now has taken too long, and says how long.
    /// Its clock stands while the client has to answer what it is asked; the
    /// deadline's does not.
    async fn given_up(&self, live: &Live<'_>, questions: SinceNow<'_>) -> Duration {
        let Some(mut left) = self.limits.attempt_timeout else {
            let Some(left) = live.time_left() else { return std::future::pending().await };
            self.clock.sleep(left).await;
            return left;
        };
        let mut taken = Duration::ZERO;
        loop {
            let stands = questions.are_open();
            let limit = live.at_most((!stands).then_some(left));
            let begun = self.clock.now();
            tokio::select! {
                biased;
                after = async {
                    match limit {
                        Some(limit) => self.clock.sleep(limit).await,
                        None => std::future::pending().await,
                    }
                    limit.unwrap_or_default()
                } => return taken.saturating_add(after),
                () = questions.until(!stands) => {}
            }
            let passed = self.clock.now().saturating_sub(begun);
            taken = taken.saturating_add(passed);
            if !stands {
                left = left.saturating_sub(passed);
            }
        }
    }

    pub(super) fn watch(&self, call: &LogicalCall, step: &Step<'_>) {
        self.observer.observe(call, step);
    }
}
