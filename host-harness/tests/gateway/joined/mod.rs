//! Several upstreams that a client sees as one server.

mod bounds;
mod by_uri;
mod calls;
#[cfg(unix)]
mod children;
mod faults;
mod fronts;
mod greeting;
mod lists;
mod questions;
mod stateless;
mod takeovers;

use std::{sync::Arc, time::Duration};

use axum::response::Response;
use host_harness::{
    gateway::{Gateway, Limits},
    mcp::{Group, HttpUpstream, Prefixes, RelayOptions, Target, front::http::Service},
};
use serde_json::{Value, json};

use crate::{
    http_server::{Asked, HttpServer, initialize, initialized, json_body, manners, result},
    line_client::{LineClient, PATIENCE},
    plugin::gateway,
};

/// A server of 2025-11-25 that lists what `offers` holds by method, and
/// answers everything else as `play` says, if it does.
async fn server(
    offers: Value,
    play: impl Fn(&Asked, usize) -> Option<Response> + Send + Sync + 'static,
) -> HttpServer {
    HttpServer::start(move |asked, before| {
        if let Some(response) = play(asked, before) {
            return response;
        }
        if asked.rpc_method() == "initialize" {
            let capability = |method: &String| {
                let name = method.split('/').next().expect("a name").to_owned();
                (name, json!({}))
            };
            let capabilities: serde_json::Map<_, _> =
                offers.as_object().expect("lists").keys().map(capability).collect();
            let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": capabilities,
                "serverInfo": { "name": "played", "version": "1" } });
            return json_body(result(asked, hello));
        }
        match offers.get(asked.rpc_method()) {
            Some(list) => json_body(result(asked, list.clone())),
            None if asked.rpc_method().ends_with("/list") => {
                panic!("asked for what it does not offer: {}", asked.body)
            }
            None => manners(asked, ""),
        }
    })
    .await
}

fn silent(_: &Asked, _: usize) -> Option<Response> {
    None
}

/// Answers each call with who was asked for what.
fn echo(name: &'static str) -> impl Fn(&Asked, usize) -> Option<Response> {
    move |asked, _| {
        (asked.rpc_method() == "tools/call").then(|| {
            json_body(result(asked, json!({ "by": name, "tool": asked.body["params"]["name"] })))
        })
    }
}

fn tools(names: &[&str]) -> Value {
    let tools: Vec<_> =
        names.iter().map(|name| json!({ "name": name, "inputSchema": {} })).collect();
    json!({ "tools/list": { "tools": tools } })
}

fn url(server: &HttpServer) -> Target {
    Target::Url(HttpUpstream::new(&server.url(), Default::default()).expect("a good URL"))
}

/// Upstreams behind one gateway, joined.
struct Upstreams {
    gateway: Arc<Gateway>,
    services: std::collections::BTreeMap<String, Service>,
}

impl Upstreams {
    fn behind(gateway: Arc<Gateway>) -> Self {
        Self { gateway, services: Default::default() }
    }

    fn new() -> Self {
        Self::behind(gateway("{}", Limits::default()))
    }

    fn with(self, name: &str, target: Target) -> Self {
        self.with_prefixes(name, target, Prefixes::default())
    }

    fn with_prefixes(mut self, name: &str, target: Target, prefixes: Prefixes) -> Self {
        let upstream_name = Some(name.to_owned());
        let relaying = RelayOptions { upstream_name, prefixes, ..RelayOptions::default() };
        let gateway = self.gateway.clone();
        let service = Service { gateway, relaying, target, pass_headers: Vec::new() };
        self.services.insert(name.to_owned(), service);
        self
    }

    fn joined(self) -> Arc<Group> {
        self.joined_with(PATIENCE)
    }

    fn joined_with(self, patience: Duration) -> Arc<Group> {
        Group::new(self.services, patience)
    }

    /// A client in the middle of its session.
    async fn client(self) -> LineClient {
        greeted(LineClient::of_several(self.joined())).await
    }
}

async fn greeted(mut client: LineClient) -> LineClient {
    let hello = client.ask(initialize()).await;
    assert!(hello.get("result").is_some(), "{hello}");
    client.say(initialized()).await;
    client
}

fn request(id: u32, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

fn list(method: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": 5, "method": method })
}

fn call_of(id: u32, tool: &str) -> Value {
    request(id, "tools/call", json!({ "name": tool, "arguments": {} }))
}

/// What each entry of a list is called.
fn names(answer: &Value, member: &str, name: &str) -> Vec<String> {
    let entries = answer["result"][member].as_array();
    let entries = entries.unwrap_or_else(|| panic!("no {member} in {answer}"));
    entries.iter().map(|one| one[name].as_str().expect("a name").to_owned()).collect()
}
