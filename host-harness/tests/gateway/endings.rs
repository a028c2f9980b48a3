//! What a client sees of the retries: in results, in errors, and while it waits.

use std::{sync::Arc, time::Duration};

use axum::response::Response;
use host_harness::{
    gateway::{Gateway, Limits},
    mcp::RelayOptions,
};
use serde_json::{Value, json};

use crate::{
    http_server::{Asked, HttpServer, call, initialize, json_body, manners, result},
    line_client::LineClient,
    plugin::{gateway, patient},
};

const MARKED: &str =
    r#"{"profile": "safe", "tool_overrides": {"t": {"idempotent": true}}, "max_retries": 1}"#;
const META: &str = "retry-with-backoff/outcome";

fn failed(asked: &Asked, text: &str) -> Response {
    let content = json!([{ "type": "text", "text": text }]);
    json_body(result(asked, json!({ "content": content, "isError": true, "n": 1.50 })))
}

/// What a server that answers calls with `play` says to one of them.
async fn answer(
    gateway: Arc<Gateway>,
    options: RelayOptions,
    play: fn(&Asked, usize) -> Option<Response>,
) -> Value {
    let server = HttpServer::start_slow(move |asked, before| {
        Box::pin(async move {
            match asked.rpc_method() {
                "tools/call" => match play(&asked, before) {
                    Some(response) => response,
                    None => std::future::pending().await,
                },
                _ => manners(&asked, &format!("s-{before}")),
            }
        })
    })
    .await;
    let mut client = LineClient::of_url_with(gateway, &server.url(), options);
    client.ask(initialize()).await;
    let answer = client.ask(call(1)).await;
    client.leave().await;
    answer
}

fn short() -> Limits {
    Limits { attempt_timeout: Some(Duration::from_millis(400)), ..Limits::default() }
}

#[tokio::test]
async fn a_result_says_what_became_of_its_call_if_that_was_repeated_or_has_failed() {
    let options = RelayOptions::default;
    let recovered = answer(gateway(MARKED, Limits::default()), options(), |asked, before| {
        Some(match before {
            0 => failed(asked, "503 Service Unavailable"),
            _ => json_body(result(asked, json!({ "content": [], "_meta": { "a": 1 } }))),
        })
    });
    let recovered = recovered.await;
    let meta = &recovered["result"]["_meta"];
    assert_eq!(meta["a"], 1, "{recovered}");
    let said = &meta[META];
    assert_eq!((&said["attempts"], &said["executed"]), (&json!(2), &json!("yes")), "{recovered}");
    assert_eq!(said["reason"], "succeeded");
    assert!(said["waited_ms"].is_u64(), "{recovered}");

    let permanent = answer(gateway(MARKED, Limits::default()), options(), |asked, _| {
        Some(failed(asked, "404 Not Found"))
    });
    let permanent = permanent.await;
    let said = &permanent["result"]["_meta"][META];
    assert_eq!((&said["attempts"], &said["executed"]), (&json!(1), &json!("unknown")));
    assert_eq!(said["reason"], "permanent", "{permanent}");
}

#[tokio::test]
async fn a_first_success_passes_as_it_came_and_so_does_all_where_nothing_is_to_be_said() {
    let first = answer(gateway(MARKED, Limits::default()), RelayOptions::default(), |asked, _| {
        Some(json_body(result(asked, json!({ "content": [] }))))
    });
    assert_eq!(first.await["result"], json!({ "content": [] }));
    let silent = RelayOptions { outcome_meta: false, ..RelayOptions::default() };
    let failure =
        answer(gateway(MARKED, Limits::default()), silent, |asked, _| Some(failed(asked, "503")));
    assert_eq!(failure.await["result"].get("_meta"), None);
}

#[tokio::test]
async fn a_result_whose_retries_are_used_up_says_so_if_asked_to() {
    let options = RelayOptions { exhausted_text: true, ..RelayOptions::default() };
    let exhausted = answer(gateway(MARKED, Limits::default()), options, |asked, _| {
        Some(failed(asked, "503 Service Unavailable"))
    });
    let exhausted = exhausted.await;
    let content = exhausted["result"]["content"].as_array().expect("an array");
    let text = content.last().expect("an item")["text"].as_str().expect("a text");
    assert_eq!(content.len(), 2);
    assert!(text.starts_with("tried 2 times over "), "{text}");
    assert!(text.ends_with(" s; trying again now will not help"), "{text}");
}

/// The first call is never answered, and the second one is refused.
fn done_already(asked: &Asked, before: usize) -> Option<Response> {
    (before > 0).then(|| failed(asked, "409 Conflict: the issue already exists"))
}

#[tokio::test]
async fn a_refusal_does_not_hide_that_an_attempt_before_it_may_have_been_executed() {
    let answer = answer(gateway(MARKED, short()), RelayOptions::default(), done_already).await;
    let error = &answer["error"];
    let message = error["message"].as_str().expect("a message");
    assert!(message.contains("timed out") && message.contains("already exists"), "{message}");
    let last = &error["data"]["lastAnswer"]["result"];
    assert_eq!((&last["isError"], &last["n"]), (&json!(true), &json!(1.5)), "{answer}");
    let said = &error["data"]["retry-with-backoff"];
    assert_eq!(said["outcome"], "timed-out");
    assert_eq!((&said["executed"], &said["attempts"]), (&json!("unknown"), &json!(2)));
}

#[tokio::test]
async fn what_only_reads_has_no_effect_that_a_refusal_could_hide() {
    let server = HttpServer::start_slow(move |asked, before| {
        Box::pin(async move {
            match asked.rpc_method() {
                "tools/call" => match done_already(&asked, before) {
                    Some(response) => response,
                    None => std::future::pending().await,
                },
                "tools/list" => {
                    let annotations = json!({ "readOnlyHint": true });
                    let tool =
                        json!({ "name": "t", "inputSchema": {}, "annotations": annotations });
                    json_body(result(&asked, json!({ "tools": [tool] })))
                }
                _ => manners(&asked, &format!("s-{before}")),
            }
        })
    })
    .await;
    let mut client = LineClient::of_url(gateway(MARKED, short()), &server.url());
    client.ask(initialize()).await;
    client.ask(json!({ "jsonrpc": "2.0", "id": 5, "method": "tools/list" })).await;
    let answer = client.ask(call(1)).await;
    client.leave().await;
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    assert_eq!(answer["result"]["_meta"][META]["attempts"], 2, "{answer}");
}

#[tokio::test]
async fn a_client_that_gave_a_token_hears_that_the_gateway_waits() {
    let (_, gateway) = patient();
    let server = HttpServer::start(|asked, before| match asked.rpc_method() {
        "tools/call" => failed(asked, "503 Service Unavailable"),
        _ => manners(asked, &format!("s-{before}")),
    })
    .await;
    let mut client = LineClient::of_url(gateway, &server.url());
    client.ask(initialize()).await;
    let mut call = call(1);
    call["params"]["_meta"] = json!({ "progressToken": "mine" });
    let report = client.ask(call).await;
    assert_eq!(report["method"], "notifications/progress", "{report}");
    assert_eq!(report["params"]["progressToken"], "mine");
    let message = report["params"]["message"].as_str().expect("a message");
    assert!(message.starts_with("attempt 1 failed; trying again in "), "{message}");
    client.leave().await;
}
