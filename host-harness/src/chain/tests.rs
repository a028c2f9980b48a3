use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use super::{Chain, Condition, Member};
use crate::{
    contract::{Class, HookError, Invocation, Known, MostRetries, Outcome, Reason, Verdict},
    gateway::{Background, CallContext, Hook, RetryHook},
    sandbox::{Breakage, HookFailure},
};

/// Says one thing for ever; broken if it has nothing to say.
struct Says(Option<(u64, Reason)>, AtomicU32);

impl RetryHook for Says {
    fn judge(
        &self,
        _: Hook,
        _: Invocation<'_>,
        _: &Outcome,
        _: Background,
    ) -> Result<Verdict, HookFailure> {
        let (retry_delay_ms, reason) =
            self.0.ok_or_else(|| HookFailure::Broke(Breakage::Trapped("on purpose".to_owned())))?;
        let delay_ceiling_ms = retry_delay_ms;
        Ok(Verdict {
            retry_delay_ms,
            reason,
            failures: 1,
            delay_ceiling_ms,
            class: Class::Transient,
            not_executed: false,
            tool_budget: 0,
            cost: 0,
            pushback_ms: None,
            metadata: None,
        })
    }

    fn retries(&self, _: Hook, _: &str, _: &Arc<CallContext>) -> Result<MostRetries, HookFailure> {
        let retries = u32::try_from(self.0.map_or(0, |(delay, _)| delay)).expect("small");
        Ok(MostRetries { maybe_executed: retries, not_executed: retries })
    }

    fn forget(&self, _: Hook, _: &str, _: &str, _: &CallContext) {
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

fn says(delay: u64) -> Arc<Says> {
    let reason = if delay > 0 { Reason::ToolError } else { Reason::RetriesExhausted };
    Arc::new(Says(Some((delay, reason)), AtomicU32::new(0)))
}

fn member(plugin: &Arc<Says>, conditions: Vec<Condition>) -> Member {
    let hooks = vec![Hook::ToolPostInvoke];
    Member { name: "m".to_owned(), hooks, conditions, plugin: plugin.clone() }
}

fn judge(chain: &Chain, hook: Hook, target: &str) -> Result<(u64, Reason), HookFailure> {
    let invocation = Invocation {
        target,
        request_id: "1",
        attempt: 1,
        now_ms: 0,
        time_left_ms: None,
        known: Known::empty(),
    };
    let context = CallContext { upstream: Some("up".to_owned()), ..CallContext::default() };
    let background = Background { context: Arc::new(context), ..Background::none() };
    let verdict = chain.judge(hook, invocation, &Outcome::TimedOut, background)?;
    Ok((verdict.retry_delay_ms, verdict.reason))
}

#[test]
fn the_largest_delay_wins_and_a_broken_plugin_is_left_out() {
    let broken = Arc::new(Says(None, AtomicU32::new(0)));
    let chain =
        Chain::new([&says(5), &broken, &says(9), &says(0)].map(|one| member(one, vec![])).into());
    let verdict = judge(&chain, Hook::ToolPostInvoke, "t").expect("a verdict");
    assert_eq!(verdict, (9, Reason::ToolError));
    let context = Arc::default();
    assert_eq!(
        chain.retries(Hook::ToolPostInvoke, "t", &context).expect("a number").not_executed,
        9
    );
    let chain = Chain::new(vec![member(&broken, vec![])]);
    let failure = judge(&chain, Hook::ToolPostInvoke, "t").expect_err("nobody else");
    assert!(matches!(failure, HookFailure::Broke(_)));
}

#[test]
fn a_veto_outranks_every_retry_and_the_others_forget_the_call() {
    for reason in [Reason::NotReplaySafe, Reason::Continuation, Reason::Refused] {
        let guard = Arc::new(Says(Some((0, reason)), AtomicU32::new(0)));
        let lax = says(5_000);
        for order in [[&lax, &guard], [&guard, &lax]] {
            let chain = Chain::new(order.map(|one| member(one, vec![])).into());
            let verdict = judge(&chain, Hook::ToolPostInvoke, "t").expect("a verdict");
            assert_eq!(verdict, (0, reason));
        }
        assert_eq!(lax.1.load(Ordering::SeqCst), 2, "once for each order");
    }
    // To see no use in a retry is no veto.
    let silent = Arc::new(Says(Some((0, Reason::HintsSilent)), AtomicU32::new(0)));
    let lax = says(5);
    let chain = Chain::new([&silent, &lax].map(|one| member(one, vec![])).into());
    assert_eq!(judge(&chain, Hook::ToolPostInvoke, "t").expect("a verdict").0, 5);
    assert_eq!(lax.1.load(Ordering::SeqCst), 0);
}

#[test]
fn a_shadow_among_refusals_counts_so_that_its_state_is_seen_to() {
    let shadow = Arc::new(Says(Some((0, Reason::Shadow)), AtomicU32::new(0)));
    let members = [&says(0), &shadow, &says(0)].map(|one| member(one, vec![]));
    let chain = Chain::new(members.into());
    let verdict = judge(&chain, Hook::ToolPostInvoke, "t").expect("a verdict");
    assert_eq!(verdict, (0, Reason::Shadow));
    chain.forget(Hook::ToolPostInvoke, "t", "1", &CallContext::default());
    assert_eq!(shadow.1.load(Ordering::SeqCst), 1);
}

#[test]
fn a_plugin_is_asked_only_for_its_hooks_and_where_a_condition_holds() {
    let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let of = |upstreams: &[&str], tools: &[&str]| Condition {
        upstreams: list(upstreams),
        tools: list(tools),
        resources: list(&["u:1"]),
    };
    for (conditions, asked) in [
        (vec![], true),
        (vec![of(&[], &[])], true),
        (vec![of(&["up"], &["t"])], true),
        (vec![of(&["other"], &["t"])], false),
        (vec![of(&["up"], &["s"])], false),
        (vec![of(&["other"], &[]), of(&[], &["s", "t"])], true),
    ] {
        let chain = Chain::new(vec![member(&says(3), conditions.clone())]);
        let verdict = judge(&chain, Hook::ToolPostInvoke, "t");
        assert_eq!(verdict.is_ok(), asked, "{conditions:?}");
        let nobody = judge(&chain, Hook::ResourcePostFetch, "u:1").expect_err("not its hook");
        assert!(matches!(nobody, HookFailure::Refused(HookError::Unsupported)));
        let context = Arc::default();
        assert_eq!(
            chain.retries(Hook::ResourcePostFetch, "u:1", &context).expect("none"),
            super::NO_RETRIES
        );
    }
}
