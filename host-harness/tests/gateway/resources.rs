//! `resources/read` through the real plugin.

use std::time::Duration;

use host_harness::{
    gateway::Limits,
    mcp::{RelayOptions, relay},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, duplex, split},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::plugin::gateway;

/// Reads a resource of an upstream that answers -32603 for ever; returns how
/// often the upstream was asked, and the client's response.
async fn read_from_a_failing_server(config: &str) -> (u32, Value) {
    let (client, front) = duplex(1 << 16);
    let (server, back) = duplex(1 << 16);
    tokio::spawn(relay(
        gateway(config, Limits::default()),
        RelayOptions::default(),
        split(front),
        split(back),
        CancellationToken::new(),
    ));
    let serving = tokio::spawn(async move {
        let (from, mut to) = split(server);
        let mut lines = BufReader::new(from).lines();
        let mut asked = 0;
        while let Some(line) = lines.next_line().await.expect("text") {
            asked += 1;
            let request: Value = serde_json::from_str(&line).expect("JSON");
            assert_eq!(request["params"]["uri"], "u:1");
            let error = json!({ "code": -32603, "message": "busy" });
            let answer = json!({ "jsonrpc": "2.0", "id": request["id"], "error": error });
            to.write_all(format!("{answer}\n").as_bytes()).await.expect("the relay reads");
        }
        asked
    });
    let (from, mut to) = split(client);
    let read = json!({ "jsonrpc": "2.0", "id": 5, "method": "resources/read",
        "params": { "uri": "u:1" } });
    to.write_all(format!("{read}\n").as_bytes()).await.expect("the relay reads");
    let mut lines = BufReader::new(from).lines();
    let line = timeout(Duration::from_secs(20), lines.next_line()).await;
    let line = line.expect("an answer in time").expect("text").expect("not the end");
    to.shutdown().await.expect("the relay reads");
    drop((lines, to));
    let asked = serving.await.expect("no panic");
    (asked, serde_json::from_str(&line).expect("JSON"))
}

#[tokio::test]
async fn a_failed_read_is_retried_if_the_plugin_retries_resources_and_passed_on_if_not() {
    for (config, attempts) in [
        (r#"{"retry_resources": true}"#, 3),
        (r#"{"retry_resources": true, "max_retries": 1}"#, 2),
        (r#"{"profile": "safe"}"#, 4),
        ("{}", 1),
    ] {
        let (asked, response) = read_from_a_failing_server(config).await;
        assert_eq!(asked, attempts, "{config}");
        let error = json!({ "code": -32603, "message": "busy" });
        assert_eq!(response, json!({ "jsonrpc": "2.0", "id": 5, "error": error }), "{config}");
    }
}
