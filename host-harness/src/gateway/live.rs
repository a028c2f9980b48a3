//! One call from its first attempt to its end, whichever way it ends.

use std::{sync::Arc, time::Duration};

use tracing::Instrument;

use crate::{
    contract::{Class, Invocation, Outcome, Reason, Verdict},
    gateway::{
        Account, Attempt, Background, CallContext, Decision, Foreseen, Foresight, Gateway,
        Judgement, LogicalCall, Price, Step, Stop, hints, span,
    },
    sandbox::{FailPolicy, HookFailure},
};

/// A call that is not over. Dropping it (the loop's future is dropped with its
/// client) releases the plugin's state and tells the observer, as an end does.
pub(super) struct Live<'a> {
    gateway: &'a Gateway,
    pub(super) call: &'a LogicalCall,
    /// That of the call, and the annotations that have come since it began.
    pub(super) context: Arc<CallContext>,
    /// The one counter of attempts, for every path that an attempt can take.
    pub(super) attempt: Attempt,
    started: Duration,
    deadline: Option<Duration>,
    /// Whether the plugin may hold state for this call.
    held: bool,
    /// What was paid for a retry that is not made yet.
    paid: Option<Price>,
    ended: bool,
}

impl<'a> Live<'a> {
    pub(super) fn begin(gateway: &'a Gateway, call: &'a LogicalCall) -> Self {
        let started = gateway.clock.now();
        let deadline = gateway.limits.deadline.map(|limit| started.saturating_add(limit));
        Self {
            gateway,
            call,
            context: call.context.clone(),
            attempt: Attempt::FIRST,
            started,
            deadline,
            held: false,
            paid: None,
            ended: false,
        }
    }

