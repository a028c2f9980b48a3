//! The questions of an instance's life: who are you, how are you, change your configuration.

use std::sync::Arc;

use super::Shard;
use crate::{
    contract::{Configured, Manifest, Metric},
    sandbox::{
        Options, boundary,
        error::{HookFailure, StartError},
        instance::accepted,
    },
};

impl Shard {
    /// The counters of the instance; a shard without one has none.
    pub(in crate::sandbox) fn stats(&mut self) -> Result<Vec<Metric>, HookFailure> {
        if self.instance.is_none() {
            return Ok(Vec::new());
        }
        let metrics = self.call(self.options.limits.lifecycle_result_bytes, |instance| {
            instance.exports.mcp_gateway_hooks_lifecycle().call_stats(&mut instance.store)
        })?;
        let check = boundary::metrics(&metrics);
        self.checked(metrics, check)
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
        self.options = options.clone();
        Ok(configured)
    }
}
