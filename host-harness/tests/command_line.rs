//! The built program, as a person at a terminal meets it.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_host-harness");

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM)
        .args(arguments)
        .stdin(Stdio::null())
        .env("RUST_BACKTRACE", "1")
        .output()
        .expect("the program starts")
}

/// What it says when it fails: exactly one line, no backtrace, exit code 1.
fn complaint(arguments: &[&str]) -> String {
    let output = run(arguments);
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(output.stdout.is_empty(), "stdout belongs to the protocol");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr.trim_end().to_owned()
}

/// A file of its own for one test.
fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).expect("a place to write");
    path
}

fn plugin_complaint(name: &str, content: impl AsRef<[u8]>) -> String {
    let path = file(name, content);
    let path = path.to_str().expect("a plain path");
    let line = complaint(&["proxy", "--plugin", path, "--", "true"]);
    line.strip_prefix(&format!("error: {path}: ")).expect("it names the file").to_owned()
}

#[test]
fn a_missing_plugin_is_named() {
    let line = complaint(&["proxy", "--plugin", "/nowhere/p.wasm", "--", "true"]);
    assert!(line.starts_with("error: /nowhere/p.wasm: cannot be read: "), "{line}");
}

#[test]
fn a_file_that_is_no_plugin_is_refused_with_the_reason() {
    let whole = host_harness::bundled::COMPONENT;
    let wat = |text: &str| wat::parse_str(text).expect("valid text");
    let truncated = plugin_complaint("truncated.wasm", &whole[..whole.len() / 2]);
    assert!(truncated.starts_with("not a valid component: "), "{truncated}");
    let text = plugin_complaint("text.wasm", "hello");
    assert!(text.starts_with("not WebAssembly"), "{text}");
    let module = plugin_complaint("module.wasm", wat("(module)"));
    assert!(module.starts_with("a core WebAssembly module, not a component"), "{module}");
    let import = wat(r#"(component (import "wasi:filesystem/types@0.2.6" (instance)))"#);
    let import = plugin_complaint("import.wasm", import);
    assert!(import.starts_with("it imports `wasi:filesystem/types@0.2.6`"), "{import}");
    let export = plugin_complaint("export.wasm", wat("(component)"));
    assert!(export.starts_with("it does not fit the contract"), "{export}");
}

#[test]
fn a_malformed_configuration_is_named_with_line_and_column() {
    let path = file("malformed.json", "{\n  \"jitter\": maybe\n}\n");
    let path = path.to_str().expect("a plain path");
    let line = complaint(&["proxy", "--config", path, "--", "true"]);
    assert_eq!(line, format!("error: {path}:2:13: expected value"));
}

#[test]
fn a_wrong_configuration_is_named_with_the_key_and_what_would_be_right() {
    let path = file("wrong.json", r#"{"maxRetries": 3}"#);
    let path = path.to_str().expect("a plain path");
    let line = complaint(&["proxy", "--config", path, "--", "true"]);
    let told = "unknown key; did you mean `max_retries`?";
    assert_eq!(line, format!("error: {path}: maxRetries: {told}"));
}

#[test]
fn a_server_that_cannot_be_started_is_named() {
    let line = complaint(&["proxy", "--", "/nowhere/server", "--flag"]);
    assert!(line.contains("/nowhere/server") && line.contains("No such file"), "{line}");
}

#[test]
fn a_proxy_without_a_server_is_a_usage_error() {
    assert_eq!(run(&["proxy"]).status.code(), Some(2));
}

#[test]
fn the_demo_goes_as_it_should() {
    let output = run(&["demo"]);
    let stdout = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{stdout}");
    assert!(stdout.contains("9 of 9 calls went as they should"), "{stdout}");
}

#[test]
fn a_client_of_the_proxy_sees_one_call_where_the_server_saw_three() {
    let config = file("quick.json", r#"{"backoff_base_ms": 1, "max_backoff_ms": 2}"#);
    let mut proxy = Command::new(PROGRAM)
        .args(["proxy", "--config"])
        .arg(config)
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
        let line = lines.next().expect("the proxy answers").expect("text");
        serde_json::from_str::<Value>(&line).expect("JSON")
    };
    let client = json!({ "name": "test", "version": "1" });
    let hello = ask(json!({ "jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client } }));
    assert_eq!(hello["id"], "hello");
    let flaky = json!({ "key": "k", "fail_times": 2, "mode": "isError" });
    let answer = ask(json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call",
        "params": { "name": "flaky", "arguments": flaky } }));
    assert_eq!(answer["id"], 7);
    assert_eq!(answer["result"]["content"][0]["text"], "flaky recovered after 3 attempt(s)");
    drop(input);
    assert!(proxy.wait().expect("it ends").success());
}

/// What `proxy` says of these options for a server behind a URL.
fn upstream_complaint(options: &[&str]) -> String {
    let url = ["proxy", "--upstream-url", "http://127.0.0.1:9/mcp"];
    let output = run(&[&url[..], options].concat());
    assert_ne!(output.status.code(), Some(0));
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn headers_of_a_file_are_read_and_a_wrong_line_is_named_without_its_secret() {
    let path = file("headers.txt", "# keys\nX-Good: 1\n\nhunter2\n");
    let path = path.to_str().expect("a plain path");
    let told = upstream_complaint(&["--upstream-header-file", path]);
    let expected =
        format!("error: {path}:4: there is no `:`; a header is written as `Name: value`\n");
    assert_eq!(told, expected);
    let told = upstream_complaint(&["--upstream-header-file", "/dev/zero"]);
    assert!(
        told.contains("/dev/zero: cannot be read: it is a pipe, a socket or a device"),
        "{told}"
    );
}

#[test]
fn a_header_names_a_variable_and_a_missing_one_is_told() {
    let told = upstream_complaint(&["--upstream-header", "Authorization: Bearer ${NO_SUCH_TOKEN}"]);
    assert!(told.contains("there is no variable `NO_SUCH_TOKEN` in the environment"), "{told}");
}

#[test]
fn the_secrets_of_a_url_are_in_no_message() {
    for url in [
        "http://me:hunter2@localhost/mcp?key=hunter2",
        "localhost/mcp?key=hunter2#hunter2",
        "htp:me:hunter2@localhost",
    ] {
        for told in [
            String::from_utf8(run(&["proxy", "--upstream-url", url]).stderr).expect("text"),
            String::from_utf8(run(&["proxy", &format!("--otlp={url}"), "--", "true"]).stderr)
                .expect("text"),
        ] {
            assert!(told.contains("localhost") && !told.contains("hunter2"), "{told}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_that_nobody_writes_to_is_no_configuration_and_nobody_waits_for_it() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("config.pipe");
    let _ = fs::remove_file(&path);
    let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo is everywhere");
    assert!(made.success());
    let place = path.to_str().expect("a plain path");
    let problem = "it is a pipe, a socket or a device; it must be a regular file";
    for arguments in [
        &["proxy", "--config", place, "--", "true"][..],
        &["proxy", "--plugin", place, "--", "true"],
        &["serve", place],
    ] {
        assert_eq!(complaint(arguments), format!("error: {place}: cannot be read: {problem}"));
    }
}

#[test]
fn a_configuration_on_the_command_line_is_refused_as_one_in_a_file_is() {
    for (options, told) in [
        (&["--config", "{\"max_retries\": }"][..], "--config:1:17: expected value"),
        (
            &["--config", r#"{"maxRetries": 1}"#],
            "--config: maxRetries: unknown key; did you mean `max_retries`?",
        ),
        (
            &["--config", r#"{"tool_overrides":{"a":{"idempotent":false}}}"#, "--idempotent", "a"],
            "--idempotent a: tool_overrides[\"a\"].idempotent is false; leave out one of the two \
             (--config)",
        ),
        (
            &["--no-plugin", "--idempotent", "a"],
            "with `--no-plugin` nothing is retried: leave out `--profile` and `--idempotent`",
        ),
    ] {
        let arguments = [&["proxy"], options, &["--", "true"]].concat();
        assert_eq!(complaint(&arguments), format!("error: {told}"));
    }
    let told = complaint(&["proxy", "--profile", "save", "--", "true"]);
    assert!(told.contains("profile: must be one of") && told.contains("\"safe\""), "{told}");
}

/// What `explain` says of the flaky server, as JSON, by tool.
fn explained(options: &[&str]) -> Value {
    let arguments = [&["explain", "--json"], options, &["--", PROGRAM, "flaky-server"]].concat();
    let output = run(&arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn of_tool(explained: &Value, tool: &str) -> (String, String, String) {
    let tools = explained["tools"].as_array().expect("tools");
    let one = tools.iter().find(|one| one["tool"] == tool).expect("it is listed");
    let text = |key: &str| one[key].as_str().expect("a text").to_owned();
    (text("retried"), text("reason"), text("key"))
}

#[test]
fn explain_says_of_each_tool_what_is_retried_and_what_changes_that() {
    let row = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
    let shipped = explained(&[]);
    assert_eq!(of_tool(&shipped, "flaky"), row("any_transient", "transport_failed", "idempotent"));
    assert_eq!(of_tool(&shipped, "send"), row("not_executed", "hints_silent", "idempotent"));
    assert_eq!(shipped["summary"], json!({ "any_transient": 1, "not_executed": 3, "never": 0 }));

    let distrusted = explained(&["--distrust", "--idempotent", "e*"]);
    assert_eq!(of_tool(&distrusted, "flaky"), row("not_executed", "hints_not_trusted", "trust"));
    assert_eq!(of_tool(&distrusted, "echo").0, "any_transient");

    let config = r#"{"profile": "safe", "tool_overrides": {"send": {"max_retries": 0},
        "echo": {"replay_safety": "never"}, "flaky": {"shadow": true}}}"#;
    let configured = explained(&["--config", config]);
    assert_eq!(of_tool(&configured, "send").0, "never");
    assert_eq!(of_tool(&configured, "send").2, "max_retries");
    assert_eq!(of_tool(&configured, "echo").2, "replay_safety");
    assert_eq!(explained(&["--max-tool-retries", "0"])["summary"]["never"], 4);
    assert_eq!(explained(&["--profile", "compatible"])["summary"]["any_transient"], 4);
}

#[test]
fn explain_goes_through_all_servers_of_a_gateway_and_names_one_that_does_not_answer() {
    let yaml = format!(
        "upstreams:\n  a: {{ command: [{PROGRAM:?}, flaky-server], trust: false }}\n  b: {{ command: \
         [{PROGRAM:?}, flaky-server] }}\n  c: {{ command: [\"false\"] }}\nplugins:\n  - {{ name: r, \
         kind: retry-with-backoff, config: {{ profile: safe }}, conditions: [{{ tools: [flaky, \
         send] }}] }}\n"
    );
    let path = file("explained.yaml", yaml);
    let path = path.to_str().expect("a plain path");
    let output = run(&["explain", "--json", path]);
    assert_eq!(output.status.code(), Some(1));
    let all: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(of_tool(&all[0], "flaky").2, "trust");
    assert_eq!(of_tool(&all[1], "flaky").0, "any_transient");
    assert_eq!(of_tool(&all[1], "echo").2, "conditions");
    assert!(all[2]["error"].is_string(), "{all:#}");
    let text = String::from_utf8(run(&["explain", path]).stdout).expect("text");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn no_limit_is_zero() {
    for option in ["--attempt-timeout", "--deadline", "--max-wait"] {
        let output = run(&["proxy", option, "0", "--", "true"]);
        let told = String::from_utf8(output.stderr).expect("text");
        assert!(told.contains(option) && told.contains("0 is not in 1.."), "{told}");
    }
    for key in ["max_wait_ms", "max_body_bytes", "max_requests", "max_sessions", "deadline_ms"] {
        let yaml = format!("limits: {{ {key}: 0 }}\nupstreams: {{ a: {{ command: [cat] }} }}\n");
        let path = file(&format!("zero_{key}.yaml"), yaml);
        let told = complaint(&["serve", path.to_str().expect("a plain path")]);
        assert!(told.contains(&format!("limits.{key}: ")) && told.contains("nonzero"), "{told}");
    }
}
