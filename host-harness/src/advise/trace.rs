//! The log of calls: one line of JSON for each call that has ended. It tells
//! who was called, when, and how every attempt ended; never what was asked or
//! answered.
//!
//! ```json
//! {"at_ms":5210,"tool":"search","upstream":null,"attempts":[
//!   {"after_ms":0,"took_ms":31,"outcome":{"http-error":{"status":503,"pushback_ms":null}}},
//!   {"after_ms":180,"took_ms":28,"outcome":{"returned":{"is_error":false,"structured":null}}}]}
//! ```

use serde::{Deserialize, Serialize};

use crate::contract::{self, Outcome};

/// A call that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedCall {
    /// When its first attempt began, in milliseconds since the log began.
    pub at_ms: u64,
    /// The tool that was called.
    pub tool: String,
    /// The operator's name for the upstream.
    pub upstream: Option<String>,
    /// In the order in which they were made; at least one.
    pub attempts: Vec<LoggedAttempt>,
}

/// An attempt of a call.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedAttempt {
    /// When it began, in milliseconds since the call's first attempt.
    pub after_ms: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// How it ended.
    pub outcome: LoggedOutcome,
}

/// How an attempt ended; the members are those of the contract's `outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the WIT files document these items")]
pub enum LoggedOutcome {
    Returned { is_error: bool, structured: Option<Structured> },
    TimedOut,
    TransportFailed(TransportFailure),
    RpcError(i64),
    HttpError { status: u16, pushback_ms: Option<i64> },
    Unfinished(Unfinished),
    Cancelled,
    Refused,
    Other,
}

/// The facts of `structuredContent`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the WIT files document these items")]
pub struct Structured {
    pub is_error: bool,
    pub status_code: Option<i32>,
}

/// Where a connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the WIT files document these items")]
pub enum TransportFailure {
    BeforeDispatch,
    AfterDispatch,
}

/// What a call waits for elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the WIT files document these items")]
pub enum Unfinished {
    InputRequired,
    Task,
}

/// A log, in order of time.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// Its calls.
    pub calls: Vec<LoggedCall>,
}

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
    pub fn parse(name: &str, text: &str) -> Result<Self, TraceError> {
        let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        let call = |(number, line): (usize, &str)| {
            let wrong = |problem| TraceError { place: format!("{name}:{number}"), problem };
            let call: LoggedCall =
                serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
            if call.attempts.is_empty() {
                return Err(wrong("`attempts` must not be empty".to_owned()));
            }
            Ok(call)
        };
        let mut calls = lines.map(call).collect::<Result<Vec<_>, _>>()?;
        if calls.is_empty() {
            let problem = "there is no call in it; `host-harness proxy --trace FILE` writes them";
            return Err(TraceError { place: name.to_owned(), problem: problem.to_owned() });
        }
        // They were written when they ended.
        calls.sort_by_key(|call| call.at_ms);
        Ok(Self { calls })
    }
}

impl From<&Outcome> for LoggedOutcome {
    fn from(outcome: &Outcome) -> Self {
        match *outcome {
            Outcome::Returned(contract::Returned { is_error, structured }) => {
                let structured = structured.map(|facts| Structured {
                    is_error: facts.is_error,
                    status_code: facts.status_code,
                });
                Self::Returned { is_error, structured }
            }
            Outcome::TimedOut => Self::TimedOut,
            Outcome::TransportFailed(contract::TransportFailure::BeforeDispatch) => {
                Self::TransportFailed(TransportFailure::BeforeDispatch)
            }
            Outcome::TransportFailed(contract::TransportFailure::AfterDispatch) => {
                Self::TransportFailed(TransportFailure::AfterDispatch)
            }
            Outcome::RpcError(code) => Self::RpcError(code),
            Outcome::HttpError(contract::HttpError { status, pushback_ms }) => {
                Self::HttpError { status, pushback_ms }
            }
            Outcome::Unfinished(contract::Unfinished::InputRequired) => {
                Self::Unfinished(Unfinished::InputRequired)
            }
            Outcome::Unfinished(contract::Unfinished::Task) => Self::Unfinished(Unfinished::Task),
            Outcome::Cancelled => Self::Cancelled,
            Outcome::Refused => Self::Refused,
            Outcome::Other => Self::Other,
        }
    }
}

impl From<LoggedOutcome> for Outcome {
    fn from(outcome: LoggedOutcome) -> Self {
        match outcome {
            LoggedOutcome::Returned { is_error, structured } => {
                let structured = structured.map(|facts| contract::Structured {
                    is_error: facts.is_error,
                    status_code: facts.status_code,
                });
                Self::Returned(contract::Returned { is_error, structured })
            }
            LoggedOutcome::TimedOut => Self::TimedOut,
            LoggedOutcome::TransportFailed(TransportFailure::BeforeDispatch) => {
                Self::TransportFailed(contract::TransportFailure::BeforeDispatch)
            }
            LoggedOutcome::TransportFailed(TransportFailure::AfterDispatch) => {
                Self::TransportFailed(contract::TransportFailure::AfterDispatch)
            }
            LoggedOutcome::RpcError(code) => Self::RpcError(code),
            LoggedOutcome::HttpError { status, pushback_ms } => {
                Self::HttpError(contract::HttpError { status, pushback_ms })
            }
            LoggedOutcome::Unfinished(Unfinished::InputRequired) => {
                Self::Unfinished(contract::Unfinished::InputRequired)
            }
            LoggedOutcome::Unfinished(Unfinished::Task) => {
                Self::Unfinished(contract::Unfinished::Task)
            }
            LoggedOutcome::Cancelled => Self::Cancelled,
            LoggedOutcome::Refused => Self::Refused,
            LoggedOutcome::Other => Self::Other,
        }
    }
}
