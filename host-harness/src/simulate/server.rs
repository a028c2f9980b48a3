//! The simulated server: what comes of an attempt, and when.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use tokio::sync::{Semaphore, oneshot};

use super::limit::Limits;
use crate::{
    contract::{HttpError, Outcome, Returned, TransportFailure},
    gateway::Clock,
    simulate::{
        answer::Answer,
        chance::{Chance, Stream, seconds},
        executor::Spawner,
        scenario::{Abandoned, CallFault, FailureKind, Scenario},
        time::VirtualClock,
    },
};

/// How long a refusal takes: of a limit, or of a connection.
const AT_ONCE: Duration = Duration::from_millis(3);

/// What is tried.
#[derive(Debug, Clone, Copy)]
pub struct Attempted {
    /// The kind of its tool, an index into those of the scenario.
    pub kind: usize,
    /// Its number within the call, from 1.
    pub number: u32,
    /// What is wrong with its call.
    pub fault: Option<CallFault>,
}

/// A server whose latency grows with the attempts that are in flight, or whose
/// workers take one after the other.
pub struct Server {
    scenario: Rc<Scenario>,
    clock: VirtualClock,
    spawner: Spawner,
    in_flight: Cell<u64>,
    /// Free workers; none if there is one for everybody.
    workers: Option<Arc<Semaphore>>,
    latency: RefCell<Chance>,
    failures: RefCell<Chance>,
    limits: Limits,
}

impl Server {
    /// An idle server.
    #[must_use]
    pub fn new(
        scenario: Rc<Scenario>,
        clock: VirtualClock,
        spawner: Spawner,
        seed: u64,
    ) -> Rc<Self> {
        let workers = scenario.server.workers.map(|workers| {
            Arc::new(Semaphore::new(usize::try_from(workers.0).unwrap_or(usize::MAX)))
        });
        Rc::new(Self {
            limits: Limits::of(&scenario),
            scenario,
            clock,
            spawner,
            in_flight: Cell::new(0),
            workers,
            latency: RefCell::new(Chance::new(seed, Stream::Latency)),
            failures: RefCell::new(Chance::new(seed, Stream::Failures)),
        })
    }

    /// One attempt. Dropping it gives it up.
    pub async fn attempt(self: Rc<Self>, attempted: Attempted) -> Answer {
        let now = self.clock.now();
        if let Some(refused) = self.limits.refuse(now, self.in_flight.get()) {
            self.clock.sleep(AT_ONCE).await;
            return Answer(Outcome::HttpError(refused));
        }
        // Drawn for every attempt, so that a failure more shifts no later draw.
        let luck = self.failures.borrow_mut().share();
        let failures = self.scenario.failures_at(&self.scenario.tools[attempted.kind], now);
        let failure = failures.filter(|some| luck < some.share.0).map(|some| some.kind);
        let fault = attempted.fault.filter(|fault| fault.strikes(attempted.number));
        let failure = failure.or(fault.map(|fault| fault.kind));
        if failure == Some(FailureKind::NotSent) {
            self.clock.sleep(AT_ONCE).await;
            return Answer(Outcome::TransportFailed(TransportFailure::BeforeDispatch));
        }
        let takes = self.next_latency(now);
        let hangs = failure == Some(FailureKind::Hang);
        self.work(takes, hangs).await;
        Answer(outcome(failure))
    }

    /// Works on an attempt to its end. Who stops waiting for it stops the work
    /// too, if the server heeds that.
    async fn work(self: Rc<Self>, takes: Duration, hangs: bool) {
        let in_flight = InFlight::of(self.clone());
        if hangs {
            // No worker is held up: what hangs is lost between the two.
            return std::future::pending().await;
        }
        if self.scenario.server.abandoned == Abandoned::Stops {
            self.finish(takes, in_flight).await;
            return;
        }
        let (done, wait) = oneshot::channel();
        let server = self.clone();
        self.spawner.spawn(async move {
            server.finish(takes, in_flight).await;
            // Nobody may wait any more.
            let _ = done.send(());
        });
        let _ = wait.await;
    }

    async fn finish(&self, takes: Duration, _in_flight: InFlight) {
        // The semaphore is never closed.
        let _worker = match &self.workers {
            Some(workers) => workers.acquire().await.ok(),
            None => None,
        };
        let begins = self.clock.now();
        let ends = self.scenario.end_of_work(begins, takes);
        self.clock.sleep(ends.saturating_sub(begins)).await;
    }

    fn next_latency(&self, now: Duration) -> Duration {
        let server = &self.scenario.server;
        let crowd = self.in_flight.get() as f64 * server.latency_per_concurrent_ms.0;
        let millis = (server.latency_ms.0 as f64 + crowd) * self.scenario.slowdown_at(now);
        let around = 2.0 * self.latency.borrow_mut().share() - 1.0;
        seconds(millis * (1.0 + server.latency_spread.0 * around) / 1_000.0)
    }
}

/// The answer after the usual time.
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
        // The last two never get so far.
        Some(FailureKind::Status503 | FailureKind::NotSent | FailureKind::Hang) => {
            Outcome::HttpError(HttpError { status: 503, pushback_ms: None })
        }
    }
}

/// An attempt that the server has taken on.
struct InFlight(Rc<Server>);

impl InFlight {
    fn of(server: Rc<Server>) -> Self {
        server.in_flight.set(server.in_flight.get() + 1);
        Self(server)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get() - 1);
    }
}
