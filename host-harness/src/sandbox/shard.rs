//! One warm instance, and its replacement when it breaks.

use std::{sync::Arc, time::Duration};

use wasmtime::{Store, Trap};

use super::{
    Component, Options, boundary,
    component::one_line,
    engine::{engine, epochs},
    error::{Breakage, HookFailure, StartError},
    state::GuestState,
};
use crate::{
    contract::{
        GatewayLimits, Invocation, Issue, Manifest, Metric, Outcome, RetryPlugin, RetryPolicy,
        Verdict,
    },
    gateway::Texts,
};

/// The rest after the second break in a row; it doubles with each further one.
const FIRST_REST: Duration = Duration::from_millis(100);
const LONGEST_REST: Duration = Duration::from_secs(30);

pub(super) struct Shard {
    component: Component,
    options: Arc<Options>,
    number: u64,
    instance: Option<Instance>,
    /// Breaks without a good answer in between.
    strikes: u32,
    /// No fresh instance before this, on the clock of the calls.
    rest_until: Duration,
}

struct Instance {
    store: Store<GuestState>,
    exports: RetryPlugin,
}

impl Shard {
    /// A shard with a running instance, and what was adjusted in its configuration.
    pub(super) fn start(
        component: &Component,
        options: &Arc<Options>,
        number: u64,
    ) -> Result<(Self, Vec<Issue>), StartError> {
        let mut instance = Instance::new(component, options, number)?;
        let notices = instance.configure(options)?.map_err(StartError::Config)?;
        let shard = Self {
            component: component.clone(),
            options: options.clone(),
            number,
            instance: Some(instance),
            strikes: 0,
            rest_until: Duration::ZERO,
        };
        Ok((shard, notices))
    }

    /// Judges one attempt of a tool call.
    pub(super) fn post_invoke(
        &mut self,
        invocation: Invocation<'_>,
        outcome: &Outcome,
        texts: Arc<dyn Texts>,
    ) -> Result<Verdict, HookFailure> {
        let now = Duration::from_millis(invocation.now_ms);
        let limits = self.options.limits;
        let traced = invocation.traced;
        let (answer, read_a_text) = self.call(now, |instance| {
            instance.begin(limits.call_time, limits.hook_result_bytes);
            let state = instance.store.data_mut();
            state.texts = Some(texts);
            state.read_a_text = false;
            let hook = instance.exports.mcp_gateway_hooks_tool_post_invoke();
            let answer = hook.call_handle(&mut instance.store, invocation, *outcome);
            let state = instance.store.data_mut();
            state.texts = None;
            Ok((answer?, state.read_a_text))
        })?;
        let verdict = answer.map_err(HookFailure::Refused)?;
        boundary::check(&verdict, outcome, traced, read_a_text, &limits)?;
        Ok(verdict)
    }

    /// The policy for resources.
    pub(super) fn post_fetch(
        &mut self,
        invocation: Invocation<'_>,
        outcome: &Outcome,
    ) -> Result<RetryPolicy, HookFailure> {
        let now = Duration::from_millis(invocation.now_ms);
        let limits = self.options.limits;
        let answer = self.call(now, |instance| {
            instance.begin(limits.call_time, limits.hook_result_bytes);
            let hook = instance.exports.mcp_gateway_hooks_resource_post_fetch();
            hook.call_handle(&mut instance.store, invocation, *outcome)
        })?;
        answer.map_err(HookFailure::Refused)
    }

    /// Drops the state of a call. A shard without an instance has none.
    pub(super) fn forget(&mut self, target: &str, request_id: &str) -> Result<(), Breakage> {
        if self.instance.is_none() {
            return Ok(());
        }
        let limits = self.options.limits;
        self.call(Duration::ZERO, |instance| {
            instance.begin(limits.call_time, limits.hook_result_bytes);
            let hook = instance.exports.mcp_gateway_hooks_tool_post_invoke();
            hook.call_forget(&mut instance.store, target, request_id)
        })
    }

