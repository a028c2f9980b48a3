//! What is said once, when a server has listed its tools: how many of them are
//! retried after what, and what of the configuration can match none of them.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use host_harness::{contract::ToolAnnotations, mcp::Listed};

use super::tool::{Start, Upstream, summary};
use crate::cli::unmatched::Patterns;

/// Of one server. The first list counts: the others are those of further clients.
pub(in crate::cli) struct Startup {
    upstream: Upstream,
    start: Arc<Start>,
    ceiling: u32,
    patterns: Arc<Patterns>,
    said: AtomicBool,
}

impl fmt::Debug for Startup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Startup").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}

impl Startup {
    pub(in crate::cli) fn new(
        upstream: Upstream,
        start: Arc<Start>,
        ceiling: u32,
        patterns: Arc<Patterns>,
    ) -> Self {
        Self { upstream, start, ceiling, patterns, said: AtomicBool::new(false) }
    }
}

impl Listed for Startup {
    fn listed(&self, tools: &dyn Fn() -> Vec<(String, ToolAnnotations)>) {
        if self.said.swap(true, Ordering::Relaxed) {
            return;
        }
        let tools = tools();
        let (upstream, start) = (self.upstream.clone(), self.start.clone());
        let (ceiling, patterns) = (self.ceiling, self.patterns.clone());
        // A plugin is started for it, and nobody is to wait for that.
        drop(tokio::task::spawn_blocking(move || {
            let names: Vec<_> = tools.iter().map(|(name, _)| name.clone()).collect();
            let name = upstream.name.as_deref();
            match upstream.explain(tools, &*start, ceiling) {
                Ok(explained) if explained.is_empty() => {}
                Ok(explained) => tracing::info!(
                    upstream = name,
                    "{}: see `host-harness explain`",
                    summary(&explained)
                ),
                Err(error) => tracing::debug!(%error, "the plugin was not asked about the tools"),
            }
            for warning in patterns.after_list(name, names) {
                tracing::warn!("{warning}");
            }
        }));
    }
}
