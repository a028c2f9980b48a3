//! The simulated server: what comes of an attempt, and when.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use crate::{
    contract::{HttpError, Outcome, Returned, TransportFailure},
    gateway::Clock,
    simulate::{
        answer::Answer,
        chance::{Chance, Stream, seconds},
        executor::Spawner,
        scenario::{Abandoned, FailureKind, RateLimit, Scenario},
        time::VirtualClock,
    },
};

/// How long a refusal takes: of a rate limit, or of a connection.
const AT_ONCE: Duration = Duration::from_millis(5);

/// A server whose latency grows with the attempts that are in flight.
pub struct Server {
    scenario: Rc<Scenario>,
    clock: VirtualClock,
    spawner: Spawner,
    in_flight: Cell<u32>,
    latency: RefCell<Chance>,
    failures: RefCell<Chance>,
    allowance: Option<Allowance>,
}

impl Server {
    /// An idle server.
    #[must_use]
    pub fn new(scenario: Rc<Scenario>, clock: VirtualClock, spawner: Spawner) -> Rc<Self> {
        let seed = scenario.seed;
        Rc::new(Self {
            allowance: scenario.rate_limit.map(Allowance::full),
            scenario,
            clock,
            spawner,
            in_flight: Cell::new(0),
            latency: RefCell::new(Chance::new(seed, Stream::Latency)),
            failures: RefCell::new(Chance::new(seed, Stream::Failures)),
        })
    }

    /// One attempt. Dropping it gives it up.
    pub async fn attempt(self: Rc<Self>) -> Answer {
        let now = self.clock.now();
        if let Some(allowance) = &self.allowance
            && !allowance.take(now)
        {
            self.clock.sleep(AT_ONCE).await;
            let pushback_ms = allowance.limit.pushback_ms;
            let pushback_ms = pushback_ms.and_then(|ms| i64::try_from(ms.0).ok());
            return Answer(Outcome::HttpError(HttpError { status: 429, pushback_ms }));
        }
        // Drawn for every attempt, so that a failure more shifts no later draw.
        let luck = self.failures.borrow_mut().share();
        let failures = self.scenario.failures_at(now);
        let failure = failures.filter(|some| luck < some.share.0).map(|some| some.kind);
        if failure == Some(FailureKind::NotSent) {
            self.clock.sleep(AT_ONCE).await;
            return Answer(Outcome::TransportFailed(TransportFailure::BeforeDispatch));
        }
        let latency = self.next_latency(now);
        let mut work = Work::begin(self.clone(), now.saturating_add(latency));
        if failure == Some(FailureKind::Hang) {
            work.ends = Duration::MAX;
            std::future::pending::<()>().await;
        }
        self.clock.sleep(latency).await;
        Answer(outcome(failure))
    }

    fn next_latency(&self, now: Duration) -> Duration {
        let server = &self.scenario.server;
        let crowd = f64::from(self.in_flight.get()) * server.latency_per_concurrent_ms.0;
        let millis = (server.latency_ms.0 as f64 + crowd) * self.scenario.slowdown_at(now);
        let around = 2.0 * self.latency.borrow_mut().share() - 1.0;
        seconds(millis * (1.0 + server.latency_spread.0 * around) / 1_000.0)
    }
}

const fn outcome(failure: Option<FailureKind>) -> Outcome {
    match failure {
        None => Outcome::Returned(Returned { is_error: false, structured: None }),
        Some(FailureKind::ToolError) => {
            Outcome::Returned(Returned { is_error: true, structured: None })
        }
        Some(FailureKind::RpcError) => Outcome::RpcError(-32_603),
        Some(FailureKind::ConnectionLost) => {
            Outcome::TransportFailed(TransportFailure::AfterDispatch)
        }
        Some(FailureKind::Status503 | FailureKind::NotSent | FailureKind::Hang) => {
            Outcome::HttpError(HttpError { status: 503, pushback_ms: None })
        }
    }
}

/// An attempt in flight.
struct Work {
    server: Rc<Server>,
    /// When the server is done with it.
    ends: Duration,
}

impl Work {
    fn begin(server: Rc<Server>, ends: Duration) -> Self {
        server.in_flight.set(server.in_flight.get() + 1);
        Self { server, ends }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let server = self.server.clone();
        let left = self.ends.saturating_sub(server.clock.now());
        let done = move |server: &Server| server.in_flight.set(server.in_flight.get() - 1);
        let goes_on = server.scenario.server.abandoned == Abandoned::GoesOn;
        if goes_on && !left.is_zero() && self.ends < Duration::MAX {
            let spawner = server.spawner.clone();
            spawner.spawn(async move {
                server.clock.sleep(left).await;
                done(&server);
            });
        } else {
            done(&server);
        }
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
