//! The glue between the contract's types and the policy's.

use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::cell::RefCell;

use rand_core::TryRng;

use crate::{
    Metric, Millis, Reason, RetryPlugin, Verdict,
    budget::{Price, Terms},
    config::{self, Retries},
    context::{Annotations, Context, Known, OuterAttempts},
    decide::{self, MostRetries},
    detect::{self, Content, Part, Scalar},
    state::Kind,
    verdict,
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
    mcp_gateway::hooks::{content, context, types},
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

/// Not inlined: one copy serves both hooks.
#[inline(never)]
fn handle(
    kind: Kind,
    invocation: types::Invocation,
    outcome: types::Outcome,
    with_metadata: bool,
) -> Result<types::Verdict, types::HookError> {
    let types::Invocation { target, request_id, attempt, now_ms, time_left_ms, known } = invocation;
    let invocation = decide::Invocation {
        kind,
        target,
        request_id,
        attempt,
        now: Millis(now_ms),
        time_left: time_left_ms.map(Millis),
        known: known.into(),
    };
    let verdict = running(|plugin| plugin.handle(invocation, outcome.into(), &Gateway))?;
    verdict
        .map(|(verdict, price)| answer(&verdict, price, with_metadata))
        .ok_or(types::HookError::Unsupported)
}

fn forget(kind: Kind, target: &str, request_id: &str) {
    // A call that was never judged has nothing to forget.
    let _ = running(|plugin| plugin.forget(kind, target, request_id));
}

struct Component;

impl tool_post_invoke::Guest for Component {
    fn handle(
        invocation: types::Invocation,
        outcome: types::Outcome,
    ) -> Result<types::Verdict, types::HookError> {
        let with_metadata = invocation.known.contains(types::Known::TRACE);
        handle(Kind::Tool, invocation, outcome, with_metadata)
    }

    fn retries(target: String) -> Result<types::MostRetries, types::HookError> {
        running(|plugin| plugin.retries(Kind::Tool, &target, &Gateway).into())
    }

    fn forget(target: String, request_id: String) {
        forget(Kind::Tool, &target, &request_id);
    }
}

impl resource_post_fetch::Guest for Component {
    fn handle(
        invocation: types::Invocation,
        outcome: types::Outcome,
    ) -> Result<types::Verdict, types::HookError> {
        handle(Kind::Resource, invocation, outcome, false)
    }

    fn retries(target: String) -> Result<types::MostRetries, types::HookError> {
        running(|plugin| plugin.retries(Kind::Resource, &target, &Gateway).into())
    }

    fn forget(target: String, request_id: String) {
        forget(Kind::Resource, &target, &request_id);
    }

    fn policy() -> Result<resource_post_fetch::RetryPolicy, types::HookError> {
        running(|plugin| {
            let base = plugin.base();
            resource_post_fetch::RetryPolicy {
                max_retries: base.max_retries.0,
                backoff_base_ms: base.backoff.base().0,
                max_backoff_ms: base.backoff.cap().0,
                retry_on_status: base.retry_on_status.listed().collect(),
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

    fn config_schema() -> String {
        config::schema()
    }

    fn configure(
        config: String,
        limits: lifecycle::GatewayLimits,
    ) -> Result<lifecycle::Configured, Vec<lifecycle::Issue>> {
        let ceiling = Retries(limits.max_retries);
        let mut life = INSTANCE.0.borrow_mut();
        let (configured, notices) = match &mut *life {
            Life::Running(plugin) => {
                let notices = plugin.reconfigure(&config, ceiling).map_err(issues)?;
                (configured(plugin), notices)
            }
            Life::Unconfigured | Life::ShutDown => {
                let (plugin, notices) =
                    RetryPlugin::new(&config, ceiling, seed()).map_err(issues)?;
                let configured = configured(&plugin);
                *life = Life::Running(plugin);
                (configured, notices)
            }
        };
        Ok(lifecycle::Configured { notices: issues(notices), ..configured })
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

fn terms(terms: &Terms) -> lifecycle::BudgetTerms {
    let &Terms { size, success, refill_per_minute, floor_per_minute } = terms;
    lifecycle::BudgetTerms { size, success, refill_per_minute, floor_per_minute }
}

/// What a configuration comes to, beside the notices.
fn configured(plugin: &RetryPlugin) -> lifecycle::Configured {
    lifecycle::Configured {
        notices: Vec::new(),
        upstream_budget: plugin.upstream_budget().as_ref().map(terms),
        tool_budgets: plugin.tool_budgets().iter().map(terms).collect(),
    }
}

fn issues(issues: Vec<config::Issue>) -> Vec<lifecycle::Issue> {
    let issue = |config::Issue { path, message }| lifecycle::Issue { path, message };
    issues.into_iter().map(issue).collect()
}

/// The gateway, as far as it can be asked.
struct Gateway;

impl Content for Gateway {
    fn text_count(&self) -> u32 {
        content::text_count()
    }

    fn text(&self, index: u32) -> Option<String> {
        content::text(index)
    }

    fn excerpt(&self, part: Part, most: u32) -> Option<String> {
        let part = match part {
            Part::Texts => content::Part::Texts,
            Part::Data => content::Part::Data,
        };
        content::excerpt(part, most)
    }

    fn field(&self, pointer: &str) -> Option<Scalar> {
        Some(match content::field(pointer)? {
            content::Scalar::Boolean(value) => Scalar::Boolean(value),
            content::Scalar::Integer(value) => Scalar::Integer(value),
            content::Scalar::Number(value) => Scalar::Number(value),
            content::Scalar::Text(value) => Scalar::Text(value),
        })
    }
}

impl Context for Gateway {
    fn upstream(&self) -> Option<String> {
        context::upstream()
    }

    fn annotations(&self) -> Option<Annotations> {
        let context::ToolAnnotations { read_only, destructive, idempotent } =
            context::annotations()?;
        Some(Annotations { read_only, destructive, idempotent })
    }

    fn trusted(&self) -> Option<bool> {
        context::trusted()
    }

    fn took(&self) -> Millis {
        Millis(context::took_ms())
    }

    fn outer(&self) -> Option<OuterAttempts> {
        let context::OuterAttempts { attempt, most, most_not_executed } = context::outer()?;
        Some(OuterAttempts { attempt, most, most_not_executed })
    }
}

impl From<MostRetries> for types::MostRetries {
    fn from(MostRetries { maybe_executed, not_executed }: MostRetries) -> Self {
        Self { maybe_executed, not_executed }
    }
}

impl From<types::Known> for Known {
    fn from(known: types::Known) -> Self {
        Self {
            upstream: known.contains(types::Known::UPSTREAM),
            annotations: known.contains(types::Known::ANNOTATIONS),
            outer: known.contains(types::Known::OUTER),
            fields: known.contains(types::Known::FIELDS),
            continuation: known.contains(types::Known::CONTINUATION),
            trusted: if known.contains(types::Known::DISTRUSTED) {
                Some(false)
            } else {
                known.contains(types::Known::TRUSTED).then_some(true)
            },
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
            types::Outcome::TransportFailed(failure) => Self::TransportFailed {
                dispatched: failure == types::TransportFailure::AfterDispatch,
            },
            types::Outcome::RpcError(code) => Self::RpcError(code),
            types::Outcome::HttpError(types::HttpError { status, pushback_ms }) => {
                Self::HttpError { status, pushback: pushback_ms }
            }
            types::Outcome::Unfinished(_) => Self::Unfinished,
            types::Outcome::Cancelled => Self::Cancelled,
            types::Outcome::Refused => Self::Refused,
            types::Outcome::Other => Self::Other,
        }
    }
}

#[inline]
fn answer(verdict: &Verdict, price: Price, with_metadata: bool) -> types::Verdict {
    let (retry_delay_ms, delay_ceiling_ms, failures) = match *verdict {
        Verdict::Retry { delay, failures, .. } => (delay.drawn.0, delay.ceiling.0, failures),
        Verdict::Shadow { delay, failures, .. } => (0, delay.drawn.0, failures),
        Verdict::Stop { failures, .. } => (0, 0, failures),
    };
    let reason = reason(verdict.reason());
    let metadata =
        with_metadata.then_some(types::TraceMetadata { retry_count: failures, retry_delay_ms });
    let class = match verdict.kind() {
        verdict::Kind::Succeeded => types::Class::Succeeded,
        verdict::Kind::Transient => types::Class::Transient,
        verdict::Kind::Throttled => types::Class::Throttled,
        verdict::Kind::Permanent => types::Class::Permanent,
        verdict::Kind::Unknown => types::Class::Unknown,
    };
    types::Verdict {
        retry_delay_ms,
        reason,
        failures,
        delay_ceiling_ms,
        class,
        not_executed: verdict.failure().is_some_and(|failure| failure.not_executed),
        tool_budget: price.number.0,
        cost: price.cost,
        pushback_ms: verdict.pushback().map(|time| time.0),
        metadata,
    }
}

#[inline]
fn reason(reason: Reason) -> types::Reason {
    match reason {
        Reason::ToolError => types::Reason::ToolError,
        Reason::StructuredError => types::Reason::StructuredError,
        Reason::TextError => types::Reason::TextError,
        Reason::RetryableStatus => types::Reason::RetryableStatus,
        Reason::TimedOut => types::Reason::TimedOut,
        Reason::TransportFailed => types::Reason::TransportFailed,
        Reason::RpcError => types::Reason::RpcError,
        Reason::Transient => types::Reason::Transient,
        Reason::Throttled => types::Reason::Throttled,
        Reason::Succeeded => types::Reason::Succeeded,
        Reason::StatusNotRetryable => types::Reason::StatusNotRetryable,
        Reason::RpcCodeNotRetryable => types::Reason::RpcCodeNotRetryable,
        Reason::RetriesExhausted => types::Reason::RetriesExhausted,
        Reason::DeadlineTooClose => types::Reason::DeadlineTooClose,
        Reason::AttemptWouldNotFit => types::Reason::AttemptWouldNotFit,
        Reason::Permanent => types::Reason::Permanent,
        Reason::QuotaSpent => types::Reason::QuotaSpent,
        Reason::Unclassified => types::Reason::Unclassified,
        Reason::NotReplaySafe => types::Reason::NotReplaySafe,
        Reason::HintsNotSeen => types::Reason::HintsNotSeen,
        Reason::HintsNotTrusted => types::Reason::HintsNotTrusted,
        Reason::HintsSilent => types::Reason::HintsSilent,
        Reason::HintsForbid => types::Reason::HintsForbid,
        Reason::Continuation => types::Reason::Continuation,
        Reason::PushbackTooLong => types::Reason::PushbackTooLong,
        Reason::PushbackStop => types::Reason::PushbackStop,
        Reason::OuterLayerRetries => types::Reason::OuterLayerRetries,
        Reason::Unfinished => types::Reason::Unfinished,
        Reason::Cancelled => types::Reason::Cancelled,
        Reason::Refused => types::Reason::Refused,
        Reason::Shadow => types::Reason::Shadow,
    }
}
