//! Several plugins that judge the same calls.

use std::sync::Arc;

use crate::{
    contract::{HookError, Invocation, MostRetries, Outcome, Reason, Verdict},
    gateway::{Background, CallContext, Decision, Hook, Judged, Judgement, RetryHook},
    sandbox::{FailPolicy, HookFailure},
};

/// Plugins in the order of their priority. Each that has to do with a call is
/// asked; a veto wins, then the largest delay, and one that breaks is left out,
/// unless its calls are to fail with it ([`FailPolicy::Closed`]).
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

/// Whether a verdict says that the call must not be made again, and not only
/// that its plugin sees no use in it.
const fn is_veto(verdict: &Verdict) -> bool {
    matches!(verdict.reason, Reason::NotReplaySafe | Reason::Continuation | Reason::Refused)
}

/// Which of two verdicts counts: a veto, else the larger delay. Of two that ask
/// for nothing a shadow's: its plugin still remembers the call, and the gateway
/// has to see to that.
///
/// It is paid for within its own budget, or, if it has none, within that of
/// the other one: a budget is not got round by a plugin without one.
fn stronger(one: Judgement, other: Judgement) -> Judgement {
    let rank = |Judgement { verdict, .. }: &Judgement| {
        (is_veto(verdict), verdict.retry_delay_ms, verdict.reason == Reason::Shadow)
    };
    let (first, second) = if rank(&other) > rank(&one) { (other, one) } else { (one, other) };
    Judgement { price: first.price.or(second.price), ..first }
}

/// What the plugins that were asked so far come to.
struct Gathered {
    strongest: Option<Judgement>,
    /// Whether a plugin remembers the call: it asked for a retry, or would have.
    remembered: bool,
    failure: HookFailure,
}

impl Gathered {
    const fn nothing() -> Self {
        let failure = HookFailure::Refused(HookError::Unsupported);
        Self { strongest: None, remembered: false, failure }
    }

    /// Takes one plugin's answer. An error ends the call, whatever the others say.
    fn take(&mut self, member: &Member, answer: Judged) -> Result<(), (HookFailure, FailPolicy)> {
        match answer {
            Ok(judgement) => {
                let verdict = &judgement.verdict;
                self.remembered |= verdict.retry_delay_ms > 0 || verdict.reason == Reason::Shadow;
                self.strongest = Some(match self.strongest.take() {
                    Some(before) => stronger(before, judgement),
                    None => judgement,
                });
            }
            Err((HookFailure::Refused(HookError::Unsupported), _)) => {}
            // Calls must not get past it.
            Err((failed @ (HookFailure::Broke(_) | HookFailure::Rejected(_)), policy))
                if policy == FailPolicy::Closed =>
            {
                tracing::warn!(plugin = member.name, failure = %failed, "the call fails with it");
                return Err((failed, policy));
            }
            Err((failed, _)) => {
                tracing::warn!(plugin = member.name, failure = %failed, "left out");
                self.failure = failed;
            }
        }
        Ok(())
    }

    /// What it comes to. Where a veto ends the call, the plugins of the `chain`
    /// that remember it for a retry forget it.
    fn end(
        self,
        chain: &Chain,
        hook: Hook,
        call: &Invocation<'_>,
        context: &CallContext,
    ) -> Judged {
        if self.remembered && self.strongest.as_ref().is_some_and(|it| is_veto(&it.verdict)) {
            chain.forget(hook, call.target, call.request_id, context);
        }
        self.strongest.ok_or((self.failure, FailPolicy::Open))
    }
}

/// The most retries that any plugin says, so far.
struct Most {
    retries: Option<MostRetries>,
    failure: HookFailure,
}

const NO_RETRIES: MostRetries = MostRetries { maybe_executed: 0, not_executed: 0 };

impl Most {
    const fn nothing() -> Self {
        Self { retries: None, failure: HookFailure::Refused(HookError::Unsupported) }
    }

