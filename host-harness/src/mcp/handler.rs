//! What stands between all rooms of the gateway.
//!
//! A server behind a URL, one in a child process, several as one, and the
//! retry loop before each of them are all the same to whoever asks: a [`Handler`]
//! answers requests and takes everything else. Whoever asks is a [`Client`], which
//! hears what is said before the answer.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::mcp::{
    cancellation::Cancellation,
    codes::NO_ANSWER,
    front::ToClient,
    headers::Headers,
    param_headers::ParamHeaders,
    reply::Answer,
    wire::{Id, Kind, Message},
};

/// Answers the requests of a downstream side, and takes what has no answer.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Answers a request. What is said about it before the answer goes to
    /// `client`. Dropping the future cancels the request, upstream as well.
    fn answer(
        self: Arc<Self>,
        request: Request,
        client: Arc<dyn Client>,
    ) -> BoxFuture<'static, Answer>;

    /// Takes a notification, or the response to what the client was asked. Waits
    /// for who is slow to take it, but not for ever.
    fn take(self: Arc<Self>, message: Message, headers: Headers) -> BoxFuture<'static, ()>;

    /// Ends in order. Nothing is to be asked afterwards.
    fn end(&self) -> BoxFuture<'_, ()>;

    /// Cancelled when there is no server any more.
    fn gone(&self) -> &CancellationToken;

    /// Whether every server that there was at the beginning is still there.
    fn is_whole(&self) -> bool {
        !self.gone().is_cancelled()
    }

    /// The parameters of a tool that travel in headers as well, as far as that
    /// is known here and the headers are not somebody else's to compare.
    fn params_in_headers(&self, _tool: &str) -> Option<Arc<ParamHeaders>> {
        None
    }
}

/// Who is on the downstream side.
pub(crate) trait Client: Send + Sync {
    /// Says something, waiting for room. If it is a question that nobody can
    /// be asked, what it has to be answered with.
    fn tell(&self, said: ToClient) -> BoxFuture<'_, Option<Message>>;
}

/// A request on its way.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) message: Message,
    pub(crate) id: Id,
    pub(crate) method: String,
    /// What came with it over HTTP; nothing if it came otherwise.
    pub(crate) headers: Headers,
    /// What becomes of it when nobody waits any more.
    pub(crate) cancellation: Cancellation,
    /// What its progress is reported under, if that is none of the client's.
    pub(crate) token: Option<Id>,
}

impl Request {
    /// None if the message is not a request.
    pub(crate) fn new(message: Message, headers: Headers) -> Option<Self> {
        let Kind::Request { method, id } = message.kind().clone() else { return None };
        let cancellation = Cancellation::default();
        Some(Self { message, id, method, headers, cancellation, token: None })
    }
}

/// A client that is not there: hears nothing, and cannot be asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nobody;

impl Client for Nobody {
    fn tell(&self, said: ToClient) -> BoxFuture<'_, Option<Message>> {
        Box::pin(std::future::ready(unasked(&said.message)))
    }
}

/// What a server hears that asks where there is nobody to answer.
pub(crate) fn unasked(said: &Message) -> Option<Message> {
    match said.kind() {
        Kind::Request { method, id } if method == "ping" => {
            Some(Message::result(id, &serde_json::json!({})))
        }
        Kind::Request { id, .. } => {
            let text = "there is no client that this is certainly for";
            Some(Message::error(Some(id), NO_ANSWER, text, None))
        }
        _ => None,
    }
}
