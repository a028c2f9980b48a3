use std::{sync::Arc, time::Duration};

use super::{Measured, Metrics};
use crate::{
    contract::{
        BudgetTerms, Class, Invocation, Known, MostRetries, Outcome, Reason, TransportFailure,
        Verdict,
    },
    gateway::{
        Account, Attempt, Background, BudgetStore, CallContext, Clock, Decision, Hook,
        InProcessBudgets, LogicalCall, Observer, Price, RetryHook, Step, Stop, Terms,
    },
    sandbox::{Breakage, HookFailure},
    simulate::executor::Executor,
};

fn verdict(retry_delay_ms: u64, reason: Reason) -> Verdict {
    let delay_ceiling_ms = retry_delay_ms;
    Verdict {
        retry_delay_ms,
        reason,
        failures: 1,
        delay_ceiling_ms,
        class: Class::Transient,
        not_executed: false,
        tool_budget: 0,
        cost: 0,
        pushback_ms: None,
        metadata: None,
    }
}

fn call() -> LogicalCall {
    let context = CallContext { upstream: Some("up".to_owned()), ..CallContext::default() };
    LogicalCall { context: Arc::new(context), ..LogicalCall::new("a tool", "id") }
}

/// The lines that hold a number.
fn numbers(metrics: &Metrics) -> Vec<String> {
    let text = metrics.text();
    assert!(text.ends_with("# EOF\n") && !text.contains("a tool"), "{text}");
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn calls_and_attempts_are_counted_apart() {
    let metrics = Metrics::new();
    let call = call();
    let attempt = Attempt::FIRST;
    let lost = Outcome::TransportFailed(TransportFailure::BeforeDispatch);
    let took = Duration::from_millis(3);
    let again = verdict(5, Reason::TransportFailed);
    metrics.observe(&call, &Step::AttemptStarted(attempt));
    metrics.observe(&call, &Step::AttemptEnded { attempt, outcome: &lost, took });
    metrics.observe(&call, &Step::Waiting { after: attempt, verdict: &again });
    let asleep = numbers(&metrics);
    for line in ["mcp_gateway_sleeping_retries 1", "mcp_gateway_calls_in_flight 1"] {
        assert!(asleep.iter().any(|one| one == line), "{line} in {asleep:#?}");
    }
    let attempt = attempt.next();
    metrics.observe(&call, &Step::AttemptStarted(attempt));
    metrics.observe(&call, &Step::AttemptEnded { attempt, outcome: &lost, took });
    let stop = Stop::Ceiling(again);
    metrics.observe(&call, &Step::Finished { attempts: attempt, stop: &stop, took });
    let ended = numbers(&metrics);
    for line in [
        r#"mcp_gateway_calls_total{upstream="up",hook="tool_post_invoke",end="ceiling"} 1"#,
        r#"mcp_gateway_attempts_total{upstream="up",hook="tool_post_invoke",retry="false",outcome="not_sent"} 1"#,
        r#"mcp_gateway_attempts_total{upstream="up",hook="tool_post_invoke",retry="true",outcome="not_sent"} 1"#,
        r#"mcp_gateway_decisions_total{retry="true",reason="transport_failed"} 2"#,
        "mcp_gateway_attempt_duration_seconds_count 2",
        r#"mcp_gateway_attempt_duration_seconds_bucket{le="0.004"} 2"#,
        "mcp_gateway_sleeping_retries 0",
        "mcp_gateway_calls_in_flight 0",
    ] {
        assert!(ended.iter().any(|one| one == line), "{line} in {ended:#?}");
    }
}

#[test]
fn a_call_that_is_cancelled_in_its_sleep_sleeps_no_more() {
    let metrics = Metrics::new();
    let (call, attempts) = (call(), Attempt::FIRST);
    metrics.observe(&call, &Step::AttemptStarted(attempts));
    let again = verdict(5, Reason::ToolError);
    metrics.observe(&call, &Step::Waiting { after: attempts, verdict: &again });
    let took = Duration::ZERO;
    metrics.observe(&call, &Step::Finished { attempts, stop: &Stop::Cancelled, took });
    assert!(numbers(&metrics).contains(&"mcp_gateway_sleeping_retries 0".to_owned()));
}

#[test]
fn a_plugins_time_and_its_failures_are_counted_by_kind() {
    struct Broken;
    impl RetryHook for Broken {
        fn judge(
            &self,
            _: Hook,
            _: Invocation<'_>,
            _: &Outcome,
            _: Background,
        ) -> Result<Verdict, HookFailure> {
            Err(HookFailure::Broke(Breakage::Trapped("on purpose".to_owned())))
        }
        fn retries(
            &self,
            _: Hook,
            _: &str,
            _: &Arc<CallContext>,
        ) -> Result<MostRetries, HookFailure> {
            Ok(MostRetries { maybe_executed: 0, not_executed: 0 })
        }
        fn forget(&self, _: Hook, _: &str, _: &str, _: &CallContext) {}
    }
    let metrics = Metrics::new();
    let (name, plugin) = ("mine".to_owned(), Arc::new(Broken));
    let measured = Measured { name, plugin, metrics: metrics.clone() };
    let invocation = Invocation {
        target: "a tool",
        request_id: "id",
        attempt: 1,
        now_ms: 0,
        time_left_ms: None,
        known: Known::empty(),
    };
    let outcome = Outcome::TimedOut;
    measured
        .judge(Hook::ToolPostInvoke, invocation, &outcome, Background::none())
        .expect_err("broken");
    metrics.reloaded(true);
    metrics.plugin_reloaded("mine", false);
    metrics.exported("dropped", 3);
    let numbers = numbers(&metrics);
    for line in [
        r#"mcp_gateway_plugin_failures_total{plugin="mine",kind="trapped"} 1"#,
        r#"mcp_gateway_plugin_duration_seconds_count{plugin="mine"} 1"#,
        r#"mcp_gateway_config_reloads_total{ok="true"} 1"#,
        r#"mcp_gateway_plugin_reloads_total{plugin="mine",ok="false"} 1"#,
        r#"mcp_gateway_spans_total{outcome="dropped"} 3"#,
    ] {
        assert!(numbers.iter().any(|one| one == line), "{line} in {numbers:#?}");
    }
}

/// Takes a token out of the buckets of a tool.
fn withdraw(store: &InProcessBudgets, upstream: Option<&str>, tool: Option<&str>, now: Duration) {
    let of =
        |size| BudgetTerms { size, success: 100, refill_per_minute: 0, floor_per_minute: 1_000 };
    let terms = Terms { target: of(2_000), upstream: Some(of(3_000)) };
    let price = Price { cost: 1_000, terms };
    let Decision::Made(_) = store.withdraw(Account { upstream, tool }, price, now) else {
        unreachable!("it is in this process")
    };
}

#[test]
fn the_level_of_each_retry_budget_is_told_and_how_often_it_refused() {
    let (metrics, store) = (Metrics::new(), Arc::new(InProcessBudgets::default()));
    let mut executor = Executor::default();
    let clock = executor.clock();
    metrics.watch_budgets(store.clone(), Arc::new(clock.clone()));
    for (upstream, tool) in [
        (Some("u"), Some("find")),
        (Some("u"), Some("find")),
        (Some("u"), Some("find")),
        (Some("u"), Some("pay")),
        (Some("u"), Some("other")),
        (None, None),
        (None, Some("t\u{1b}")),
    ] {
        withdraw(&store, upstream, tool, Duration::ZERO);
    }
    let told = |lines: &[&str]| {
        let numbers = numbers(&metrics);
        for line in lines {
            assert!(numbers.iter().any(|one| one == line), "{line} in {numbers:#?}");
        }
    };
    let refused = [
        r#"mcp_gateway_retry_budget_refusals_total{upstream="u",tool="find"} 1"#,
        r#"mcp_gateway_retry_budget_refusals_total{upstream="u",tool=""} 1"#,
    ];
    told(&refused);
    told(&[
        r#"mcp_gateway_retry_budget_tokens{upstream="u",tool="find"} 0.0"#,
        r#"mcp_gateway_retry_budget_tokens{upstream="u",tool="pay"} 1.0"#,
        r#"mcp_gateway_retry_budget_tokens{upstream="u",tool=""} 0.0"#,
        r#"mcp_gateway_retry_budget_tokens{upstream="",tool="(resources)"} 1.0"#,
        r#"mcp_gateway_retry_budget_tokens{upstream="",tool="(others)"} 1.0"#,
    ]);
    // The floor fills them, though nobody asks for anything.
    executor.spawner().spawn(async move { clock.sleep(Duration::from_secs(90)).await });
    executor.run();
    told(&refused);
    told(&[
        r#"mcp_gateway_retry_budget_tokens{upstream="u",tool="find"} 1.5"#,
        r#"mcp_gateway_retry_budget_tokens{upstream="u",tool="pay"} 2.0"#,
        r#"mcp_gateway_retry_budget_tokens{upstream="u",tool=""} 1.5"#,
    ]);
}

#[test]
fn a_flood_of_names_makes_no_flood_of_labels() {
    let (metrics, store) = (Metrics::new(), Arc::new(InProcessBudgets::default()));
    metrics.watch_budgets(store.clone(), Arc::new(Executor::default().clock()));
    for number in 0..5_000 {
        let upstream = (number % 50).to_string();
        for _ in 0..3 {
            withdraw(&store, Some(&upstream), Some(&format!("tool-{number}")), Duration::ZERO);
        }
        if number % 500 == 0 {
            let _ = metrics.text();
        }
    }
    for name in ["retry_budget_tokens", "retry_budget_refusals"] {
        let numbers = numbers(&metrics);
        let labels = numbers.iter().filter(|line| line.contains(name)).count();
        assert!((2..=257).contains(&labels), "{labels} of {name}");
    }
}
