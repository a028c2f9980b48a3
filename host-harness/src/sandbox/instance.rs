//! One instance in a store of its own, with its bounds.

use std::time::Duration;

use wasmtime::{Store, Trap};

use super::{
    Component, Options, Violation, boundary,
    error::{Breakage, Exceeded, StartError},
    one_line::one_line,
    overdue::{self, Allotted},
    state::GuestState,
};
use crate::contract::{Configured, GatewayLimits, Issue, RetryPlugin};

/// An instance and its store, which live and die together.
pub(super) struct Instance {
    pub(super) store: Store<GuestState>,
    pub(super) exports: RetryPlugin,
    /// [`Limits::call_time`](super::Limits::call_time).
    allotted: Allotted,
}

impl Instance {
    pub(super) fn new(
        component: &Component,
        options: &Options,
        number: u64,
    ) -> Result<Box<Self>, Breakage> {
        let limits = &options.limits;
        let state = GuestState::new(limits, options.entropy, number);
        let mut store = Store::new(component.pre.engine(), state);
        // Before instantiation, so that it also bounds what the start functions do.
        store.limiter(|state| &mut state.resources);
        store.set_max_component_handles(limits.handles);
        store.set_hostcall_fuel(limits.hook_result_bytes);
        let allotted = Allotted::of(limits.call_time);
        store.set_epoch_deadline(allotted.first);
        store.epoch_deadline_callback(move |mut store| {
            store.data_mut().overdue.look(&allotted, overdue::ran())
        });
        let exports = component
            .pre
            .instantiate(&mut store)
            .map_err(|error| breakage(&error, limits.call_time))?;
        Ok(Box::new(Self { store, exports, allotted }))
    }

    /// Configures it.
    pub(super) fn configure(&mut self, options: &Options) -> Result<Configured, StartError> {
        self.begin(options.limits.lifecycle_result_bytes);
        let answer = self
            .call_configure(options)
            .map_err(|error| breakage(&error, options.limits.call_time))?;
        accepted(answer)
    }

    /// The same within bounds that are armed already; the inner result is the plugin's own.
    pub(super) fn call_configure(
        &mut self,
        options: &Options,
    ) -> wasmtime::Result<Result<Configured, Vec<Issue>>> {
        let limits = GatewayLimits { max_retries: options.max_tool_retries };
        let lifecycle = self.exports.mcp_gateway_hooks_lifecycle();
        lifecycle.call_configure(&mut self.store, &options.config, limits)
    }

    /// Arms the bounds of one call.
    pub(super) fn begin(&mut self, result_bytes: usize) {
        self.store.set_epoch_deadline(self.allotted.first);
        self.store.set_hostcall_fuel(result_bytes);
        self.store.data_mut().begin();
    }
}

/// What the answer to a configuration comes to.
pub(super) fn accepted(answer: Result<Configured, Vec<Issue>>) -> Result<Configured, StartError> {
    match answer {
        Ok(Configured { notices, upstream_budget, tool_budgets }) => {
            Ok(Configured { notices: boundary::issues(notices), upstream_budget, tool_budgets })
        }
        Err(issues) if issues.is_empty() => Err(Violation::RefusedWithoutIssue.into()),
        Err(issues) => Err(StartError::Config(boundary::issues(issues))),
    }
}

/// What a failed call says of the plugin.
pub(super) fn breakage(error: &wasmtime::Error, call_time: Duration) -> Breakage {
    if let Some(&exceeded) = error.downcast_ref::<Exceeded>() {
        return Breakage::Exceeded(exceeded);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => Breakage::TooSlow(call_time),
        Some(Trap::StackOverflow) => Breakage::Exceeded(Exceeded::Stack),
        Some(trap) => Breakage::Trapped(trap.to_string()),
        None => Breakage::Trapped(one_line(error)),
    }
}
