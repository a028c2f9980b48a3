//! How the simulated server protects itself.

use std::{cell::Cell, time::Duration};

use super::scenario::{ApiWindow, RateLimit, Scenario};
use crate::contract::HttpError;

/// What turns attempts away at once.
pub struct Limits {
    allowance: Option<Allowance>,
    window: Option<Window>,
    max_in_flight: Option<u64>,
}

impl Limits {
    /// Those of a scenario, with nothing used up.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        Self {
            allowance: scenario.rate_limit.map(Allowance::full),
            window: scenario.api_window.map(Window::of),
            max_in_flight: scenario.server.max_in_flight.map(|most| most.0),
        }
    }

    /// How an attempt is turned away while so many others are in flight; none
    /// if it is taken on.
    #[must_use]
    pub fn refuse(&self, now: Duration, in_flight: u64) -> Option<HttpError> {
        let pushback_ms = match (&self.allowance, &self.window) {
            (Some(allowance), _) if !allowance.take(now) => {
                let pushback_ms = allowance.limit.pushback_ms;
                Some(pushback_ms.and_then(|ms| i64::try_from(ms.0).ok()))
            }
            (_, Some(window)) => window.refuse(now).map(Some),
            _ => None,
        };
        if let Some(pushback_ms) = pushback_ms {
            return Some(HttpError { status: 429, pushback_ms });
        }
        let full = self.max_in_flight.is_some_and(|most| in_flight >= most);
        full.then_some(HttpError { status: 503, pushback_ms: None })
    }
}

/// A token bucket in the server's hands.
struct Allowance {
    limit: RateLimit,
    left: Cell<f64>,
    filled: Cell<Duration>,
}

impl Allowance {
    fn full(limit: RateLimit) -> Self {
        let left = Cell::new(limit.burst.0 as f64);
        Self { limit, left, filled: Cell::new(Duration::ZERO) }
    }

    fn take(&self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.filled.replace(now)).as_secs_f64();
        let grown = self.left.get() + passed * self.limit.attempts_per_second.0;
        let left = grown.min(self.limit.burst.0 as f64);
        let allowed = left >= 1.0;
        self.left.set(if allowed { left - 1.0 } else { left });
        allowed
    }
}

/// A count that starts over with every window.
struct Window {
    limit: ApiWindow,
    /// The window that an attempt came in last, and how many of it were let in.
    used: Cell<(u64, u64)>,
}

impl Window {
    fn of(limit: ApiWindow) -> Self {
        Self { limit, used: Cell::new((0, 0)) }
    }

    /// Milliseconds to come back after; none if the attempt is within the limit.
    fn refuse(&self, now: Duration) -> Option<i64> {
        let number = now.as_secs() / self.limit.seconds.0;
        let used = match self.used.get() {
            (window, used) if window == number => used,
            _ => 0,
        };
        if used < self.limit.attempts.0 {
            self.used.set((number, used + 1));
            return None;
        }
        let ends = Duration::from_secs((number + 1) * self.limit.seconds.0);
        // As `Retry-After` has it.
        let rest = ends.saturating_sub(now).as_millis().div_ceil(1_000) * 1_000;
        i64::try_from(rest).ok()
    }
}
