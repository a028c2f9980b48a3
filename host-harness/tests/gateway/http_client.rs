//! A client that speaks HTTP, and a front to speak to.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use futures_util::StreamExt;
use host_harness::{
    gateway::Gateway,
    mcp::{
        RelayOptions, Shutdown, Target,
        front::http::{Admission, FrontLimits, HttpFront, Service},
    },
};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use sse_stream::SseStream;
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};

use crate::line_client::PATIENCE;

pub struct Front {
    pub address: SocketAddr,
    pub shutdown: Shutdown,
    pub serving: JoinHandle<()>,
}

impl Front {
    pub async fn start(gateway: Arc<Gateway>, target: Target, limits: FrontLimits) -> Self {
        let relaying = RelayOptions::default();
        let service = Service { gateway, relaying, target, pass_headers: Vec::new() };
        Self::of([("played".to_owned(), service)].into(), limits).await
    }

    /// In front of all of these.
    pub async fn of(services: BTreeMap<String, Service>, limits: FrontLimits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let front = HttpFront { services, admission: Admission::default(), limits, metrics: None };
        let shutdown = Shutdown::default();
        let serving = tokio::spawn(front.serve(listener, shutdown.clone()));
        Self { address, shutdown, serving }
    }

    pub async fn ended(self) {
        self.shutdown.drain.cancel();
        timeout(PATIENCE, self.serving).await.expect("an end in time").expect("no panic");
    }
}

/// One client's connection.
#[derive(Clone)]
pub struct HttpClient {
    http: Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
    path: &'static str,
    /// Of every request; a test adds what it needs.
    pub headers: HeaderMap,
}

/// The head of an answer, and its messages.
pub struct Heard {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: Body,
}

enum Body {
    Json(Option<Bytes>),
    Events(SseStream<hyper::body::Incoming>),
}

impl HttpClient {
    pub fn of(front: &Front) -> Self {
        Self::at(front.address, "/mcp")
    }

    pub fn at(address: SocketAddr, path: &'static str) -> Self {
        let mut headers = HeaderMap::new();
        let both = "application/json, text/event-stream";
        headers.insert("accept", both.parse().expect("a value"));
        headers.insert("content-type", "application/json".parse().expect("a value"));
        let http = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self { http, address, path, headers }
    }

    pub fn set(&mut self, name: &'static str, value: &str) {
        self.headers.insert(name, value.parse().expect("a value"));
    }

    /// Sends text, whatever it is.
    pub async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Heard {
        let mut request = Request::new(Full::new(body.into()));
        *request.method_mut() = method;
        *request.uri_mut() = format!("http://{}{path}", self.address).parse().expect("a URL");
        *request.headers_mut() = self.headers.clone();
        let answered = timeout(PATIENCE, self.http.request(request)).await;
        let (head, body) = answered.expect("an answer in time").expect("an answer").into_parts();
        let kind = head.headers.get("content-type").and_then(|kind| kind.to_str().ok());
        let body = if kind.is_some_and(|kind| kind.starts_with("text/event-stream")) {
            Body::Events(SseStream::new(body))
        } else {
            let bytes = http_body_util::BodyExt::collect(body).await.expect("a body").to_bytes();
            Body::Json(Some(bytes))
        };
        Heard { status: head.status, headers: head.headers, body }
    }

    pub async fn post(&self, message: Value) -> Heard {
        self.send(Method::POST, self.path, message.to_string()).await
    }

    /// Makes a request and hears its response, which has to come first.
    pub async fn ask(&self, message: Value) -> Value {
        self.post(message).await.next().await.expect("a response")
    }

    /// Begins a session and names it in every request from now on.
    pub async fn initialize(&mut self) -> Value {
        let mut heard = self.post(crate::http_server::initialize()).await;
        let name = heard.headers.get("mcp-session-id").cloned().expect("a session");
        self.headers.insert("mcp-session-id", name);
        let answer = heard.next().await.expect("a response");
        let told = self.post(crate::http_server::initialized()).await;
        assert_eq!(told.status, StatusCode::ACCEPTED);
        answer
    }
}

impl Heard {
    /// A body that is no stream.
    pub fn text(self) -> String {
        match self.body {
            Body::Json(bytes) => {
                String::from_utf8(bytes.unwrap_or_default().to_vec()).expect("text")
            }
            Body::Events(_) => panic!("a stream"),
        }
    }

    /// The next message; none at the end.
    pub async fn next(&mut self) -> Option<Value> {
        match &mut self.body {
            Body::Json(bytes) => {
                let bytes = bytes.take().filter(|bytes| !bytes.is_empty())?;
                Some(serde_json::from_slice(&bytes).expect("JSON"))
            }
            Body::Events(events) => loop {
                let event = timeout(PATIENCE, events.next()).await.expect("an event in time")?;
                if let Some(data) = event.expect("a whole event").data {
                    return Some(serde_json::from_str(&data).expect("JSON"));
                }
            },
        }
    }
}
