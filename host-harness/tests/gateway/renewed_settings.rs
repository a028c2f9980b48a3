//! What a client has set outlives the session that the gateway renews, and the child
//! that it starts again.

use std::sync::atomic::{AtomicBool, Ordering};

use host_harness::gateway::Limits;
use serde_json::{Value, json};

use crate::{
    child_server::ChildServer,
    http_server::{
        Asked, HttpServer, call, initialize, initialized, json_body, manners, result, status,
        stream,
    },
    line_client::LineClient,
    plugin::gateway,
};

/// What a client sets, and takes back.
fn settings() -> Vec<Value> {
    [
        ("resources/subscribe", json!({ "uri": "x:1" })),
        ("resources/subscribe", json!({ "uri": "x:2" })),
        ("logging/setLevel", json!({ "level": "info" })),
        ("resources/unsubscribe", json!({ "uri": "x:1" })),
        ("logging/setLevel", json!({ "level": "debug" })),
    ]
    .into_iter()
    .zip(10..)
    .map(|((method, params), id)| {
        json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
    })
    .collect()
}

fn ping() -> Value {
    json!({ "jsonrpc": "2.0", "id": 2, "method": "ping" })
}

fn session(asked: &Asked) -> &str {
    asked.header("mcp-session-id").unwrap_or_default()
}

#[tokio::test]
async fn a_renewed_session_has_the_level_and_the_subscriptions_of_the_expired_one() {
    let server = HttpServer::start(|asked, before| match asked.rpc_method() {
        "initialize" => manners(asked, if before == 0 { "s-1" } else { "s-2" }),
        "ping" if session(asked) == "s-1" => status(404),
        "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe" => {
            json_body(result(asked, json!({})))
        }
        _ => manners(asked, "none"),
    })
    .await;
    let mut client = LineClient::of_url(gateway("{}", Limits::default()), &server.url());
    client.ask(initialize()).await;
    for setting in settings() {
        assert_eq!(client.ask(setting).await["result"], json!({}));
    }
    assert_eq!(client.ask(ping()).await, json!({ "jsonrpc": "2.0", "id": 2, "result": {} }));
    let renewed = server.asked_for(|asked| asked.method == "POST" && session(asked) == "s-2");
    let said: Vec<_> =
        renewed.iter().map(|asked| (asked.rpc_method(), &asked.body["params"])).collect();
    assert_eq!(
        said[1..3],
        [
            ("logging/setLevel", &json!({ "level": "debug" })),
            ("resources/subscribe", &json!({ "uri": "x:2" })),
        ]
    );
    assert_eq!((said[0].0, said[3].0, said.len()), ("notifications/initialized", "ping", 4));
    let used = server.asked_for(|asked| session(asked) == "s-1");
    for asked in &renewed[1..3] {
        assert!(used.iter().all(|other| other.body["id"] != asked.body["id"]));
    }
    // The client hears of none of it.
    client.say(json!({ "jsonrpc": "2.0", "id": 3, "method": "ping" })).await;
    assert_eq!(client.hear().await["id"], 3);
    client.leave().await;
}

#[tokio::test]
async fn a_child_that_is_started_again_has_the_level_and_the_subscriptions_too() {
    let server = ChildServer::new("set-again", "if [ $CALLS = 1 ]; then exit 3; else answer; fi");
    let mut client = LineClient::of_child(gateway("{}", Limits::default()), server.command());
    client.ask(initialize()).await;
    client.say(initialized()).await;
    for setting in settings() {
        client.ask(setting).await;
    }
    assert!(client.ask(call(7)).await.get("result").is_some());
    let read = server.read();
    let second = read.iter().rposition(|method| method == "initialize").expect("a second life");
    assert_eq!(
        read[second..],
        [
            "initialize",
            "notifications/initialized",
            "logging/setLevel",
            "resources/subscribe",
            "tools/call",
        ]
    );
    client.say(ping()).await;
    assert_eq!(client.hear().await["id"], 2);
    client.leave().await;
}

#[tokio::test]
async fn a_client_that_only_listens_hears_the_server_again_after_its_restart() {
    let restarted = AtomicBool::new(false);
    let server = HttpServer::start(move |asked, before| match asked.method.as_str() {
        "GET" if before == 0 => {
            restarted.store(true, Ordering::SeqCst);
            stream(
                &["retry: 1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/one\"}"],
                true,
            )
        }
        "GET" if session(asked) == "s-2" => {
            stream(&[r#"data: {"jsonrpc":"2.0","method":"notifications/two"}"#], false)
        }
        _ if asked.rpc_method() == "initialize" => {
            let next = restarted.load(Ordering::SeqCst);
            manners(asked, if next { "s-2" } else { "s-1" })
        }
        _ if restarted.load(Ordering::SeqCst) && session(asked) != "s-2" => status(404),
        _ => manners(asked, "none"),
    })
    .await;
    let mut client = LineClient::of_url(gateway("{}", Limits::default()), &server.url());
    client.ask(initialize()).await;
    client.say(initialized()).await;
    assert_eq!(client.hear().await["method"], "notifications/one");
    assert_eq!(client.hear().await["method"], "notifications/two");
    client.leave().await;
}

#[tokio::test]
async fn a_server_that_never_gives_a_stream_is_not_greeted_again_for_it() {
    let server = HttpServer::start(|asked, _| match asked.method.as_str() {
        "GET" => status(404),
        _ => manners(asked, "s-1"),
    })
    .await;
    let mut client = LineClient::of_url(gateway("{}", Limits::default()), &server.url());
    client.ask(initialize()).await;
    client.say(initialized()).await;
    server.hears(|asked| asked.method == "GET").await;
    for _ in 0..3 {
        assert_eq!(client.ask(ping()).await["result"], json!({}));
    }
    assert_eq!(server.asked_for(|asked| asked.rpc_method() == "initialize").len(), 1);
    client.leave().await;
}
