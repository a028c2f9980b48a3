//! A server that crashes, and is started again.

use host_harness::gateway::Limits;
use serde_json::json;

use crate::{
    child_server::ChildServer,
    http_server::{call, initialize, initialized},
    line_client::LineClient,
    plugin::gateway,
};

fn client(config: &str, server: &ChildServer) -> LineClient {
    LineClient::of_child(gateway(config, Limits::default()), server.command())
}

const HELLO: [&str; 2] = ["initialize", "notifications/initialized"];

#[tokio::test]
async fn a_call_that_a_crash_cut_off_is_retried_in_the_same_session() {
    for (name, crash) in [
        ("crash-at-once", "exit 3"),
        ("crash-half-way", r#"printf '{"jsonrpc":"2.0","id"'; exit 3"#),
        ("crash-by-signal", "kill -9 $$"),
        ("crash-with-open-output", "sleep 60 & exit 3"),
    ] {
        let to_a_call = format!("if [ $CALLS = 1 ]; then {crash}; else answer; fi");
        let server = ChildServer::new(name, &to_a_call);
        let mut client = client("{}", &server);
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
    let server = ChildServer::new("crash-safe", "if [ $CALLS = 1 ]; then exit 3; else answer; fi");
    let mut client = client(r#"{"profile": "safe"}"#, &server);
    client.ask(initialize()).await;
    client.say(initialized()).await;
    let lost = client.ask(call(1)).await;
    assert_eq!(lost["error"]["message"], "the upstream server closed the connection");
    assert!(client.ask(call(2)).await.get("result").is_some());
    client.leave().await;
}

#[tokio::test]
async fn a_server_that_crashes_again_and_again_is_given_up() {
    let server = ChildServer::new("crash-for-ever", "exit 3");
    let mut client = client(r#"{"max_retries": 0}"#, &server);
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
