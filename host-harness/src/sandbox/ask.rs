//! The hooks of an instance, as they are called. What comes back is not checked yet.

use wasmtime::Result;

use super::instance::Instance;
use crate::{
    contract::{HookError, Invocation, MostRetries, Outcome, Verdict},
    gateway::{Background, Hook},
};

/// What a hook answers: the contract's own result.
type Answer<T> = std::result::Result<T, HookError>;

impl Instance {
    /// Judges an attempt; also says whether the guest read anything of the answer's body.
    pub(super) fn handle(
        &mut self,
        hook: Hook,
        invocation: Invocation<'_>,
        outcome: &Outcome,
        background: Background,
    ) -> Result<(Answer<Verdict>, bool)> {
        let state = self.store.data_mut();
        state.background = Some(background);
        state.read_content = false;
        let (store, exports) = (&mut self.store, &self.exports);
        let answer = match hook {
            Hook::ToolPostInvoke => exports
                .mcp_gateway_hooks_tool_post_invoke()
                .call_handle(store, invocation, *outcome),
            Hook::ResourcePostFetch => exports
                .mcp_gateway_hooks_resource_post_fetch()
                .call_handle(store, invocation, *outcome),
        }?;
        let state = self.store.data_mut();
        state.background = None;
        Ok((answer, state.read_content))
    }

    /// The most retries that a call to this target may get.
    pub(super) fn retries(
        &mut self,
        hook: Hook,
        target: &str,
        background: Background,
    ) -> Result<Answer<MostRetries>> {
        self.store.data_mut().background = Some(background);
        let (store, exports) = (&mut self.store, &self.exports);
        let answer = match hook {
            Hook::ToolPostInvoke => {
                exports.mcp_gateway_hooks_tool_post_invoke().call_retries(store, target)
            }
            Hook::ResourcePostFetch => {
                exports.mcp_gateway_hooks_resource_post_fetch().call_retries(store, target)
            }
        }?;
        self.store.data_mut().background = None;
        Ok(answer)
    }

    /// Drops the state of a call.
    pub(super) fn forget(&mut self, hook: Hook, target: &str, request_id: &str) -> Result<()> {
        let (store, exports) = (&mut self.store, &self.exports);
        match hook {
            Hook::ToolPostInvoke => {
                exports.mcp_gateway_hooks_tool_post_invoke().call_forget(store, target, request_id)
            }
            Hook::ResourcePostFetch => exports
                .mcp_gateway_hooks_resource_post_fetch()
                .call_forget(store, target, request_id),
        }
    }
}
