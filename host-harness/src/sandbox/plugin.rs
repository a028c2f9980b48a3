//! A running plugin: its shards, and which of them a call goes to.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    Component, Entropy, Expected, FailPolicy, Limits, Replacement,
    error::{HookFailure, StartError},
    shard::Shard,
};
use crate::{
    contract::{Invocation, Issue, Manifest, Metric, Outcome, RetryPolicy, Verdict},
    gateway::{Background, CallContext, Hook, RetryHook},
};

/// How to run a plugin.
#[derive(Debug, Clone)]
pub struct Options {
    /// The plugin's own configuration, as JSON; `null` for its defaults.
    pub config: String,
    /// The gateway's ceiling on retries of one call, to which the plugin clamps its own.
    pub max_tool_retries: u32,
    /// How many instances there are.
    pub shards: NonZeroUsize,
    /// Where randomness comes from.
    pub entropy: Entropy,
    /// What an instance may use.
    pub limits: Limits,
    /// What becomes of a call whose plugin fails.
    pub fail_policy: FailPolicy,
    /// When an instance that broke gets a successor.
    pub replacement: Replacement,
    /// What the plugin is to say of itself.
    pub expected: Expected,
}

impl Default for Options {
    /// The plugin's defaults, a ceiling of 3 retries, a shard for every core
    /// (8 at the most), randomness of the operating system.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self {
            config: "null".to_owned(),
            max_tool_retries: 3,
            shards: cores.min(NonZeroUsize::MIN.saturating_add(7)),
            entropy: Entropy::Os,
            limits: Limits::default(),
            fail_policy: FailPolicy::default(),
            replacement: Replacement::default(),
            expected: Expected::default(),
        }
    }
}

/// A configured plugin, ready for calls from any thread.
///
/// A call holds the lock of its shard for as long as the guest thinks: well
/// under a microsecond, and never longer than [`Limits::call_time`].
pub struct Plugin {
    shards: Vec<Mutex<Shard>>,
    /// What is in force. Held while a configuration is being changed.
    options: Mutex<Arc<Options>>,
    notices: Vec<Issue>,
    fail_policy: FailPolicy,
}

impl Plugin {
    /// Starts and configures all shards.
    ///
    /// # Errors
    /// The component needs more than the limits allow, is not what the options
    /// expect, refuses its configuration, or breaks.
    pub fn start(component: &Component, options: Options) -> Result<Self, StartError> {
        component.needs.check(&options.limits)?;
        let count = options.shards.get() as u64;
        let options = Arc::new(options);
        let mut shards = Vec::new();
        let mut notices = Vec::new();
        for number in 0..count {
            let (shard, said) = Shard::start(component, &options, number)?;
            shards.push(Mutex::new(shard));
            notices = said;
        }
        let fail_policy = options.fail_policy;
        let plugin = Self { shards, options: Mutex::new(options), notices, fail_policy };
        match plugin.describe() {
            Ok(_) => Ok(plugin),
            Err(HookFailure::Broke(breakage)) => Err(breakage.into()),
            Err(HookFailure::Rejected(violation)) => Err(violation.into()),
            Err(HookFailure::Refused(_)) => unreachable!("`describe` has no error of the contract"),
        }
    }

    /// Puts another configuration into force while calls go on: their state and
    /// what is left of budgets survive. Returns what the plugin accepted but adjusted.
    ///
    /// # Errors
    /// The plugin refuses the configuration, or breaks over it. Then every
    /// shard works by the old one, as before.
    pub fn reconfigure(&self, config: &str) -> Result<Vec<Issue>, StartError> {
        let mut in_force = self.options.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = Arc::new(Options { config: config.to_owned(), ..(**in_force).clone() });
        let mut notices = Vec::new();
        for index in 0..self.shards.len() {
            match self.lock(index).reconfigure(&wanted) {
                Ok(said) => notices = said,
                Err(error) => {
                    // All shards run the same code, so a refusal is the first
                    // one's; only one that broke can leave others to be set back.
                    for changed in 0..index {
                        if let Err(error) = self.lock(changed).reconfigure(&in_force) {
                            tracing::error!(%error, "the plugin does not take its old configuration back");
                        }
                    }
                    return Err(error);
                }
            }
        }
        *in_force = wanted;
        Ok(notices)
    }

