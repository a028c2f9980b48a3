//! A policy in Rust, without WebAssembly, in the same loop:
//! `cargo run --package host-harness --example native_policy`

use std::{sync::Arc, time::Duration};

use host_harness::{
    contract::{Class, Invocation, MostRetries, Outcome, Reason, Verdict},
    gateway::{Background, CallContext, Finished, Gateway, Hook, LogicalCall, RetryHook},
    sandbox::HookFailure,
};

/// Two retries, 10 ms apart, of whatever timed out or never left.
struct Patient;

impl RetryHook for Patient {
    fn judge(
        &self,
        _: Hook,
        invocation: Invocation<'_>,
        outcome: &Outcome,
        _: Background,
    ) -> Result<Verdict, HookFailure> {
        let passes = matches!(outcome, Outcome::TimedOut | Outcome::TransportFailed(_));
        Ok(match (passes, invocation.attempt) {
            (true, ..=2) => Verdict::retry(Duration::from_millis(10), invocation.attempt),
            (true, _) => Verdict::stop(Reason::RetriesExhausted, Class::Transient),
            (false, _) => Verdict::stop(Reason::Succeeded, Class::Succeeded),
        })
    }

    fn retries(&self, _: Hook, _: &str, _: &Arc<CallContext>) -> Result<MostRetries, HookFailure> {
        Ok(MostRetries { maybe_executed: 2, not_executed: 2 })
    }

    fn forget(&self, _: Hook, _: &str, _: &str, _: &CallContext) {}
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gateway = Gateway::new(Arc::new(Patient));
    let call = LogicalCall::new("ping", "request-1");
    let ping = async |attempt: host_harness::gateway::Attempt| match attempt.number() {
        1 => Err(Outcome::not_sent()),
        _ => Ok("pong"),
    };
    let Finished::Answered { reply, attempts, .. } = gateway.run(&call, ping).await else {
        return Err("nobody cancels this call".into());
    };
    println!("{reply:?} after {attempts} attempts");
    (reply == Ok("pong")).then_some(()).ok_or_else(|| "not recovered".into())
}
