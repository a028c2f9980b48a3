//! A running plugin: its shards, and which of them a call goes to.

mod change;
mod remembered;
mod slot;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use slot::Slot;
use tokio::runtime::Handle;

use super::{
    Breakage, Component, Digest, FailPolicy, Options, boundary,
    error::{HookFailure, StartError},
    instance::{Instance, breakage},
    pace::Pace,
    shard::Shard,
};
use crate::{
    contract::{
        Configured, Invocation, Issue, Manifest, Metric, MostRetries, Outcome, RetryPolicy, Verdict,
    },
    gateway::{Background, CallContext, Decision, Hook, Judged, RetryHook},
};

/// A configured plugin, ready for calls from any thread.
///
/// A call holds the lock of its shard for as long as the guest thinks: well
/// under a microsecond, and never longer than [`Limits::call_time`](super::Limits::call_time).
/// [`RetryHook::decide`] decides at once, on the caller's thread, as long as the
/// plugin was quick of late and the lock is free; otherwise the decision is made
/// on a thread that may block, one call after the other.
pub struct Plugin {
    shards: Vec<Arc<Slot>>,
    pace: Arc<Pace>,
    /// [`Limits::turn_time`](super::Limits::turn_time).
    turn_time: Duration,
    retries: remembered::Remembered,
    /// What is in force. Held while a configuration or the component is being changed.
    options: Mutex<Arc<Options>>,
    /// The digest of what is at work.
    component: Mutex<Digest>,
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
        let options = Arc::new(options);
        let pace = Arc::default();
        let (shards, Configured { notices, .. }) = staged(component, &options, &pace)?;
        Ok(Self {
            shards: shards.into_iter().map(Slot::new).map(Arc::new).collect(),
            pace,
            turn_time: options.limits.turn_time,
            retries: remembered::Remembered::default(),
            component: Mutex::new(component.digest()),
            fail_policy: options.fail_policy,
            options: Mutex::new(options),
            notices,
        })
    }

    /// What a component says of itself, and the schema of its configuration,
    /// from an instance that is not configured.
    ///
    /// # Errors
    /// As [`Plugin::start`].
    pub fn introduce(
        component: &Component,
        options: &Options,
    ) -> Result<(Manifest, String), StartError> {
        component.needs.check(&options.limits)?;
        let limits = &options.limits;
        let mut instance = Instance::new(component, options, 0)?;
        let broke = |error| breakage(&error, limits.call_time);
        instance.begin(limits.lifecycle_result_bytes);
        let manifest = instance
            .exports
            .mcp_gateway_hooks_lifecycle()
            .call_describe(&mut instance.store)
            .map_err(broke)?;
        boundary::manifest(&manifest, &options.expected)?;
        instance.begin(limits.lifecycle_result_bytes);
        let schema = instance
            .exports
            .mcp_gateway_hooks_lifecycle()
            .call_config_schema(&mut instance.store)
            .map_err(broke)?;
        boundary::schema(&schema, limits)?;
        Ok((manifest, schema))
    }

    /// The SHA-256 of the component that is at work.
    #[must_use]
    pub fn digest(&self) -> Digest {
        *self.component.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// not judged because no instance was to be made or it was busy, `slow` says
    /// how often it took too long on average, and `set_aside` how often a shard
    /// was set aside.
    #[must_use]
    pub fn faults(&self) -> BTreeMap<&'static str, u64> {
        let mut sums = BTreeMap::new();
        let mut add = |name, count| {
            let sum: &mut u64 = sums.entry(name).or_default();
            *sum = sum.saturating_add(count);
        };
        for slot in &self.shards {
            for (name, count) in slot.lock().faults() {
                add(*name, *count);
            }
            if slot.turned_away() > 0 {
                add(Breakage::BUSY, slot.turned_away());
            }
        }
        sums
    }

    /// The size of the linear memory of all instances together, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        (0..self.shards.len()).map(|index| self.lock(index).memory_bytes()).sum()
    }

    /// The number of the shard that serves a call: that of the thread which was
    /// the first to have it judged. Any shard may serve any call; one that moves
    /// between processor cores at each call takes twice as long.
    #[must_use]
    pub fn shard_of(&self, context: &CallContext) -> usize {
        context.home.number() % self.shards.len()
    }

    fn slot(&self, context: &CallContext) -> &Arc<Slot> {
        &self.shards[self.shard_of(context)]
    }

    fn lock(&self, index: usize) -> MutexGuard<'_, Shard> {
        self.shards[index].lock()
    }

    /// The shard, if a thread that serves other calls as well may ask it now.
    #[inline]
    fn at_once<'a>(&self, slot: &'a Slot) -> Option<MutexGuard<'a, Shard>> {
        if self.pace.is_quick()
            && let Some(shard) = slot.lock_at_once()
        {
            return Some(shard);
        }
        // Nobody else works on this thread where there is no runtime.
        if Handle::try_current().is_err() { Some(slot.lock()) } else { None }
    }
}

