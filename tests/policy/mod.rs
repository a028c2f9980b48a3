//! What this plugin does beyond the one that it replaces, feature by feature,
//! as the component shows it across the boundary.

mod budget;
mod classification;
mod corpus;
mod deadline_fit;
mod delay_shapes;
mod long_run;
mod nested_layers;
mod overrides;
mod pushback;
mod reconfigure;
mod replay_safety;
mod resources;
mod shadow;
mod shards;
mod signals;
mod situations;
mod stats;
mod storms;

use std::sync::Arc;

use host_harness::{
    contract::{Outcome, Reason, Verdict},
    gateway::{Background, CallContext, Content},
    mcp::{ErrorContent, ResultContent},
    sandbox::Plugin,
};
use serde_json::Value;

use crate::plugin_under_test::{invocation, judge_with};

/// An attempt about whose call the gateway knows this.
fn around(context: CallContext) -> Background {
    Background { context: Arc::new(context), ..Background::none() }
}

/// An attempt at a tool of this upstream.
fn of_upstream(name: &str) -> Background {
    around(CallContext { upstream: Some(name.to_owned()), ..CallContext::default() })
}

/// A result, whatever JSON it is.
fn result(result: Value) -> (Outcome, Background) {
    let content = Arc::new(ResultContent::of(&result));
    (content.outcome(), Background { content: Some(content), ..Background::none() })
}

/// A JSON-RPC error: its `error` member.
fn rpc_error(error: Value) -> (Outcome, Background) {
    let code = error["code"].as_i64().expect("a code");
    let content: Arc<dyn Content> = Arc::new(ErrorContent::of(&error));
    (Outcome::RpcError(code), Background { content: Some(content), ..Background::none() })
}

/// Judges the first attempt of a call that nobody has heard of before.
fn first(plugin: &Plugin, (outcome, background): (Outcome, Background)) -> Verdict {
    let verdict = judge_with(plugin, invocation("t", "first"), &outcome, background);
    if verdict.retry_delay_ms > 0 {
        forget(plugin, "t", "first");
    }
    verdict
}

fn forget(plugin: &Plugin, tool: &str, request_id: &str) {
    use host_harness::gateway::{Hook, RetryHook};
    plugin.forget(Hook::ToolPostInvoke, tool, request_id, &CallContext::default());
}

/// The reason of a verdict, and whether it asks for a retry.
fn told(verdict: &Verdict) -> (Reason, bool) {
    (verdict.reason, verdict.retry_delay_ms > 0)
}
