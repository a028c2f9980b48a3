//! Attempts that time out: cancelled upstream, and only then made again.

use std::time::Duration;

use axum::response::Response;
use futures_util::future::BoxFuture;
use host_harness::gateway::Limits;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    http_server::{
        Asked, HttpServer, as_written, call, initialize, json_body, manners, result, stream,
    },
    line_client::{LineClient, PATIENCE},
    plugin::gateway,
};

fn is_call(asked: &Asked) -> bool {
    asked.rpc_method() == "tools/call"
}

fn is_notice(asked: &Asked) -> bool {
    asked.rpc_method() == "notifications/cancelled"
}

fn ping(id: u32) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "ping" })
}

/// Hangs at the first call. Takes its cancellation when `takes` becomes true,
/// and says in the results of the other calls whether that had happened.
async fn server(takes: &watch::Sender<bool>) -> HttpServer {
    let taking = takes.subscribe();
    HttpServer::start_slow(move |asked, before| -> BoxFuture<'static, Response> {
        let mut taking = taking.clone();
        Box::pin(async move {
            match asked.rpc_method() {
                "tools/call" if before == 0 => stream(&["data:"], false),
                "tools/call" => json_body(result(&asked, json!({ "after": *taking.borrow() }))),
                "notifications/cancelled" => {
                    // The test may be over.
                    let _ = taking.wait_for(|taken| *taken).await;
                    manners(&asked, "s-1")
                }
                _ => manners(&asked, "s-1"),
            }
        })
    })
    .await
}

fn limits(cancel_wait: Duration) -> Limits {
    let attempt_timeout = Some(Duration::from_millis(300));
    Limits { attempt_timeout, cancel_wait, ..Limits::default() }
}

#[tokio::test]
async fn the_next_attempt_waits_until_a_slow_server_has_taken_the_cancellation() {
    let (takes, _) = watch::channel(false);
    let server = server(&takes).await;
    let mut client = LineClient::of_url(gateway("{}", limits(PATIENCE)), &server.url());
    client.ask(initialize()).await;
    client.say(call(1)).await;
    let notice = server.hears(is_notice).await;
    // Far longer than the plugin's delay of 1 ms; nothing else has to wait.
    for id in 2..50 {
        assert_eq!(client.ask(ping(id)).await["id"], id);
    }
    assert_eq!(server.asked_for(is_call).len(), 1);
    takes.send(true).expect("the server lives");
    assert_eq!(as_written(&client.hear().await), json!({ "after": true }));
    let calls = server.asked_for(is_call);
    assert_eq!(calls.len(), 2);
    assert_eq!(notice.body["params"]["requestId"], calls[0].body["id"]);
    client.leave().await;
}

#[tokio::test]
async fn a_server_that_never_answers_a_cancellation_holds_nothing_up() {
    let (takes, _) = watch::channel(false);
    let server = server(&takes).await;
    let brief = limits(Duration::from_millis(20));
    let mut client = LineClient::of_url(gateway("{}", brief), &server.url());
    client.ask(initialize()).await;
    assert_eq!(as_written(&client.ask(call(1)).await), json!({ "after": false }));
    let methods: Vec<_> = server
        .asked_for(|asked| is_call(asked) || is_notice(asked))
        .iter()
        .map(is_notice)
        .collect();
    assert_eq!(methods, [false, true, false], "still told first");
    client.leave().await;
}

#[tokio::test]
async fn a_client_that_cancels_while_the_server_takes_its_time_is_not_kept_waiting() {
    let (takes, _) = watch::channel(false);
    let server = server(&takes).await;
    let (events, gateway) = crate::plugin::watched("{}", limits(PATIENCE));
    let mut client = LineClient::of_url(gateway, &server.url());
    client.ask(initialize()).await;
    client.say(call(1)).await;
    server.hears(is_notice).await;
    client
        .say(json!({ "jsonrpc": "2.0", "method": "notifications/cancelled",
            "params": { "requestId": 1 } }))
        .await;
    events.finished().await;
    takes.send(true).expect("the server lives");
    assert_eq!(client.ask(ping(2)).await["id"], 2);
    assert_eq!((events.attempts(), server.asked_for(is_call).len()), (1, 1));
    client.leave().await;
}
