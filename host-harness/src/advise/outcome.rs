//! How an attempt ended, as the log has it.

use serde::{Deserialize, Serialize};

use crate::contract::{self, Class, Outcome};

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

/// What kind of failure the plugin took an attempt for; as the contract's `class`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the WIT files document these items")]
pub enum LoggedClass {
    Succeeded,
    Transient,
    Throttled,
    Permanent,
    Unknown,
}

impl From<Class> for LoggedClass {
    fn from(class: Class) -> Self {
        match class {
            Class::Succeeded => Self::Succeeded,
            Class::Transient => Self::Transient,
            Class::Throttled => Self::Throttled,
            Class::Permanent => Self::Permanent,
            Class::Unknown => Self::Unknown,
        }
    }
}

impl LoggedOutcome {
    /// Whether it is a result that reports no error.
    #[must_use]
    pub fn succeeds(&self) -> bool {
        let Self::Returned { is_error, structured } = self else { return false };
        let wrong = structured.is_some_and(|facts| {
            facts.is_error || facts.status_code.is_some_and(|code| code >= 400)
        });
        !is_error && !wrong
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
