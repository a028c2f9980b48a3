//! A server behind a URL that does what a test says, and remembers what it was asked.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch};

use crate::line_client::PATIENCE;

/// One HTTP request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: Method,
    pub headers: HeaderMap,
    /// `null` if the body is no JSON.
    pub body: Value,
}

impl Asked {
    /// The JSON-RPC method; empty if there is none.
    pub fn rpc_method(&self) -> &str {
        self.body["method"].as_str().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }
}

type Play = dyn Fn(Asked, usize) -> BoxFuture<'static, Response> + Send + Sync;

#[derive(Clone)]
pub struct HttpServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    heard: Arc<tokio::sync::Notify>,
}

#[derive(Clone)]
struct Stage {
    server: HttpServer,
    play: Arc<Play>,
}

impl HttpServer {
    /// Answers with what `play` makes of a request and of how many requests of
    /// the same HTTP and JSON-RPC method there were before it.
    pub async fn start(play: impl Fn(&Asked, usize) -> Response + Send + Sync + 'static) -> Self {
        Self::start_slow(move |asked, before| {
            let response = play(&asked, before);
            Box::pin(async { response })
        })
        .await
    }

    /// As [`start`](Self::start), of a server that takes its time.
    pub async fn start_slow(
        play: impl Fn(Asked, usize) -> BoxFuture<'static, Response> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = Self { address, asked: Arc::default(), heard: Arc::default() };
        let stage = Stage { server: server.clone(), play: Arc::new(play) };
        let app = axum::Router::new().fallback(answer).with_state(stage);
        tokio::spawn(async move { axum::serve(listener, app).await });
        server
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }

    /// The requests so far that satisfy `wanted`.
    pub fn asked_for(&self, wanted: impl Fn(&Asked) -> bool) -> Vec<Asked> {
        self.asked().into_iter().filter(wanted).collect()
    }

    /// Waits for a request that satisfies `wanted`.
    pub async fn hears(&self, wanted: impl Fn(&Asked) -> bool) -> Asked {
        let heard = async {
            loop {
                let next = self.heard.notified();
                if let Some(asked) = self.asked().into_iter().find(&wanted) {
                    return asked;
                }
                next.await;
            }
        };
        tokio::time::timeout(PATIENCE, heard).await.expect("the request in time")
    }
}

async fn answer(State(stage): State<Stage>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let asked = Asked { method: parts.method, headers: parts.headers, body };
    let before = {
        let mut all = stage.server.asked.lock().expect("no panic");
        let same = |other: &&Asked| {
            other.method == asked.method && other.rpc_method() == asked.rpc_method()
        };
        let before = all.iter().filter(same).count();
        all.push(asked.clone());
        before
    };
    stage.server.heard.notify_waiters();
    (stage.play)(asked, before).await
}

/// A status and no body.
pub fn status(code: u16) -> Response {
    Response::builder().status(code).body(Body::empty()).expect("a response")
}

/// A JSON body.
pub fn json_body(body: Value) -> Response {
    Response::builder()
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .expect("a response")
}

/// A stream of these events, which then breaks off, or goes on for ever without a word.
pub fn stream(events: &[&str], then_breaks: bool) -> Response {
    let events: Vec<Result<String, std::io::Error>> =
        events.iter().map(|event| Ok(format!("{event}\n\n"))).collect();
    let events = futures_util::stream::iter(events);
    let broken = futures_util::stream::once(async move {
        if then_breaks {
            // Give what was written a moment to leave; the connection is reset next.
            tokio::task::yield_now().await;
            Err(std::io::Error::other("broken on purpose"))
        } else {
            std::future::pending().await
        }
    });
    let body = Body::from_stream(futures_util::StreamExt::chain(events, broken));
    Response::builder().header("content-type", "text/event-stream").body(body).expect("a response")
}

/// A stream that begins at once, and whose only event comes when it is released.
pub fn once_released(event: &Value, released: &watch::Receiver<bool>) -> Response {
    let (event, mut released) = (format!("data: {event}\n\n"), released.clone());
    let body = futures_util::stream::once(async move {
        released.wait_for(|released| *released).await.expect("the test goes on");
        Ok::<_, std::io::Error>(event)
    });
    Response::builder()
        .header("content-type", "text/event-stream")
        .body(Body::from_stream(body))
        .expect("a response")
}

/// The result of an answer without what the gateway says of its call.
pub fn as_written(answer: &Value) -> Value {
    let mut result = answer["result"].clone();
    if let Some(meta) = result.get_mut("_meta").and_then(Value::as_object_mut) {
        meta.remove("retry-with-backoff/outcome");
        if meta.is_empty() {
            result.as_object_mut().expect("it has members").remove("_meta");
        }
    }
    result
}

/// The result of a request.
pub fn result(asked: &Asked, result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": asked.body["id"], "result": result })
}

/// What a server of 2025-11-25 answers to everything but calls.
pub fn manners(asked: &Asked, session: &str) -> Response {
    match (asked.method.as_str(), asked.rpc_method()) {
        ("POST", "initialize") => {
            let mut response = json_body(result(
                asked,
                json!({ "protocolVersion": "2025-11-25", "capabilities": {},
                        "serverInfo": { "name": "played", "version": "1" } }),
            ));
            response.headers_mut().insert("mcp-session-id", session.parse().expect("a value"));
            response
        }
        ("POST", "ping") => json_body(result(asked, json!({}))),
        ("POST", _) => status(202),
        ("DELETE", _) => status(200),
        _ => status(405),
    }
}

pub fn initialize() -> Value {
    json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" } } })
}

pub fn initialized() -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })
}

pub fn call(id: u32) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
        "params": { "name": "t", "arguments": {} } })
}
