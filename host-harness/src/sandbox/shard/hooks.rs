//! The questions of a call's life: judge it, how often is it retried, forget it.

use std::{sync::Arc, time::Duration};

use super::Shard;
use crate::{
    contract::{Invocation, Known, MostRetries, Outcome, RetryPolicy},
    gateway::{Background, CallContext, Hook, Judgement},
    sandbox::{
        FailPolicy,
        boundary::{self, Judged},
        error::{Breakage, HookFailure},
    },
};

impl Shard {
    /// Judges one attempt.
    pub(in crate::sandbox) fn judge(
        &mut self,
        hook: Hook,
        invocation: Invocation<'_>,
        outcome: &Outcome,
        background: Background,
    ) -> Result<Judgement, HookFailure> {
        self.now = Duration::from_millis(invocation.now_ms);
        if self.options.fail_policy != FailPolicy::Reload {
            return self.judge_once(hook, invocation, outcome, background);
        }
        let same = Invocation { ..invocation };
        let first = match self.judge_once(hook, same, outcome, background.clone()) {
            Err(failure) if failure.is_of_the_plugin() => failure,
            answer => return answer,
        };
        // It may live, but an instance that answered outside of the contract is asked no more.
        self.instance = None;
        match self.judge_once(hook, invocation, outcome, background) {
            // Nobody was asked: what was wrong the first time says more.
            Err(HookFailure::Broke(Breakage::Resting { .. } | Breakage::SetAside { .. })) => {
                Err(first)
            }
            answer => answer,
        }
    }

    fn judge_once(
        &mut self,
        hook: Hook,
        invocation: Invocation<'_>,
        outcome: &Outcome,
        background: Background,
    ) -> Result<Judgement, HookFailure> {
        let Invocation { attempt, known, .. } = invocation;
        let (answer, read_content) = self
            .call(self.options.limits.hook_result_bytes, |instance| {
                instance.handle(hook, invocation, outcome, background)
            })?;
        let verdict = answer.map_err(HookFailure::Refused)?;
        let judged = Judged {
            outcome,
            attempt,
            with_metadata: known.contains(Known::TRACE) && hook == Hook::ToolPostInvoke,
            read_content,
            max_retries: self.options.max_tool_retries,
            budgets: self.budgets.count(),
        };
        let check = boundary::verdict(&verdict, &judged, &self.options.limits);
        let verdict = self.checked(verdict, check)?;
        let price = self.budgets.price(&verdict);
        Ok(Judgement { verdict, price })
    }

    /// The most retries that a call to this target may get.
    pub(in crate::sandbox) fn retries(
        &mut self,
        hook: Hook,
        target: &str,
        context: &Arc<CallContext>,
    ) -> Result<MostRetries, HookFailure> {
        let background = Background { context: context.clone(), ..Background::none() };
        let answer = self.call(self.options.limits.hook_result_bytes, |instance| {
            instance.retries(hook, target, background)
        })?;
        let retries = answer.map_err(HookFailure::Refused)?;
        let check = boundary::most_retries(retries, self.options.max_tool_retries);
        self.checked(retries, check)
    }

    /// The policy that it advises for resources.
    pub(in crate::sandbox) fn resource_policy(&mut self) -> Result<RetryPolicy, HookFailure> {
        let limits = self.options.limits;
        let answer = self.call(limits.hook_result_bytes, |instance| {
            let hook = instance.exports.mcp_gateway_hooks_resource_post_fetch();
            hook.call_policy(&mut instance.store)
        })?;
        let policy = answer.map_err(HookFailure::Refused)?;
        let check = boundary::policy(&policy, self.options.max_tool_retries, &limits);
        self.checked(policy, check)
    }

    /// Drops the state of a call. A shard without an instance has none.
    pub(in crate::sandbox) fn forget(
        &mut self,
        hook: Hook,
        target: &str,
        request_id: &str,
    ) -> Result<(), Breakage> {
        if self.instance.is_none() {
            return Ok(());
        }
        self.call(self.options.limits.hook_result_bytes, |instance| {
            instance.forget(hook, target, request_id)
        })
    }
}
