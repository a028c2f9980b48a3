//! A plugin whose time and failures are measured.

use std::{sync::Arc, time::Instant};

use super::{FailureLabels, Metrics, PluginLabels};
use crate::{
    contract::{Invocation, MostRetries, Outcome, Verdict},
    gateway::{Background, CallContext, Decision, Hook, Judged, RetryHook, label},
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
    fn count(&self, begun: Instant, failure: Option<&HookFailure>) {
        let took = begun.elapsed().as_secs_f64();
        let labels = PluginLabels { plugin: self.name.clone() };
        self.metrics.plugin_seconds.get_or_create(&labels).observe(took);
        if let Some(kind) = failure.and_then(label::failure) {
            let labels = FailureLabels { plugin: self.name.clone(), kind };
            self.metrics.plugin_failures.get_or_create(&labels).inc();
        }
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
        let begun = Instant::now();
        let answer = self.plugin.judge(hook, invocation, outcome, background);
        self.count(begun, answer.as_ref().err());
        answer
    }

    fn decide<'a>(
        &'a self,
        hook: Hook,
        invocation: Invocation<'a>,
        outcome: &'a Outcome,
        background: Background,
    ) -> Decision<'a, Judged> {
        let begun = Instant::now();
        let counted = move |answer: Judged| {
            self.count(begun, answer.as_ref().err().map(|(failure, _)| failure));
            answer
        };
        match self.plugin.decide(hook, invocation, outcome, background) {
            Decision::Made(answer) => Decision::Made(counted(answer)),
            Decision::Pending(answer) => Decision::pending(async move { counted(answer.await) }),
        }
    }

    fn retries(
        &self,
        hook: Hook,
        target: &str,
        context: &Arc<CallContext>,
    ) -> Result<MostRetries, HookFailure> {
        self.plugin.retries(hook, target, context)
    }

    fn decide_retries<'a>(
        &'a self,
        hook: Hook,
        target: &'a str,
        context: &'a Arc<CallContext>,
    ) -> Decision<'a, Result<MostRetries, HookFailure>> {
        self.plugin.decide_retries(hook, target, context)
    }

    fn fail_policy(&self) -> FailPolicy {
        self.plugin.fail_policy()
    }

    fn forget(&self, hook: Hook, target: &str, request_id: &str, context: &CallContext) {
        self.plugin.forget(hook, target, request_id, context);
    }
}
