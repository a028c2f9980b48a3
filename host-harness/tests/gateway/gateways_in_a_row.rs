//! Two gateways in a row, each of which would retry: the server sees the
//! attempts of the more patient one, whatever happens and however each is set up.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use host_harness::{
    gateway::{Gateway, Limits},
    mcp::{HttpUpstream, RelayOptions, Target, front::http::FrontLimits, relay, relay_to},
};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex, split};
use tokio_util::sync::CancellationToken;

use crate::{
    closed_ports,
    http_client::Front,
    http_server::{Asked, HttpServer, call, initialize, json_body, manners, result, status},
    line_client::PATIENCE,
    plugin::{gateway, watched},
};

const MARKED: &str =
    r#"{"profile": "safe", "tool_overrides": {"t": {"idempotent": true}}, "max_retries": 3}"#;
const LESS: &str =
    r#"{"profile": "safe", "tool_overrides": {"t": {"idempotent": true}}, "max_retries": 1}"#;
const UNMARKED: &str = r#"{"profile": "safe", "max_retries": 3}"#;
const COMPATIBLE: &str = r#"{"max_retries": 2}"#;
const SHADOW: &str =
    r#"{"profile": "safe", "tool_overrides": {"t": {"idempotent": true}}, "shadow": true}"#;
const NONE: &str =
    r#"{"profile": "safe", "tool_overrides": {"t": {"idempotent": true}}, "max_retries": 0}"#;

const OUTER: [&str; 6] = [MARKED, LESS, UNMARKED, COMPATIBLE, SHADOW, NONE];
const INNER: [&str; 5] = [MARKED, LESS, UNMARKED, SHADOW, NONE];

/// What happens to every call, and the attempts of one gateway alone under
/// each of the profiles in [`OUTER`].
const FAULTS: [(&str, [u32; 6]); 8] = [
    ("error in words", [4, 2, 1, 3, 1, 1]),
    ("JSON-RPC error", [4, 2, 1, 3, 1, 1]),
    ("503", [4, 2, 1, 3, 1, 1]),
    ("429 and a wait", [4, 2, 4, 3, 1, 1]),
    ("429, the quota is spent", [1, 1, 1, 3, 1, 1]),
    ("hang", [4, 2, 1, 3, 1, 1]),
    ("closed", [4, 2, 1, 3, 1, 1]),
    ("refused", [4, 2, 4, 3, 1, 1]),
];

fn played(fault: &str, asked: &Asked) -> axum::response::Response {
    match fault {
        "error in words" => {
            let text = json!([{ "type": "text", "text": "503 Service Unavailable" }]);
            json_body(result(asked, json!({ "isError": true, "content": text })))
        }
        "JSON-RPC error" => {
            let error = json!({ "code": -32603, "message": "connection reset by peer" });
            json_body(json!({ "jsonrpc": "2.0", "id": asked.body["id"], "error": error }))
        }
        "503" => status(503),
        "429 and a wait" => {
            let mut response = status(429);
            response.headers_mut().insert("retry-after-ms", 5.into());
            response
        }
        "429, the quota is spent" => {
            let mut response = json_body(
                json!({ "error": { "type": "insufficient_quota", "message": "You exceeded your current quota" } }),
            );
            *response.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
            response
        }
        other => unreachable!("{other} is not answered"),
    }
}

/// The URL of a server to which this happens at every call.
async fn server(fault: &'static str) -> String {
    match fault {
        "refused" => closed_ports::nobody_listens().await,
        "closed" => closed_ports::hangs_up().await.0,
        _ => {
            let server = HttpServer::start_slow(move |asked, before| {
                Box::pin(async move {
                    match (asked.rpc_method(), fault) {
                        ("tools/call", "hang") => std::future::pending().await,
                        ("tools/call", _) => played(fault, &asked),
                        _ => manners(&asked, &format!("s-{before}")),
                    }
                })
            });
            server.await.url()
        }
    }
}

/// What stands between the two gateways.
#[derive(Debug, Clone, Copy)]
enum Between {
    Lines,
    Http,
}

fn limits(fault: &str) -> Limits {
    let attempt_timeout = (fault == "hang").then_some(Duration::from_millis(200));
    Limits { attempt_timeout, ..Limits::default() }
}

/// Calls once; returns the answer.
async fn asked(client: DuplexStream, greets: bool) -> Value {
    let (from, mut to) = split(client);
    let mut lines = BufReader::new(from).lines();
    let mut answer = Value::Null;
    for message in [greets.then(initialize), Some(call(1))].into_iter().flatten() {
        to.write_all(format!("{message}\n").as_bytes()).await.expect("a gateway that reads");
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("in time");
        answer = serde_json::from_str(&line.expect("text").expect("a line")).expect("JSON");
    }
    answer
}

