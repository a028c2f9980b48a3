//! The way to the upstream: what is sent, and who waits for the answer.

pub mod http;
mod lines;

use std::{
    ffi::{OsStr, OsString},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use tokio::{
    process::{ChildStdin, ChildStdout},
    sync::mpsc,
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::mcp::{
    child::{Server, StartError},
    headers::Headers,
    pending::Pending,
    reply::Loss,
    session::Session,
    wire::Message,
};

pub use http::HttpUpstream;
pub(super) use lines::Lines;

/// Messages that wait for a side to take them. When the queue is full, whoever
/// produces more waits as well.
pub(super) const QUEUE: usize = 64;
/// How long a child may go on once its input is closed.
const GRACE: Duration = Duration::from_secs(1);

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
    last_words: mpsc::UnboundedSender<Message>,
}

/// What an [`Upstream`] sends, for the link that carries it.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(super) queue: mpsc::Receiver<ToUpstream>,
    pub(super) last_words: mpsc::UnboundedReceiver<Message>,
}

/// A connection to an upstream server, of whatever transport.
pub(crate) trait Link: Send + 'static {
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
pub(crate) enum Connected {
    Url(HttpUpstream),
    Child(Server, Lines<ChildStdout, ChildStdin>),
}

impl Target {
    /// Starts a child, or gets ready to talk to the URL.
    pub(crate) fn connect(&self) -> Result<Connected, StartError> {
        match self {
            Self::Url(upstream) => Ok(Connected::Url(upstream.clone())),
            Self::Command(command) => {
                let (program, arguments) =
                    command.split_first().map_or((OsStr::new(""), &[][..]), |(program, rest)| {
                        (program.as_os_str(), rest)
                    });
                let (server, (from, to)) = Server::start(program, arguments)?;
                Ok(Connected::Child(server, Lines(from, to)))
            }
        }
    }
}

impl Link for Connected {
    async fn run(self, session: Arc<Session>, outbox: Outbox, finish: CancellationToken) {
        match self {
            Self::Url(upstream) => upstream.run(session, outbox, finish).await,
            Self::Child(server, lines) => {
                let name = server.command().to_owned();
                let mut running = pin!(lines.run(session.clone(), outbox, finish.clone()));
                // A server that does not close its side is told to end.
                let told = async {
                    finish.cancelled().await;
                    sleep(GRACE).await;
                };
                tokio::select! {
                    () = &mut running => {}
                    () = told => {}
                    () = session.upstream_gone.cancelled() => {}
                }
                match server.end().await {
                    Ok(status) if !finish.is_cancelled() => {
                        tracing::warn!(server = name, ?status, "the server ended by itself");
                    }
                    Ok(_) => {}
                    Err(error) => tracing::warn!(server = name, %error, "lost the server"),
                }
            }
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

    /// Sends a cancellation from where nothing can wait.
    pub(super) fn cancel(&self, notice: Message) {
        // An upstream that is gone needs no cancellation.
        let _ = self.last_words.send(notice);
    }
}
