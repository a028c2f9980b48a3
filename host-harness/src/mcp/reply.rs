//! What came back for a request, and what the client gets of it.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, header};
use serde_json::{Map, value::RawValue};

use crate::{
    contract::{HttpError, Outcome, Part, TransportFailure},
    gateway::{Content, Reply, excerpt_of_texts, pushback_ms},
    mcp::{
        codes::{INVALID_PARAMS, METHOD_NOT_FOUND, NO_ANSWER, PARSE_ERROR, TIMED_OUT},
        facts::{ErrorContent, HttpContent, ResultContent},
        front::{HttpStatus, ToClient},
        own_error::{
            Account, Ended, Http, MOST_BODY_BYTES, Original, data, passed_on, read, too_large,
        },
        wire::{Id, Message, TooMuch},
    },
};

/// Stands in the contract for an `error.code` that is no 64-bit integer: no
/// configuration can name it.
pub const NO_CODE: i64 = i64::MIN;

/// What one attempt brought back.
#[derive(Debug)]
pub enum AttemptReply {
    /// A result; the upstream's response is kept unchanged in it.
    Result(Arc<ResultContent>),
    /// A JSON-RPC error.
    Error(RpcFailure),
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

/// A JSON-RPC error.
#[derive(Debug)]
pub struct RpcFailure {
    /// What it says; the upstream's response is kept unchanged in it.
    error: Arc<ErrorContent>,
    /// What it stands for, if a gateway made it.
    original: Option<Original>,
}

/// What the upstream made of a request.
#[derive(Debug)]
pub enum Answer {
    /// A JSON-RPC response.
    Response(Message),
    /// An HTTP error.
    Http(HttpFailure),
    /// A JSON-RPC response that goes to clients on HTTP under this status.
    WithStatus(Message, HttpStatus),
    /// None, and there never will be.
    Lost(Loss),
    /// None, since the client has cancelled its request.
    Cancelled,
}

impl From<ToClient> for Answer {
    fn from(said: ToClient) -> Self {
        match said.status {
            Some(status) => Self::WithStatus(said.message, status),
            None => Self::Response(said.message),
        }
    }
}

impl Answer {
    /// What a client gets of it under the id of its request; nothing if that was cancelled.
    pub(super) fn into_response(self, id: &Id) -> Option<ToClient> {
        Some(match self {
            Self::Response(message) => message.into(),
            Self::WithStatus(message, status) => ToClient { message, status: Some(status) },
            Self::Http(failure) => failure.into_response(id),
            Self::Lost(loss) => loss.into_response(id).into(),
            Self::Cancelled => return None,
        })
    }

    /// How much there is to read in it, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let (Self::Response(response) | Self::WithStatus(response, _)) = self else { return 0 };
        let members = ["result", "error"].into_iter().filter_map(|name| response.get(name));
        members.map(|raw| raw.get().len()).sum()
    }

    /// In place of one that is too much: an error, which a plugin may judge as one of the server's.
    #[must_use]
    pub(super) fn too_much(too_much: &TooMuch, id: &Id) -> Self {
        Self::Response(too_large(too_much.error(id, NO_ANSWER, "the upstream server's answer")))
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
    /// What it is for a plugin.
    #[must_use]
    pub const fn failure(self) -> TransportFailure {
        match self {
            Self::NotSent | Self::Unreachable | Self::SessionExpired => {
                TransportFailure::BeforeDispatch
            }
            Self::Closed | Self::Interrupted => TransportFailure::AfterDispatch,
        }
    }

    /// What the client gets for a request that runs through no plugin.
    #[must_use]
    pub fn into_response(self, id: &Id) -> Message {
        self.accounted_for(id, &Account::of_one(self.failure()))
    }

    /// What the client gets.
    fn accounted_for(self, id: &Id, account: &Account) -> Message {
        let ended = match self.failure() {
            TransportFailure::BeforeDispatch => Ended::NotSent,
            TransportFailure::AfterDispatch => Ended::Lost,
        };
        let data = data(ended, account, None, Map::new());
        Message::error(Some(id), NO_ANSWER, &self.to_string(), Some(data))
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
        // Many an API has an `error` in its answers that is none of JSON-RPC.
        let response = message.filter(|message| {
            let is_ours = message.get("jsonrpc").is_some() || message.error_code().is_some();
            is_ours && message.get("error").is_some()
        });
        let body = (!body.is_empty()).then(|| String::from_utf8_lossy(body).into());
        Self { status, pushback_ms, response, body }
    }

    /// What the client gets for a request that runs through no plugin.
    #[must_use]
    pub(super) fn into_response(self, id: &Id) -> ToClient {
        let failure = if matches!(self.status.code, 425 | 429) {
            TransportFailure::BeforeDispatch
        } else {
            TransportFailure::AfterDispatch
        };
        let account = Account { attempts: 1, ..Account::of_one(failure) };
        self.accounted_for(id, &account)
    }

    /// What the client gets: the upstream's own words, if there are any.
    fn accounted_for(self, id: &Id, account: &Account) -> ToClient {
        let message = match self.response {
            Some(response) => passed_on(response, account).with_id(id),
            None => {
                let status = self.status.code;
                let text = format!("the upstream server answered with HTTP status {status}");
                let body = self.body.as_deref().map(std::iter::once);
                let body = body.and_then(|body| excerpt_of_texts(body, MOST_BODY_BYTES));
                let http = Http { status, pushback_ms: self.pushback_ms, body: body.as_deref() };
                let more = Map::from_iter([("httpStatus".to_owned(), status.into())]);
                let data = data(Ended::Http, account, Some(http), more);
                Message::error(Some(id), NO_ANSWER, &text, Some(data))
            }
        };
        ToClient { message, status: Some(self.status) }
    }

    /// The code of a JSON-RPC error in the body that says more than the status: the
    /// same request gets the same answer.
    fn blames_the_request(&self) -> Option<i64> {
        let code = self.response.as_ref()?.error_code()?;
        matches!(code, PARSE_ERROR | METHOD_NOT_FOUND | INVALID_PARAMS).then_some(code)
    }

    /// What it stands for, if a gateway behind this one made it.
    fn original(&self) -> Option<Original> {
        read(self.response.as_ref()?.get("error")?.get())
    }
}

impl AttemptReply {
    /// Reads what the upstream made of an attempt.
    #[must_use]
    pub fn of(answer: Answer) -> Self {
        let response = match answer {
            Answer::Response(response) | Answer::WithStatus(response, _) => response,
            Answer::Http(failure) => return Self::Http(failure),
            Answer::Lost(loss) => return Self::Lost(loss),
            // Nobody is left to read it.
            Answer::Cancelled => return Self::Lost(Loss::Closed),
        };
        // Some servers write `"error": null` beside their results.
        let failed = match (response.get("error"), response.get("result")) {
            (Some(error), Some(_)) => error.get() != "null",
            (error, _) => error.is_some(),
        };
        if failed {
            let original = response.get("error").and_then(|error| read(error.get()));
            return Self::Error(RpcFailure {
                error: Arc::new(ErrorContent::new(response)),
                original,
            });
        }
        Self::Result(Arc::new(ResultContent::new(response)))
    }