    /// The counters of the instance; a shard without one has none.
    pub(super) fn stats(&mut self) -> Result<Vec<Metric>, Breakage> {
        if self.instance.is_none() {
            return Ok(Vec::new());
        }
        let limits = self.options.limits;
        self.call(Duration::ZERO, |instance| {
            instance.begin(limits.call_time, limits.lifecycle_result_bytes);
            instance.exports.mcp_gateway_hooks_lifecycle().call_stats(&mut instance.store)
        })
    }

    /// Who it says it is.
    pub(super) fn describe(&mut self) -> Result<Manifest, Breakage> {
        let limits = self.options.limits;
        self.call(Duration::ZERO, |instance| {
            instance.begin(limits.call_time, limits.lifecycle_result_bytes);
            instance.exports.mcp_gateway_hooks_lifecycle().call_describe(&mut instance.store)
        })
    }

    /// Calls into a running instance. A store in which a call failed is never
    /// entered again: the instance goes, and a later call gets a fresh one.
    fn call<T>(
        &mut self,
        now: Duration,
        call: impl FnOnce(&mut Instance) -> wasmtime::Result<T>,
    ) -> Result<T, Breakage> {
        let call_time = self.options.limits.call_time;
        let instance = match &mut self.instance {
            Some(instance) => instance,
            empty => empty.insert(fresh(
                &self.component,
                &self.options,
                self.number,
                self.strikes,
                self.rest_until.saturating_sub(now),
            )?),
        };
        match call(instance) {
            Ok(answer) => {
                self.strikes = 0;
                Ok(answer)
            }
            Err(error) => {
                self.instance = None;
                self.strikes = self.strikes.saturating_add(1);
                self.rest_until = now.saturating_add(rest(self.strikes));
                Err(breakage(&error, call_time))
            }
        }
    }
}

/// How long to leave a shard without an instance: the first break is forgiven at once.
fn rest(strikes: u32) -> Duration {
    match strikes.checked_sub(2) {
        None => Duration::ZERO,
        Some(doublings) => FIRST_REST
            .saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX))
            .min(LONGEST_REST),
    }
}

/// An instance in place of one that broke.
fn fresh(
    component: &Component,
    options: &Options,
    number: u64,
    strikes: u32,
    rest: Duration,
) -> Result<Instance, Breakage> {
    if !rest.is_zero() {
        return Err(Breakage::Resting { strikes, rest });
    }
    let mut instance = Instance::new(component, options, number)?;
    match instance.configure(options)? {
        Ok(_) => Ok(instance),
        Err(_) => Err(Breakage::NoInstance(
            "it refuses the configuration that it had accepted before".to_owned(),
        )),
    }
}

impl Instance {
    fn new(component: &Component, options: &Options, number: u64) -> Result<Self, Breakage> {
        let state = GuestState::new(&options.limits, options.entropy, number);
        let mut store = Store::new(engine(), state);
        // Before instantiation, so that it also bounds what the start functions do.
        store.limiter(|state| &mut state.resources);
        store.set_max_component_handles(64);
        store.set_epoch_deadline(epochs(options.limits.call_time));
        let exports = component
            .pre
            .instantiate(&mut store)
            .map_err(|error| breakage(&error, options.limits.call_time))?;
        Ok(Self { store, exports })
    }

    fn configure(&mut self, options: &Options) -> Result<Result<Vec<Issue>, Vec<Issue>>, Breakage> {
        self.begin(options.limits.call_time, options.limits.lifecycle_result_bytes);
        let limits = GatewayLimits { max_retries: options.max_tool_retries };
        let lifecycle = self.exports.mcp_gateway_hooks_lifecycle();
        match lifecycle.call_configure(&mut self.store, &options.config, limits) {
            Ok(answer) => Ok(answer.map(boundary::printable).map_err(boundary::printable)),
            Err(error) => Err(breakage(&error, options.limits.call_time)),
        }
    }

    /// Arms the bounds of one call.
    fn begin(&mut self, time: Duration, result_bytes: usize) {
        self.store.set_epoch_deadline(epochs(time));
        self.store.set_hostcall_fuel(result_bytes);
    }
}

fn breakage(error: &wasmtime::Error, call_time: Duration) -> Breakage {
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => Breakage::TooSlow(call_time),
        Some(trap) => Breakage::Trapped(trap.to_string()),
        None => Breakage::Trapped(one_line(error)),
    }
}
