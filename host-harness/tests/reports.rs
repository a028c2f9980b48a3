//! `simulate`, `bench` and `advise`, as a person at a terminal meets them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_host-harness");

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).stdin(Stdio::null()).output().expect("the program starts")
}

/// What it prints when all is well.
fn told(arguments: &[&str]) -> String {
    let output = run(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.is_empty(), "no progress where nobody looks: {stderr}");
    String::from_utf8(output.stdout).expect("text")
}

/// What it says when it fails: exactly one line.
fn complaint(arguments: &[&str]) -> String {
    let output = run(arguments);
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr.trim_end().to_owned()
}

/// A path of its own for one test.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

#[test]
fn scenarios_are_listed_printed_and_played_from_a_file() {
    let list = told(&["simulate", "--list"]);
    assert!(list.lines().any(|line| line.starts_with("near-capacity ")), "{list}");

    let (scenario, html, json) = (path("mine.yaml"), path("mine.html"), path("mine.json"));
    let printed = told(&["simulate", "flapping", "--print"]);
    fs::write(&scenario, printed.replace("duration_s: 120", "duration_s: 20")).expect("written");
    let out = told(&["simulate", text(&scenario), "--html", text(&html), "--json", text(&json)]);
    assert!(out.contains("The server comes and goes") && out.contains("▇"), "{out}");
    assert!(fs::read_to_string(&html).expect("a report").starts_with("<!doctype html>"));
    let figures = fs::read_to_string(&json).expect("figures");
    let figures: Value = serde_json::from_str(&figures).expect("JSON");
    assert_eq!(figures["policies"][0]["name"], "none");
}

#[test]
fn a_scenario_that_is_not_there_or_wrong_is_named() {
    let line = complaint(&["simulate", "hurricane"]);
    assert!(
        line.starts_with("error: hurricane: no such scenario; there are near-capacity, "),
        "{line}"
    );

    let wrong = path("wrong.yaml");
    fs::write(&wrong, "title: x\nduration_s: 10\nloads: []\n").expect("written");
    let line = complaint(&["simulate", text(&wrong)]);
    assert!(line.starts_with(&format!("error: {}:3:", text(&wrong))), "{line}");
    assert!(line.contains("loads") && line.contains("load"), "{line}");
}

#[test]
fn the_demo_is_also_written_as_a_page() {
    let html = path("demo.html");
    let out = told(&["demo", "--html", text(&html)]);
    assert!(out.contains("9 of 9 calls went as they should"), "{out}");
    let page = fs::read_to_string(&html).expect("a page");
    // As many attempts as the demo's script has: 1 + 3 + 2 + 2 + 2 + 4 + 1 + 1 + 1.
    assert_eq!(page.matches("class=\"bad\" style").count(), 12);
    assert_eq!(page.matches("class=\"ok\" style").count(), 5);
    assert_eq!(page.matches("<small>✓").count(), 9);
}

#[test]
fn the_bench_writes_figures_and_compares_them_with_an_earlier_run() {
    let (old, new) = (path("old.json"), path("new.json"));
    // As if a live call had taken a byte of memory then, and another case been measured.
    let figure = |name| json!({ "name": name, "unit": "bytes", "median": 1, "low": 1, "high": 1, "best": 1 });
    let figures = [figure("memory/each of 2000 live calls"), figure("memory/of the mind")];
    let earlier = json!({ "format": 1, "version": "0.0.9", "optimized": true, "quick": true,
        "cores": 1024, "peer": "", "figures": figures });
    fs::write(&old, earlier.to_string()).expect("written");
    let arguments =
        ["bench", "--quick", "--no-peer", "--json", text(&new), "--compare", text(&old)];
    let out = told(&arguments);
    assert!(out.contains("against the earlier run (version 0.0.9)"), "{out}");
    assert!(out.contains("of different numbers of cores"), "{out}");
    let line = |start: &str| out.lines().rfind(|line| line.starts_with(start)).expect("a line");
    assert!(line("memory/each of 2000 live calls").ends_with("LARGER"), "{out}");
    assert!(line("memory/of the mind").ends_with("gone"), "{out}");
    assert!(line("native/isError").ends_with("new"), "{out}");

    let figures = fs::read_to_string(&new).expect("figures");
    let run: Value = serde_json::from_str(&figures).expect("JSON");
    assert_eq!(run["peer"], "left out (--no-peer)");
    let figures = run["figures"].as_array().expect("a list");
    assert!(figures.iter().all(|figure| figure["median"].as_f64() > Some(0.0)), "{figures:?}");

    let line = complaint(&["bench", "--compare", "/nowhere/old.json"]);
    assert!(line.starts_with("error: /nowhere/old.json: cannot be read: "), "{line}");
}

