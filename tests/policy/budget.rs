//! Retry budgets: the plugin names the price and the terms, the gateway pays.
//! The real component in the real loop, on a virtual clock.

use std::{cell::Cell, sync::Arc, time::Duration};

use futures::{FutureExt, executor::block_on};
use host_harness::{
    contract::{HttpError, Outcome, Reason},
    gateway::{
        BudgetStore, CallContext, Clock, Finished, Gateway, Hook, InProcessBudgets, Limits,
        LogicalCall, Stop, Unobserved,
    },
    sandbox::Plugin,
};

use super::long_run::{Ended, THROTTLED, UNAVAILABLE};
use crate::{
    plugin_under_test::{
        FAILED, OK, invocation, issues, judge_outcome, metric, start, start_shards,
    },
    virtual_clock::VirtualClock,
};

/// A gateway whose buckets can be looked at.
struct Watched {
    gateway: Gateway,
    budgets: Arc<InProcessBudgets>,
    plugin: Arc<Plugin>,
    clock: VirtualClock,
    calls: Cell<u32>,
}

impl Watched {
    fn new(plugin: Plugin) -> Self {
        let (plugin, budgets) = (Arc::new(plugin), Arc::new(InProcessBudgets::default()));
        let clock = VirtualClock::default();
        let gateway = Gateway {
            hook: Some(plugin.clone()),
            limits: Limits::default(),
            clock: Arc::new(clock.clone()),
            budgets: budgets.clone(),
            observer: Arc::new(Unobserved),
        };
        Self { gateway, budgets, plugin, clock, calls: Cell::new(0) }
    }

    /// A budget of these keys, one retry a call, and no time that brings anything.
    fn with(keys: &str) -> Self {
        Self::new(start(&format!(
            r#"{{"max_retries": 1, "budget": {{"enabled": true, "refill_per_minute": 0, "floor_per_minute": 0, {keys}}}}}"#
        )))
    }

    fn call(&self, upstream: Option<&str>, tool: &str) -> LogicalCall {
        self.calls.set(self.calls.get() + 1);
        let upstream = upstream.map(str::to_owned);
        let context = CallContext { upstream, ..CallContext::default() };
        let call = LogicalCall::new(tool, self.calls.get().to_string());
        LogicalCall { context: Arc::new(context), ..call }
    }

    /// Runs a call of which every attempt ends so.
    fn run(&self, call: &LogicalCall, outcome: Outcome) -> (u32, Stop) {
        let finished = block_on(self.gateway.run(call, |_| async move { Ended(outcome) }));
        match finished {
            Finished::Answered { attempts, stop, .. } => (attempts.number(), stop),
            Finished::Cancelled { .. } => panic!("nobody cancelled"),
        }
    }

    /// How many of so many failing calls of a tool are retried.
    fn retried(&self, upstream: &str, tool: &str, calls: u32) -> u32 {
        (0..calls).map(|_| self.run(&self.call(Some(upstream), tool), FAILED).0 - 1).sum()
    }

    /// What is left in the emptiest bucket, in thousandths; none if all are full.
    fn emptiest(&self) -> Option<u64> {
        self.budgets.levels().emptiest
    }
}

