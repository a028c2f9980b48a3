//! The glue between the contract's types and the policy's.

use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::cell::RefCell;

use rand_core::TryRng;

use crate::{
    Metric, Millis, RetryPlugin,
    config::{self, Retries},
    decide::{self, Stop},
    detect::{self, Permanent, Signal},
};

// The generated code has its own idea of style.
#[allow(warnings)]
mod wit {
    wit_bindgen::generate!({ path: "../wit", world: "retry-plugin" });
    use super::Component;
    export!(Component);
}

use wit::{
    exports::mcp_gateway::hooks::{lifecycle, resource_post_fetch, tool_post_invoke},
    mcp_gateway::hooks::{content, types},
};

/// Where an instance stands in its life.
#[expect(clippy::large_enum_variant, reason = "there is one, and it is seldom anything else")]
enum Life {
    Unconfigured,
    Running(RetryPlugin),
    ShutDown,
}

struct Instance(RefCell<Life>);

// SAFETY: a component instance has one thread, and the canonical ABI does not
// let the host enter it again while a call is under way.
unsafe impl Sync for Instance {}

static INSTANCE: Instance = Instance(RefCell::new(Life::Unconfigured));

fn running<T>(judge: impl FnOnce(&mut RetryPlugin) -> T) -> Result<T, types::HookError> {
    match &mut *INSTANCE.0.borrow_mut() {
        Life::Running(plugin) => Ok(judge(plugin)),
        Life::Unconfigured => Err(types::HookError::NotConfigured),
        Life::ShutDown => Err(types::HookError::ShutDown),
    }
}

struct Component;

impl tool_post_invoke::Guest for Component {
    fn handle(
        invocation: types::Invocation,
        outcome: types::Outcome,
    ) -> Result<types::Verdict, types::HookError> {
        let traced = invocation.traced;
        running(|plugin| {
            let verdict = plugin.handle(invocation.into(), outcome.into(), &CurrentContent);
            answer(&verdict, traced)
        })
    }

    fn forget(target: String, request_id: String) {
        // A call that was never judged has nothing to forget.
        let _ = running(|plugin| plugin.forget(&target, &request_id));
    }
}

impl resource_post_fetch::Guest for Component {
    fn handle(
        _: types::Invocation,
        _: types::Outcome,
    ) -> Result<resource_post_fetch::RetryPolicy, types::HookError> {
        running(|plugin| {
            let base = &plugin.config().base;
            resource_post_fetch::RetryPolicy {
                max_retries: base.max_retries.0,
                backoff_base_ms: base.backoff.base().0,
                max_backoff_ms: base.backoff.cap().0,
                retry_on_status: base.retry_on_status.codes().to_owned(),
            }
        })
    }
}

impl lifecycle::Guest for Component {
    fn describe() -> lifecycle::Manifest {
        lifecycle::Manifest {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: env!("CARGO_PKG_DESCRIPTION").to_owned(),
            hooks: ["tool_post_invoke", "resource_post_fetch"].map(str::to_owned).to_vec(),
        }
    }

    fn configure(
        config: String,
        limits: lifecycle::GatewayLimits,
    ) -> Result<Vec<lifecycle::Issue>, Vec<lifecycle::Issue>> {
        let ceiling = Retries(limits.max_retries);
        let mut life = INSTANCE.0.borrow_mut();
        let notices = match &mut *life {
            Life::Running(plugin) => plugin.reconfigure(&config, ceiling),
            Life::Unconfigured | Life::ShutDown => {
                RetryPlugin::new(&config, ceiling, seed()).map(|(plugin, notices)| {
                    *life = Life::Running(plugin);
                    notices
                })
            }
        };
        notices.map(issues).map_err(issues)
    }

    fn stats() -> Vec<lifecycle::Metric> {
        let metrics = running(|plugin| plugin.stats()).unwrap_or_default();
        let metric = |Metric { name, value }| lifecycle::Metric { name, value };
        metrics.into_iter().map(metric).collect()
    }

    fn shutdown() {
        *INSTANCE.0.borrow_mut() = Life::ShutDown;
    }
}

/// From `wasi:random`. An instance without randomness is of no use: it traps.
fn seed() -> u64 {
    match getrandom::SysRng.try_next_u64() {
        Ok(seed) => seed,
        Err(_) => panic!("no randomness"),
    }
}

fn issues(issues: Vec<config::Issue>) -> Vec<lifecycle::Issue> {
    let issue = |config::Issue { path, message }| lifecycle::Issue { path, message };
    issues.into_iter().map(issue).collect()
}

/// The texts of the result that is being judged.
struct CurrentContent;

impl detect::Texts for CurrentContent {
    fn count(&self) -> u32 {
        content::text_count()
    }

    fn get(&self, index: u32) -> Option<String> {
        content::text(index)
    }
}

impl From<types::Invocation> for decide::Invocation {
    fn from(invocation: types::Invocation) -> Self {
        Self {
            target: invocation.target,
            request_id: invocation.request_id,
            attempt: invocation.attempt,
            now: Millis(invocation.now_ms),
            time_left: invocation.time_left_ms.map(Millis),
        }
    }
}

impl From<types::Outcome> for detect::Outcome {
    fn from(outcome: types::Outcome) -> Self {
        match outcome {
            types::Outcome::Returned(returned) => Self::Returned {
                is_error: returned.is_error,
                structured: returned.structured.map(|structured| detect::Structured {
                    is_error: structured.is_error,
                    status_code: structured.status_code,
                }),
            },
            types::Outcome::TimedOut => Self::TimedOut,
            types::Outcome::TransportFailed(_) => Self::TransportFailed,
            types::Outcome::RpcError(code) => Self::RpcError(code),
            types::Outcome::HttpError(error) => Self::HttpError(error.status),
        }
    }
}

fn answer(verdict: &decide::Verdict, traced: bool) -> types::Verdict {
    let (retry_delay_ms, delay_ceiling_ms, reason, failures) = match *verdict {
        decide::Verdict::Retry { delay, signal, failures } => {
            (delay.drawn.0, delay.ceiling.0, retry_reason(signal), failures)
        }
        decide::Verdict::Stop { why, failures } => (0, 0, stop_reason(why), failures),
    };
    let metadata = traced.then_some(types::TraceMetadata { retry_count: failures, retry_delay_ms });
    types::Verdict { retry_delay_ms, reason, failures, delay_ceiling_ms, metadata }
}

fn retry_reason(signal: Signal) -> types::Reason {
    match signal {
        Signal::ToolError => types::Reason::ToolError,
        Signal::StructuredError => types::Reason::StructuredError,
        Signal::TextError => types::Reason::TextError,
        Signal::RetryableStatus => types::Reason::RetryableStatus,
        Signal::TimedOut => types::Reason::TimedOut,
        Signal::TransportFailed => types::Reason::TransportFailed,
        Signal::RpcError => types::Reason::RpcError,
    }
}

fn stop_reason(why: Stop) -> types::Reason {
    match why {
        Stop::Succeeded => types::Reason::Succeeded,
        Stop::Permanent(Permanent::Status) => types::Reason::StatusNotRetryable,
        Stop::Permanent(Permanent::RpcCode) => types::Reason::RpcCodeNotRetryable,
        Stop::RetriesExhausted => types::Reason::RetriesExhausted,
        Stop::DeadlineTooClose => types::Reason::DeadlineTooClose,
    }
}
