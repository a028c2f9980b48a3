//! How full the retry budgets are, and how often one of them did not pay: looked
//! up when somebody asks.
//!
//! Callers choose the names of tools, and a scraper keeps every label that it has
//! ever seen, so that only so many are told; the rest are one together.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet},
    metrics::MetricType,
};

use crate::gateway::{BucketLevel, BudgetStore, Clock, Whose};

/// So many buckets have labels of their own, whichever come first.
const MOST_BUCKETS: usize = 256;
/// A tool of a longer name, in bytes, has none, nor has one of a name with
/// control characters.
const LONGEST_NAME: usize = 128;

/// What buckets that found no label are called, and those whose callers' names
/// found no place.
const OTHERS: &str = "(others)";
const RESOURCES: &str = "(resources)";

/// The budgets that are looked at.
#[derive(Clone, Default)]
pub(super) struct Budgets(Arc<Mutex<Vec<One>>>);

struct One {
    store: Arc<dyn BudgetStore>,
    clock: Arc<dyn Clock>,
    /// The buckets that were told, and what they hold when they are full.
    known: BTreeMap<Labels, u64>,
}

/// The upstream, and the tool: empty for the bucket that all its tools share.
type Labels = (String, String);

impl Budgets {
    pub(super) fn add(&self, store: Arc<dyn BudgetStore>, clock: Arc<dyn Clock>) {
        let one = One { store, clock, known: BTreeMap::new() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(one);
    }
}

impl One {
    /// The labels of a bucket.
    fn labels(&mut self, upstream: Option<String>, whose: &Whose, size: u64) -> Labels {
        let upstream = upstream.unwrap_or_default();
        let tool = match whose {
            Whose::Upstream => String::new(),
            Whose::Tool(tool) if tool.len() <= LONGEST_NAME && !tool.contains(char::is_control) => {
                tool.clone()
            }
            Whose::Resources => RESOURCES.to_owned(),
            Whose::Tool(_) | Whose::Others => OTHERS.to_owned(),
        };
        let mut labels = (upstream, tool);
        if !self.known.contains_key(&labels) && self.known.len() >= MOST_BUCKETS {
            labels = (OTHERS.to_owned(), OTHERS.to_owned());
        }
        let known = self.known.entry(labels.clone()).or_default();
        *known = size.max(*known);
        labels
    }

    /// What is left in each, in thousandths. One that is full again is told too.
    fn levels(&mut self) -> BTreeMap<Labels, u64> {
        let now = self.clock.now();
        let mut levels: BTreeMap<Labels, u64> = BTreeMap::new();
        for BucketLevel { upstream, whose, left, size } in self.store.buckets(now) {
            let labels = self.labels(upstream, &whose, size);
            // Of several that share a label the emptiest.
            levels.entry(labels).and_modify(|least| *least = left.min(*least)).or_insert(left);
        }
        for (labels, size) in &self.known {
            // Of one that was only ever too small to pay there is no size.
            if *size > 0 {
                levels.entry(labels.clone()).or_insert(*size);
            }
        }
        levels
    }

    fn refusals(&mut self) -> BTreeMap<Labels, u64> {
        let mut refusals: BTreeMap<Labels, u64> = BTreeMap::new();
        for ((upstream, whose), count) in self.store.refusals() {
            let labels = self.labels(upstream, &whose, 0);
            *refusals.entry(labels).or_default() += count;
        }
        refusals
    }
}

impl Collector for Budgets {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut budgets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let help = "Tokens left in a retry budget, of those that have ever paid; tool \"\": the one that all of an upstream share";
        let mut family =
            encoder.encode_descriptor("retry_budget_tokens", help, None, MetricType::Gauge)?;
        for one in budgets.iter_mut() {
            for ((upstream, tool), left) in one.levels() {
                let labels = [("upstream", &*upstream), ("tool", &*tool)];
                family.encode_family(&labels)?.encode_gauge(&(left as f64 / 1_000.0))?;
            }
        }
        let help = "Retries that were not made because a retry budget did not pay, by the budget";
        let mut family =
            encoder.encode_descriptor("retry_budget_refusals", help, None, MetricType::Counter)?;
        for one in budgets.iter_mut() {
            for ((upstream, tool), count) in one.refusals() {
                let labels = [("upstream", &*upstream), ("tool", &*tool)];
                family
                    .encode_family(&labels)?
                    .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budgets").finish_non_exhaustive()
    }
}
