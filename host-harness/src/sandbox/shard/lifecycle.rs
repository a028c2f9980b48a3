//! The questions of an instance's life: who are you, how are you, change your configuration.

use std::sync::Arc;

use super::{Budgets, Shard};
use crate::{
    contract::{Configured, Manifest, Metric},
    sandbox::{
        Options, boundary,
        error::{HookFailure, StartError},
        instance::{accepted, breakage},
    },
};

impl Shard {
    /// The counters of the instance; a shard without one has none.
    ///
    /// Who only looks changes nothing: a good answer forgives no breaks, and a
    /// failure, though it is counted, is no strike. (What broke is gone all the same.)
    pub(in crate::sandbox) fn stats(&mut self) -> Result<Vec<Metric>, HookFailure> {
        let Some(mut instance) = self.instance.take() else { return Ok(Vec::new()) };
        let limits = self.options.limits;
        instance.begin(limits.lifecycle_result_bytes);
        let lifecycle = instance.exports.mcp_gateway_hooks_lifecycle();
        let metrics = lifecycle.call_stats(&mut instance.store).map_err(|error| {
            let breakage = breakage(&error, limits.call_time);
            self.count(breakage.name());
            breakage
        })?;
        self.instance = Some(instance);
        boundary::metrics(&metrics).inspect_err(|violation| self.count(violation.name()))?;
        Ok(metrics)
    }

    /// Who it says it is.
    pub(in crate::sandbox) fn describe(&mut self) -> Result<Manifest, HookFailure> {
        let manifest = self.call(self.options.limits.lifecycle_result_bytes, |instance| {
            instance.exports.mcp_gateway_hooks_lifecycle().call_describe(&mut instance.store)
        })?;
        let check = boundary::manifest(&manifest, &self.options.expected);
        self.checked(manifest, check)
    }

    /// The JSON Schema of its configuration.
    pub(in crate::sandbox) fn config_schema(&mut self) -> Result<String, HookFailure> {
        let limits = self.options.limits;
        let schema = self.call(limits.lifecycle_result_bytes, |instance| {
            instance.exports.mcp_gateway_hooks_lifecycle().call_config_schema(&mut instance.store)
        })?;
        let check = boundary::schema(&schema, &limits);
        self.checked(schema, check)
    }

    /// The end, politely. Whether the guest takes it well matters to nobody any more.
    pub(in crate::sandbox) fn shut_down(&mut self) {
        if self.instance.is_none() {
            return;
        }
        let end = self.call(self.options.limits.lifecycle_result_bytes, |instance| {
            instance.exports.mcp_gateway_hooks_lifecycle().call_shutdown(&mut instance.store)
        });
        if let Err(breakage) = end {
            tracing::debug!(%breakage, "the plugin broke while it was shut down");
        }
        self.instance = None;
    }

    /// Puts another configuration into force, also for the instances to come.
    /// If the plugin refuses it or breaks over it, the old one stays; a fresh instance, if one is needed, starts with the old one.
    pub(in crate::sandbox) fn reconfigure(
        &mut self,
        options: &Arc<Options>,
    ) -> Result<Configured, StartError> {
        let answer = self.call(options.limits.lifecycle_result_bytes, |instance| {
            instance.call_configure(options)
        })?;
        let configured = accepted(answer)?;
        self.budgets = Budgets::of(&configured);
        self.options = options.clone();
        Ok(configured)
    }
}
