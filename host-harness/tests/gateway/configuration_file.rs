//! The built program with a configuration file.

use http::{Method, StatusCode};
use serde_json::json;
use tokio::process::Command;

use crate::{
    http_client::HttpClient,
    program::{PROGRAM, Running, file},
};

pub fn flaky(fail_times: u32) -> serde_json::Value {
    let arguments = json!({ "key": "k", "fail_times": fail_times, "mode": "isError" });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "flaky", "arguments": arguments } })
}

#[tokio::test]
async fn several_servers_and_plugins_by_their_conditions() {
    let file = file(
        "several.yaml",
        r#"
listen: 127.0.0.1:0
upstreams:
  patient: { command: [PROGRAM, flaky-server] }
  hasty: { command: [PROGRAM, flaky-server] }
plugins:
  - name: retries
    kind: plugins.retry_with_backoff.retry_with_backoff.RetryWithBackoffPlugin
    hooks: [tool_post_invoke, resource_post_fetch]
    mode: enforce
    priority: 50
    conditions: [{ server_ids: [patient] }]
    config: { max_retries: 3, backoff_base_ms: 1, max_backoff_ms: 2 }
  - name: once
    kind: retry-with-backoff
    mode: permissive
    config: { max_retries: 1, backoff_base_ms: 1, max_backoff_ms: 1 }
"#,
    );
    let gateway = Running::start(&["serve", &file], &[]).await;
    gateway.unheard();
    let address = gateway.address;
    let mut patient = HttpClient::at(address, "/mcp/patient");
    patient.initialize().await;
    let answer = patient.ask(flaky(3)).await;
    assert_eq!(answer["result"]["content"][0]["text"], "flaky recovered after 4 attempt(s)");
    let mut hasty = HttpClient::at(address, "/mcp/hasty");
    hasty.initialize().await;
    let answer = hasty.ask(flaky(3)).await;
    assert_eq!(answer["result"]["isError"], true, "two attempts are not enough: {answer}");
    let numbers = hasty.send(Method::GET, "/metrics", "").await.text();
    for line in [
        r#"mcp_gateway_calls_total{upstream="patient",hook="tool_post_invoke",end="succeeded"} 1"#,
        r#"mcp_gateway_attempts_total{upstream="patient",hook="tool_post_invoke",retry="true",outcome="result"} 1"#,
        r#"mcp_gateway_attempts_total{upstream="hasty",hook="tool_post_invoke",retry="true",outcome="error_result"} 1"#,
        r#"mcp_gateway_plugin_duration_seconds_count{plugin="retries"} 4"#,
        r#"mcp_gateway_plugin_duration_seconds_count{plugin="once"} 6"#,
        // What the plugins count themselves.
        r#"mcp_gateway_plugin_stat{plugin="retries",stat="decisions.tool_error"} 3"#,
        r#"mcp_gateway_plugin_stat{plugin="once",stat="decisions.retries_exhausted"} 3"#,
        r#"mcp_gateway_plugin_stat{plugin="once",stat="calls.tracked"} 0"#,
    ] {
        assert!(numbers.lines().any(|one| one == line), "{line} in {numbers}");
    }
    let nowhere = HttpClient::at(address, "/mcp/other").post(flaky(0)).await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
    // Told to end, it ends as it should, its servers with it.
    #[cfg(unix)]
    gateway.ended().await;
}

#[tokio::test]
async fn what_is_wrong_is_told_with_file_path_and_key() {
    let wrong = file(
        "wrong.yaml",
        r#"
upstreams: { a: { command: [PROGRAM, flaky-server] } }
plugins:
  - { name: one, kind: retry-with-backoff, config: { max_retries: 11, maxRetries: 1 } }
"#,
    );
    let output = Command::new(PROGRAM).args(["serve", &wrong]).output().await.expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).expect("text");
    let mut lines: Vec<_> = told.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            format!(
                "error: {wrong}: plugins[0].config.maxRetries: unknown key; did you mean `max_retries`?"
            ),
            format!(
                "error: {wrong}: plugins[0].config.max_retries: must be an integer from 0 to 10, not 11"
            ),
        ]
    );
    let shape = file("shape.yaml", "upstreams:\n  a:\n    command: x\n");
    let output = Command::new(PROGRAM).args(["serve", &shape]).output().await.expect("it starts");
    let told = String::from_utf8(output.stderr).expect("text");
    assert_eq!(
        told,
        format!("error: {shape}:3:14: upstreams.a.command: expected sequence start\n")
    );
}
