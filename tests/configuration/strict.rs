//! A configuration is checked whole when it is loaded, and every problem is named.

use host_harness::sandbox::StartError;

use crate::plugin_under_test::{issues, try_start};

fn told(config: &str) -> Vec<(String, String)> {
    issues(config).into_iter().map(|issue| (issue.path, issue.message)).collect()
}

#[test]
fn every_problem_is_told_at_once_with_its_path_and_what_would_be_right() {
    let mut told = told(
        r#"{
            "max_retries": "3",
            "backoff_base_ms": 0,
            "retry_on_status": [500, "502", 503.0],
            "jitter": 1,
            "maxRetries": 3,
            "tool_overrides": {
                "search": {"max_retries": 11, "tool_overrides": {}},
                "pay \"now\"": {"check_text_content": null},
                "list": []
            }
        }"#,
    );
    told.sort();
    let expected = [
        ("backoff_base_ms", "must be an integer from 1 to 3600000, not 0"),
        (
            "jitter",
            "must be true, false or one of \"none\", \"full\", \"equal\", \"decorrelated\", not 1",
        ),
        ("maxRetries", "unknown key; did you mean `max_retries`?"),
        ("max_retries", r#"must be an integer from 0 to 10, not "3""#),
        (
            "retry_on_status[1]",
            r#"must be a status code (32 bits), a range like "500..599" (within 0 and 999) or a class like "5xx", not "502""#,
        ),
        (
            "retry_on_status[2]",
            r#"must be a status code (32 bits), a range like "500..599" (within 0 and 999) or a class like "5xx", not 503.0"#,
        ),
        (r#"tool_overrides["list"]"#, "must be an object of policy keys, not []"),
        (r#"tool_overrides["pay \"now\""].check_text_content"#, "must be true or false, not null"),
        (r#"tool_overrides["search"].max_retries"#, "must be an integer from 0 to 10, not 11"),
        (
            r#"tool_overrides["search"].tool_overrides"#,
            "unknown key; allowed here are: max_retries, backoff_base_ms, max_backoff_ms, \
             backoff_multiplier, jitter, retry_on_status, status_pointers, retry_on_rpc_codes, \
             check_text_content, signals, retry_unclassified, replay_safety, idempotent, pushback, budget, deadline_fit, \
             nested_retries, shadow",
        ),
    ];
    assert_eq!(told, expected.map(|(path, message)| (path.to_owned(), message.to_owned())));
}

#[test]
fn a_base_above_its_cap_is_told_at_the_key_that_was_written() {
    for (config, path, message) in [
        (
            r#"{"backoff_base_ms": 6000}"#,
            "backoff_base_ms",
            "must be at most max_backoff_ms, which is 5000, not 6000",
        ),
        (
            r#"{"max_backoff_ms": 100}"#,
            "max_backoff_ms",
            "must be at least backoff_base_ms, which is 200, not 100",
        ),
        (
            r#"{"backoff_base_ms": 300, "tool_overrides": {"t": {"max_backoff_ms": 299}}}"#,
            r#"tool_overrides["t"].max_backoff_ms"#,
            "must be at least backoff_base_ms, which is 300, not 299",
        ),
    ] {
        assert_eq!(told(config), [(path.to_owned(), message.to_owned())]);
    }
}

#[test]
fn what_is_no_object_is_refused_as_a_whole() {
    for (config, message) in [
        ("[]", "a configuration must be an object or null, not []"),
        ("3", "a configuration must be an object or null, not 3"),
    ] {
        assert_eq!(told(config), [(String::new(), message.to_owned())]);
    }
    for config in ["", "{", "{\"jitter\": tru}", "{} x"] {
        let told = told(config);
        assert_eq!(told.len(), 1);
        assert!(told[0].1.starts_with("not JSON: "), "{told:?}");
    }
}

#[test]
fn issues_reach_a_terminal_without_control_characters() {
    let told = told("{\"\\u001b[31mred\": 1}");
    assert!(
        told.iter().all(|(path, message)| !path.contains('\u{1b}') && !message.contains('\u{1b}'))
    );
}

#[test]
fn all_issues_stand_in_the_error_a_line_each() {
    let Err(error @ StartError::Config(_)) = try_start(r#"{"jitter": 1, "max_retries": -1}"#, 3)
    else {
        panic!("refused");
    };
    assert_eq!(
        error.to_string(),
        "max_retries: must be an integer from 0 to 10, not -1\njitter: must be true, false or one of \"none\", \"full\", \"equal\", \"decorrelated\", not 1"
    );
}

#[test]
fn of_thousands_of_problems_the_first_are_listed_and_the_rest_is_counted() {
    for (count, more) in [(21, "and 1 more problem"), (3_000, "and 2980 more problems")] {
        let unknown: Vec<_> = (0..count).map(|n| format!("\"max_retrie{n}\": {n}")).collect();
        let told = told(&format!("{{{}}}", unknown.join(",")));
        assert_eq!(told.len(), 21);
        assert_eq!(told[0].1, "unknown key; did you mean `max_retries`?");
        assert_eq!(told[20], (String::new(), more.to_owned()));
    }
    // Twenty are few enough.
    let unknown: Vec<_> = (0..20).map(|n| format!("\"k{n}\": {n}")).collect();
    assert_eq!(told(&format!("{{{}}}", unknown.join(","))).len(), 20);
}

#[test]
fn thousands_of_wrong_values_below_overrides_get_an_answer_as_well() {
    let tools: Vec<_> = (0..5_000)
        .map(|n| {
            format!(r#""tool-{n}": {{"max_retries": -1, "jiter": true, "budget": {{"x": 1}}}}"#)
        })
        .collect();
    let told = told(&format!(r#"{{"tool_overrides": {{{}}}}}"#, tools.join(",")));
    assert_eq!((told.len(), &*told[20].1), (21, "and 14980 more problems"));
}

#[test]
fn a_name_that_comes_a_hundred_thousand_times_is_read_in_linear_time() {
    let repeated = r#""max_retries": -1,"#.repeat(100_000);
    let told = told(&format!("{{{repeated} \"max_retries\": 11}}"));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].1, "must be an integer from 0 to 10, not 11");
}
