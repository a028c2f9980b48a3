//! What makes the loop short to use for those who embed it: a gateway with the
//! usual parts, outcomes and verdicts without their rare members.

use std::{sync::Arc, time::Duration};

use crate::{
    contract::{
        Class, HttpError, Outcome, Reason, Returned, Structured, TransportFailure, Verdict,
    },
    gateway::{
        Content, Gateway, InProcessBudgets, Limits, Reply, RetryHook, SystemClock, Unobserved,
    },
};

impl Gateway {
    /// A gateway with this plugin, default [`Limits`], the machine's clock, retry
    /// budgets of its own and nobody who watches. Every field is public, and may
    /// be set to something else.
    ///
    /// ```
    /// # async fn of() {
    /// use host_harness::{contract::Outcome, gateway::{Gateway, LogicalCall}};
    ///
    /// let plugin = host_harness::bundled::seeded("{}", 3).expect("a good configuration");
    /// let gateway = Gateway::new(std::sync::Arc::new(plugin));
    /// let call = LogicalCall::new("search", "1");
    /// let finished = gateway.run(&call, |_| async { Ok::<_, Outcome>("found") }).await;
    /// # let _ = finished;
    /// # }
    /// ```
    #[must_use]
    pub fn new(plugin: Arc<dyn RetryHook>) -> Self {
        Self {
            hook: Some(plugin),
            limits: Limits::default(),
            clock: Arc::new(SystemClock::new()),
            budgets: Arc::new(InProcessBudgets::default()),
            observer: Arc::new(Unobserved),
        }
    }
}

impl Outcome {
    /// A result that is none of a failure.
    #[must_use]
    pub const fn succeeded() -> Self {
        Self::Returned(Returned { is_error: false, structured: None })
    }

    /// A result with `isError`.
    #[must_use]
    pub const fn failed() -> Self {
        Self::Returned(Returned { is_error: true, structured: None })
    }

    /// A result with `isError` and this `status_code`.
    #[must_use]
    pub const fn failed_with(status_code: i32) -> Self {
        let structured = Structured { is_error: false, status_code: Some(status_code) };
        Self::Returned(Returned { is_error: true, structured: Some(structured) })
    }

    /// An HTTP status that is an error, and no word on when to come back.
    #[must_use]
    pub const fn http(status: u16) -> Self {
        Self::HttpError(HttpError { status, pushback_ms: None })
    }

    /// The connection could not be made: nothing was executed.
    #[must_use]
    pub const fn not_sent() -> Self {
        Self::TransportFailed(TransportFailure::BeforeDispatch)
    }

    /// The connection was lost with the request under way.
    #[must_use]
    pub const fn lost() -> Self {
        Self::TransportFailed(TransportFailure::AfterDispatch)
    }
}

/// An attempt of which only its outcome matters.
impl Reply for Outcome {
    fn outcome(&self) -> Outcome {
        *self
    }

    fn content(&self) -> Option<Arc<dyn Content>> {
        None
    }

    fn timed_out(_: Duration) -> Self {
        Self::TimedOut
    }
}

/// A value, or how the attempt failed.
impl<T: Send> Reply for Result<T, Outcome> {
    fn outcome(&self) -> Outcome {
        self.as_ref().err().copied().unwrap_or(Outcome::succeeded())
    }

    fn content(&self) -> Option<Arc<dyn Content>> {
        None
    }

    fn timed_out(_: Duration) -> Self {
        Err(Outcome::TimedOut)
    }
}

impl Verdict {
    /// Another attempt after `delay` (at least 1 ms), for a failure that passes
    /// and was seen so many times. Outside of any budget.
    #[must_use]
    pub fn retry(delay: Duration, failures: u32) -> Self {
        let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX).max(1);
        Self {
            retry_delay_ms: delay,
            reason: Reason::Transient,
            failures,
            delay_ceiling_ms: delay,
            class: Class::Transient,
            ..Self::stop(Reason::Succeeded, Class::Succeeded)
        }
    }

    /// No other attempt.
    #[must_use]
    pub const fn stop(reason: Reason, class: Class) -> Self {
        Self {
            retry_delay_ms: 0,
            reason,
            failures: 0,
            delay_ceiling_ms: 0,
            class,
            not_executed: false,
            tool_budget: 0,
            cost: 0,
            pushback_ms: None,
            metadata: None,
        }
    }
}
