//! One request to the collector.

use std::{env, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    OTEL_EXPORTER_OTLP_TIMEOUT, OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT,
    OTEL_EXPORTER_OTLP_TRACES_TIMEOUT,
};
use tokio::runtime::Handle;

use crate::https::{self, HttpsClient};

/// The longest answer that is read, in bytes. A collector has little to say.
const MOST_ANSWER_BYTES: usize = 64 << 10;

/// How long the collector may take, as the environment has it in milliseconds.
pub(super) fn timeout() -> Duration {
    [OTEL_EXPORTER_OTLP_TRACES_TIMEOUT, OTEL_EXPORTER_OTLP_TIMEOUT]
        .iter()
        .find_map(|name| env::var(name).ok()?.parse().ok())
        .map_or(OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT, Duration::from_millis)
}

/// Sends from a thread that belongs to no runtime, on a runtime.
#[derive(Debug)]
pub(super) struct Client {
    https: HttpsClient,
    runtime: Handle,
    timeout: Duration,
}

impl Client {
    pub(super) fn new(runtime: Handle, timeout: Duration) -> Self {
        Self { https: https::client(), runtime, timeout }
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.https.request(request.map(Full::new));
        let exchange = async {
            let (head, body) = answer.await?.into_parts();
            let body = Limited::new(body, MOST_ANSWER_BYTES).collect().await?.to_bytes();
            Ok::<_, HttpError>(Response::from_parts(head, body))
        };
        let timeout = self.timeout;
        self.runtime.spawn(async move { tokio::time::timeout(timeout, exchange).await }).await??
    }
}
