//! A plugin that breaks, beside a sound one, in the built program.

use std::{fs, path::Path};

use http::Method;
use serde_json::{Value, json};

use crate::{
    collector::{Collector, attribute},
    http_client::HttpClient,
    http_server::{HttpServer, as_written, json_body, manners, result},
    program::{Running, file},
};

#[allow(dead_code, reason = "the tests of the boundary need more of it")]
#[path = "../../../tests/hostile/guest.rs"]
mod guest;

/// It traps over the tool `bad`.
fn trapping() -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("trapping.wasm");
    fs::write(&path, guest::Guest::bad_at("unreachable").bytes()).expect("writable");
    path.to_str().expect("a plain path").to_owned()
}

fn call(tool: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": tool, "arguments": {} } })
}

#[tokio::test]
async fn what_becomes_of_its_calls_is_for_the_file_to_say() {
    let plugin = trapping();
    for (on_error, attempts) in [("", 3), ("on_error: ignore,", 3), ("on_error: fail,", 1)] {
        let (collector, server) = (
            Collector::start().await,
            HttpServer::start(|asked, _| match asked.rpc_method() {
                "tools/call" => json_body(result(asked, json!({ "isError": true, "n": 1.50 }))),
                _ => manners(asked, "s"),
            })
            .await,
        );
        let text = format!(
            r#"
listen: 127.0.0.1:0
otlp: {{ endpoint: "{}" }}
upstreams: {{ up: {{ url: "{}" }} }}
plugins:
  - {{ name: trapping, kind: "wasm://{plugin}", mode: enforce, {on_error} hooks: [tool_post_invoke] }}
  - name: sound
    kind: retry-with-backoff
    config: {{ max_retries: 2, backoff_base_ms: 1, max_backoff_ms: 1 }}
"#,
            collector.url(),
            server.url(),
        );
        let gateway = Running::start(&["serve", &file("hostile.yaml", &text)], &[]).await;
        let mut client = HttpClient::at(gateway.address, "/mcp");
        client.initialize().await;

        let answer = client.ask(call("bad")).await;
        let asked = server.asked_for(|asked| asked.rpc_method() == "tools/call").len();
        assert_eq!(asked, attempts, "{on_error} {answer}");
        let original = json!({ "isError": true, "n": 1.50 });
        if attempts == 1 {
            assert_eq!(answer["error"]["code"], -32603);
            assert_eq!(answer["error"]["data"]["name"], "plugin_failed");
            assert_eq!(answer["error"]["data"]["result"], original, "it is not lost");
        } else {
            assert_eq!(as_written(&answer), original);
        }
        let polite = client.ask(call("another")).await;
        assert_eq!(as_written(&polite), original);

        let numbers = client.send(Method::GET, "/metrics", "").await.text();
        let told = |line: &str| numbers.lines().any(|one| one == line);
        let trapped = r#"mcp_gateway_plugin_faults_total{plugin="trapping",fault="broke.trapped"}"#;
        assert!(numbers.contains(trapped), "{numbers}");
        let closed = r#"mcp_gateway_calls_total{upstream="up",hook="tool_post_invoke",end="failed_closed"} 1"#;
        assert_eq!(told(closed), attempts == 1, "{numbers}");
        gateway.ended().await;

        let spans = collector.spans();
        let failure = spans.iter().find_map(|(_, span)| attribute(&span.attributes, "failure"));
        assert_eq!(failure.as_deref(), (attempts == 1).then_some("trapped"));
    }
}