#[test]
fn a_tool_spends_its_own_bucket_and_many_no_more_than_that_of_their_upstream() {
    let watched = Watched::with(r#""max_tokens": 4, "upstream_max_tokens": 10"#);
    assert_eq!(watched.retried("u", "a", 20), 4);
    let (attempts, stop) = watched.run(&watched.call(Some("u"), "a"), FAILED);
    assert!(matches!(stop, Stop::BudgetExhausted(_)), "{stop:?}");
    assert_eq!(attempts, 1);
    assert_eq!(watched.retried("u", "b", 20), 4);
    assert_eq!(watched.retried("u", "c", 20), 2, "ten for the upstream");
    assert_eq!(watched.retried("v", "a", 20), 4, "another upstream");
    assert_eq!(metric(&watched.plugin, "calls.tracked"), 0, "refused calls are forgotten");
}

#[test]
fn upstreams_without_a_name_have_a_bucket_as_well() {
    let watched = Watched::with(r#""max_tokens": 4, "upstream_max_tokens": 10"#);
    let tools = (0..40).map(|tool| watched.run(&watched.call(None, &tool.to_string()), FAILED));
    let retries: u32 = tools.map(|(attempts, _)| attempts - 1).sum();
    assert_eq!(retries, 10);
    let uris = Watched::new(start(
        r#"{"profile": "safe", "budget": {"max_tokens": 10, "floor_per_minute": 0}}"#,
    ));
    let reads = (0..200).map(|uri| {
        let call = uris.call(None, &format!("file:///{uri}"));
        uris.run(&LogicalCall { hook: Hook::ResourcePostFetch, ..call }, UNAVAILABLE).0 - 1
    });
    assert_eq!(reads.sum::<u32>(), 10, "all resources share one bucket");
}

#[test]
fn only_what_is_retried_costs() {
    let watched = Watched::new(start(
        r#"{"profile": "safe", "idempotent": true, "budget": {"max_tokens": 5}}"#,
    ));
    for outcome in
        [FAILED, Outcome::RpcError(-32_602), Outcome::Cancelled, Outcome::RpcError(-32_603)]
    {
        for _ in 0..100 {
            watched.run(&watched.call(Some("u"), "t"), outcome);
        }
        assert_eq!(watched.emptiest(), None, "{outcome:?}");
    }
    // And what costs is not charged where it is not known to be safe.
    let unmarked = Watched::new(start(r#"{"profile": "safe"}"#));
    for _ in 0..100 {
        unmarked.run(&unmarked.call(Some("u"), "t"), UNAVAILABLE);
    }
    assert_eq!(unmarked.emptiest(), None);
}

#[test]
fn a_retry_costs_by_what_failed() {
    let later = |status| Outcome::HttpError(HttpError { status, pushback_ms: Some(1_000) });
    for (outcome, honored, cost) in [
        (UNAVAILABLE, true, 500),
        // A 503 that says when to come back is no less of an outage.
        (later(503), true, 500),
        (THROTTLED, true, 2_000),
        (later(429), true, 200),
        // Who comes back before that was not asked to.
        (later(429), false, 2_000),
        (Outcome::TimedOut, true, 3_500),
    ] {
        let watched = Watched::new(start(&format!(
            r#"{{"max_retries": 1, "pushback": {{"honor": {honored}}}, "budget": {{
                "enabled": true, "max_tokens": 20, "refill_per_minute": 0, "floor_per_minute": 0,
                "retry_cost": 0.5, "throttle_cost": 2,
                "timeout_cost": 3.5}}}}"#
        )));
        watched.run(&watched.call(Some("u"), "t"), outcome);
        assert_eq!(watched.emptiest(), Some(20_000 - cost), "{outcome:?}, {honored}");
    }
}

#[test]
fn a_success_pays_exactly_its_ratio() {
    let watched = Watched::with(r#""max_tokens": 50, "token_ratio": 0.6"#);
    watched.retried("u", "t", 20);
    for _ in 0..200 {
        for _ in 0..5 {
            watched.run(&watched.call(Some("u"), "t"), OK);
        }
        assert_eq!(watched.retried("u", "t", 3), 3, "5 successes pay for 3 retries, for ever");
        assert_eq!(watched.emptiest(), Some(30_000));
    }
}

#[test]
fn an_override_has_terms_of_its_own_or_no_budget_at_all() {
    let watched = Watched::new(start(
        r#"{"max_retries": 1, "budget": {"enabled": true, "max_tokens": 8, "floor_per_minute": 0},
            "tool_overrides": {
                "own": {"budget": {"max_tokens": 2}}, "free": {"budget": {"enabled": false}},
                "slow": {"backoff_base_ms": 500}}}"#,
    ));
    for (tool, retried) in [("own", 2), ("free", 50), ("slow", 8), ("other", 8)] {
        assert_eq!(watched.retried("u", tool, 50), retried, "{tool}");
    }
}

#[test]
fn whatever_ends_a_planned_retry_gives_its_price_back() {
    let keys = r#""max_tokens": 9"#;
    // The client goes while the retry sleeps; its future is dropped with it or not.
    let watched = Watched::with(keys);
    let call = watched.call(Some("u"), "t");
    let finished = block_on(watched.gateway.run(&call, |_| {
        call.cancel.cancel();
        async { Ended(FAILED) }
    }));
    assert!(matches!(finished, Finished::Cancelled { .. }));
    assert_eq!(watched.emptiest(), None);

    let call = watched.call(Some("u"), "t");
    let patient = Gateway { clock: Arc::new(Stopped), ..watched.gateway };
    let mut run = Box::pin(patient.run(&call, |_| async { Ended(FAILED) }));
    assert!(run.as_mut().now_or_never().is_none(), "it sleeps");
    assert_eq!(watched.budgets.levels().emptiest, Some(8_000), "it is paid for");
    drop(run);
    assert_eq!(watched.budgets.levels().emptiest, None);

    // The gateway stops.
    let watched = Watched::with(keys);
    let call = watched.call(Some("u"), "t");
    call.no_more_attempts.cancel();
    let (attempts, stop) = watched.run(&call, FAILED);
    assert!(matches!(stop, Stop::NoMoreAttempts(_)), "{stop:?}");
    assert_eq!((attempts, watched.emptiest()), (1, None));

    // The gateway's own limits: nothing is paid to begin with.
    let config = r#"{"max_retries": 1, "jitter": "none", "budget": {"enabled": true}}"#;
    for limits in [
        Limits { max_tool_retries: 0, ..Limits::default() },
        Limits { deadline: Some(Duration::from_millis(100)), ..Limits::default() },
        Limits { max_wait: Duration::from_millis(100), ..Limits::default() },
    ] {
        let mut watched = Watched::new(start(config));
        watched.gateway.limits = limits;
        let (attempts, stop) = watched.run(&watched.call(Some("u"), "t"), FAILED);
        assert_eq!((attempts, watched.emptiest()), (1, None), "{stop:?}");
    }
}