    /// Time until the deadline of the call; none if it has none.
    pub(super) fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_sub(self.gateway.clock.now()))
    }

    /// Time since the start of the first attempt.
    pub(super) fn took(&self) -> Duration {
        self.gateway.clock.now().saturating_sub(self.started)
    }

    /// The shorter of `limit` and the time until the deadline; none if neither is there.
    pub(super) fn at_most(&self, limit: Option<Duration>) -> Option<Duration> {
        [limit, self.time_left()].into_iter().flatten().min()
    }

    /// The retry that was paid for is made.
    pub(super) fn next_attempt(&mut self) {
        self.paid = None;
        self.attempt = self.attempt.next();
    }

    /// Annotations that came while the attempt was made. The first failure of a
    /// call waits for them, so that it is judged by what the upstream says; it
    /// does not wait for long, for the upstream may be what fails.
    pub(super) async fn hear_hints(&mut self, outcome: &Outcome) {
        let Some(coming) = &self.call.hints else { return };
        if self.context.annotations.is_some() {
            return;
        }
        let fine = matches!(outcome, Outcome::Returned(facts) if !facts.is_error);
        if !fine && self.attempt == Attempt::FIRST {
            let wait = self.at_most(Some(hints::PATIENCE)).unwrap_or_default();
            tokio::select! {
                biased;
                () = coming.answered() => {}
                () = self.call.cancel.cancelled() => {}
                () = self.call.no_more_attempts.cancelled() => {}
                () = async { self.gateway.clock.sleep(wait).await } => {}
            }
        }
        if let Some(annotations) = coming.now() {
            let annotations = Some(annotations);
            self.context = Arc::new(CallContext { annotations, ..(*self.context).clone() });
        }
    }

    /// Asks the plugin about the attempt that has just ended. Ok is a verdict
    /// that asks for a retry within all the gateway's limits, and that is paid for.
    pub(super) async fn judge(
        &mut self,
        outcome: &Outcome,
        background: Background,
    ) -> Result<Verdict, Stop> {
        let hook = self.gateway.hook.as_deref().ok_or(Stop::NoPlugin)?;
        let target = self.call.target.judged().map_err(Stop::NotJudged)?;
        let time_left = self.time_left();
        let invocation = Invocation {
            target,
            request_id: &self.call.request_id,
            attempt: self.attempt.number(),
            now_ms: millis(self.gateway.clock.now()),
            time_left_ms: time_left.map(millis),
            known: background.known(self.call.traced),
        };
        self.held = true;
        let span = span::decision(self.call, self.attempt);
        let imagined = background.clone();
        let asked = span.in_scope(|| hook.decide(self.call.hook, invocation, outcome, background));
        let answer = match asked {
            Decision::Made(answer) => answer,
            Decision::Pending(answer) => answer.instrument(span.clone()).await,
        };
        let told = answer.as_ref().map(|judgement| &judgement.verdict);
        span::decided(&span, told.map_err(|(failure, _)| failure));
        let Judgement { verdict, price } =
            answer.map_err(|(failure, policy)| match (&failure, policy) {
                (HookFailure::Broke(_) | HookFailure::Rejected(_), FailPolicy::Closed) => {
                    Stop::FailedClosed(failure)
                }
                _ => Stop::PluginFailed(failure),
            })?;
        if let (Class::Succeeded, Some(Price { terms, .. })) = (verdict.class, price) {
            let now = self.gateway.clock.now();
            self.gateway.budgets.deposit(Account::of(self.call), terms, 1, now);
        }
        // The contract has the plugin drop the state together with a refusal,
        // save in shadow mode, where it goes on as if it had asked.
        let shadow = verdict.reason == Reason::Shadow;
        self.held = shadow || verdict.retry_delay_ms > 0;
        let Some(delay) = planned(&verdict) else { return Err(Stop::Plugin(verdict)) };
        match self.refusal(self.attempt, delay, time_left) {
            Some(Refusal::Ceiling) => return Err(Stop::Ceiling(verdict)),
            Some(Refusal::Deadline) => return Err(Stop::Deadline(verdict)),
            Some(Refusal::WaitTooLong) => return Err(Stop::WaitTooLong(verdict)),
            None => {}
        }
        // A shadow pays as the thing itself would.
        let priced = price.filter(|price| price.cost > 0);
        if let (true, Some(_)) = (shadow, priced) {
            let now = self.gateway.clock.now();
            self.gateway.budgets.failed_in_shadow(Account::of(self.call), now);
        }
        if !self.pay(priced).await {
            return Err(Stop::BudgetExhausted(verdict));
        }
        if shadow {
            if let Some(price) = priced {
                self.foresee(outcome, imagined, delay, price).await;
            }
            return Err(Stop::Plugin(verdict));
        }
        self.paid = price;
        Ok(verdict)
    }

    /// What the gateway itself says against a retry, if anything.
    fn refusal(
        &self,
        after: Attempt,
        delay: Duration,
        time_left: Option<Duration>,
    ) -> Option<Refusal> {
        let limits = &self.gateway.limits;
        if after.retries() >= limits.max_tool_retries {
            Some(Refusal::Ceiling)
        } else if time_left.is_some_and(|left| delay >= left) {
            Some(Refusal::Deadline)
        } else if delay > limits.max_wait {
            Some(Refusal::WaitTooLong)
        } else {
            None
        }
    }

    /// What the retries after one that shadow mode plans would have paid: it is
    /// drawn whether they help, and of one that does not the plugin is asked
    /// again, as if it had ended as this attempt did.
    async fn foresee(
        &self,
        outcome: &Outcome,
        background: Background,
        mut delay: Duration,
        first: Price,
    ) {
        let Some(hook) = self.gateway.hook.as_deref() else { return };
        let Ok(target) = self.call.target.judged() else { return };
        let (now, account) = (self.gateway.clock.now(), Account::of(self.call));
        let (mut attempt, mut later) = (self.attempt.next(), Duration::ZERO);
        let mut coming = Vec::new();
        loop {
            later = later.saturating_add(delay).saturating_add(background.took);
            let at = now.saturating_add(later);
            if !self.gateway.budgets.would_fail(account) {
                coming.push(Foreseen { at, what: Foresight::Success(first.terms) });
                break;
            }
            let time_left = self.time_left().map(|left| left.saturating_sub(later));
            let invocation = Invocation {
                target,
                request_id: &self.call.request_id,
                attempt: attempt.number(),
                // The clock of an instance never goes back, so it is not put forward.
                now_ms: millis(now),
                time_left_ms: time_left.map(millis),
                known: background.known(false),
            };
            let asked = hook.decide(self.call.hook, invocation, outcome, background.clone());
            let Ok(Judgement { verdict, price: Some(price) }) = asked.wait().await else { break };
            let (Reason::Shadow, Some(next)) = (verdict.reason, planned(&verdict)) else { break };
            if self.refusal(attempt, next, time_left).is_some() {
                break;
            }
            coming.push(Foreseen { at, what: Foresight::Retry(price) });
            (attempt, delay) = (attempt.next(), next);
        }
        self.gateway.budgets.foresee(account, coming);
    }

    /// Pays for a retry, if the budget has enough.
    async fn pay(&self, price: Option<Price>) -> bool {
        let Some(price) = price.filter(|price| price.cost > 0) else { return true };
        let now = self.gateway.clock.now();
        self.gateway.budgets.withdraw(Account::of(self.call), price, now).wait().await
    }

    /// The call is over.
    pub(super) fn end(mut self, stop: &Stop) {
        self.release(stop);
    }

    fn release(&mut self, stop: &Stop) {
        if let (Some(hook), true) = (self.gateway.hook.as_deref(), self.held) {
            hook.forget(self.call.hook, &self.call.target, &self.call.request_id, &self.context);
        }
        let now = self.gateway.clock.now();
        if let Some(price) = self.paid.take() {
            self.gateway.budgets.give_back(Account::of(self.call), price, now);
        }
        let took = self.took();
        span::call_ended(self.call, self.attempt, stop);
        self.gateway.watch(self.call, &Step::Finished { attempts: self.attempt, stop, took });
        self.ended = true;
    }
}

impl Drop for Live<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.release(&Stop::Cancelled);
        }
    }
}

/// What the gateway says against a retry.
enum Refusal {
    Ceiling,
    Deadline,
    WaitTooLong,
}

/// The wait that a verdict asks for, or in shadow mode would have asked for.
fn planned(verdict: &Verdict) -> Option<Duration> {
    let millis = match verdict.reason {
        Reason::Shadow => verdict.delay_ceiling_ms.max(1),
        _ => verdict.retry_delay_ms,
    };
    (millis > 0).then(|| Duration::from_millis(millis))
}

/// Whole milliseconds, rounded down: a plugin never sees more time left than there is.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
