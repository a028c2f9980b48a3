//! The text of `/metrics`, however many ask for it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use bytes::Bytes;

use crate::metrics::Metrics;

/// Makes one text at a time: it asks the plugins, who are not to be asked, and
/// waited for in a thread, for each of those who want to know.
pub(super) struct Scrapes {
    metrics: Arc<Metrics>,
    making: tokio::sync::Mutex<()>,
    last: Mutex<Option<Made>>,
}

#[derive(Clone)]
struct Made {
    begun: Instant,
    text: Bytes,
}

impl Scrapes {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, making: tokio::sync::Mutex::default(), last: Mutex::default() }
    }

    /// All numbers, none of them older than the question. Who asks while a text is being made
    /// shares the next one with all others who do. None if making it failed.
    pub(super) async fn text(&self) -> Option<Bytes> {
        let asked = Instant::now();
        let _making = self.making.lock().await;
        let last = self.last().clone();
        if let Some(made) = last.filter(|made| made.begun > asked) {
            return Some(made.text);
        }
        let (begun, metrics) = (Instant::now(), self.metrics.clone());
        let text = tokio::task::spawn_blocking(move || metrics.text()).await.ok()?;
        let text = Bytes::from(text);
        *self.last() = Some(Made { begun, text: text.clone() });
        Some(text)
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<Made>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
