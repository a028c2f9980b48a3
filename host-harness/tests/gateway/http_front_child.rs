//! Clients on Streamable HTTP, in front of a server that the front starts.

use host_harness::{
    gateway::Limits,
    mcp::{Target, front::http::FrontLimits},
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    http_client::{Front, HttpClient},
    plugin::gateway,
};

async fn front() -> Front {
    let server = vec![env!("CARGO_BIN_EXE_host-harness").into(), "flaky-server".into()];
    let target = Target::Command(server.into());
    Front::start(gateway("{}", Limits::default()), target, FrontLimits::default()).await
}

fn flaky(id: u32, key: &str) -> Value {
    let arguments = json!({ "key": key, "fail_times": 2, "mode": "isError" });
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
        "params": { "name": "flaky", "arguments": arguments } })
}

#[tokio::test]
async fn every_session_has_a_server_of_its_own_that_ends_with_it() {
    let front = front().await;
    let (mut one, mut other) = (HttpClient::of(&front), HttpClient::of(&front));
    one.initialize().await;
    other.initialize().await;
    for client in [&one, &other] {
        let answer = client.ask(flaky(7, "the same")).await;
        assert_eq!(answer["id"], 7);
        // A server that had seen the key before would not fail again.
        assert_eq!(answer["result"]["content"][0]["text"], "flaky recovered after 3 attempt(s)");
    }
    assert_eq!(one.send(Method::DELETE, "/mcp", "").await.status, StatusCode::OK);
    assert_eq!(one.post(flaky(8, "x")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(other.ask(flaky(8, "x")).await["id"], 8);
    front.ended().await;
}

#[tokio::test]
async fn headers_that_do_not_say_what_the_body_says_are_refused() {
    let front = front().await;
    let mut client = HttpClient::of(&front);
    client.set("mcp-protocol-version", "2026-07-28");
    client.set("mcp-method", "tools/list");
    let mut call = flaky(1, "k");
    call["params"]["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28" });
    let mut heard = client.post(call).await;
    assert_eq!(heard.status, StatusCode::BAD_REQUEST);
    assert_eq!(heard.next().await.expect("a body")["error"]["code"], -32020);
    front.ended().await;
}
