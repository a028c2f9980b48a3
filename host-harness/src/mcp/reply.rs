//! What one attempt brought back, and what the client gets of it.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use crate::{
    contract::{Outcome, TransportFailure},
    gateway::{Content, Reply},
    mcp::{
        facts::{ErrorContent, ResultContent, outcome_of_result},
        pending::UpstreamLost,
        wire::{Id, Message},
    },
};

/// The code of the error that a client gets when the last attempt timed out.
pub const TIMED_OUT: i64 = -32001;
/// The code of the error that a client gets when the upstream is gone, or the proxy refuses a call.
pub const NO_ANSWER: i64 = -32000;

/// What one attempt brought back.
#[derive(Debug)]
pub enum AttemptReply {
    /// A result.
    Result {
        /// The upstream's response, unchanged.
        response: Message,
        /// Its `result`, for the plugin. `null` if no [`Value`] can hold it
        /// (nested more than 128 deep, or a text that is not Unicode).
        result: Arc<Value>,
    },
    /// A JSON-RPC error.
    Error {
        /// The upstream's response, unchanged.
        response: Message,
        /// Its `error.code`; 0 if it is no 64-bit integer.
        code: i64,
        /// Its `error`, for the plugin; `null` as with a result.
        error: Arc<Value>,
    },
    /// Nothing in time.
    TimedOut {
        /// How long the attempt was given.
        after: Duration,
    },
    /// Nothing, and there never will be.
    Lost(TransportFailure),
}

impl AttemptReply {
    /// Reads the upstream's response to an attempt.
    #[must_use]
    pub fn of(response: Message) -> Self {
        let parse = |raw: &serde_json::value::RawValue| {
            serde_json::from_str(raw.get()).unwrap_or(Value::Null)
        };
        if let Some(error) = response.get("error").map(parse) {
            let code = error.get("code").and_then(Value::as_i64).unwrap_or(0);
            return Self::Error { response, code, error: Arc::new(error) };
        }
        let result = Arc::new(response.get("result").map_or(Value::Null, parse));
        Self::Result { response, result }
    }

    /// What the client gets under the id of its request.
    #[must_use]
    pub fn into_response(self, id: &Id) -> Message {
        match self {
            Self::Result { response, .. } | Self::Error { response, .. } => response.with_id(id),
            Self::TimedOut { after } => {
                let data =
                    json!({ "timeoutMs": u64::try_from(after.as_millis()).unwrap_or(u64::MAX) });
                Message::error(Some(id), TIMED_OUT, "Request timed out", Some(data))
            }
            Self::Lost(_) => Message::error(Some(id), NO_ANSWER, &UpstreamLost.to_string(), None),
        }
    }
}

impl Reply for AttemptReply {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Result { result, .. } => outcome_of_result(result),
            Self::Error { code, .. } => Outcome::RpcError(*code),
            Self::TimedOut { .. } => Outcome::TimedOut,
            Self::Lost(failure) => Outcome::TransportFailed(*failure),
        }
    }

    fn content(&self) -> Option<Arc<dyn Content>> {
        match self {
            Self::Result { result, .. } => Some(Arc::new(ResultContent::new(result.clone()))),
            Self::Error { error, .. } => Some(Arc::new(ErrorContent(error.clone()))),
            Self::TimedOut { .. } | Self::Lost(_) => None,
        }
    }

    fn timed_out(after: Duration) -> Self {
        Self::TimedOut { after }
    }
}
