//! The built proxy between a client that is played here and the bundled flaky server.
#![cfg(unix)]

use std::{
    fs,
    io::{BufRead, BufReader, Lines, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_host-harness");

/// A client's session with the proxy.
struct Session {
    proxy: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    log: Lines<BufReader<ChildStderr>>,
    calls: u32,
}

impl Session {
    fn begin(options: &[&str]) -> Self {
        let mut proxy = Command::new(PROGRAM)
            .arg("proxy")
            .args(options)
            .args(["--", PROGRAM, "flaky-server"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let (input, output, log) = (proxy.stdin.take(), proxy.stdout.take(), proxy.stderr.take());
        let mut session = Self {
            proxy,
            input: input.expect("a pipe"),
            output: BufReader::new(output.expect("a pipe")).lines(),
            log: BufReader::new(log.expect("a pipe")).lines(),
            calls: 0,
        };
        let client = json!({ "name": "test", "version": "1" });
        session.ask(
            "initialize",
            json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client }),
        );
        session
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let request =
            json!({ "jsonrpc": "2.0", "id": self.calls, "method": method, "params": params });
        writeln!(self.input, "{request}").expect("the proxy reads");
        let line = self.output.next().expect("the proxy answers").expect("text");
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(answer["id"], self.calls);
        answer
    }

    /// Calls the flaky tool, which fails once and then recovers; the text of the answer.
    fn flaky(&mut self) -> String {
        let arguments =
            json!({ "key": self.calls.to_string(), "fail_times": 1, "mode": "isError" });
        let answer = self.ask("tools/call", json!({ "name": "flaky", "arguments": arguments }));
        answer["result"]["content"][0]["text"].as_str().expect("a text").to_owned()
    }

    fn hang_up(&self) {
        let id = rustix::process::Pid::from_child(&self.proxy);
        rustix::process::kill_process(id, rustix::process::Signal::HUP).expect("it lives");
    }

    /// Reads the log up to a line that says this.
    fn await_log(&mut self, said: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while !lines.last().is_some_and(|line: &String| line.contains(said)) {
            lines.push(self.log.next().expect("it is said at some time").expect("text"));
        }
        lines
    }

    fn end(self) {
        let Self { mut proxy, input, .. } = self;
        drop(input);
        assert!(proxy.wait().expect("it ends").success());
    }
}

/// A file of its own for one test.
fn file(name: &str, content: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).expect("a place to write");
    path
}

const RECOVERED: &str = "flaky recovered after 2 attempt(s)";
const FAILED: &str = "flaky transient failure (attempt 1/1)";

/// Calls a tool that fails once in this way; the text of the answer.
fn once(session: &mut Session, tool: &str) -> String {
    let arguments =
        json!({ "key": format!("{tool}{}", session.calls), "fail_times": 1, "mode": "isError" });
    let answer = session.ask("tools/call", json!({ "name": tool, "arguments": arguments }));
    answer["result"]["content"][0]["text"].as_str().expect("a text").to_owned()
}

#[test]
fn as_shipped_a_tool_is_repeated_that_says_it_may_be_though_nobody_has_asked_for_the_list() {
    let mut session = Session::begin(&[]);
    assert_eq!(session.flaky(), RECOVERED, "it is said to be idempotent");
    assert_eq!(once(&mut session, "send"), FAILED, "it says nothing");
    let told = session.await_log("retried after");
    let line = told.last().expect("a line");
    assert!(
        line.contains(
            "1 of 4 tools is retried after any transient failure, 3 only when the call was \
             surely not executed: see `host-harness explain`"
        ),
        "{line}"
    );
    session.end();
}

#[test]
fn a_command_that_is_distrusted_is_believed_by_no_configuration() {
    let config = r#"{"profile": "safe", "trusted_upstreams": ["fl*"], "backoff_base_ms": 1}"#;
    let mut session = Session::begin(&["--distrust", "--config", config, "--name", "flaky"]);
    session.ask("tools/list", json!({}));
    assert_eq!(session.flaky(), FAILED);
    session.end();
}

#[test]
fn a_call_with_an_idempotency_key_is_repeated_whatever_is_known_of_its_tool() {
    let named = ["--distrust", "--idempotency-key", "nothing", "--idempotency-key", "se*:/key"];
    let mut session = Session::begin(&[named[0], named[3], named[4]]);
    assert_eq!(once(&mut session, "send"), RECOVERED);
    assert_eq!(session.flaky(), FAILED, "it is not one of these tools");
    let keyless = json!({ "key": "", "fail_times": 1, "mode": "isError" });
    let answer = session.ask("tools/call", json!({ "name": "send", "arguments": keyless }));
    assert_eq!(answer["result"]["isError"], true, "an empty key is none: {answer}");
    session.end();

    let forbidden = r#"{"profile": "safe", "tool_overrides": {"send": {"idempotent": false}}}"#;
    let mut session = Session::begin(&["--config", forbidden, "--idempotency-key", "/key"]);
    assert_eq!(once(&mut session, "send"), FAILED, "the operator's mark says more");
    session.end();

    let wrong = Command::new(PROGRAM)
        .args(["proxy", named[1], named[2], "--", "true"])
        .output()
        .expect("the program starts");
    let told = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(told.contains("--idempotency-key") && told.contains("JSON Pointer"), "{told}");
}

#[test]
fn a_tool_that_the_command_line_marks_is_repeated_whatever_its_server_says() {
    let mut session = Session::begin(&["--distrust", "--idempotent", "se?d", "--idempotent", "x"]);
    assert_eq!(once(&mut session, "send"), RECOVERED);
    assert_eq!(session.flaky(), FAILED, "it is not marked");
    session.end();
}

#[test]
fn a_profile_and_a_configuration_may_stand_on_the_command_line() {
    let quick = r#"{"backoff_base_ms": 1, "tool_overrides": {"flaky": {"max_retries": 0}}}"#;
    let mut session = Session::begin(&["--profile", "compatible", "--config", quick]);
    assert_eq!(once(&mut session, "send"), RECOVERED, "as the original does");
    assert_eq!(session.flaky(), FAILED);
    session.end();
}

#[test]
fn names_in_the_configuration_that_no_tool_has_are_named_when_the_tools_are_known() {
    let config = r#"{"tool_overrides": {"flakey": {}, "s*": {}, "drop_*": {}}}"#;
    let mut session = Session::begin(&["--config", config]);
    session.ask("tools/list", json!({}));
    let told = session.await_log("drop_*");
    let told = told.join("\n");
    assert!(
        told.contains(
            "--config: tool_overrides[\"flakey\"]: has no effect: no tool is called `flakey`; \
             did you mean `flaky`?"
        ),
        "{told}"
    );
    assert!(!told.contains("`s*`"), "{told}");
    session.end();
}

#[test]
fn a_configuration_is_read_again_on_sighup_and_a_bad_one_changes_nothing() {
    let config = file("reloaded.json", r#"{"max_retries": 0}"#);
    let mut session = Session::begin(&["--config", config.to_str().expect("a plain path")]);
    assert_eq!(session.flaky(), FAILED);

    fs::write(&config, r#"{"max_retries": 1, "backoff_base_ms": 1}"#).expect("writable");
    session.hang_up();
    session.await_log("is in force");
    assert_eq!(session.flaky(), RECOVERED);

    fs::write(&config, r#"{"max_retries": 0, "backof_base_ms": 1}"#).expect("writable");
    session.hang_up();
    let told = session.await_log("the old configuration stays in force");
    let complaint = format!(
        "{}: backof_base_ms: unknown key; did you mean `backoff_base_ms`?",
        config.display()
    );
    assert!(told.iter().any(|line| line.contains(&complaint)), "{told:?}");
    assert_eq!(session.flaky(), RECOVERED);
    session.end();
}

#[test]
fn the_schema_is_printed_as_json() {
    let output = Command::new(PROGRAM).arg("schema").output().expect("the program starts");
    assert!(output.status.success());
    let schema: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(schema["properties"]["max_retries"]["default"], 2);
}

/// The bundled plugin in a file of its own; `tag` in a custom section makes it
/// another file of the same behaviour.
fn plugin(path: &Path, tag: &str) {
    let name = format!("\u{3}tag{tag}");
    let size = u8::try_from(name.len()).expect("short");
    let bytes = [host_harness::bundled::COMPONENT, &[0, size], name.as_bytes()].concat();
    // At once, as a deployment does it.
    let draft = path.with_extension("draft");
    fs::write(&draft, bytes).expect("writable");
    fs::rename(draft, path).expect("writable");
}

#[test]
fn another_plugin_is_loaded_on_sighup_and_one_that_is_none_changes_nothing() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reloaded.wasm");
    plugin(&path, "1");
    let config = file("with_plugin.json", r#"{"backoff_base_ms": 1}"#);
    let [plugin_path, config] = [&path, &config].map(|path| path.to_str().expect("a plain path"));
    let mut session = Session::begin(&["--plugin", plugin_path, "--config", config]);
    assert_eq!(session.flaky(), RECOVERED);

    plugin(&path, "2");
    session.hang_up();
    session.await_log("the plugin was read again and is in force");
    assert_eq!(session.flaky(), RECOVERED);

    fs::write(&path, "no plugin").expect("writable");
    session.hang_up();
    let told = session.await_log("stays in force");
    assert!(told.iter().any(|line| line.contains("reloaded.wasm: not WebAssembly")), "{told:?}");
    assert_eq!(session.flaky(), RECOVERED);
    session.end();
}

#[test]
fn a_watched_plugin_is_loaded_when_its_file_changes() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("watched.wasm");
    plugin(&path, "1");
    let plugin_path = path.to_str().expect("a plain path");
    let mut session = Session::begin(&["--watch", "--plugin", plugin_path]);
    plugin(&path, "2");
    session.await_log("the plugin was read again and is in force");
    session.end();
}

#[test]
fn a_call_fails_with_its_plugin_where_the_operator_wants_it_to() {
    // It reads the text of a result in two questions: one more than it may ask.
    let config = file("closed.json", r#"{"check_text_content": true}"#);
    let config = config.to_str().expect("a plain path");
    let options = ["--config", config, "--plugin-limit", "host-calls=1"];
    let arguments = json!({ "key": "k", "fail_times": 0, "mode": "isError" });
    let call = json!({ "name": "flaky", "arguments": arguments });
    let text = "flaky recovered after 1 attempt(s)";

    let mut open = Session::begin(&options);
    let answer = open.ask("tools/call", call.clone());
    assert_eq!(answer["result"]["content"][0]["text"], text);
    open.end();

    let mut closed = Session::begin(&[&options[..], &["--on-plugin-failure", "closed"]].concat());
    let answer = closed.ask("tools/call", call);
    let error = &answer["error"];
    assert_eq!(error["data"]["name"], "plugin_failed");
    assert_eq!(error["data"]["result"]["content"][0]["text"], text, "it is not lost");
    let told = error["message"].as_str().expect("a text");
    assert!(told.contains("it called the host more than 1 times in one call"), "{told}");
    closed.end();
}