    /// The message that the client gets under the id of its request, of a call
    /// that was made once.
    #[must_use]
    pub fn into_message(self, id: &Id) -> Message {
        let account = Account::of_one(TransportFailure::AfterDispatch);
        self.into_response(id, &account).message
    }

    /// What the client gets under the id of its request.
    #[must_use]
    pub(super) fn into_response(self, id: &Id, account: &Account) -> ToClient {
        let message = match self {
            Self::Result(content) => {
                // The plugin has read it, and nobody else holds it.
                let response = Arc::try_unwrap(content)
                    .map_or_else(|shared| shared.response().clone(), ResultContent::into_response);
                response.with_id(id)
            }
            Self::Error(RpcFailure { error, .. }) => {
                let response = Arc::try_unwrap(error)
                    .map_or_else(|shared| shared.response().clone(), ErrorContent::into_response);
                passed_on(response, account).with_id(id)
            }
            Self::TimedOut { after } => {
                let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                let more = Map::from_iter([("timeoutMs".to_owned(), after.into())]);
                let data = data(Ended::TimedOut, account, None, more);
                Message::error(Some(id), TIMED_OUT, "Request timed out", Some(data))
            }
            Self::Lost(loss) => loss.accounted_for(id, account),
            Self::Http(failure) => return failure.accounted_for(id, account),
        };
        message.into()
    }

    /// How much there is to write of it, in bytes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Result(content) => content.response().bytes(),
            _ => 0,
        }
    }

    /// At most so many bytes of what it says.
    pub(super) fn words(&self, most: usize) -> Option<String> {
        self.content()?.excerpt(Part::Texts, most)
    }
}

impl Reply for AttemptReply {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Result(content) => content.outcome(),
            Self::Error(RpcFailure { original: Some(original), .. }) => original.outcome,
            Self::Error(RpcFailure { error, .. }) => {
                Outcome::RpcError(error.code().unwrap_or(NO_CODE))
            }
            Self::TimedOut { .. } => Outcome::TimedOut,
            Self::Http(failure) => match failure.original() {
                Some(original) => original.outcome,
                None => failure.blames_the_request().map_or(
                    Outcome::HttpError(HttpError {
                        status: failure.status.code,
                        pushback_ms: failure.pushback_ms,
                    }),
                    Outcome::RpcError,
                ),
            },
            Self::Lost(loss) => Outcome::TransportFailed(loss.failure()),
        }
    }

    fn content(&self) -> Option<Arc<dyn Content>> {
        match self {
            Self::Result(content) => Some(content.clone()),
            Self::Error(RpcFailure { original: Some(original), .. }) => {
                Some(Arc::new(HttpContent(original.body.clone()?)))
            }
            Self::Error(RpcFailure { error, .. }) => Some(error.clone()),
            Self::Http(failure) => {
                let original = failure.original().and_then(|original| original.body);
                Some(Arc::new(HttpContent(original.or_else(|| failure.body.clone())?)))
            }
            Self::TimedOut { .. } | Self::Lost(_) => None,
        }
    }

    fn timed_out(after: Duration) -> Self {
        Self::TimedOut { after }
    }
}
