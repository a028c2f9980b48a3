//! Whether spans are exported, and where to.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use clap::Args;
use host_harness::{
    metrics::Metrics,
    otlp::{Endpoint, Export},
};

use crate::cli::logs;

/// How long the last spans may take at the end.
const LAST: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(super) struct Exporting {
    /// Export a span of each call, attempt and decision to the collector at
    /// this URL (OTLP over HTTP). Without a URL the variables `OTEL_EXPORTER_OTLP_*`
    /// say where it is, and else it is `http://localhost:4318`.
    #[arg(long, value_name = "URL", num_args = 0..=1, require_equals = true)]
    otlp: Option<Option<String>>,
}

impl Exporting {
    /// Logs from now on, and exports if this says so or, after it, `file`.
    pub(super) fn start(
        &self,
        file: Option<&Option<Endpoint>>,
        metrics: &Arc<Metrics>,
    ) -> anyhow::Result<Option<Export>> {
        // Not read by the parser of options, which shows what is wrong: it may hold a secret.
        let given = self.otlp.as_ref().map(|url| url.as_deref().map(str::parse).transpose());
        let given: Option<Option<Endpoint>> = given.transpose().context("--otlp")?;
        let export = match given.as_ref().or(file) {
            Some(endpoint) => Some(Export::start(endpoint.as_ref(), metrics.clone())?),
            None => None,
        };
        logs::to_stderr(logs::NORMAL, export.as_ref());
        Ok(export)
    }
}

/// Sends the last spans, in no more time than what is under way gets to end.
pub(super) async fn finish(export: Option<Export>, drain: Duration) {
    if let Some(export) = export {
        export.finish(drain.min(LAST)).await;
    }
}
