//! Retry budgets.

use host_harness::{
    contract::{HttpError, Invocation, Outcome, Reason},
    gateway::{Background, Hook, RetryHook},
    sandbox::Plugin,
};
use proptest::prelude::*;
use serde_json::json;

use super::{forget, of_upstream, told};
use crate::plugin_under_test::{
    FAILED, OK, invocation, judge_outcome, judge_with, metric, start, start_shards,
};

const THROTTLED: Outcome = Outcome::HttpError(HttpError { status: 429, pushback_ms: None });

fn tokens_left(plugin: &Plugin) -> u64 {
    metric(plugin, "budget.tokens_left")
}

/// Fails the first attempt of so many calls, each forgotten at once; counts those that were to be retried.
fn fail(plugin: &Plugin, tool: &str, calls: u32, outcome: &Outcome) -> u32 {
    let mut retried = 0;
    for call in 0..calls {
        let id = call.to_string();
        let verdict = judge_outcome(plugin, invocation(tool, &id), outcome);
        retried += u32::from(verdict.retry_delay_ms > 0);
        forget(plugin, tool, &id);
    }
    retried
}

fn budget(keys: &str) -> Plugin {
    start(&format!(
        r#"{{"budget": {{"enabled": true, "max_tokens": 10, "refill_per_minute": 0, {keys}}}}}"#
    ))
}

