//! The Rust face of the WIT package in `wit/`, which documents every item.

mod bindings {
    #![allow(missing_docs, reason = "the WIT files document these items")]

    wasmtime::component::bindgen!({
        path: "../wit",
        world: "retry-plugin",
        ownership: Borrowing { duplicate_if_necessary: false },
        // A guest that asks too often is stopped in the host function that it calls.
        imports: { default: trappable },
        additional_derives: [PartialEq],
    });
}

pub use bindings::{
    RetryPlugin, RetryPluginIndices, RetryPluginPre,
    exports::mcp_gateway::hooks::{
        lifecycle::{BudgetTerms, Configured, GatewayLimits, Issue, Manifest, Metric},
        resource_post_fetch::RetryPolicy,
    },
    mcp_gateway::hooks::{
        content::{self, Part, Scalar},
        context::{self, OuterAttempts, ToolAnnotations},
        types::{
            self, Class, HookError, HttpError, Invocation, Known, MostRetries, Outcome, Reason,
            Returned, Structured, TraceMetadata, TransportFailure, Unfinished, Verdict,
        },
    },
};
