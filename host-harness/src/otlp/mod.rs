//! Spans of calls for a collector: OTLP over HTTP, in protobuf.
//!
//! Nothing here holds up a call: a span that ends goes into a queue of a bounded
//! length, from which a thread of its own sends. Where the queue is full, or the
//! collector does not take them, spans are lost, and counted.
//!
//! The variables `OTEL_*` of the environment count as the OpenTelemetry
//! libraries read them.
//!
//! * `client`: one request to the collector.
//! * `endpoint`: where it is.
//! * `queue`: what waits for it, bounded and counted.
//! * `resource`: who we say we are.

mod client;
mod endpoint;
mod queue;
mod resource;

use std::{env, sync::Arc, time::Duration};

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{
    ExporterBuildError, OTEL_EXPORTER_OTLP_PROTOCOL, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, Protocol,
    SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

pub use endpoint::{BadEndpoint, Endpoint};

use crate::metrics::Metrics;
use client::Client;
use queue::Room;

/// The name of our spans' origin, and of the service unless the environment has another.
const NAME: &str = "host-harness";

/// Sends spans to a collector.
#[derive(Debug)]
pub struct Export {
    provider: SdkTracerProvider,
    room: Arc<Room>,
}

/// What the environment says of the collector makes no sense here.
#[derive(Debug, thiserror::Error)]
pub enum CannotExport {
    /// It is no URL, or wants what we were not built for.
    #[error("spans cannot be exported: {0}")]
    Environment(#[from] ExporterBuildError),
    /// The collector that it names wants to be spoken to in another way.
    #[error(
        "spans cannot be exported: `{variable}` is `{value}`, and only `http/protobuf` is \
         spoken here; give the URL of that with `--otlp=URL`"
    )]
    Protocol {
        /// Where it says so.
        variable: &'static str,
        /// What it says.
        value: String,
    },
}

impl Export {
    /// Gets ready to send to the collector at `endpoint`; where there is none,
    /// the environment says where it is, and else it is `http://localhost:4318`.
    /// What becomes of spans is counted in `metrics`.
    ///
    /// # Errors
    /// The environment says what makes no sense.
    ///
    /// # Panics
    /// Outside of a tokio runtime with its timer and its I/O enabled.
    pub fn start(endpoint: Option<&Endpoint>, metrics: Arc<Metrics>) -> Result<Self, CannotExport> {
        let timeout = client::timeout();
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(timeout)
            .with_http_client(Client::new(Handle::current(), timeout));
        match endpoint {
            Some(endpoint) => exporter = exporter.with_endpoint(endpoint.of_traces()),
            None => spoken()?,
        }
        let room = Arc::new(Room::new(metrics));
        let provider = SdkTracerProvider::builder()
            .with_resource(resource::resource())
            .with_span_processor(queue::queue(exporter.build()?, room.clone()))
            .build();
        Ok(Self { provider, room })
    }

    /// Takes the spans of calls from a subscriber, and nothing that is logged in them.
    #[must_use]
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let ours = filter_fn(|metadata| {
            metadata.is_span() && metadata.target().starts_with(crate::gateway::span::TARGET)
        });
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer(NAME))
            .with_context_activation(false)
            .with_tracked_inactivity(false)
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_filter(ours.with_max_level_hint(LevelFilter::DEBUG))
    }

    /// Sends what still waits. What the collector has not taken after `within` is lost.
    pub async fn finish(self, within: Duration) {
        let Self { provider, room } = self;
        // It blocks.
        let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(within));
        // What was not sent is told by the room.
        let _ = ended.await;
        room.tell_losses();
    }
}

/// Whether the collector of the environment is one that we can speak to.
fn spoken() -> Result<(), CannotExport> {
    let variables = [OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, OTEL_EXPORTER_OTLP_PROTOCOL];
    let set = variables.iter().find_map(|variable| Some((*variable, env::var(variable).ok()?)));
    match set.filter(|(_, value)| !matches!(&**value, "" | "http/protobuf")) {
        Some((variable, value)) => Err(CannotExport::Protocol { variable, value }),
        None => Ok(()),
    }
}