/// Nobody who sleeps on it wakes.
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> host_harness::gateway::Sleep {
        Box::pin(std::future::pending())
    }
}

#[test]
fn buckets_survive_another_configuration_and_an_instance_less() {
    let config = r#"{"max_retries": 1, "budget": {"enabled": true, "max_tokens": 10, "floor_per_minute": 0}}"#;
    let watched = Watched::new(start_shards(config, 4));
    assert_eq!(watched.retried("u", "t", 6), 6);
    watched.plugin.reconfigure(&config.replace("10", "8")).expect("a good configuration");
    assert_eq!(watched.emptiest(), Some(4_000));
    assert_eq!(watched.retried("u", "t", 20), 4, "what was left is left");
    watched.plugin.reconfigure(&config.replace("true", "false")).expect("a good configuration");
    assert_eq!(watched.retried("u", "t", 20), 20, "no budget at all");
    watched.plugin.reconfigure(config).expect("a good configuration");
    assert_eq!(watched.retried("u", "t", 20), 0, "it is still spent");
}

#[test]
fn a_caller_of_a_few_calls_a_minute_is_never_starved() {
    // Every call fails once, every 20 s: a success each, and a retry each.
    let watched = Watched::new(start(r#"{"profile": "safe", "idempotent": true}"#));
    let saved = (0..500).filter(|_| {
        watched.clock.advance(Duration::from_secs(20));
        let call = watched.call(Some("u"), "t");
        let finished = block_on(watched.gateway.run(&call, |attempt| async move {
            Ended(if attempt.retries() == 0 { UNAVAILABLE } else { OK })
        }));
        let Finished::Answered { reply, .. } = finished else { panic!("nobody cancelled") };
        reply.0 == OK
    });
    let saved = saved.count();
    assert!(saved >= 400, "{saved} of 500");
    // And after an outage of a day it is asked again within five minutes.
    for _ in 0..24 * 60 {
        watched.clock.advance(Duration::from_secs(60));
        watched.run(&watched.call(Some("u"), "t"), UNAVAILABLE);
    }
    watched.clock.advance(Duration::from_secs(300));
    assert_eq!(watched.run(&watched.call(Some("u"), "t"), UNAVAILABLE).0, 2);
}

#[test]
fn a_bucket_that_could_never_pay_is_refused_with_its_key() {
    let wrong = |config: &str| {
        let issues = issues(config);
        (issues[0].path.clone(), issues[0].message.clone())
    };
    let (path, message) =
        wrong(r#"{"profile": "safe", "budget": {"max_tokens": 1, "timeout_cost": 1.25}}"#);
    assert_eq!(path, "budget.max_tokens");
    assert!(message.contains("1.25") && message.contains("not 1"), "{message}");
    let (path, _) = wrong(
        r#"{"profile": "safe", "tool_overrides": {"t": {"budget": {"upstream_max_tokens": 2, "retry_cost": 3}}}}"#,
    );
    assert_eq!(path, r#"tool_overrides["t"].budget.upstream_max_tokens"#);
    // The smallest sizes that pay do pay.
    for size in [1, 2] {
        let watched = Watched::with(&format!(r#""max_tokens": {size}, "upstream_max_tokens": 5"#));
        assert_eq!(watched.retried("u", "t", 9), size);
    }
}

#[test]
fn a_verdict_tells_its_price_where_a_budget_applies_and_only_there() {
    let told = |plugin: &Plugin, outcome: &Outcome| {
        let verdict = judge_outcome(plugin, invocation("t", "1"), outcome);
        (verdict.cost, verdict.tool_budget, verdict.reason)
    };
    let none = start("null");
    assert_eq!(told(&none, &FAILED), (0, 0, Reason::ToolError));
    let some = start(r#"{"max_retries": 1, "budget": {"enabled": true}}"#);
    assert_eq!(told(&some, &FAILED), (1_000, 1, Reason::ToolError));
    assert_eq!(told(&some, &FAILED), (0, 1, Reason::RetriesExhausted));
    assert_eq!(told(&some, &OK), (0, 1, Reason::Succeeded));
}
