//! A server that reads nothing.

use host_harness::{
    gateway::Limits,
    mcp::{Target, front::http::FrontLimits},
};
use http::{Method, StatusCode};
use serde_json::json;

use crate::{
    http_client::{Front, HttpClient},
    http_server::call,
    plugin::gateway,
};

/// Answers `initialize`, and reads no further.
const SCRIPT: &str = r#"
read -r line
printf '{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25"}}\n'
exec sleep 60
"#;

#[tokio::test]
async fn a_session_with_a_server_that_reads_nothing_can_be_ended() {
    let target = Target::Command(["sh", "-c", SCRIPT].map(Into::into).into());
    let limits = FrontLimits { drain: std::time::Duration::ZERO, ..FrontLimits::default() };
    let front = Front::start(gateway("{}", Limits::default()), target, limits).await;
    let mut client = HttpClient::of(&front);
    client.initialize().await;
    // More than the pipe and the queue hold.
    let mut long = call(1);
    long["params"]["arguments"] = json!({ "x": "x".repeat(100_000) });
    let mut calls = tokio::task::JoinSet::new();
    for id in 1..=100 {
        let (client, mut call) = (client.clone(), long.clone());
        call["id"] = json!(id);
        calls.spawn(async move { client.post(call).await.status });
    }
    tokio::task::yield_now().await;
    let ended = client.send(Method::DELETE, "/mcp", "").await;
    assert_eq!(ended.status, StatusCode::OK);
    while let Some(status) = calls.join_next().await {
        let status = status.expect("no panic");
        // Its stream ended, or it came too late.
        let known = [StatusCode::OK, StatusCode::BAD_GATEWAY, StatusCode::NOT_FOUND];
        assert!(known.contains(&status), "{status}");
    }
    front.ended().await;
}
