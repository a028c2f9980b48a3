//! A server that crashes, and is started again.

use std::{
    fs,
    path::{Path, PathBuf},
};

use host_harness::gateway::Limits;
use serde_json::json;

use crate::{
    http_server::{call, initialize, initialized},
    line_client::LineClient,
    plugin::gateway,
};

/// A shell that plays a server, notes every line that it reads, and does `to_a_call`
/// with each call; `$CALLS` is how many there have been, over all its lives.
struct Server {
    notes: PathBuf,
    script: String,
}

impl Server {
    fn new(name: &str, to_a_call: &str) -> Self {
        let notes = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        // A run before this one may have left it.
        let _ = fs::remove_file(&notes);
        let script = format!(
            r#"
answer() {{
    id=$(printf '%s' "$line" | sed 's/.*"id":\("[^"]*"\|[0-9]*\).*/\1/')
    printf '{{"jsonrpc":"2.0","id":%s,"result":{{"protocolVersion":"2025-11-25"}}}}\n' "$id"
}}
while read -r line; do
    printf '%s\n' "$line" >> '{notes}'
    case "$line" in
    *tools/call*) CALLS=$(grep -c tools/call '{notes}'); {to_a_call} ;;
    *'"id"'*) answer ;;
    esac
done
"#,
            notes = notes.display()
        );
        Self { notes, script }
    }

    fn client(&self, config: &str) -> LineClient {
        let command = ["sh", "-c", &self.script].map(Into::into).into();
        LineClient::of_child(gateway(config, Limits::default()), command)
    }

    /// The methods of what it read, in their order.
    fn read(&self) -> Vec<String> {
        let notes = fs::read_to_string(&self.notes).expect("notes");
        let method = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            line["method"].as_str().expect("a method").to_owned()
        };
        notes.lines().map(method).collect()
    }
}

const HELLO: [&str; 2] = ["initialize", "notifications/initialized"];

#[tokio::test]
async fn a_call_that_a_crash_cut_off_is_retried_in_the_same_session() {
    for (name, crash) in [
        ("crash-at-once", "exit 3"),
        ("crash-half-way", r#"printf '{"jsonrpc":"2.0","id"'; exit 3"#),
        ("crash-by-signal", "kill -9 $$"),
    ] {
        let to_a_call = format!("if [ $CALLS = 1 ]; then {crash}; else answer; fi");
        let server = Server::new(name, &to_a_call);
        let mut client = server.client("{}");
        client.ask(initialize()).await;
        client.say(initialized()).await;
        let answer = client.ask(call(7)).await;
        assert_eq!((&answer["id"], answer.get("error")), (&json!(7), None), "{name}: {answer}");
        let expected = [&HELLO[..], &["tools/call"], &HELLO[..], &["tools/call"]].concat();
        assert_eq!(server.read(), expected, "{name}");
        client.leave().await;
    }
}

#[tokio::test]
async fn a_call_that_may_not_run_twice_is_lost_and_the_session_goes_on() {
    let server = Server::new("crash-safe", "if [ $CALLS = 1 ]; then exit 3; else answer; fi");
    let mut client = server.client(r#"{"profile": "safe"}"#);
    client.ask(initialize()).await;
    client.say(initialized()).await;
    let lost = client.ask(call(1)).await;
    assert_eq!(lost["error"]["message"], "the upstream server closed the connection");
    assert!(client.ask(call(2)).await.get("result").is_some());
    client.leave().await;
}

#[tokio::test]
async fn a_server_that_crashes_again_and_again_is_given_up() {
    let server = Server::new("crash-for-ever", "exit 3");
    let mut client = server.client(r#"{"max_retries": 0}"#);
    client.ask(initialize()).await;
    client.say(initialized()).await;
    for id in 1..=5 {
        assert!(client.ask(call(id)).await.get("error").is_some());
    }
    client.abandoned().await;
    assert_eq!(server.read().iter().filter(|method| *method == "tools/call").count(), 5);
}

#[tokio::test]
async fn a_server_that_never_answered_is_not_started_again() {
    let client = LineClient::of_child(
        gateway("{}", Limits::default()),
        ["sh", "-c", "exit 3"].map(Into::into).into(),
    );
    client.abandoned().await;
}
