//! A collector that remembers the spans that it was sent.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use http::HeaderMap;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;
use tokio::net::TcpListener;

/// One request as it came.
#[derive(Clone)]
pub struct Export {
    pub headers: HeaderMap,
    pub body: Bytes,
}

#[derive(Clone)]
pub struct Collector {
    address: SocketAddr,
    exports: Arc<Mutex<Vec<Export>>>,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let collector = Self { address, exports: Arc::default() };
        let app = Router::new().route("/v1/traces", post(take)).with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        collector
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn exports(&self) -> Vec<Export> {
        self.exports.lock().expect("no panic").clone()
    }

    /// Every span so far, with the attributes of the resource that it is of.
    pub fn spans(&self) -> Vec<(Vec<KeyValue>, Span)> {
        let requests = self.exports().into_iter().map(|export| {
            ExportTraceServiceRequest::decode(export.body).expect("the right message")
        });
        let mut spans = Vec::new();
        for of_resource in requests.flat_map(|request| request.resource_spans) {
            let resource = of_resource.resource.expect("a resource").attributes;
            for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                spans.push((resource.clone(), span));
            }
        }
        spans
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) {
    collector.exports.lock().expect("no panic").push(Export { headers, body });
}

/// An attribute as text; none if it is not there.
pub fn attribute(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => panic!("{name} is {other:?}"),
    }
}
