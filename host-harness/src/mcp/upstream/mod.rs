//! The way to the upstream: what is sent, and who waits for the answer.

mod cancellation;
pub mod http;
mod lines;
mod supervised;

use std::{ffi::OsString, sync::Arc, time::Duration};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::mcp::{
    child::StartError, headers::Headers, pending::Pending, reply::Loss, session::Session,
    wire::Message,
};

use cancellation::Cancellation;
pub(crate) use cancellation::Taken;
pub use http::HttpUpstream;
pub(super) use lines::Lines;
pub use supervised::{EndStatus, Supervised};

/// Messages that wait for a side to take them. When the queue is full, whoever
/// produces more waits as well.
pub(super) const QUEUE: usize = 64;

/// A message on its way to the upstream.
#[derive(Debug)]
pub(crate) struct ToUpstream {
    pub(crate) message: Message,
    /// What the client's HTTP request said besides; nothing if it came over stdio.
    pub(crate) headers: Headers,
}

/// Sends to the upstream.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(super) pending: Pending,
    queue: mpsc::Sender<ToUpstream>,
    /// Cancellations from destructors, which cannot wait for room. At most one per attempt.
    last_words: mpsc::UnboundedSender<Cancellation>,
}

/// What an [`Upstream`] sends, for the link that carries it.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(super) queue: mpsc::Receiver<ToUpstream>,
    pub(super) last_words: mpsc::UnboundedReceiver<Cancellation>,
}

/// A connection to an upstream server, of whatever transport.
pub(crate) trait Link: Send + 'static {
    /// How long the end of [`Link::run`] may take after `finish`, at the most.
    const GRACE: Duration;

    /// Carries messages between the session and the upstream until `finish`,
    /// then what is left, and closes the connection. Tells the session when
    /// the upstream is lost.
    fn run(
        self,
        session: Arc<Session>,
        outbox: Outbox,
        finish: CancellationToken,
    ) -> impl Future<Output = ()> + Send;
}

/// Where a server is.
#[derive(Debug, Clone)]
pub enum Target {
    /// Behind a URL.
    Url(HttpUpstream),
    /// In a command with its arguments, which is started for each session.
    Command(Vec<OsString>),
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
    pub(crate) fn connect(&self) -> Result<Connected, StartError> {
        match self {
            Self::Url(upstream) => Ok(upstream.clone().into()),
            Self::Command(command) => Ok(Supervised::start(command.clone())?.into()),
        }
    }
}

impl Link for Connected {
    const GRACE: Duration = Supervised::GRACE;

    async fn run(self, session: Arc<Session>, outbox: Outbox, finish: CancellationToken) {
        match self {
            Self::Url(upstream) => upstream.run(session, outbox, finish).await,
            Self::Child(child) => child.run(session, outbox, finish).await,
        }
    }
}

impl Upstream {
    pub(super) fn new() -> (Self, Outbox) {
        let (queue, queued) = mpsc::channel(QUEUE);
        let (last_words, heard) = mpsc::unbounded_channel();
        (
            Self { pending: Pending::default(), queue, last_words },
            Outbox { queue: queued, last_words: heard },
        )
    }

    /// Queues a message, waiting for room.
    pub(super) async fn send(&self, message: Message, headers: Headers) -> Result<(), Loss> {
        self.queue.send(ToUpstream { message, headers }).await.map_err(|_| Loss::NotSent)
    }

    /// Sends a cancellation from where nothing can wait. Who can, learns when it was taken.
    pub(super) fn cancel(&self, notice: Message) -> Taken {
        let (cancellation, taken) = Cancellation::new(notice);
        // An upstream that is gone needs no cancellation.
        let _ = self.last_words.send(cancellation);
        taken
    }
}
