//! The wait for an upstream that is not done with the attempt before: its
//! bound, and what else ends it. The real plugin in the real loop, on a virtual clock.

use std::{sync::Arc, time::Duration};

use futures::executor::block_on;
use host_harness::{
    contract::Outcome,
    gateway::{Content, Finished, Gateway, Limits, LogicalCall, Reply, Stop, Unobserved},
};

use crate::{
    plugin_under_test::{FAILED, metric, start},
    virtual_clock::VirtualClock,
};

/// A failure.
struct Failed;

impl Reply for Failed {
    fn outcome(&self) -> Outcome {
        FAILED
    }

    fn content(&self) -> Option<Arc<dyn Content>> {
        None
    }

    fn timed_out(_: Duration) -> Self {
        unreachable!("every attempt is answered")
    }
}

/// One call with one retry, 200 ms after an attempt that takes 100 ms. Says how it
/// ended, after how many attempts, when, and what the plugin still holds.
fn run<S: Future<Output = ()>>(
    limits: Limits,
    settled: impl FnMut(&LogicalCall) -> S,
) -> (Option<Stop>, u32, u64, u64) {
    let mut settled = settled;
    let plugin = Arc::new(start(r#"{"max_retries": 1, "jitter": false}"#));
    let clock = VirtualClock::default();
    let gateway = Gateway {
        hook: Some(plugin.clone()),
        limits,
        clock: Arc::new(clock.clone()),
        budgets: Arc::new(host_harness::gateway::InProcessBudgets::default()),
        observer: Arc::new(Unobserved),
    };
    let call = LogicalCall::new("t", "1");
    let invoke = |_| async {
        clock.advance(Duration::from_millis(100));
        Failed
    };
    let finished = block_on(gateway.run_settled(&call, invoke, || settled(&call)));
    let (stop, attempts) = match finished {
        Finished::Answered { stop, attempts, .. } => (Some(stop), attempts),
        Finished::Cancelled { attempts } => (None, attempts),
    };
    let now = u64::try_from(gateway.clock.now().as_millis()).expect("a short time");
    (stop, attempts.number(), now, metric(&plugin, "calls.tracked"))
}

fn within(cancel_wait_ms: u64, deadline_ms: Option<u64>) -> Limits {
    Limits {
        cancel_wait: Duration::from_millis(cancel_wait_ms),
        deadline: deadline_ms.map(Duration::from_millis),
        ..Limits::default()
    }
}

#[test]
fn an_upstream_that_is_done_costs_no_time() {
    let (stop, attempts, now, _) = run(within(1000, Some(900)), |_| std::future::ready(()));
    assert!(matches!(stop, Some(Stop::Plugin(_))), "{stop:?}");
    assert_eq!((attempts, now), (2, 100 + 200 + 100));
}

#[test]
fn an_upstream_that_is_never_done_costs_the_wait_and_no_more() {
    for wait in [0, 7, 1000] {
        let (stop, attempts, now, _) = run(within(wait, None), |_| std::future::pending());
        assert!(matches!(stop, Some(Stop::Plugin(_))), "{stop:?}");
        assert_eq!((attempts, now), (2, 100 + 200 + wait + 100));
    }
}

#[test]
fn the_wait_ends_at_the_deadline_with_the_last_reply() {
    let (stop, attempts, now, held) = run(within(1000, Some(350)), |_| std::future::pending());
    assert!(matches!(stop, Some(Stop::Deadline(_))), "{stop:?}");
    assert_eq!((attempts, now, held), (1, 350, 0));
}

#[test]
fn a_client_that_goes_ends_the_wait_at_once() {
    let (stop, attempts, now, held) = run(within(1000, None), |call| {
        call.cancel.cancel();
        std::future::pending()
    });
    assert!(stop.is_none(), "{stop:?}");
    // The client was gone before the wait was looked at; the clock did not move for it.
    assert_eq!((attempts, held), (1, 0));
    assert_eq!(now, 100 + 200);
}
