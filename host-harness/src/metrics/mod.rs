//! Numbers for operators, in the text format of Prometheus (OpenMetrics).
//!
//! Logical calls and attempts are counted apart. No label is made from a name
//! that a caller chooses, save of the retry budgets of tools, which are bounded:
//! upstreams and plugins have the operator's names.
//!
//! * `budgets`: how full the retry budgets are.
//! * `calls`: the watcher of the retry loop.
//! * `plugin`: a plugin whose time and failures are measured.
//! * `watched`: what plugins count themselves.

mod budgets;
mod calls;
mod plugin;
mod watched;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

pub use plugin::Measured;

use crate::{
    gateway::{BudgetStore, Clock},
    sandbox::Plugin,
};
use budgets::Budgets;
use watched::Watched;

/// The media type of what [`Metrics::text`] returns.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All numbers of a gateway.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    calls: Family<CallLabels, Counter>,
    attempts: Family<AttemptLabels, Counter>,
    decisions: Family<DecisionLabels, Counter>,
    calls_in_flight: Gauge,
    sleeping_retries: Gauge,
    attempt_seconds: Histogram,
    plugin_seconds: Family<PluginLabels, Histogram>,
    plugin_failures: Family<FailureLabels, Counter>,
    reloads: Family<ReloadLabels, Counter>,
    plugin_reloads: Family<PluginReloadLabels, Counter>,
    spans: Family<SpanLabels, Counter>,
    watched: Watched,
    budgets: Budgets,
    /// The calls that sleep, by their request ids.
    asleep: Mutex<HashSet<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    upstream: String,
    hook: &'static str,
    end: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    upstream: String,
    hook: &'static str,
    retry: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabels {
    retry: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PluginLabels {
    plugin: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    plugin: String,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    ok: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PluginReloadLabels {
    plugin: String,
    ok: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SpanLabels {
    outcome: &'static str,
}

impl Metrics {
    /// Numbers that start at 0.
    #[must_use]
    pub fn new() -> Arc<Self> {
        // Attempts: 1 ms to 65 s. Decisions: 250 ns to 4 ms.
        let plugin_seconds = || Histogram::new(doubling(0.000_000_25, 15));
        let mut metrics = Self {
            registry: Registry::with_prefix("mcp_gateway"),
            calls: Family::default(),
            attempts: Family::default(),
            decisions: Family::default(),
            calls_in_flight: Gauge::default(),
            sleeping_retries: Gauge::default(),
            attempt_seconds: Histogram::new(doubling(0.001, 17)),
            plugin_seconds: Family::new_with_constructor(plugin_seconds as fn() -> Histogram),
            plugin_failures: Family::default(),
            reloads: Family::default(),
            plugin_reloads: Family::default(),
            spans: Family::default(),
            watched: Watched::default(),
            budgets: Budgets::default(),
            asleep: Mutex::default(),
        };
        metrics.register();
        Arc::new(metrics)
    }

    fn register(&mut self) {
        let told = &mut self.registry;
        let help = "Logical calls that ended, however many attempts they took";
        told.register("calls", help, self.calls.clone());
        let help = "Attempts that ended, retries included";
        told.register("attempts", help, self.attempts.clone());
        told.register("decisions", "Verdicts that counted, by reason", self.decisions.clone());
        let help = "Logical calls that have not ended";
        told.register("calls_in_flight", help, self.calls_in_flight.clone());
        let help = "Calls that wait before their next attempt";
        told.register("sleeping_retries", help, self.sleeping_retries.clone());
        let help = "Time from the start of an attempt to its end";
        told.register("attempt_duration_seconds", help, self.attempt_seconds.clone());
        let help = "Time that a plugin took for a verdict";
        told.register("plugin_duration_seconds", help, self.plugin_seconds.clone());
        let help = "Times that a plugin gave no verdict that could be used, by kind";
        told.register("plugin_failures", help, self.plugin_failures.clone());
        let help = "Times that the configuration was read again";
        told.register("config_reloads", help, self.reloads.clone());
        let help = "Times that the component of a plugin had changed and was loaded again";
        told.register("plugin_reloads", help, self.plugin_reloads.clone());
        let help = "Spans that the collector took or that were lost on the way to it";
        told.register("spans", help, self.spans.clone());
        told.register_collector(Box::new(self.watched.clone()));
        told.register_collector(Box::new(self.budgets.clone()));
    }

    /// The configuration was read again, or refused.
    pub fn reloaded(&self, ok: bool) {
        let ok = if ok { "true" } else { "false" };
        self.reloads.get_or_create(&ReloadLabels { ok }).inc();
    }

    /// The component of a plugin had changed; it was loaded again, or refused.
    pub fn plugin_reloaded(&self, plugin: &str, ok: bool) {
        let (plugin, ok) = (plugin.to_owned(), if ok { "true" } else { "false" });
        self.plugin_reloads.get_or_create(&PluginReloadLabels { plugin, ok }).inc();
    }

    /// So many spans were exported, or lost as `outcome` says.
    pub(crate) fn exported(&self, outcome: &'static str, spans: usize) {
        self.spans.get_or_create(&SpanLabels { outcome }).inc_by(spans as u64);
    }

    /// From now on [`Metrics::text`] also asks this plugin how it is. `name` is
    /// the operator's for it, and no other plugin's.
    pub fn watch(&self, name: &str, plugin: Arc<Plugin>) {
        self.watched.add(name, plugin);
    }

    /// From now on [`Metrics::text`] also says how full these retry budgets are,
    /// at the time of this clock, and how often they did not pay.
    pub fn watch_budgets(&self, store: Arc<dyn BudgetStore>, clock: Arc<dyn Clock>) {
        self.budgets.add(store, clock);
    }

    /// All numbers as text. Plugins that are watched are asked, each instance
    /// once and within the limits of any call; an instance that is busy is
    /// waited for.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // A `String` takes everything.
        let _ = encode(&mut text, &self.registry);
        text
    }

    fn asleep(&self) -> MutexGuard<'_, HashSet<String>> {
        self.asleep.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Upper bounds, each twice the one before.
fn doubling(first: f64, count: u16) -> impl Iterator<Item = f64> {
    prometheus_client::metrics::histogram::exponential_buckets(first, 2.0, count)
}

#[cfg(test)]
mod tests;
