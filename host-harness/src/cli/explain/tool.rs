//! What would be retried of a tool: the plugin itself is asked.

use std::sync::Arc;

use host_harness::{
    contract::{Invocation, Outcome, Reason, ToolAnnotations, TransportFailure},
    gateway::{Background, CallContext, Hook, RetryHook},
    sandbox::HookFailure,
};

/// A new plugin, or chain of plugins, that serves no calls.
pub(in crate::cli) type Start = dyn Fn() -> anyhow::Result<Arc<dyn RetryHook>> + Send + Sync;

/// After which failures a call of a tool is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Retried {
    /// After any that may pass.
    AnyTransient,
    /// Only after those where the server surely did nothing.
    NotExecuted,
    /// After none.
    Never,
}

/// What changes that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) enum Key {
    Idempotent,
    Trust,
    ReplaySafety,
    MaxRetries,
    Shadow,
    Conditions,
    Plugin,
}

/// A server whose tools are explained.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct Upstream {
    /// The operator's name for it.
    pub(in crate::cli) name: Option<String>,
    /// Whether its hints are believed; none if the plugin's configuration decides.
    pub(in crate::cli) trusted: Option<bool>,
}

/// A tool and what was found out.
#[derive(Debug)]
pub(in crate::cli) struct Explained {
    pub(in crate::cli) tool: String,
    pub(in crate::cli) hints: ToolAnnotations,
    pub(in crate::cli) retried: Retried,
    /// Why a failure is not retried after which the work may be done; what a
    /// retry is made for, if it is.
    pub(in crate::cli) reason: Option<Reason>,
    pub(in crate::cli) key: Key,
}

impl Upstream {
    /// Asks a plugin about all tools. `start` starts one that nobody else uses:
    /// a new one when the questions have spent the retry budget of the last.
    pub(in crate::cli) fn explain(
        &self,
        tools: Vec<(String, ToolAnnotations)>,
        start: &dyn Fn() -> anyhow::Result<Arc<dyn RetryHook>>,
        ceiling: u32,
    ) -> anyhow::Result<Vec<Explained>> {
        let mut plugin = start()?;
        let mut ask = |tool: &str, hints, failure| -> anyhow::Result<Answer> {
            let answer = self.ask(&*plugin, tool, hints, failure);
            if answer.reason != Some(Reason::BudgetExhausted) {
                return Ok(answer);
            }
            plugin = start()?;
            Ok(self.ask(&*plugin, tool, hints, failure))
        };
        let explain = |(tool, hints): (String, ToolAnnotations)| {
            let ambiguous = ask(&tool, hints, TransportFailure::AfterDispatch)?;
            let not_sent = ask(&tool, hints, TransportFailure::BeforeDispatch)?;
            let (retried, key) = match (ambiguous, not_sent) {
                _ if ceiling == 0 => (Retried::Never, Key::MaxRetries),
                (Answer { retried: true, .. }, _) => (Retried::AnyTransient, Key::Idempotent),
                (why, Answer { retried: true, .. }) => (Retried::NotExecuted, key(why.reason)),
                (_, why) => (Retried::Never, key(why.reason)),
            };
            Ok(Explained { tool, hints, retried, reason: ambiguous.reason, key })
        };
        tools.into_iter().map(explain).collect()
    }

    fn ask(
        &self,
        plugin: &dyn RetryHook,
        tool: &str,
        hints: ToolAnnotations,
        failure: TransportFailure,
    ) -> Answer {
        let context = Arc::new(CallContext {
            upstream: self.name.clone(),
            annotations: Some(hints),
            trusted: self.trusted,
            ..CallContext::default()
        });
        let background = Background { context: context.clone(), ..Background::none() };
        let (hook, request_id) = (Hook::ToolPostInvoke, "explain");
        let invocation = Invocation {
            target: tool,
            request_id,
            attempt: 1,
            now_ms: 0,
            time_left_ms: None,
            known: background.known(false),
        };
        let outcome = Outcome::TransportFailed(failure);
        let verdict = plugin.judge(hook, invocation, &outcome, background);
        plugin.forget(hook, tool, request_id, &context);
        match verdict {
            Ok(verdict) => Answer {
                retried: verdict.retry_delay_ms > 0,
                reason: Some(verdict.reason),
                asked: true,
            },
            Err(HookFailure::Refused(_)) => Answer { retried: false, reason: None, asked: false },
            Err(failure) => {
                tracing::warn!(tool, %failure, "the plugin gave no verdict");
                Answer { retried: false, reason: None, asked: true }
            }
        }
        .settled()
    }
}

#[derive(Debug, Clone, Copy)]
struct Answer {
    retried: bool,
    reason: Option<Reason>,
    /// False if no plugin has to do with the tool.
    asked: bool,
}

impl Answer {
    /// `refused` says that other plugins have it so; here nobody has been asked.
    const fn settled(mut self) -> Self {
        if !self.asked {
            self.reason = Some(Reason::Refused);
        }
        self
    }
}

const fn key(reason: Option<Reason>) -> Key {
    match reason {
        Some(Reason::HintsNotSeen | Reason::HintsSilent | Reason::HintsForbid) => Key::Idempotent,
        Some(Reason::HintsNotTrusted) => Key::Trust,
        Some(Reason::NotReplaySafe) => Key::ReplaySafety,
        Some(Reason::RetriesExhausted) => Key::MaxRetries,
        Some(Reason::Shadow) => Key::Shadow,
        Some(Reason::Refused) => Key::Conditions,
        _ => Key::Plugin,
    }
}

/// In one line, what becomes of how many.
pub(in crate::cli) fn summary(tools: &[Explained]) -> String {
    let count = |which| tools.iter().filter(|tool| tool.retried == which).count();
    let (any, some, none) =
        (count(Retried::AnyTransient), count(Retried::NotExecuted), count(Retried::Never));
    let all = tools.len();
    let (noun, verb) =
        (if all == 1 { "tool" } else { "tools" }, if any == 1 { "is" } else { "are" });
    let mut text = format!("{any} of {all} {noun} {verb} retried after any transient failure");
    if some > 0 {
        text += &format!(", {some} only when the call was surely not executed");
    }
    if none > 0 {
        text += &format!(", {none} never");
    }
    text
}