    fn take(&mut self, answer: Result<MostRetries, HookFailure>) {
        match answer {
            Ok(said) => {
                let before = self.retries.unwrap_or(NO_RETRIES);
                self.retries = Some(MostRetries {
                    maybe_executed: before.maybe_executed.max(said.maybe_executed),
                    not_executed: before.not_executed.max(said.not_executed),
                });
            }
            Err(failed) => self.failure = failed,
        }
    }

    fn end(self) -> Result<MostRetries, HookFailure> {
        match (self.retries, self.failure) {
            (Some(retries), _) => Ok(retries),
            // Nobody has to do with it.
            (None, HookFailure::Refused(HookError::Unsupported)) => Ok(NO_RETRIES),
            (None, failure) => Err(failure),
        }
    }
}

impl RetryHook for Chain {
    fn judge(
        &self,
        hook: Hook,
        invocation: Invocation<'_>,
        outcome: &Outcome,
        background: Background,
    ) -> Result<Verdict, HookFailure> {
        let context = background.context.clone();
        let mut gathered = Gathered::nothing();
        for member in self.asked(hook, invocation.target, &context) {
            let plugin = &member.plugin;
            let answer = plugin.judge(hook, invocation.clone(), outcome, background.clone());
            let answer = answer.map(Into::into).map_err(|failure| (failure, plugin.fail_policy()));
            gathered.take(member, answer).map_err(|(failure, _)| failure)?;
        }
        let end = gathered.end(self, hook, &invocation, &context);
        end.map(|judgement| judgement.verdict).map_err(|(failure, _)| failure)
    }

    fn decide<'a>(
        &'a self,
        hook: Hook,
        invocation: Invocation<'a>,
        outcome: &'a Outcome,
        background: Background,
    ) -> Decision<'a, Judged> {
        let mut gathered = Gathered::nothing();
        let mut members = self.0.iter();
        while let Some(member) = members.next() {
            if !member.is_asked(hook, invocation.target, &background.context) {
                continue;
            }
            let invoked = invocation.clone();
            match member.plugin.decide(hook, invoked, outcome, background.clone()) {
                Decision::Made(answer) => {
                    if let Err(end) = gathered.take(member, answer) {
                        return Decision::Made(Err(end));
                    }
                }
                // The rest is asked when this one has answered: the order stays.
                Decision::Pending(answer) => {
                    return Decision::pending(async move {
                        gathered.take(member, answer.await)?;
                        for member in members {
                            if member.is_asked(hook, invocation.target, &background.context) {
                                let (invoked, told) = (invocation.clone(), background.clone());
                                let answer = member.plugin.decide(hook, invoked, outcome, told);
                                gathered.take(member, answer.wait().await)?;
                            }
                        }
                        gathered.end(self, hook, &invocation, &background.context)
                    });
                }
            }
        }
        Decision::Made(gathered.end(self, hook, &invocation, &background.context))
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
    ) -> Result<MostRetries, HookFailure> {
        let mut most = Most::nothing();
        for member in self.asked(hook, target, context) {
            most.take(member.plugin.retries(hook, target, context));
        }
        most.end()
    }

    fn decide_retries<'a>(
        &'a self,
        hook: Hook,
        target: &'a str,
        context: &'a Arc<CallContext>,
    ) -> Decision<'a, Result<MostRetries, HookFailure>> {
        let mut most = Most::nothing();
        let mut asked = self.asked(hook, target, context);
        while let Some(member) = asked.next() {
            match member.plugin.decide_retries(hook, target, context) {
                Decision::Made(answer) => most.take(answer),
                Decision::Pending(answer) => {
                    let rest: Vec<_> = asked.collect();
                    return Decision::pending(async move {
                        most.take(answer.await);
                        for member in rest {
                            let answer = member.plugin.decide_retries(hook, target, context);
                            most.take(answer.wait().await);
                        }
                        most.end()
                    });
                }
            }
        }
        Decision::Made(most.end())
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