/// The far end of a gateway in front of a URL.
fn in_front_of_url(gateway: Arc<Gateway>, url: &str) -> DuplexStream {
    let (client, front) = duplex(1 << 16);
    let upstream = HttpUpstream::new(url, Default::default()).expect("a good URL");
    let (options, stop) = (RelayOptions::default(), CancellationToken::new());
    tokio::spawn(relay_to(gateway, options, split(front), upstream, stop));
    client
}

/// How many attempts reach the server, and what the client gets.
async fn attempts(
    fault: &'static str,
    outer: Option<(&str, Between)>,
    inner: &str,
) -> (u32, Value) {
    let url = server(fault).await;
    let greets = !matches!(fault, "refused" | "closed");
    let (watch, inner) = watched(inner, limits(fault));
    let answer = match outer {
        None => asked(in_front_of_url(inner, &url), greets).await,
        Some((outer, Between::Lines)) => {
            // The outer one waits for the inner one's own timeouts.
            let (outer, back) = (gateway(outer, Limits::default()), in_front_of_url(inner, &url));
            let (client, front) = duplex(1 << 16);
            let (options, stop) = (RelayOptions::default(), CancellationToken::new());
            tokio::spawn(relay(outer, options, split(front), split(back), stop));
            asked(client, greets).await
        }
        Some((outer, Between::Http)) => {
            let target = HttpUpstream::new(&url, Default::default()).expect("a good URL");
            let front = Front::start(inner, Target::Url(target), FrontLimits::default()).await;
            let url = format!("http://{}/mcp", front.address);
            asked(in_front_of_url(gateway(outer, Limits::default()), &url), greets).await
        }
    };
    (watch.attempts(), answer)
}

async fn the_more_patient_one_counts(between: Between) {
    let rows = FAULTS.into_iter().filter(|(fault, _)| {
        // Without a session an HTTP front takes no calls.
        matches!(between, Between::Lines) || !matches!(*fault, "refused" | "closed")
    });
    let checks = rows.flat_map(|(fault, alone)| {
        OUTER.into_iter().zip(alone).flat_map(move |(outer, by_outer)| {
            INNER.into_iter().map(move |inner| async move {
                let place = OUTER.iter().position(|config| *config == inner).expect("one of them");
                let expected = by_outer.max(alone[place]);
                let (made, answer) = attempts(fault, Some((outer, between)), inner).await;
                (made != expected).then(|| {
                    format!("{fault}: {made} and not {expected}: {outer} before {inner}: {answer}")
                })
            })
        })
    });
    let wrong: Vec<String> = join_all(checks).await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn one_gateway_alone_makes_the_attempts_of_its_profile() {
    for (fault, alone) in FAULTS {
        for (config, expected) in OUTER.into_iter().zip(alone) {
            let (made, answer) = attempts(fault, None, config).await;
            assert_eq!(made, expected, "{fault} with {config}: {answer}");
        }
    }
}

#[tokio::test]
async fn two_gateways_make_together_the_attempts_of_the_more_patient_one_over_lines() {
    the_more_patient_one_counts(Between::Lines).await;
}

#[tokio::test]
async fn two_gateways_make_together_the_attempts_of_the_more_patient_one_over_http() {
    the_more_patient_one_counts(Between::Http).await;
}

#[tokio::test]
async fn an_error_of_a_gateway_says_what_became_of_the_call() {
    for (fault, config, outcome, executed, attempts_made) in [
        ("hang", LESS, "timed-out", "unknown", 2),
        ("closed", UNMARKED, "lost", "unknown", 1),
        ("refused", LESS, "not-sent", "no", 2),
        ("503", UNMARKED, "http", "unknown", 1),
        ("429 and a wait", LESS, "http", "no", 2),
    ] {
        let (_, answer) = attempts(fault, None, config).await;
        let said = &answer["error"]["data"]["retry-with-backoff"];
        assert_eq!(said["outcome"], outcome, "{fault}: {answer}");
        assert_eq!(said["executed"], executed, "{fault}: {answer}");
        assert_eq!(said["attempts"], attempts_made, "{fault}: {answer}");
        assert!(said["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{answer}");
    }
    let (_, answer) = attempts("429 and a wait", None, UNMARKED).await;
    let said = &answer["error"]["data"]["retry-with-backoff"];
    assert_eq!((&said["status"], &said["retry_after_ms"]), (&json!(429), &json!(5)), "{answer}");
}

#[tokio::test]
async fn the_outer_gateway_counts_its_own_attempts_in_the_inner_ones_error() {
    let (made, answer) = attempts("refused", Some((LESS, Between::Lines)), NONE).await;
    let said = &answer["error"]["data"]["retry-with-backoff"];
    assert_eq!((made, &said["attempts"], &said["executed"]), (2, &json!(2), &json!("no")));
    assert_eq!(said["reason"], "retries-exhausted", "{answer}");
}
