//! What came back for a request, and what the client gets of it.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, header};
use serde_json::{Value, json, value::RawValue};

use crate::{
    contract::{HttpError, Outcome, TransportFailure},
    gateway::{Content, Reply, pushback_ms},
    mcp::{
        facts::{ErrorContent, HttpContent, ResultContent, outcome_of_result},
        front::{HttpStatus, ToClient},
        wire::{Id, Message, TooMuch},
    },
};

/// Stands in the contract for an `error.code` that is no 64-bit integer: no
/// configuration can name it.
pub const NO_CODE: i64 = i64::MIN;
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
        /// Its `error.code`; [`NO_CODE`] if it is no 64-bit integer.
        code: i64,
        /// Its `error`, for the plugin; `null` as with a result.
        error: Arc<Value>,
    },
    /// Nothing in time.
    TimedOut {
        /// How long the attempt was given.
        after: Duration,
    },
    /// An HTTP error in place of a response.
    Http(HttpFailure),
    /// Nothing, and there never will be.
    Lost(Loss),
}

/// What the upstream made of a request.
#[derive(Debug)]
pub enum Answer {
    /// A JSON-RPC response.
    Response(Message),
    /// An HTTP error.
    Http(HttpFailure),
    /// None, and there never will be.
    Lost(Loss),
}

impl Answer {
    /// How much there is to read in it, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let Self::Response(response) = self else { return 0 };
        let members = ["result", "error"].into_iter().filter_map(|name| response.get(name));
        members.map(|raw| raw.get().len()).sum()
    }

    /// In place of one that is too much: an error, which a plugin may judge as one of the server's.
    #[must_use]
    pub(super) fn too_much(too_much: &TooMuch, id: &Id) -> Self {
        Self::Response(too_much.error(id, NO_ANSWER, "the upstream server's answer"))
    }
}

/// An HTTP status that is no success.
#[derive(Debug, Clone)]
pub struct HttpFailure {
    /// The status, and what a client has to know with it.
    pub status: HttpStatus,
    /// When the upstream wants to be called again, as in the contract.
    pub pushback_ms: Option<i64>,
    /// The JSON-RPC error of the body, if it has one.
    pub response: Option<Message>,
    /// The body as text, for the plugin; none if it is empty.
    pub body: Option<Arc<str>>,
}

/// Why there is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// The upstream was gone before the request was sent.
    #[error("the upstream server closed the connection")]
    NotSent,
    /// The upstream went away with the request.
    #[error("the upstream server closed the connection")]
    Closed,
    /// No connection to the upstream could be made.
    #[error("the upstream server cannot be reached")]
    Unreachable,
    /// The upstream's answer broke off, or holds no response.
    #[error("the upstream server's answer ended without a response")]
    Interrupted,
    /// The upstream knew nothing of the session any more, so it did nothing. There is a new session now.
    #[error(
        "the session with the upstream server had expired; it was renewed, and the request was not executed"
    )]
    SessionExpired,
}

impl Loss {
    /// What a plugin is told.
    #[must_use]
    pub const fn failure(self) -> TransportFailure {
        match self {
            Self::NotSent | Self::Unreachable | Self::SessionExpired => {
                TransportFailure::BeforeDispatch
            }
            Self::Closed | Self::Interrupted => TransportFailure::AfterDispatch,
        }
    }

    /// What the client is told.
    #[must_use]
    pub fn into_response(self, id: &Id) -> Message {
        Message::error(Some(id), NO_ANSWER, &self.to_string(), None)
    }
}

impl HttpFailure {
    /// What an HTTP error says, by its headers and the start of its body.
    #[must_use]
    pub fn read(
        status: http::StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Self {
        let code = status.as_u16();
        let texts =
            headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let pushback_ms = pushback_ms(code, texts, now);
        let kept = [header::RETRY_AFTER, header::WWW_AUTHENTICATE];
        let kept =
            kept.into_iter().filter_map(|name| Some((name.clone(), headers.get(name)?.clone())));
        let status = HttpStatus { code, headers: kept.collect() };
        let raw: Option<Box<RawValue>> = serde_json::from_slice(body).ok();
        let message = raw.and_then(|raw| Message::parse(&raw).ok());
        let response = message.filter(|message| message.get("error").is_some());
        let body = (!body.is_empty()).then(|| String::from_utf8_lossy(body).into());
        Self { status, pushback_ms, response, body }
    }

    /// What the client is told: the upstream's own words, if there are any.
    #[must_use]
    pub(super) fn into_response(self, id: &Id) -> ToClient {
        let message = match self.response {
            Some(response) => response.with_id(id),
            None => {
                let status = self.status.code;
                let text = format!("the upstream server answered with HTTP status {status}");
                Message::error(Some(id), NO_ANSWER, &text, Some(json!({ "httpStatus": status })))
            }
        };
        ToClient { message, about: Some(id.clone()), status: Some(self.status) }
    }
}

impl AttemptReply {
    /// Reads what the upstream made of an attempt.
    #[must_use]
    pub fn of(answer: Answer) -> Self {
        let response = match answer {
            Answer::Response(response) => response,
            Answer::Http(failure) => return Self::Http(failure),
            Answer::Lost(loss) => return Self::Lost(loss),
        };
        let parse = |raw: &serde_json::value::RawValue| {
            serde_json::from_str(raw.get()).unwrap_or(Value::Null)
        };
        if let Some(error) = response.get("error").map(parse) {
            let code = error.get("code").and_then(Value::as_i64).unwrap_or(NO_CODE);
            return Self::Error { response, code, error: Arc::new(error) };
        }
        let result = Arc::new(response.get("result").map_or(Value::Null, parse));
        Self::Result { response, result }
    }

    /// The message that the client gets under the id of its request.
    #[must_use]
    pub fn into_message(self, id: &Id) -> Message {
        self.into_response(id).message
    }

    /// What the client gets under the id of its request.
    #[must_use]
    pub(super) fn into_response(self, id: &Id) -> ToClient {
        let message = match self {
            Self::Result { response, .. } | Self::Error { response, .. } => response.with_id(id),
            Self::TimedOut { after } => {
                let data =
                    json!({ "timeoutMs": u64::try_from(after.as_millis()).unwrap_or(u64::MAX) });
                Message::error(Some(id), TIMED_OUT, "Request timed out", Some(data))
            }
            Self::Lost(loss) => loss.into_response(id),
            Self::Http(failure) => return failure.into_response(id),
        };
        ToClient { message, about: Some(id.clone()), status: None }
    }
}

impl Reply for AttemptReply {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Result { result, .. } => outcome_of_result(result),
            Self::Error { code, .. } => Outcome::RpcError(*code),
            Self::TimedOut { .. } => Outcome::TimedOut,
            Self::Http(failure) => Outcome::HttpError(HttpError {
                status: failure.status.code,
                pushback_ms: failure.pushback_ms,
            }),
            Self::Lost(loss) => Outcome::TransportFailed(loss.failure()),
        }
    }

    fn content(&self) -> Option<Arc<dyn Content>> {
        match self {
            Self::Result { result, .. } => Some(Arc::new(ResultContent::new(result.clone()))),
            Self::Error { error, .. } => Some(Arc::new(ErrorContent(error.clone()))),
            Self::Http(failure) => {
                Some(Arc::new(HttpContent(failure.body.clone()?)) as Arc<dyn Content>)
            }
            Self::TimedOut { .. } | Self::Lost(_) => None,
        }
    }

    fn timed_out(after: Duration) -> Self {
        Self::TimedOut { after }
    }
}
