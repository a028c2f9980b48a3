//! What a plugin makes of recorded answers: each is put before it as the first
//! attempt of a call of its own, read by the code that reads answers of servers.

mod recorded;
mod table;

use std::sync::Arc;

pub use recorded::{Line, Recorded, RecordedAnswer, parse};
pub use table::{Share, Table, Waits};

use crate::{
    contract::{Invocation, Known, ToolAnnotations, Verdict},
    gateway::{Background, CallContext, Hook, Reply, RetryHook},
};

/// The operator's name for the upstream under which the answers are asked
/// about; `trusted_upstreams` may name it.
pub const UPSTREAM: &str = "recorded";

/// What was decided about a line.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Where it stands in its file.
    pub number: usize,
    /// The line.
    pub line: Line,
    /// What the plugin said.
    pub verdict: Verdict,
}

impl Judged {
    /// Whether it is retried.
    #[must_use]
    pub const fn retried(&self) -> bool {
        self.verdict.retry_delay_ms > 0
    }

    /// The wait that was read from it and that would be kept.
    #[must_use]
    pub fn wait_ms(&self) -> Option<u64> {
        self.verdict.pushback_ms
    }
}

/// Puts lines before a plugin, each as a fresh call. `all_safe` makes every
/// tool a read-only one, so that the kind of failure alone decides.
///
/// # Errors
/// A line is no answer, or the plugin gives no verdict; with its place.
pub fn judge(
    plugin: &dyn RetryHook,
    name: &str,
    lines: Vec<(usize, Line)>,
    all_safe: bool,
) -> Result<Vec<Judged>, String> {
    let ask = |(number, line): (usize, Line)| {
        let wrong = |problem: String| format!("{name}:{number}: {problem}");
        let reply = line.reply().map_err(wrong)?;
        let annotations = if all_safe {
            ToolAnnotations { read_only: Some(true), destructive: None, idempotent: None }
        } else {
            line.hints()
        };
        let context = Arc::new(CallContext {
            upstream: Some(UPSTREAM.to_owned()),
            annotations: Some(annotations),
            ..CallContext::default()
        });
        let (target, request_id) = (format!("tool-{number}"), format!("call-{number}"));
        let background =
            Background { content: reply.content(), context: context.clone(), ..Background::none() };
        let invocation = Invocation {
            target: &target,
            request_id: &request_id,
            attempt: 1,
            now_ms: u64::try_from(number).unwrap_or(u64::MAX).saturating_mul(1_000_000),
            time_left_ms: None,
            known: background.known(false) & !Known::TRACE,
        };
        let hook = Hook::ToolPostInvoke;
        let verdict = plugin
            .judge(hook, invocation, &reply.outcome(), background)
            .map_err(|failure| wrong(failure.to_string()))?;
        plugin.forget(hook, &target, &request_id, &context);
        Ok(Judged { number, line, verdict })
    };
    lines.into_iter().map(ask).collect()
}