#[test]
fn retries_are_made_while_more_than_half_is_left() {
    let plugin = budget(r#""token_ratio": 0"#);
    // 9, 8, 7 and 6 are more than half of 10; 5 is not.
    assert_eq!(fail(&plugin, "t", 20, &FAILED), 4);
    assert_eq!(tokens_left(&plugin), 0);
    let refused = judge_outcome(&plugin, invocation("t", "x"), &FAILED);
    assert_eq!(told(&refused), (Reason::BudgetExhausted, false));
    assert_eq!(fail(&plugin, "other", 1, &FAILED), 1, "each tool has its own");
}

#[test]
fn throttling_and_timeouts_have_prices_of_their_own() {
    let plugin = budget(r#""failure_cost": 0.5, "throttle_cost": 2, "timeout_cost": 3.5"#);
    for (outcome, left) in [(FAILED, 9), (FAILED, 9), (THROTTLED, 7), (Outcome::TimedOut, 3)] {
        fail(&plugin, "t", 1, &outcome);
        assert_eq!(tokens_left(&plugin), left, "{outcome:?}");
    }
}

#[test]
fn a_success_pays_exactly_its_ratio() {
    let plugin = start(
        r#"{"budget": {"enabled": true, "max_tokens": 1000, "token_ratio": 0.6, "refill_per_minute": 0}}"#,
    );
    fail(&plugin, "t", 400, &FAILED);
    assert_eq!(tokens_left(&plugin), 600);
    for _ in 0..1_000 {
        for _ in 0..10 {
            judge_outcome(&plugin, invocation("t", "ok"), &OK);
        }
        fail(&plugin, "t", 6, &FAILED);
    }
    assert_eq!(tokens_left(&plugin), 600, "10 successes pay for 6 failures, for ever");
}

#[test]
fn the_tools_of_an_upstream_share_a_bucket_unless_an_override_says_otherwise() {
    let plugin = start(
        r#"{"budget": {"enabled": true, "max_tokens": 10, "token_ratio": 0},
            "tool_overrides": {"own": {"budget": {"max_tokens": 4}}}}"#,
    );
    let fails = |tool: &str, upstream: Option<&str>| {
        let background = upstream.map_or_else(Background::none, of_upstream);
        let verdict = judge_with(&plugin, invocation(tool, "1"), &FAILED, background);
        forget(&plugin, tool, "1");
        verdict.retry_delay_ms > 0
    };
    for tool in ["a", "b", "c", "d"] {
        assert!(fails(tool, Some("u")));
    }
    assert!(!fails("e", Some("u")), "five failures of one upstream");
    assert!(fails("e", Some("v")), "another upstream");
    assert!(fails("e", None), "a tool of no upstream");
    assert!(fails("own", Some("u")), "a bucket of its own");
    assert!(!fails("own", Some("u")), "and of its own size");
}

#[test]
fn the_tools_of_an_upstream_share_one_bucket_however_many_instances_there_are() {
    let config = r#"{"budget": {"enabled": true, "max_tokens": 20, "token_ratio": 0}}"#;
    let plugin = start_shards(config, 8);
    let mut retried = 0;
    for tool in 0..40 {
        let tool = tool.to_string();
        let background = of_upstream("u");
        let context = background.context.clone();
        let verdict = judge_with(&plugin, invocation(&tool, "1"), &FAILED, background);
        retried += u32::from(verdict.retry_delay_ms > 0);
        plugin.forget(Hook::ToolPostInvoke, &tool, "1", &context);
    }
    assert_eq!(retried, 9, "19 to 11 tokens are more than half of 20");
    assert_eq!((metric(&plugin, "budget.buckets"), metric(&plugin, "calls.tracked")), (1, 0));
}

#[test]
fn a_sleeping_retry_counts_as_spent_until_it_is_known_how_it_went() {
    let plugin = budget(r#""token_ratio": 0"#);
    let ask = |id: &str, outcome: &Outcome| {
        judge_outcome(&plugin, invocation("t", id), outcome).retry_delay_ms > 0
    };
    // Each failure costs one, and each sleeper holds one more: 9 - 1, 7 - 1, then 5.
    assert!(ask("a", &FAILED) && ask("b", &FAILED) && !ask("c", &FAILED));
    assert_eq!(tokens_left(&plugin), 5);
    // One is cancelled: what it held comes back, what its failure cost does not.
    forget(&plugin, "t", "a");
    assert_eq!(tokens_left(&plugin), 6);
    // The other one recovers: the same.
    ask("b", &OK);
    assert_eq!(tokens_left(&plugin), 7);
    assert!(ask("d", &FAILED));
}

#[test]
fn time_refills_what_is_spent_and_no_more() {
    let plugin = start(
        r#"{"budget": {"enabled": true, "max_tokens": 10, "token_ratio": 0, "refill_per_minute": 2}}"#,
    );
    fail(&plugin, "t", 20, &FAILED);
    let at = |now_ms| {
        let call = Invocation { now_ms, ..invocation("t", "late") };
        let verdict = judge_outcome(&plugin, call, &FAILED);
        forget(&plugin, "t", "late");
        verdict.retry_delay_ms > 0
    };
    assert!(!at(179_999), "not quite 6, less one for this failure");
    // Full, whatever the years: 9 are left after the failure, then 8, 7, 6.
    let years = 1_000_000_000_000;
    assert_eq!((0..6).map(|_| at(years)).filter(|retried| *retried).count(), 4);
}

/// One step of the property below.
#[derive(Debug, Clone)]
enum Step {
    Succeed,
    Fail(Kind),
    /// A sleeping call is heard of again.
    WakeAndFail(prop::sample::Index, Kind),
    WakeAndSucceed(prop::sample::Index),
    Cancel(prop::sample::Index),
    Pass(u64),
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Fast,
    Throttled,
    TimedOut,
}

fn any_step() -> impl Strategy<Value = Step> {
    let kind = || prop::sample::select(vec![Kind::Fast, Kind::Throttled, Kind::TimedOut]);
    let index = any::<prop::sample::Index>;
    prop_oneof![
        2 => Just(Step::Succeed),
        4 => kind().prop_map(Step::Fail),
        3 => (index(), kind()).prop_map(|(which, kind)| Step::WakeAndFail(which, kind)),
        1 => index().prop_map(Step::WakeAndSucceed),
        2 => index().prop_map(Step::Cancel),
        // All together less than the TTL, after which a sleeper is given up.
        1 => (0..1_900_u64).prop_map(Step::Pass),
    ]
}

/// In thousandths, as plainly as it can be written.
struct Model {
    size: u64,
    left: u64,
    refill: u64,
    refilled: Option<u64>,
    fraction: u64,
}

impl Model {
    fn update(&mut self, now: u64) {
        // A bucket begins, full, when its first call is heard of.
        let since = self.refilled.unwrap_or(now);
        let brought = (now - since) * self.refill + self.fraction;
        (self.refilled, self.fraction) = (Some(now), brought % 60_000);
        self.put_in(brought / 60_000);
    }

    fn put_in(&mut self, tokens: u64) {
        self.left = (self.left + tokens).min(self.size);
    }

    fn take(&mut self, tokens: u64) -> u64 {
        let taken = tokens.min(self.left);
        self.left -= taken;
        taken
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    /// Never below zero, never above its size, exact in every step, and nothing
    /// leaks, however calls end.
    #[test]
    fn a_budget_is_the_sum_of_what_happened(
        size in 1..30_u64, costs in prop::array::uniform3(0..5_000_u64), ratio in 0..2_000_u64,
        refill in 0..20_000_u64, steps in prop::collection::vec(any_step(), 1..150),
    ) {
        let decimal = |thousandths: u64| thousandths as f64 / 1_000.0;
        let plugin = start(&json!({ "max_retries": 10, "budget": {
            "enabled": true, "max_tokens": size, "token_ratio": decimal(ratio),
            "failure_cost": decimal(costs[0]), "throttle_cost": decimal(costs[1]),
            "timeout_cost": decimal(costs[2]), "refill_per_minute": decimal(refill),
        }}).to_string());
        let full = size * 1_000;
        let mut model = Model { size: full, left: full, refill, refilled: None, fraction: 0 };
        // Sleeping calls: their id, what they hold, and how often they failed.
        let mut asleep: Vec<(u32, u64, u32)> = Vec::new();
        let (mut now, mut next_id) = (0, 0);
        for step in steps {
            let woken = |which: &prop::sample::Index, asleep: &mut Vec<(u32, u64, u32)>| {
                (!asleep.is_empty()).then(|| asleep.swap_remove(which.index(asleep.len())))
            };
            let heard = |id: u32, outcome: &Outcome| {
                let id = id.to_string();
                judge_outcome(&plugin, Invocation { now_ms: now, ..invocation("t", &id) }, outcome)
            };
            let (id, held, failures, kind) = match &step {
                Step::Pass(time) => {
                    now += time;
                    continue;
                }
                Step::Succeed => {
                    heard(u32::MAX, &OK);
                    model.update(now);
                    model.put_in(ratio);
                    continue;
                }
                Step::WakeAndSucceed(which) => {
                    let Some((id, held, _)) = woken(which, &mut asleep) else { continue };
                    heard(id, &OK);
                    model.update(now);
                    model.put_in(held);
                    model.put_in(ratio);
                    continue;
                }
                Step::Cancel(which) => {
                    let Some((id, held, _)) = woken(which, &mut asleep) else { continue };
                    forget(&plugin, "t", &id.to_string());
                    model.put_in(held);
                    continue;
                }
                Step::Fail(kind) => {
                    next_id += 1;
                    (next_id, 0, 1, *kind)
                }
                Step::WakeAndFail(which, kind) => {
                    let Some((id, held, failures)) = woken(which, &mut asleep) else { continue };
                    (id, held, failures + 1, *kind)
                }
            };
            let outcome = match kind {
                Kind::Fast => FAILED,
                Kind::Throttled => THROTTLED,
                Kind::TimedOut => Outcome::TimedOut,
            };
            let verdict = heard(id, &outcome);
            model.update(now);
            model.put_in(held);
            model.take(costs[kind as usize]);
            let reason = if failures > 10 {
                Reason::RetriesExhausted
            } else if model.left <= full / 2 {
                Reason::BudgetExhausted
            } else {
                asleep.push((id, model.take(costs[0]), failures));
                verdict.reason
            };
            prop_assert_eq!(told(&verdict), (reason, asleep.last().is_some_and(|last| last.0 == id)));
            prop_assert_eq!(tokens_left(&plugin), model.left / 1_000);
        }
        for (id, held, _) in asleep {
            forget(&plugin, "t", &id.to_string());
            model.put_in(held);
        }
        prop_assert_eq!(metric(&plugin, "calls.tracked"), 0);
        if metric(&plugin, "budget.buckets") > 0 {
            prop_assert_eq!(tokens_left(&plugin), model.left / 1_000);
        }
    }
}
