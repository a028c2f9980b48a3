//! A plugin whose time and failures are measured.

use std::{sync::Arc, time::Instant};

use super::{FailureLabels, Metrics, PluginLabels};
use crate::{
    contract::{HookError, Invocation, Outcome, Verdict},
    gateway::{Background, CallContext, Hook, RetryHook},
    sandbox::{Breakage, FailPolicy, HookFailure},
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
        let took = begun.elapsed().as_secs_f64();
        let labels = PluginLabels { plugin: self.name.clone() };
        self.metrics.plugin_seconds.get_or_create(&labels).observe(took);
        if let Some(kind) = answer.as_ref().err().and_then(kind) {
            let labels = FailureLabels { plugin: self.name.clone(), kind };
            self.metrics.plugin_failures.get_or_create(&labels).inc();
        }
        answer
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

/// What kind of failure it is; none if the plugin just does not judge such calls.
fn kind(failure: &HookFailure) -> Option<&'static str> {
    match failure {
        HookFailure::Refused(HookError::Unsupported) => None,
        HookFailure::Refused(_) => Some("refused"),
        HookFailure::Broke(Breakage::TooSlow(_)) => Some("too_slow"),
        HookFailure::Broke(Breakage::Trapped(_)) => Some("trapped"),
        HookFailure::Broke(Breakage::NoInstance(_)) => Some("no_instance"),
        HookFailure::Broke(Breakage::Exceeded(_)) => Some("exceeded"),
        HookFailure::Broke(Breakage::Resting { .. }) => Some("resting"),
        HookFailure::Broke(Breakage::SetAside { .. }) => Some("set_aside"),
        HookFailure::Rejected(_) => Some("rejected"),
    }
}
