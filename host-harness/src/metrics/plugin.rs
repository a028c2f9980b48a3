//! A plugin whose time and failures are measured.

use std::{sync::Arc, time::Instant};

use super::{FailureLabels, Metrics, PluginLabels};
use crate::{
    contract::{Invocation, Outcome, Verdict},
    gateway::{Background, CallContext, Hook, RetryHook, label},
    sandbox::{FailPolicy, HookFailure},
};

/// Measures a plugin.
pub struct Measured {
    /// The operator's name for it.
    pub name: String,
    /// Itself.
    pub plugin: Arc<dyn RetryHook>,
    /// Where the numbers go.
    pub metrics: Arc<Metrics>,
}

impl Measured {
    fn measured<E>(
        &self,
        ask: impl FnOnce() -> Result<Verdict, E>,
        failure: impl FnOnce(&E) -> &HookFailure,
    ) -> Result<Verdict, E> {
        let begun = Instant::now();
        let answer = ask();
        let took = begun.elapsed().as_secs_f64();
        let labels = PluginLabels { plugin: self.name.clone() };
        self.metrics.plugin_seconds.get_or_create(&labels).observe(took);
        if let Some(kind) = answer.as_ref().err().map(failure).and_then(label::failure) {
            let labels = FailureLabels { plugin: self.name.clone(), kind };
            self.metrics.plugin_failures.get_or_create(&labels).inc();
        }
        answer
    }
}

impl RetryHook for Measured {
    fn judge(
        &self,
        hook: Hook,
        invocation: Invocation<'_>,
        outcome: &Outcome,
        background: Background,
    ) -> Result<Verdict, HookFailure> {
        let judge = || self.plugin.judge(hook, invocation, outcome, background);
        self.measured(judge, |failure| failure)
    }

    fn decide(
        &self,
        hook: Hook,
        invocation: Invocation<'_>,
        outcome: &Outcome,
        background: Background,
    ) -> Result<Verdict, (HookFailure, FailPolicy)> {
        let decide = || self.plugin.decide(hook, invocation, outcome, background);
        self.measured(decide, |(failure, _)| failure)
    }

    fn retries(
        &self,
        hook: Hook,
        target: &str,
        context: &Arc<CallContext>,
    ) -> Result<u32, HookFailure> {
        self.plugin.retries(hook, target, context)
    }

    fn fail_policy(&self) -> FailPolicy {
        self.plugin.fail_policy()
    }

    fn forget(&self, hook: Hook, target: &str, request_id: &str, context: &CallContext) {
        self.plugin.forget(hook, target, request_id, context);
    }
}
