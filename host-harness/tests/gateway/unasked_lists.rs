//! The gateway knows what a server says of its tools, whether its client asks or not.

use axum::response::Response;
use host_harness::{gateway::Limits, mcp::RelayOptions};
use serde_json::{Value, json};

use crate::{
    http_server::{
        Asked, HttpServer, as_written, initialize, initialized, json_body, manners, result, status,
    },
    line_client::LineClient,
    plugin::gateway,
};

const SAFE: &str = r#"{"profile": "safe"}"#;

/// Lists `read` and `silent` on a page each, and fails the first call.
fn fails_once(asked: &Asked, before: usize) -> Response {
    match asked.rpc_method() {
        "tools/list" => {
            let (tool, next) = if asked.body["params"]["cursor"] == "2" {
                (json!({ "name": "read", "annotations": { "readOnlyHint": true } }), Value::Null)
            } else {
                (json!({ "name": "silent" }), json!("2"))
            };
            let mut page = json!({ "resultType": "complete", "tools": [tool] });
            if !next.is_null() {
                page["nextCursor"] = next;
            }
            json_body(result(asked, page))
        }
        "tools/call" if before == 0 => status(503),
        "tools/call" => json_body(result(asked, json!({ "content": [] }))),
        _ => manners(asked, "s"),
    }
}

fn call(id: u32, tool: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
        "params": { "name": tool, "arguments": {} } })
}

fn trusted(trusted: Option<bool>) -> RelayOptions {
    RelayOptions { trusted, ..RelayOptions::default() }
}

fn methods(server: &HttpServer, method: &str) -> Vec<Asked> {
    server.asked_for(|asked| asked.rpc_method() == method)
}

async fn client(server: &HttpServer, options: RelayOptions) -> LineClient {
    let gateway = gateway(SAFE, Limits::default());
    let mut client = LineClient::of_url_with(gateway, &server.url(), options);
    client.ask(initialize()).await;
    client.say(initialized()).await;
    client
}

#[tokio::test]
async fn the_first_failure_of_a_session_is_judged_by_hints_that_the_client_never_asked_for() {
    let server = HttpServer::start(fails_once).await;
    let mut client = client(&server, trusted(Some(true))).await;
    assert_eq!(as_written(&client.ask(call(1, "read")).await), json!({ "content": [] }));
    client.ask(call(2, "other")).await;
    client.leave().await;
    assert_eq!(methods(&server, "tools/call").len(), 3);
    let lists = methods(&server, "tools/list");
    assert_eq!(lists.len(), 2, "both pages, once");
    assert_eq!(lists[0].header("mcp-session-id"), Some("s"));
    assert!(lists[0].body["id"].as_u64().is_some_and(|id| id > 9), "an id that no client has");
}

#[tokio::test]
async fn without_a_session_the_list_is_asked_for_in_the_clients_version() {
    let server = HttpServer::start(fails_once).await;
    let gateway = gateway(SAFE, Limits::default());
    let mut client = LineClient::of_url_with(gateway, &server.url(), trusted(Some(true)));
    let mut request = call(1, "read");
    request["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "mine": 1,
    });
    assert_eq!(as_written(&client.ask(request).await), json!({ "content": [] }));
    client.leave().await;
    let lists = methods(&server, "tools/list");
    assert_eq!(lists.len(), 2);
    let meta = lists[0].body["params"]["_meta"].as_object().expect("an object").clone();
    assert_eq!(meta.len(), 2, "what is the protocol's, and nothing of the client's own");
    assert_eq!(lists[0].header("mcp-protocol-version"), Some("2026-07-28"));
}

#[tokio::test]
async fn a_list_that_has_passed_or_that_nobody_would_believe_is_not_asked_for() {
    let server = HttpServer::start(fails_once).await;
    let mut listing = client(&server, trusted(Some(true))).await;
    for cursor in [json!({}), json!({ "cursor": "2" })] {
        let list = json!({ "jsonrpc": "2.0", "id": 9, "method": "tools/list", "params": cursor });
        listing.ask(list).await;
    }
    assert_eq!(as_written(&listing.ask(call(1, "read")).await), json!({ "content": [] }));
    listing.leave().await;
    assert_eq!(methods(&server, "tools/list").len(), 2);

    for who in [Some(false), None] {
        let server = HttpServer::start(fails_once).await;
        let mut client = client(&server, trusted(who)).await;
        assert!(client.ask(call(1, "read")).await.get("error").is_some(), "{who:?}");
        client.leave().await;
        assert!(methods(&server, "tools/list").is_empty(), "{who:?}");
    }
}

#[tokio::test]
async fn a_server_that_gives_no_list_costs_a_failure_nothing_but_a_moment() {
    let server = HttpServer::start(|asked, _| match asked.rpc_method() {
        "tools/list" => status(500),
        "tools/call" => status(503),
        _ => manners(asked, "s"),
    })
    .await;
    let mut client = client(&server, trusted(Some(true))).await;
    for id in 1..4 {
        assert!(client.ask(call(id, "read")).await.get("error").is_some());
    }
    client.leave().await;
    assert_eq!(methods(&server, "tools/call").len(), 3, "nothing is known, so none is repeated");
    assert_eq!(methods(&server, "tools/list").len(), 1, "it is not asked again at every call");
}