/// Four calls of the flaky server through the proxy, one of which fails twice at first.
fn four_calls(options: &[&str]) {
    use std::io::{BufRead, BufReader, Write};

    let mut proxy = Command::new(PROGRAM)
        .arg("proxy")
        .args(options)
        .args(["--", PROGRAM, "flaky-server"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut input = proxy.stdin.take().expect("a pipe");
    let mut lines = BufReader::new(proxy.stdout.take().expect("a pipe")).lines();
    let mut ask = |message: Value| {
        writeln!(input, "{message}").expect("the proxy reads");
        lines.next().expect("the proxy answers").expect("text")
    };
    let client = json!({ "name": "test", "version": "1" });
    ask(json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client } }));
    for (id, fail_times) in [(1, 0), (2, 2), (3, 0), (4, 0)] {
        let flaky =
            json!({ "key": id.to_string(), "fail_times": fail_times, "mode": "status-503" });
        ask(json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": { "name": "flaky", "arguments": flaky } }));
    }
    drop(input);
    assert!(proxy.wait().expect("it ends").success());
}

#[test]
fn advice_is_given_from_what_the_proxy_wrote() {
    let (config, log) = (path("quick-advice.json"), path("calls.jsonl"));
    fs::write(&config, r#"{"backoff_base_ms": 1, "max_backoff_ms": 2}"#).expect("written");
    // What a process that was killed has left behind.
    fs::write(&log, r#"{"at_ms":17,"tool":"fla"#).expect("written");
    four_calls(&["--distrust", "--config", text(&config), "--trace", text(&log)]);

    let written = fs::read_to_string(&log).expect("a log");
    assert_eq!(written.lines().count(), 5, "{written}");
    assert!(!written.contains("fail_times"), "arguments are nobody's business: {written}");
    let output = run(&["advise", "--from", text(&log)]);
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert!(stderr.contains("calls.jsonl:1: this line was not written to its end"), "{stderr}");
    let (_, whole) = written.split_once('\n').expect("lines");
    fs::write(&log, whole).expect("written");

    let advice = told(&["advise", "--from", text(&log)]);
    assert_eq!(advice.as_bytes(), output.stdout, "the line that was cut off says nothing");
    assert!(advice.contains("4 calls"), "{advice}");
    assert!(advice.contains("1 of 2 retries succeeded: 50 % (9 to 91 %)"), "{advice}");
    assert!(advice.contains("that is your decision"), "{advice}");
    assert!(advice.contains("--idempotent flaky"), "{advice}");
    let advice = told(&["advise", "--from", text(&log), "--idempotent", "flaky"]);
    assert!(advice.contains(r#""idempotent": true"#), "{advice}");
    let advice = told(&["advise", "--from", text(&log), "--json"]);
    let advice: Value = serde_json::from_str(&advice).expect("JSON");
    assert_eq!(advice["calls"], 4);
    assert_eq!(advice["cut_off"], json!([]));
    assert_eq!(advice["retries"][0]["recovered"], 1);
    assert_eq!(advice["retries"][0]["class"], "transient");
    assert_eq!(advice["logged"]["peak"], Value::Null, "four calls have no peak");
    assert_eq!(advice["marks"][0]["tool"], "flaky");

    let line = complaint(&["advise", "--from", "/nowhere/calls.jsonl"]);
    assert!(line.starts_with("error: /nowhere/calls.jsonl: cannot be read: "), "{line}");
}

#[test]
fn advice_promises_nothing_where_nothing_was_retried() {
    let log = path("errors.jsonl");
    let line = |number: u32| {
        let failed = number % 20 < 3;
        json!({ "at_ms": number * 500, "tool": "create_issue", "upstream": null, "attempts": [{
            "after_ms": 0, "took_ms": 20,
            "outcome": { "returned": { "is_error": failed, "structured": null } } }] })
        .to_string()
    };
    fs::write(&log, (0..2_000).map(line).collect::<Vec<_>>().join("\n")).expect("written");
    let advice = told(&["advise", "--from", text(&log)]);
    assert!(advice.contains("This log holds no retries"), "{advice}");
    assert!(!advice.contains("It saves") && !advice.contains("--idempotent create"), "{advice}");
    let advice = told(&["advise", "--from", text(&log), "--json"]);
    let advice: Value = serde_json::from_str(&advice).expect("JSON");
    assert_eq!(advice["recommended"]["saved"], Value::Null);
    assert_eq!((&advice["marks"], &advice["retries"]), (&json!([]), &json!([])));
    assert!(advice["note"].as_str().expect("a note").starts_with("This log holds no retries"));
}

#[test]
fn a_log_is_gone_on_with_and_set_aside_when_it_is_full() {
    let log = path("rotated.jsonl");
    let aside = path("rotated.jsonl.1");
    for old in [&log, &aside] {
        fs::remove_file(old).ok();
    }
    four_calls(&["--trace", text(&log)]);
    four_calls(&["--trace", text(&log)]);
    let advice = told(&["advise", "--from", text(&log), "--json"]);
    let advice: Value = serde_json::from_str(&advice).expect("JSON");
    assert_eq!(advice["calls"], 8);

    let size = fs::metadata(&log).expect("a log").len().to_string();
    four_calls(&["--trace", text(&log), "--trace-max-bytes", &size, "--trace-files", "2"]);
    let lines = |file| fs::read_to_string(file).expect("a log").lines().count();
    assert_eq!((lines(&aside), lines(&log)), (8, 4));
    let advice = told(&["advise", "--from", text(&aside), "--from", text(&log), "--json"]);
    let advice: Value = serde_json::from_str(&advice).expect("JSON");
    assert_eq!(advice["calls"], 12);
}
