//! A client whose calls are traced, a server that fails once, and the built
//! program between them.

use serde_json::json;

use crate::{
    http_client::HttpClient,
    http_server::{Asked, HttpServer, json_body, manners, result},
    program::{Running, file},
};

pub const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
pub const CLIENTS_SPAN: &str = "00f067aa0ba902b7";

pub fn traceparent() -> String {
    format!("00-{TRACE}-{CLIENTS_SPAN}-01")
}

/// A gateway with these further lines, in front of the server at this URL.
pub fn configuration(name: &str, upstream: &str, otlp: &str) -> String {
    let text = format!(
        "
listen: 127.0.0.1:0
{otlp}
upstreams: {{ up: {{ url: \"{upstream}\" }} }}
plugins:
  - name: retries
    kind: retry-with-backoff
    config: {{ max_retries: 3, backoff_base_ms: 1, max_backoff_ms: 1, check_text_content: true }}
"
    );
    file(name, &text)
}

/// A server whose tool fails once, in a session of 2025-11-25.
pub async fn flaky_server() -> HttpServer {
    HttpServer::start(|asked, before| match asked.rpc_method() {
        "tools/call" if before == 0 => json_body(result(asked, json!({ "isError": true }))),
        "tools/call" => json_body(result(asked, json!({ "content": [] }))),
        _ => manners(asked, "s"),
    })
    .await
}

pub async fn client(gateway: &Running) -> HttpClient {
    let mut client = HttpClient::at(gateway.address, "/mcp");
    client.initialize().await;
    client
}

/// The calls that it was asked for.
pub fn calls(server: &HttpServer) -> Vec<Asked> {
    server.asked_for(|asked| asked.rpc_method() == "tools/call")
}
