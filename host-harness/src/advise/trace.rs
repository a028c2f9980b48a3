//! The log of calls: one line of JSON for each call that has ended. It tells
//! who was called, when, how every attempt ended and what the plugin made of
//! it; never what was asked or answered.
//!
//! ```json
//! {"at_ms":1764176400210,"tool":"search","upstream":null,
//!  "hints":{"read_only":true,"destructive":null,"idempotent":null},"trusted":true,
//!  "ended":"succeeded","attempts":[
//!   {"after_ms":0,"took_ms":31,"outcome":{"http-error":{"status":503,"pushback_ms":null}},
//!    "class":"transient","reason":"retryable_status","not_executed":false,"planned_delay_ms":149},
//!   {"after_ms":180,"took_ms":28,"outcome":{"returned":{"is_error":false,"structured":null}},
//!    "class":"succeeded","reason":"succeeded","not_executed":false}]}
//! ```
//!
//! Logs of earlier versions lack `hints`, `trusted`, `ended`, `class`, `reason`,
//! `not_executed` and `planned_delay_ms`, and are read all the same.

use serde::{Deserialize, Serialize};

pub use super::outcome::{LoggedClass, LoggedOutcome, Structured, TransportFailure, Unfinished};
use crate::contract::ToolAnnotations;

/// A call that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedCall {
    /// When its first attempt began, in milliseconds since 1970 (UTC). In logs of
    /// earlier versions: since the log began.
    pub at_ms: u64,
    /// The tool that was called.
    pub tool: String,
    /// The operator's name for the upstream.
    pub upstream: Option<String>,
    /// What the upstream says of the tool, if the gateway has seen it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hints: Option<LoggedHints>,
    /// Whether the operator trusts these hints; none if that is for the plugin to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted: Option<bool>,
    /// Why no further attempt was made, as `/metrics` calls it (`budget_exhausted`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// In the order in which they were made; at least one.
    pub attempts: Vec<LoggedAttempt>,
}

/// An attempt of a call. What the plugin said of it is missing where it was not
/// asked, failed, or the log is an old one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedAttempt {
    /// When it began, in milliseconds since the call's first attempt.
    pub after_ms: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// How it ended.
    pub outcome: LoggedOutcome,
    /// What kind of failure the plugin took it for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<LoggedClass>,
    /// The plugin's reason, as `/metrics` calls it (`retryable_status`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the upstream surely did nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_executed: Option<bool>,
    /// The wait that was asked for before the next attempt, or in shadow mode
    /// would have been, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_delay_ms: Option<u64>,
}

/// The hints of a tool (MCP `ToolAnnotations`); none where the upstream is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedHints {
    /// `readOnlyHint`.
    pub read_only: Option<bool>,
    /// `destructiveHint`.
    pub destructive: Option<bool>,
    /// `idempotentHint`.
    pub idempotent: Option<bool>,
}

impl From<ToolAnnotations> for LoggedHints {
    fn from(hints: ToolAnnotations) -> Self {
        let ToolAnnotations { read_only, destructive, idempotent } = hints;
        Self { read_only, destructive, idempotent }
    }
}

impl From<LoggedHints> for ToolAnnotations {
    fn from(hints: LoggedHints) -> Self {
        let LoggedHints { read_only, destructive, idempotent } = hints;
        Self { read_only, destructive, idempotent }
    }
}

/// A log, in order of time.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// Its calls. Their times begin at 0, and no pause between two is longer
    /// than [`LONGEST_PAUSE_MS`].
    pub calls: Vec<LoggedCall>,
    /// Where lines are that were not written to their end (`calls.jsonl:7`), for
    /// whoever wrote them was killed. They are left out.
    pub cut_off: Vec<String>,
}

/// A longer pause is shortened to this, one hour: all budgets are full again
/// after it, and a log of a year is not played for a year.
pub const LONGEST_PAUSE_MS: u64 = 60 * 60 * 1_000;

/// A log that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct TraceError {
    /// The file and the line.
    pub place: String,
    /// What is wrong there.
    pub problem: String,
}

impl Trace {
    /// Reads a log. `name` stands for it in errors.
    ///
    /// # Errors
    /// A line is no call, or there is none.
    pub fn parse(name: &str, text: &[u8]) -> Result<Self, TraceError> {
        Self::parse_all(&[(name, text)])
    }

    /// As [`parse`](Self::parse), of several files of one log, each with the
    /// name that stands for it in errors.
    ///
    /// # Errors
    /// A line is no call, or there is none in any of them.
    pub fn parse_all(files: &[(&str, &[u8])]) -> Result<Self, TraceError> {
        let mut trace = Self::default();
        for (name, text) in files {
            let lines = (1..).zip(text.split(|byte| *byte == b'\n'));
            for (number, line) in lines.filter(|(_, line)| !line.trim_ascii().is_empty()) {
                trace.line(format!("{name}:{number}"), line)?;
            }
        }
        if trace.calls.is_empty() {
            let names: Vec<_> = files.iter().map(|(name, _)| *name).collect();
            let problem = "there is no call in it; `host-harness proxy --trace FILE` writes them";
            return Err(TraceError { place: names.join(", "), problem: problem.to_owned() });
        }
        trace.in_order();
        Ok(trace)
    }

    fn line(&mut self, place: String, line: &[u8]) -> Result<(), TraceError> {
        let call = match serde_json::from_slice::<LoggedCall>(line) {
            Ok(call) => call,
            Err(error) if error.is_eof() => {
                self.cut_off.push(place);
                return Ok(());
            }
            Err(error) => return Err(TraceError { place, problem: error.to_string() }),
        };
        if call.attempts.is_empty() {
            return Err(TraceError { place, problem: "`attempts` must not be empty".to_owned() });
        }
        self.calls.push(call);
        Ok(())
    }

    /// Calls are written when they end; here they are as they began, from 0 on.
    fn in_order(&mut self) {
        self.calls.sort_by_key(|call| call.at_ms);
        let (mut before, mut now) = (self.calls.first().map_or(0, |call| call.at_ms), 0);
        for call in &mut self.calls {
            now += (call.at_ms - before).min(LONGEST_PAUSE_MS);
            before = std::mem::replace(&mut call.at_ms, now);
        }
    }
}
