//! Decide and count everything, ask for nothing.

use std::sync::Arc;

use host_harness::contract::{Invocation, Known, Reason};
use serde_json::json;

use super::{forget, told};
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
fn a_shadow_draws_the_same_budget_as_the_thing_itself() {
    let spent = |shadow: bool| {
        let config = json!({
            "shadow": shadow, "budget": {"enabled": true, "max_tokens": 20, "token_ratio": 0.5},
        });
        let plugin = start(&config.to_string());
        let reasons: Vec<_> = (0..30)
            .map(|call| {
                let id = call.to_string();
                let verdict = judge_outcome(&plugin, invocation("t", &id), &FAILED);
                let again = judge_outcome(&plugin, invocation("t", &id), &OK);
                forget(&plugin, "t", &id);
                let stopped = verdict.reason == Reason::BudgetExhausted;
                (stopped, again.reason, metric(&plugin, "budget.tokens_left"))
            })
            .collect();
        reasons
    };
    assert_eq!(spent(true), spent(false));
}

#[test]
fn the_gateway_ends_a_shadowed_call_after_one_attempt_and_nothing_stays_behind() {
    use futures::executor::block_on;
    use host_harness::gateway::{Finished, Gateway, Limits, LogicalCall, Stop, Unobserved};

    let plugin = Arc::new(start(
        r#"{"shadow": true, "budget": {"enabled": true, "max_tokens": 10, "token_ratio": 0}}"#,
    ));
    let gateway = Gateway {
        hook: Some(plugin.clone()),
        limits: Limits::default(),
        clock: Arc::new(crate::virtual_clock::VirtualClock::default()),
        observer: Arc::new(Unobserved),
    };
    let call = LogicalCall::new("t", "1");
    let finished = block_on(gateway.run(&call, |_| async { super::long_run::Ended(FAILED) }));
    let Finished::Answered { attempts, stop: Stop::Plugin(verdict), .. } = finished else {
        panic!("answered, as the plugin decided");
    };
    assert_eq!((attempts.number(), verdict.reason), (1, Reason::Shadow));
    assert_eq!(metric(&plugin, "calls.tracked"), 0);
    assert_eq!(metric(&plugin, "budget.tokens_left"), 9, "what was held is given back");
}
