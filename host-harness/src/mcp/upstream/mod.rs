//! The servers: behind a URL, or on lines, such as child processes.

pub mod http;
mod lines;
mod multiplexer;
mod settings;
mod supervised;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::mcp::{
    catalogue::Catalogue,
    child::{ServerCommand, StartError},
    downstream::Clients,
    handler::{Client, Handler},
    unique::Unique,
};

pub use http::HttpUpstream;
pub(super) use lines::Lines;
pub use supervised::{EndStatus, Supervised};

/// What a connection to a server needs of the session that it is for.
#[derive(Clone)]
pub(crate) struct Surroundings {
    /// Hears what is said about no request in particular.
    pub(crate) client: Arc<dyn Client>,
    /// Whose requests there will be.
    pub(crate) clients: Clients,
    /// What is known of the server's tools.
    pub(in crate::mcp) catalogue: Arc<Catalogue>,
    /// Makes names that nothing else has.
    pub(in crate::mcp) names: Arc<Unique>,
    /// What a message of the server may have, in bytes.
    pub(crate) max_message_bytes: usize,
    /// To be cancelled when the server is gone for good.
    pub(crate) no_more_attempts: CancellationToken,
}

/// What a session can be connected to.
pub(crate) trait Connect {
    /// Begins to speak with the server.
    fn connect(self, surroundings: Surroundings) -> Arc<dyn Handler>;
}

/// Where a server is.
#[derive(Debug, Clone)]
pub enum Target {
    /// Behind a URL.
    Url(HttpUpstream),
    /// In a command, which is started for each session.
    Command(ServerCommand),
}

/// A connection to a [`Target`].
pub enum Connected {
    /// To a server behind a URL.
    Url(HttpUpstream),
    /// To one that was started.
    Child(Box<Supervised>),
}

impl From<HttpUpstream> for Connected {
    fn from(upstream: HttpUpstream) -> Self {
        Self::Url(upstream)
    }
}

impl From<Supervised> for Connected {
    fn from(child: Supervised) -> Self {
        Self::Child(Box::new(child))
    }
}

impl Target {
    /// Starts a child, or gets ready to talk to the URL.
    pub(crate) fn start(&self) -> Result<Connected, StartError> {
        match self {
            Self::Url(upstream) => Ok(upstream.clone().into()),
            Self::Command(command) => Ok(Supervised::start(command.clone())?.into()),
        }
    }
}

impl Connect for Connected {
    fn connect(self, surroundings: Surroundings) -> Arc<dyn Handler> {
        match self {
            Self::Url(upstream) => upstream.connect(surroundings),
            Self::Child(child) => child.connect(surroundings),
        }
    }
}
