//! Decide and count everything, ask for nothing.

use std::sync::Arc;

use host_harness::contract::{Invocation, Known, Reason};
use serde_json::json;

use super::told;
use crate::plugin_under_test::{FAILED, OK, invocation, judge_outcome, metric, start};

#[test]
fn what_would_have_been_a_retry_is_told_and_not_asked_for() {
    let plugin = start(r#"{"shadow": true, "jitter": "none"}"#);
    let traced = Invocation { known: Known::TRACE, ..invocation("t", "1") };
    let verdict = judge_outcome(&plugin, traced, &FAILED);
    assert_eq!(told(&verdict), (Reason::Shadow, false));
    assert_eq!((verdict.delay_ceiling_ms, verdict.failures), (200, 1));
    let metadata = verdict.metadata.expect("traced");
    assert_eq!((metadata.retry_count, metadata.retry_delay_ms), (1, 0));
    // Whoever retries all the same is followed: the state is as if it had been asked.
    let again = judge_outcome(&plugin, invocation("t", "1"), &FAILED);
    assert_eq!((again.delay_ceiling_ms, again.failures), (400, 2));
    let last = judge_outcome(&plugin, invocation("t", "1"), &FAILED);
    assert_eq!(told(&last), (Reason::RetriesExhausted, false));
    assert_eq!(metric(&plugin, "decisions.shadow"), 2);
    judge_outcome(&plugin, invocation("t", "2"), &FAILED);
    judge_outcome(&plugin, invocation("t", "2"), &OK);
    assert_eq!(metric(&plugin, "calls.recovered"), 1);
}

#[test]
fn a_shadow_is_refused_by_the_budget_as_the_thing_itself_would_be() {
    use futures::executor::block_on;
    use host_harness::gateway::{
        Finished, Gateway, InProcessBudgets, Limits, LogicalCall, Stop, Unobserved,
    };

    let paid = |shadow: bool| {
        let config = json!({
            "shadow": shadow, "max_retries": 1, "budget": {"enabled": true, "max_tokens": 7},
        });
        let plugin = Arc::new(start(&config.to_string()));
        let gateway = Gateway {
            hook: Some(plugin.clone()),
            limits: Limits::default(),
            clock: Arc::new(crate::virtual_clock::VirtualClock::default()),
            budgets: Arc::new(InProcessBudgets::default()),
            observer: Arc::new(Unobserved),
        };
        let paid: Vec<_> = (0..30)
            .map(|number: u32| {
                let call = LogicalCall::new("t", number.to_string());
                let run = gateway.run(&call, |_| async { super::long_run::Ended(FAILED) });
                let Finished::Answered { attempts, stop, .. } = block_on(run) else {
                    panic!("nobody cancelled");
                };
                assert!(!shadow || attempts.number() == 1, "a shadow makes no retry");
                !matches!(stop, Stop::BudgetExhausted(_))
            })
            .collect();
        assert_eq!(metric(&plugin, "calls.tracked"), 0);
        paid
    };
    let really = paid(false);
    assert_eq!(really.iter().filter(|paid| **paid).count(), 7);
    assert_eq!(paid(true), really);
}
