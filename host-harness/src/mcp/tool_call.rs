//! The reply to one attempt at a tool call, and the attempt.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    contract::{Outcome, TransportFailure},
    gateway::{Content, Reply},
    mcp::{
        facts::{ErrorContent, ResultContent, outcome_of_result},
        pending::UpstreamLost,
        upstream::Upstream,
        wire::{Id, Message},
    },
};

/// The code of the error that a client gets when the last attempt timed out.
pub const TIMED_OUT: i64 = -32001;
/// The code of the error that a client gets when the upstream is gone, or the proxy refuses a call.
pub const NO_ANSWER: i64 = -32000;

/// What one attempt brought back.
#[derive(Debug)]
pub enum ToolReply {
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

impl ToolReply {
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

impl Reply for ToolReply {
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

/// What the gateway needs of a call's parameters; the rest is the upstream's.
#[derive(Debug, Deserialize)]
pub(super) struct CallParams {
    pub(super) name: String,
    #[serde(default, rename = "_meta")]
    pub(super) meta: Value,
}

impl CallParams {
    /// None if there is no name: then it is the upstream's to refuse.
    pub(super) fn of(request: &Message) -> Option<Self> {
        serde_json::from_str(request.get("params")?.get()).ok()
    }

    pub(super) fn traced(&self) -> bool {
        self.meta.get("traceparent").is_some_and(Value::is_string)
    }
}

/// Makes one attempt: the client's request under an id of its own. When the
/// future is dropped before the response, the upstream is told, in the words
/// of `notice` if the client gave any.
pub(super) async fn attempt(
    upstream: &Upstream,
    request: Message,
    client: &Id,
    notice: &OnceLock<Message>,
) -> ToolReply {
    let Ok((id, answer)) = upstream.pending.attempt(client) else {
        return ToolReply::Lost(TransportFailure::BeforeDispatch);
    };
    let mut flight = InFlight { upstream, id: &id, notice, sent: false };
    if upstream.send(request.with_id(&id)).await.is_err() {
        return ToolReply::Lost(TransportFailure::BeforeDispatch);
    }
    flight.sent = true;
    answer.await.map_or(ToolReply::Lost(TransportFailure::AfterDispatch), ToolReply::of)
}

/// Cancels upstream what nobody waits for any more.
struct InFlight<'a> {
    upstream: &'a Upstream,
    id: &'a Id,
    notice: &'a OnceLock<Message>,
    sent: bool,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if !self.upstream.pending.abandon(self.id) || !self.sent {
            return;
        }
        let notice = match self.notice.get() {
            Some(notice) => notice.clone(),
            None => {
                let reason = json!({ "reason": "the gateway gave the attempt up" });
                Message::notification("notifications/cancelled", &reason)
            }
        };
        self.upstream.cancel(notice.with_cancelled_id(self.id));
    }
}
