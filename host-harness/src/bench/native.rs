//! The same policy without a sandbox: the plugin's own crate, compiled for this machine.

use anyhow::anyhow;
use host_harness::contract::{Outcome, Returned};
use retry_with_backoff::{
    Millis, RetryPlugin,
    config::Retries,
    context::{self, Silent},
    decide, detect,
    state::Kind,
};

use super::cases::RETRIES;

/// The policy, natively.
pub struct Native(RetryPlugin);

impl Native {
    pub fn start(config: &str) -> anyhow::Result<Self> {
        let plugin = RetryPlugin::new(config, Retries(RETRIES), 1);
        let (plugin, _) = plugin.map_err(|issues| anyhow!("refused: {issues:?}"))?;
        Ok(Self(plugin))
    }

    /// Judges a result without text. The plugin owns its texts, as in the sandbox.
    pub fn judge(&mut self, request_id: &str, attempt: u32, now_ms: u64, outcome: &Outcome) {
        let invocation = decide::Invocation {
            kind: Kind::Tool,
            target: "search".to_owned(),
            request_id: request_id.to_owned(),
            attempt,
            now: Millis(now_ms),
            time_left: None,
            known: context::Known::default(),
        };
        std::hint::black_box(self.0.handle(invocation, native(outcome), &Silent));
    }

    /// The call is over.
    pub fn forget(&mut self, request_id: &str) {
        self.0.forget(Kind::Tool, "search", request_id);
    }
}

fn native(outcome: &Outcome) -> detect::Outcome {
    let Outcome::Returned(Returned { is_error, structured }) = *outcome else {
        unreachable!("only results are measured");
    };
    detect::Outcome::Returned {
        is_error,
        structured: structured.map(|structured| detect::Structured {
            is_error: structured.is_error,
            status_code: structured.status_code,
        }),
    }
}
