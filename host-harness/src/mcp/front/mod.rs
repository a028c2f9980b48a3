//! What the client is to hear, and the fronts that it connects to. The front
//! on lines is the [relay](crate::mcp::relay()) itself.

pub mod http;

use ::http::{HeaderName, HeaderValue};

use crate::mcp::wire::Message;

/// A message on its way to the client.
#[derive(Debug)]
pub(crate) struct ToClient {
    pub(crate) message: Message,
    /// The HTTP status that the upstream gave its answer.
    pub(crate) status: Option<HttpStatus>,
}

impl From<Message> for ToClient {
    fn from(message: Message) -> Self {
        Self { message, status: None }
    }
}

/// An HTTP status, with the headers that a client needs to make sense of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpStatus {
    /// The status code.
    pub code: u16,
    /// `Retry-After` and `WWW-Authenticate`, as the upstream gave them.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}
