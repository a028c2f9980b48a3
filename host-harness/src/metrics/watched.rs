//! What plugins count themselves, and how often each of them failed: asked for
//! when somebody looks.
//!
//! The contract does not tell a number that grows from one that moves, and the
//! numbers of an instance that is replaced begin at 0 again. So they are told
//! as what they are, of an unknown type, and never as counters.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet},
    metrics::MetricType,
};

use crate::sandbox::{Digest, Plugin};

/// So many names of numbers of one component are told, whichever come first; a
/// scraper keeps every name that it has ever seen. As many as the contract
/// allows one instance.
const MOST_NAMES: usize = 64;

/// The plugins that are asked.
#[derive(Clone, Default)]
pub(super) struct Watched(Arc<Mutex<Vec<One>>>);

struct One {
    /// The operator's name for it.
    name: String,
    plugin: Arc<Plugin>,
    /// The component that the rest is about.
    component: Digest,
    /// The names that were told.
    names: BTreeSet<String>,
    /// It failed over the question, and is asked no more.
    silent: bool,
}

impl Watched {
    pub(super) fn add(&self, name: &str, plugin: Arc<Plugin>) {
        let (name, component) = (name.to_owned(), plugin.digest());
        let one = One { name, plugin, component, names: BTreeSet::new(), silent: false };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(one);
    }
}

impl One {
    /// Its own numbers. One that breaks over the question loses an instance and
    /// with it what it remembers of calls, so it is asked once and not at every look.
    fn numbers(&mut self) -> BTreeMap<String, u64> {
        let component = self.plugin.digest();
        if component != self.component {
            (self.component, self.silent) = (component, false);
            self.names.clear();
        }
        if self.silent {
            return BTreeMap::new();
        }
        let numbers = match self.plugin.stats() {
            Ok(numbers) => numbers,
            Err(failure) => {
                tracing::warn!(plugin = self.name, %failure, "it does not tell its numbers and is asked no more");
                self.silent = true;
                return BTreeMap::new();
            }
        };
        let mut told = BTreeMap::new();
        for metric in numbers {
            if self.names.len() < MOST_NAMES {
                self.names.insert(metric.name.clone());
            }
            if self.names.contains(&metric.name) {
                told.insert(metric.name, metric.value);
            }
        }
        told
    }
}

impl Collector for Watched {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut plugins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let numbers: Vec<_> = plugins.iter_mut().map(One::numbers).collect();
        let help = "What a plugin counts itself, summed over its instances";
        let mut family =
            encoder.encode_descriptor("plugin_stat", help, None, MetricType::Unknown)?;
        for (one, numbers) in plugins.iter().zip(numbers) {
            for (stat, value) in numbers {
                let labels = [("plugin", &*one.name), ("stat", &stat)];
                family.encode_family(&labels)?.encode_gauge(&value)?;
            }
        }
        // After the question, over which it may have failed.
        let help = "Times that a plugin failed or was left out, by what happened";
        let mut family =
            encoder.encode_descriptor("plugin_faults", help, None, MetricType::Counter)?;
        for one in plugins.iter() {
            for (fault, count) in one.plugin.faults() {
                let labels = [("plugin", &*one.name), ("fault", fault)];
                family
                    .encode_family(&labels)?
                    .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").finish_non_exhaustive()
    }
}