    /// The JSON Schema of the plugin's configuration, as the plugin wrote it.
    ///
    /// # Errors
    /// It broke, or its answer is no JSON object or too long.
    pub fn config_schema(&self) -> Result<String, HookFailure> {
        self.lock(0).config_schema()
    }

    /// What the plugin accepted but adjusted in its configuration at the start.
    #[must_use]
    pub fn notices(&self) -> &[Issue] {
        &self.notices
    }

    /// Who the plugin says it is.
    ///
    /// # Errors
    /// It broke, or its answer is not well-formed or not the expected one.
    pub fn describe(&self) -> Result<Manifest, HookFailure> {
        self.lock(0).describe()
    }

    /// The policy that the plugin advises to those who retry resources by themselves.
    ///
    /// # Errors
    /// The plugin refused, broke, or answered outside of the contract.
    pub fn resource_policy(&self) -> Result<RetryPolicy, HookFailure> {
        self.lock(0).resource_policy()
    }

    /// The plugin's metrics, summed over its shards.
    ///
    /// # Errors
    /// A shard broke, or has metrics that the contract forbids.
    pub fn stats(&self) -> Result<Vec<Metric>, HookFailure> {
        let mut sums: Vec<Metric> = Vec::new();
        for index in 0..self.shards.len() {
            for metric in self.lock(index).stats()? {
                match sums.iter_mut().find(|sum| sum.name == metric.name) {
                    Some(sum) => sum.value = sum.value.saturating_add(metric.value),
                    None => sums.push(metric),
                }
            }
        }
        Ok(sums)
    }

    /// How often the plugin failed, summed over its shards: a name and a
    /// count for everything that happened at all. `broke.*` are breaks,
    /// `rejected.*` answers outside of the contract, `skipped.*` calls that were
    /// not judged because no instance was to be made, and `set_aside` says how
    /// often a shard was set aside.
    #[must_use]
    pub fn faults(&self) -> BTreeMap<&'static str, u64> {
        let mut sums = BTreeMap::new();
        for index in 0..self.shards.len() {
            for (name, count) in self.lock(index).faults() {
                let sum: &mut u64 = sums.entry(*name).or_default();
                *sum = sum.saturating_add(*count);
            }
        }
        sums
    }

    /// The number of the shard that serves a target: always the same one, so
    /// that what the plugin remembers of the target is in one place.
    #[must_use]
    pub fn shard_of(&self, target: &str) -> usize {
        if self.shards.len() == 1 {
            return 0;
        }
        let mut hasher = DefaultHasher::new();
        target.hash(&mut hasher);
        (hasher.finish() % self.shards.len() as u64) as usize
    }

    fn shard(&self, target: &str) -> MutexGuard<'_, Shard> {
        self.lock(self.shard_of(target))
    }

    fn lock(&self, index: usize) -> MutexGuard<'_, Shard> {
        // A thread that panicked in here left at worst a shard whose instance
        // the next call replaces.
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RetryHook for Plugin {
    fn judge(
        &self,
        hook: Hook,
        invocation: Invocation<'_>,
        outcome: &Outcome,
        background: Background,
    ) -> Result<Verdict, HookFailure> {
        self.shard(invocation.target).judge(hook, invocation, outcome, background)
    }

    fn retries(
        &self,
        hook: Hook,
        target: &str,
        context: &Arc<CallContext>,
    ) -> Result<u32, HookFailure> {
        self.shard(target).retries(hook, target, context)
    }

    fn fail_policy(&self) -> FailPolicy {
        self.fail_policy
    }

    fn forget(&self, hook: Hook, target: &str, request_id: &str) {
        if let Err(breakage) = self.shard(target).forget(hook, target, request_id) {
            tracing::warn!(%breakage, "the plugin broke while it forgot a call");
        }
    }
}
