//! What we say while we run.
//!
//! Peers choose some of the words, so whatever is written stays on its line
//! ([`one_line`]), and no peer can make it say the same all day ([`limiter`]).

mod limiter;
mod one_line;

use std::io;

use host_harness::otlp::Export;
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::FilterExt,
    layer::{Filter, SubscriberExt},
    registry::Registry,
    util::SubscriberInitExt,
};

use crate::colour;
use limiter::Limiter;
use one_line::OneLine;

/// Of everybody else only what is wrong.
pub(super) const NORMAL: &str = "warn,host_harness=info";

/// Logs go to stderr: stdout belongs to the protocol. `RUST_LOG` says how much;
/// if it does not, `by_default` does. Spans go to `export`.
///
/// # Panics
/// At the second time.
pub(super) fn to_stderr(by_default: &str, export: Option<&Export>) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(by_default));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        // It would tell stderr that stderr is gone, and panic over it.
        .log_internal_errors(false)
        .with_ansi(io::IsTerminal::is_terminal(&io::stderr()) && colour::colour_allowed())
        .fmt_fields(OneLine)
        .without_time()
        .with_target(false)
        .with_filter(limited(filter));
    tracing_subscriber::registry().with(lines).with(export.map(Export::layer)).init();
}

fn limited(filter: EnvFilter) -> impl Filter<Registry> {
    filter.and(Limiter::default())
}