/// Shards that run, are configured, and say what they are expected to say.
fn staged(
    component: &Component,
    options: &Arc<Options>,
    pace: &Arc<Pace>,
) -> Result<(Vec<Shard>, Configured), StartError> {
    component.needs.check(&options.limits)?;
    // All run the same code: one speaks for them.
    let (first, configured) = Shard::start(component, options, pace, 0)?;
    let mut shards = vec![first];
    for number in 1..options.shards.get() as u64 {
        shards.push(Shard::start(component, options, pace, number)?.0);
    }
    match shards[0].describe() {
        Ok(_) => Ok((shards, configured)),
        Err(HookFailure::Broke(breakage)) => Err(breakage.into()),
        Err(HookFailure::Rejected(violation)) => Err(violation.into()),
        Err(HookFailure::Refused(_)) => unreachable!("`describe` has no error of the contract"),
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
        background.context.home.settle();
        let slot = self.slot(&background.context);
        let judged = slot.lock().judge(hook, invocation, outcome, background);
        judged.map(|judgement| judgement.verdict)
    }

    #[inline]
    fn decide<'a>(
        &'a self,
        hook: Hook,
        invocation: Invocation<'a>,
        outcome: &'a Outcome,
        background: Background,
    ) -> Decision<'a, Judged> {
        background.context.home.settle();
        let slot = self.slot(&background.context);
        let policy = self.fail_policy;
        if let Some(mut shard) = self.at_once(slot) {
            let judged = shard.judge(hook, invocation, outcome, background);
            return Decision::Made(judged.map_err(|failure| (failure, policy)));
        }
        let Invocation { attempt, now_ms, time_left_ms, known, .. } = invocation;
        let target = invocation.target.to_owned();
        let request_id = invocation.request_id.to_owned();
        let outcome = *outcome;
        let judged = slot.clone().in_turn(self.turn_time, move |shard| {
            let (target, request_id) = (&*target, &*request_id);
            let invocation =
                Invocation { target, request_id, attempt, now_ms, time_left_ms, known };
            shard.judge(hook, invocation, &outcome, background)
        });
        Decision::pending(async move {
            let judged = judged.await.unwrap_or_else(|busy| Err(busy.into()));
            judged.map_err(|failure| (failure, policy))
        })
    }

    fn retries(
        &self,
        hook: Hook,
        target: &str,
        context: &Arc<CallContext>,
    ) -> Result<MostRetries, HookFailure> {
        let epoch = match self.retries.find(hook, target, context) {
            Ok(retries) => return Ok(retries),
            Err(epoch) => epoch,
        };
        let retries = self.slot(context).lock().retries(hook, target, context)?;
        self.retries.keep(epoch, hook, target, context, retries);
        Ok(retries)
    }

    fn decide_retries<'a>(
        &'a self,
        hook: Hook,
        target: &'a str,
        context: &'a Arc<CallContext>,
    ) -> Decision<'a, Result<MostRetries, HookFailure>> {
        let epoch = match self.retries.find(hook, target, context) {
            Ok(retries) => return Decision::Made(Ok(retries)),
            Err(epoch) => epoch,
        };
        let keep = move |answer: Result<MostRetries, HookFailure>| {
            answer.inspect(|retries| self.retries.keep(epoch, hook, target, context, *retries))
        };
        let slot = self.slot(context);
        if let Some(mut shard) = self.at_once(slot) {
            let answer = shard.retries(hook, target, context);
            drop(shard);
            return Decision::Made(keep(answer));
        }
        let (asked, around) = (target.to_owned(), context.clone());
        let answer =
            slot.clone().in_turn(self.turn_time, move |shard| shard.retries(hook, &asked, &around));
        Decision::pending(async move { keep(answer.await.unwrap_or_else(|busy| Err(busy.into()))) })
    }

    fn fail_policy(&self) -> FailPolicy {
        self.fail_policy
    }

    fn forget(&self, hook: Hook, target: &str, request_id: &str, context: &CallContext) {
        let slot = self.slot(context);
        if let Some(mut shard) = self.at_once(slot) {
            return forgotten(shard.forget(hook, target, request_id));
        }
        let (target, request_id) = (target.to_owned(), request_id.to_owned());
        let work = slot.clone().in_turn(Duration::MAX, move |shard| {
            forgotten(shard.forget(hook, &target, &request_id));
        });
        // After the call's own decision, which is in line before it.
        tokio::spawn(work);
    }
}

fn forgotten(end: Result<(), Breakage>) {
    if let Err(breakage) = end {
        tracing::warn!(%breakage, "the plugin broke while it forgot a call");
    }
}
