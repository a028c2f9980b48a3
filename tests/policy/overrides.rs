//! Which policy a tool has.

use host_harness::{gateway::CallContext, sandbox::Plugin};

use super::around;
use crate::plugin_under_test::{FAILED, invocation, issues, judge_outcome, judge_with, start};

/// How often a call of this tool is retried.
fn retries(plugin: &Plugin, tool: &str) -> usize {
    (0..12)
        .take_while(|_| judge_outcome(plugin, invocation(tool, "1"), &FAILED).retry_delay_ms > 0)
        .count()
}

const CONFIG: &str = r#"{
    "max_retries": 1,
    "tool_overrides": {
        "*": {"max_retries": 2},
        "db_*": {"max_retries": 3},
        "db_read_*": {"max_retries": 4},
        "*_read_*": {"max_retries": 5},
        "db_read_?": {"max_retries": 6},
        "db_read_all": {"max_retries": 7},
        "literal.*[a]": {"max_retries": 8}
    }
}"#;

#[test]
fn the_exact_name_wins_then_the_most_specific_pattern() {
    let plugin = start(CONFIG);
    for (tool, expected) in [
        ("db_read_all", 7),
        ("db_read_many", 4),
        ("db_read_x", 6),
        ("fs_read_x", 5),
        ("db_write", 3),
        ("other", 2),
        ("", 2),
        ("literal.xyz[a]", 8),
        ("literal.xyza", 2),
    ] {
        // Twice: found, then remembered.
        assert_eq!(
            (retries(&plugin, tool), retries(&plugin, tool)),
            (expected, expected),
            "{tool}"
        );
    }
}

#[test]
fn an_override_may_change_any_part_of_the_policy_and_only_that_part() {
    let plugin = start(
        r#"{"jitter": "none", "budget": {"enabled": true, "max_tokens": 100},
            "tool_overrides": {"t*": {"backoff_base_ms": 7, "budget": {"enabled": false}}}}"#,
    );
    let delay =
        |tool: &str, id: &str| judge_outcome(&plugin, invocation(tool, id), &FAILED).retry_delay_ms;
    assert_eq!((delay("t1", "1"), delay("t1", "1"), delay("u", "1")), (7, 14, 200));
    let cost = |tool: &str| judge_outcome(&plugin, invocation(tool, "x"), &FAILED).cost;
    assert_eq!((cost("t2"), cost("u")), (0, 1_000), "no budget, and a budget");
}

#[test]
fn more_tools_than_are_remembered_have_the_right_policy_all_the_same() {
    let plugin = start(CONFIG);
    for round in 0..2 {
        for tool in 0..2_000 {
            let (name, expected) = match tool % 3 {
                0 => (format!("db_{tool}"), 3),
                1 => (format!("db_read_{tool}_"), 4),
                _ => (format!("{tool}"), 2),
            };
            assert_eq!(retries(&plugin, &name), expected, "{name} in round {round}");
        }
    }
}

#[test]
fn a_wrong_override_is_named_down_to_its_last_key() {
    let issues = issues(
        r#"{"tool_overrides": {"pay_*": {"budget": {"max_token": 3, "token_ratio": 0.0001}}}}"#,
    );
    let told: Vec<_> =
        issues.iter().map(|issue| (issue.path.as_str(), issue.message.as_str())).collect();
    assert_eq!(
        told,
        [
            (
                r#"tool_overrides["pay_*"].budget.max_token"#,
                "unknown key; did you mean `max_tokens`?"
            ),
            (
                r#"tool_overrides["pay_*"].budget.token_ratio"#,
                "must be a number from 0 to 10 with at most three digits after the point, not 0.0001"
            ),
        ]
    );
}

/// How often a call of this tool of this upstream is retried.
fn retries_of(plugin: &Plugin, upstream: &str, tool: &str) -> usize {
    let retried = (0..12).take_while(|_| {
        let context = CallContext { upstream: Some(upstream.to_owned()), ..CallContext::default() };
        judge_with(plugin, invocation(tool, "1"), &FAILED, around(context)).retry_delay_ms > 0
    });
    retried.count()
}

#[test]
fn an_override_may_name_an_upstream_before_its_tool() {
    let plugin = start(
        r#"{"max_retries": 1, "tool_overrides": {
            "search": {"max_retries": 2},
            "*/list_*": {"max_retries": 3},
            "github/*": {"max_retries": 4},
            "github/search": {"max_retries": 5},
            "git*": {"max_retries": 6}
        }}"#,
    );
    for (upstream, tool, expected) in [
        ("github", "search", 5),
        ("gitlab", "search", 2),
        ("github", "other", 4),
        ("gitlab", "other", 1),
        ("gitlab", "list_issues", 3),
        // A pattern without a slash speaks of tools alone.
        ("gitlab", "git_log", 6),
        ("gitlab", "x/search", 1),
    ] {
        // Twice: searched for, then remembered.
        for _ in 0..2 {
            assert_eq!(retries_of(&plugin, upstream, tool), expected, "{upstream}/{tool}");
        }
    }
    // Without a name only what speaks of tools applies; and a tool may have a slash in its own.
    assert_eq!((retries(&plugin, "search"), retries(&plugin, "other")), (2, 1));
    assert_eq!(retries(&plugin, "github/search"), 5);
}

#[test]
fn a_name_inherits_from_the_most_specific_pattern_that_covers_it() {
    let plugin = start(
        r#"{"profile": "safe", "retry_unclassified": true, "tool_overrides": {
            "pay_now": {"idempotent": false},
            "get_user": {"max_retries": 1},
            "get_*": {"idempotent": true, "max_retries": 2},
            "*": {"max_retries": 4},
            "crm/get_user": {"backoff_base_ms": 1},
            "crm/*": {"idempotent": true, "max_retries": 5},
            "crm/put": {"backoff_base_ms": 1}
        }}"#,
    );
    // Marked by the pattern, bounded by itself.
    assert_eq!(retries_of(&plugin, "a", "get_user"), 1);
    assert_eq!(retries_of(&plugin, "a", "get_team"), 2);
    assert_eq!(retries_of(&plugin, "a", "pay_now"), 0);
    // An upstream's tool inherits from the tool, and that from its pattern.
    assert_eq!(retries_of(&plugin, "crm", "get_user"), 1);
    assert_eq!(retries_of(&plugin, "crm", "put"), 5);
    assert_eq!(retries_of(&plugin, "a", "put"), 0, "nobody marked it");
}
