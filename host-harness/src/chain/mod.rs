//! Several plugins that judge the same calls.

use std::sync::Arc;

use crate::{
    contract::{HookError, Invocation, Outcome, Reason, Verdict},
    gateway::{Background, CallContext, Hook, RetryHook},
    sandbox::{FailPolicy, HookFailure},
};

/// Plugins in the order of their priority. Each that has to do with a call is
/// asked; the largest delay wins, and one that breaks is left out, unless its
/// calls are to fail with it ([`FailPolicy::Closed`]).
pub struct Chain(Vec<Member>);

/// One plugin of a [`Chain`].
pub struct Member {
    /// The operator's name for it.
    pub name: String,
    /// What it is asked for.
    pub hooks: Vec<Hook>,
    /// When it is asked: if any of them holds, or always if there are none.
    pub conditions: Vec<Condition>,
    /// Itself.
    pub plugin: Arc<dyn RetryHook>,
}

/// A condition holds if each list that is not empty names what is called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// Names of upstreams.
    pub upstreams: Vec<String>,
    /// Names of tools; of no matter for resources.
    pub tools: Vec<String>,
    /// URIs of resources; of no matter for tools.
    pub resources: Vec<String>,
}

impl Condition {
    fn holds(&self, hook: Hook, target: &str, context: &CallContext) -> bool {
        let names = |list: &[String], name: Option<&str>| {
            list.is_empty() || name.is_some_and(|name| list.iter().any(|one| one == name))
        };
        let targets = match hook {
            Hook::ToolPostInvoke => &self.tools,
            Hook::ResourcePostFetch => &self.resources,
        };
        names(&self.upstreams, context.upstream.as_deref()) && names(targets, Some(target))
    }
}

impl Member {
    fn is_asked(&self, hook: Hook, target: &str, context: &CallContext) -> bool {
        self.hooks.contains(&hook)
            && (self.conditions.is_empty()
                || self.conditions.iter().any(|one| one.holds(hook, target, context)))
    }
}

impl Chain {
    /// Asks these, in this order.
    #[must_use]
    pub fn new(members: Vec<Member>) -> Self {
        Self(members)
    }

    fn asked<'a>(
        &'a self,
        hook: Hook,
        target: &'a str,
        context: &'a CallContext,
    ) -> impl Iterator<Item = &'a Member> {
        self.0.iter().filter(move |member| member.is_asked(hook, target, context))
    }
}

/// Which of two verdicts counts. Of two that ask for nothing a shadow's: its
/// plugin still remembers the call, and the gateway has to see to that.
fn stronger(one: Verdict, other: Verdict) -> Verdict {
    let rank = |verdict: &Verdict| (verdict.retry_delay_ms, verdict.reason == Reason::Shadow);
    if rank(&other) > rank(&one) { other } else { one }
}

impl RetryHook for Chain {
    fn judge(
        &self,
        hook: Hook,
        invocation: Invocation<'_>,
        outcome: &Outcome,
        background: Background,
    ) -> Result<Verdict, HookFailure> {
        self.decide(hook, invocation, outcome, background).map_err(|(failure, _)| failure)
    }

    fn decide(
        &self,
        hook: Hook,
        invocation: Invocation<'_>,
        outcome: &Outcome,
        background: Background,
    ) -> Result<Verdict, (HookFailure, FailPolicy)> {
        let context = background.context.clone();
        let mut strongest: Option<Verdict> = None;
        let mut failure = HookFailure::Refused(HookError::Unsupported);
        for member in self.asked(hook, invocation.target, &context) {
            match member.plugin.decide(hook, invocation.clone(), outcome, background.clone()) {
                Ok(verdict) => {
                    strongest = Some(match strongest {
                        Some(before) => stronger(before, verdict),
                        None => verdict,
                    });
                }
                Err((HookFailure::Refused(HookError::Unsupported), _)) => {}
                // Calls must not get past it, whatever the others say.
                Err((
                    failed @ (HookFailure::Broke(_) | HookFailure::Rejected(_)),
                    FailPolicy::Closed,
                )) => {
                    tracing::warn!(plugin = member.name, failure = %failed, "the call fails with it");
                    return Err((failed, FailPolicy::Closed));
                }
                Err((failed, _)) => {
                    tracing::warn!(plugin = member.name, failure = %failed, "left out");
                    failure = failed;
                }
            }
        }
        strongest.ok_or((failure, FailPolicy::Open))
    }

    /// The strictest of all. Which one counts for a call is for the plugin to
    /// say that fails it; see [`RetryHook::decide`].
    fn fail_policy(&self) -> FailPolicy {
        let closed = |member: &Member| member.plugin.fail_policy() == FailPolicy::Closed;
        if self.0.iter().any(closed) { FailPolicy::Closed } else { FailPolicy::Open }
    }

    fn retries(
        &self,
        hook: Hook,
        target: &str,
        context: &Arc<CallContext>,
    ) -> Result<u32, HookFailure> {
        let mut most = None;
        let mut failure = HookFailure::Refused(HookError::Unsupported);
        for member in self.asked(hook, target, context) {
            match member.plugin.retries(hook, target, context) {
                Ok(retries) => most = most.max(Some(retries)),
                Err(failed) => failure = failed,
            }
        }
        match (most, failure) {
            (Some(most), _) => Ok(most),
            // Nobody has to do with it.
            (None, HookFailure::Refused(HookError::Unsupported)) => Ok(0),
            (None, failure) => Err(failure),
        }
    }

    fn forget(&self, hook: Hook, target: &str, request_id: &str, context: &CallContext) {
        // Whoever was not asked has nothing to forget.
        for member in self.0.iter().filter(|member| member.hooks.contains(&hook)) {
            member.plugin.forget(hook, target, request_id, context);
        }
    }
}

#[cfg(test)]
mod tests;
