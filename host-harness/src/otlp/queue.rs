//! Spans that wait for the collector.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor},
};

use crate::metrics::Metrics;

/// How many spans wait at the most, those that are being sent included, unless
/// the environment says otherwise.
const MOST_WAITING: usize = 2_048;

/// The room in the queue, and what became of the spans.
#[derive(Debug)]
pub(super) struct Room {
    most: usize,
    waiting: AtomicUsize,
    lost: AtomicU64,
    /// Whether the collector did not take the last batch.
    failing: AtomicBool,
    metrics: Arc<Metrics>,
}

impl Room {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        let most = env::var("OTEL_BSP_MAX_QUEUE_SIZE").ok().and_then(|text| text.parse().ok());
        Self {
            most: most.filter(|most| *most > 0).unwrap_or(MOST_WAITING),
            waiting: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            metrics,
        }
    }

    /// Says what the collector never got.
    pub(super) fn tell_losses(&self) {
        let left = self.waiting.load(Ordering::Relaxed) as u64;
        let lost = self.lost.load(Ordering::Relaxed).saturating_add(left);
        if lost > 0 {
            tracing::warn!(lost, "spans were not exported");
        }
    }

    fn lose(&self, outcome: &'static str, spans: usize) {
        self.lost.fetch_add(spans as u64, Ordering::Relaxed);
        self.metrics.exported(outcome, spans);
    }
}

/// The queue before an exporter. A span that finds no room is dropped at once.
pub(super) fn queue(exporter: impl SpanExporter + 'static, room: Arc<Room>) -> impl SpanProcessor {
    // As long as the room: what is counted in finds a place.
    let config = BatchConfigBuilder::default().with_max_queue_size(room.most).build();
    let exporter = Counted { exporter, room: room.clone() };
    let inner = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
    Bounded { inner, room }
}

#[derive(Debug)]
struct Bounded {
    inner: BatchSpanProcessor,
    room: Arc<Room>,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.room.waiting.fetch_add(1, Ordering::AcqRel) < self.room.most {
            self.inner.on_end(span);
        } else {
            self.room.waiting.fetch_sub(1, Ordering::AcqRel);
            self.room.lose("dropped", 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[derive(Debug)]
struct Counted<E> {
    exporter: E,
    room: Arc<Room>,
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let answer = self.exporter.export(batch).await;
        self.room.waiting.fetch_sub(spans, Ordering::AcqRel);
        let failing = self.room.failing.swap(answer.is_err(), Ordering::Relaxed);
        // Said when it begins and when it ends, not for each batch.
        match &answer {
            Ok(()) => {
                self.room.metrics.exported("exported", spans);
                if failing {
                    tracing::info!("the collector takes spans again");
                }
            }
            Err(error) => {
                self.room.lose("failed", spans);
                if !failing {
                    tracing::warn!(%error, "the collector does not take spans; they are lost");
                }
            }
        }
        answer
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use opentelemetry::trace::{Tracer, TracerProvider};
    use opentelemetry_sdk::{error::OTelSdkError, trace::SdkTracerProvider};

    use super::*;

    /// Takes every other batch, and none as long as the door is shut.
    #[derive(Debug, Default)]
    struct Moody {
        door: Arc<Mutex<()>>,
        takes: AtomicBool,
    }

    impl SpanExporter for Moody {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            drop(self.door.lock());
            if self.takes.fetch_xor(true, Ordering::SeqCst) {
                Ok(())
            } else {
                Err(OTelSdkError::InternalFailure("on purpose".to_owned()))
            }
        }
    }

    #[test]
    fn what_becomes_of_each_span_is_counted_and_leaves_room() {
        let metrics = Metrics::new();
        let room = Arc::new(Room { most: 2, ..Room::new(metrics.clone()) });
        let exporter = Moody::default();
        let door = exporter.door.clone();
        let provider =
            SdkTracerProvider::builder().with_span_processor(queue(exporter, room.clone())).build();
        let tracer = provider.tracer("test");
        for _ in 0..4 {
            // The thread that exports begins as soon as it has a batch.
            let shut = door.lock();
            for _ in 0..3 {
                drop(tracer.start("a span"));
            }
            drop(shut);
            // It fails with its batch.
            let _ = provider.force_flush();
        }
        assert_eq!(room.waiting.load(Ordering::SeqCst), 0);
        assert_eq!(room.lost.load(Ordering::SeqCst), 4 + 4);
        let told = metrics.text();
        for (outcome, spans) in [("dropped", 4), ("failed", 4), ("exported", 4)] {
            let line = format!("mcp_gateway_spans_total{{outcome=\"{outcome}\"}} {spans}\n");
            assert!(told.contains(&line), "{line} in {told}");
        }
    }
}
