//! How often the upstream is called, fault by fault and policy by policy.

use std::time::Duration;

use axum::response::Response;
use host_harness::gateway::Limits;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    http_server::{
        Asked, HttpServer, call, initialize, json_body, manners, result, status, stream,
    },
    line_client::LineClient,
    plugin::gateway,
};

/// The defaults of the original plugin.
const PARITY: &str = "{}";
const SAFE: &str = r#"{"profile": "safe"}"#;

fn error(asked: &Asked, code: i64) -> Response {
    let error = json!({ "code": code, "message": "no" });
    json_body(json!({ "jsonrpc": "2.0", "id": asked.body["id"], "error": error }))
}

fn with_header(mut response: Response, name: &'static str, value: &str) -> Response {
    response.headers_mut().insert(name, value.parse().expect("a value"));
    response
}

type Fault = fn(&Asked, usize) -> Response;

/// Calls a tool of a server that does this to every call; says how often it
/// was called and what the client got.
async fn attempts(config: &str, fault: Fault) -> (usize, Value) {
    let server = HttpServer::start(move |asked, before| match asked.rpc_method() {
        "tools/call" => fault(asked, before),
        // Each session has another name.
        _ => manners(asked, &format!("s-{before}")),
    })
    .await;
    // Long enough for an answer on a busy machine, short enough to wait for three times.
    let attempt_timeout = Some(Duration::from_millis(400));
    let limits = Limits { attempt_timeout, ..Limits::default() };
    let mut client = LineClient::of_url(gateway(config, limits), &server.url());
    client.ask(initialize()).await;
    let answer = client.ask(call(1)).await;
    client.leave().await;
    (server.asked_for(|asked| asked.rpc_method() == "tools/call").len(), answer)
}

#[tokio::test]
async fn the_matrix_of_faults_and_policies() {
    // A tool of which nothing is known: `safe` repeats only what surely did
    // not run, parity whatever may pass.
    let matrix: &[(&str, Fault, usize, usize)] = &[
        ("success", |asked, _| json_body(result(asked, json!({ "content": [] }))), 1, 1),
        ("isError", |asked, _| json_body(result(asked, json!({ "isError": true }))), 3, 1),
        ("-32603", |asked, _| error(asked, -32603), 3, 1),
        ("-32602", |asked, _| error(asked, -32602), 1, 1),
        ("HTTP 400", |_, _| status(400), 1, 1),
        ("HTTP 500", |_, _| status(500), 3, 1),
        ("HTTP 429", |_, _| status(429), 3, 4),
        ("HTTP 429, 3 ms", |_, _| with_header(status(429), "retry-after-ms", "3"), 3, 4),
        ("HTTP 503", |_, _| status(503), 3, 1),
        ("HTTP 503, 3 ms", |_, _| with_header(status(503), "retry-after-ms", "3"), 3, 1),
        ("HTTP 429, an hour", |_, _| with_header(status(429), "retry-after", "3600"), 3, 1),
        ("reset mid-response", |_, _| stream(&["data:"], true), 3, 1),
        ("hang", |_, _| stream(&["data:"], false), 3, 1),
        // Renewed each time, and surely not executed.
        ("a session that has expired", |_, _| status(404), 3, 4),
    ];
    let mut wrong = Vec::new();
    for (name, fault, parity, safe) in matrix {
        for (config, expected) in [(PARITY, parity), (SAFE, safe)] {
            let (made, answer) = attempts(config, *fault).await;
            if made != *expected {
                wrong.push(format!(
                    "{name} with {config}: {made} attempts, not {expected}: {answer}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_refused_connection_is_retried_whatever_the_tool_does() {
    // A port that was free a moment ago.
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("an address")
    };
    for (config, attempts) in [(PARITY, 3), (SAFE, 4)] {
        let (events, gateway) = crate::plugin::watched(config);
        let mut client = LineClient::of_url(gateway, &format!("http://{address}/"));
        let answer = client.ask(call(1)).await;
        assert_eq!(answer["error"]["message"], "the upstream server cannot be reached");
        assert_eq!(events.attempts(), attempts, "{config}");
        client.leave().await;
    }
}
