//! A warm instance, and its replacement when it breaks.

use std::{sync::Arc, time::Duration};

use super::{
    Component, Options, boundary,
    error::{Breakage, HookFailure, StartError},
    instance::{Instance, breakage},
};
use crate::{
    contract::{Invocation, Issue, Known, Manifest, Metric, Outcome, RetryPolicy, Verdict},
    gateway::{Background, CallContext, Hook},
};

/// The rest after the second break in a row; it doubles with each further one.
const FIRST_REST: Duration = Duration::from_millis(100);
const LONGEST_REST: Duration = Duration::from_secs(30);

pub(super) struct Shard {
    component: Component,
    options: Arc<Options>,
    number: u64,
    instance: Option<Box<Instance>>,
    /// Breaks without a good answer in between.
    strikes: u32,
    /// No fresh instance before this, on the clock of the calls.
    rest_until: Duration,
    /// The latest time that a call told.
    now: Duration,
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
            now: Duration::ZERO,
        };
        Ok((shard, notices))
    }

    /// Judges one attempt.
    pub(super) fn judge(
        &mut self,
        hook: Hook,
        invocation: Invocation<'_>,
        outcome: &Outcome,
        background: Background,
    ) -> Result<Verdict, HookFailure> {
        self.now = Duration::from_millis(invocation.now_ms);
        let limits = self.options.limits;
        let with_metadata = invocation.known.contains(Known::TRACE) && hook == Hook::ToolPostInvoke;
        let (answer, read_content) = self.call(limits.hook_result_bytes, |instance| {
            let state = instance.store.data_mut();
            state.background = Some(background);
            state.read_content = false;
            let (store, exports) = (&mut instance.store, &instance.exports);
            let answer = match hook {
                Hook::ToolPostInvoke => exports
                    .mcp_gateway_hooks_tool_post_invoke()
                    .call_handle(store, invocation, *outcome),
                Hook::ResourcePostFetch => exports
                    .mcp_gateway_hooks_resource_post_fetch()
                    .call_handle(store, invocation, *outcome),
            }?;
            let state = instance.store.data_mut();
            state.background = None;
            Ok((answer, state.read_content))
        })?;
        let verdict = answer.map_err(HookFailure::Refused)?;
        boundary::check(&verdict, outcome, with_metadata, read_content, &limits)?;
        Ok(verdict)
    }

    /// The most retries that a call to this target may get.
    pub(super) fn retries(
        &mut self,
        hook: Hook,
        target: &str,
        context: &Arc<CallContext>,
    ) -> Result<u32, HookFailure> {
        let background = Background { context: context.clone(), ..Background::none() };
        let answer = self.call(self.options.limits.hook_result_bytes, |instance| {
            instance.store.data_mut().background = Some(background);
            let (store, exports) = (&mut instance.store, &instance.exports);
            let answer = match hook {
                Hook::ToolPostInvoke => {
                    exports.mcp_gateway_hooks_tool_post_invoke().call_retries(store, target)
                }
                Hook::ResourcePostFetch => {
                    exports.mcp_gateway_hooks_resource_post_fetch().call_retries(store, target)
                }
            }?;
            instance.store.data_mut().background = None;
            Ok(answer)
        })?;
        answer.map_err(HookFailure::Refused)
    }

    /// The policy that it advises for resources.
    pub(super) fn resource_policy(&mut self) -> Result<RetryPolicy, HookFailure> {
        let answer = self.call(self.options.limits.hook_result_bytes, |instance| {
            let hook = instance.exports.mcp_gateway_hooks_resource_post_fetch();
            hook.call_policy(&mut instance.store)
        })?;
        answer.map_err(HookFailure::Refused)
    }

    /// Drops the state of a call. A shard without an instance has none.
    pub(super) fn forget(
        &mut self,
        hook: Hook,
        target: &str,
        request_id: &str,
    ) -> Result<(), Breakage> {
        if self.instance.is_none() {
            return Ok(());
        }
        self.call(self.options.limits.hook_result_bytes, |instance| {
            let (store, exports) = (&mut instance.store, &instance.exports);
            match hook {
                Hook::ToolPostInvoke => exports
                    .mcp_gateway_hooks_tool_post_invoke()
                    .call_forget(store, target, request_id),
                Hook::ResourcePostFetch => exports
                    .mcp_gateway_hooks_resource_post_fetch()
                    .call_forget(store, target, request_id),
            }
        })
    }

    /// The counters of the instance; a shard without one has none.
    pub(super) fn stats(&mut self) -> Result<Vec<Metric>, Breakage> {
        if self.instance.is_none() {
            return Ok(Vec::new());
        }
        self.call(self.options.limits.lifecycle_result_bytes, |instance| {
            instance.exports.mcp_gateway_hooks_lifecycle().call_stats(&mut instance.store)
        })
    }

    /// Who it says it is.
    pub(super) fn describe(&mut self) -> Result<Manifest, Breakage> {
        self.call(self.options.limits.lifecycle_result_bytes, |instance| {
            instance.exports.mcp_gateway_hooks_lifecycle().call_describe(&mut instance.store)
        })
    }

    /// The JSON Schema of its configuration.
    pub(super) fn config_schema(&mut self) -> Result<String, Breakage> {
        self.call(self.options.limits.lifecycle_result_bytes, |instance| {
            instance.exports.mcp_gateway_hooks_lifecycle().call_config_schema(&mut instance.store)
        })
    }

    /// Puts another configuration into force, also for the instances to come.
    /// Ok is what was adjusted. If the plugin refuses it or breaks over it, the
    /// old one stays; a fresh instance, if one is needed, starts with the old one.
    pub(super) fn reconfigure(&mut self, options: &Arc<Options>) -> Result<Vec<Issue>, StartError> {
        let answer = self.call(options.limits.lifecycle_result_bytes, |instance| {
            instance.call_configure(options)
        })?;
        let notices = answer.map_err(StartError::Config)?;
        self.options = options.clone();
        Ok(notices)
    }

    /// One call into the instance, which may return so many bytes. A store in
    /// which a call failed (or panicked) is never entered again: only a good
    /// answer brings the instance back to its place.
    fn call<T>(
        &mut self,
        result_bytes: usize,
        call: impl FnOnce(&mut Instance) -> wasmtime::Result<T>,
    ) -> Result<T, Breakage> {
        let call_time = self.options.limits.call_time;
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.fresh()?,
        };
        instance.begin(call_time, result_bytes);
        match call(&mut instance) {
            Ok(answer) => {
                self.strikes = 0;
                self.instance = Some(instance);
                Ok(answer)
            }
            Err(error) => {
                self.strike();
                Err(breakage(&error, call_time))
            }
        }
    }

    /// An instance in place of one that broke.
    fn fresh(&mut self) -> Result<Box<Instance>, Breakage> {
        let rest = self.rest_until.saturating_sub(self.now);
        if !rest.is_zero() {
            return Err(Breakage::Resting { strikes: self.strikes, rest });
        }
        let configured = Instance::new(&self.component, &self.options, self.number)
            .and_then(|mut instance| Ok((instance.configure(&self.options)?, instance)));
        match configured {
            Ok((Ok(_), instance)) => Ok(instance),
            Ok((Err(_), _)) => {
                self.strike();
                let problem = "it refuses the configuration that it had accepted before";
                Err(Breakage::NoInstance(problem.to_owned()))
            }
            Err(breakage) => {
                self.strike();
                Err(Breakage::NoInstance(breakage.to_string()))
            }
        }
    }

    fn strike(&mut self) {
        self.strikes = self.strikes.saturating_add(1);
        self.rest_until = self.now.saturating_add(rest(self.strikes));
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
