//! The pump between a client and an upstream server.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
    task::{JoinHandle, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    gateway::Gateway,
    mcp::{
        catalogue::Catalogue,
        lines::{self, Reader},
        live::LiveCalls,
        session::Session,
        upstream::{QUEUE, Upstream},
        wire::Message,
    },
};

/// How long each step of an orderly end may take.
const GRACE: Duration = Duration::from_secs(2);

/// Which side ended the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The client closed its side, or `stop` was cancelled.
    ByClient,
    /// The upstream closed its side. Every request that waited got an error.
    ByUpstream,
}

/// How to relay.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// The operator's name for the upstream, for budgets and trust; default none.
    pub upstream_name: Option<String>,
    /// Whether a call that may be retried tells the upstream so, in its
    /// `_meta`, so that a gateway behind this one retries less; default yes.
    pub mark_attempts: bool,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self { upstream_name: None, mark_attempts: true }
    }
}

/// Relays MCP between a client (`front`) and an upstream server until one of
/// them closes its side or `stop` is cancelled. Each side is a pair of what the
/// relay reads from and what it writes to.
///
/// `tools/call` runs through `gateway`; everything else passes as it is.
///
/// When the client ends, its live calls are cancelled upstream, the upstream's
/// input is closed, and what the upstream still has to say is passed on for up
/// to 2 s. Dropping the future stops everything at once.
///
/// # Panics
/// Outside of a tokio runtime with its timer enabled.
pub async fn relay<FR, FW, UR, UW>(
    gateway: Arc<Gateway>,
    options: RelayOptions,
    front: (FR, FW),
    upstream: (UR, UW),
    stop: CancellationToken,
) -> Ended
where
    FR: AsyncRead + Unpin + Send,
    FW: AsyncWrite + Unpin + Send + 'static,
    UR: AsyncRead + Unpin + Send + 'static,
    UW: AsyncWrite + Unpin + Send + 'static,
{
    let (front_queue, front_queued) = mpsc::channel(QUEUE);
    let (to_upstream, outbox) = Upstream::new();
    let session = Arc::new(Session {
        gateway,
        options,
        upstream: to_upstream,
        catalogue: Catalogue::default(),
        front: front_queue,
        live: Arc::new(LiveCalls::default()),
        client_gone: stop.child_token(),
        upstream_gone: CancellationToken::new(),
        given_up: CancellationToken::new(),
    });
    let (finish_front, finish_upstream) = (CancellationToken::new(), CancellationToken::new());

    let mut front_writer = Task::spawn({
        let (session, finish) = (session.clone(), finish_front.clone());
        async move {
            write_front(front_queued, front.1, finish).await;
            session.client_gone.cancel();
        }
    });
    let mut upstream_writer = Task::spawn({
        let (session, finish) = (session.clone(), finish_upstream.clone());
        async move {
            outbox.write(upstream.1, finish.clone()).await;
            if !finish.is_cancelled() {
                session.lose_upstream().await;
            }
        }
    });
    let mut upstream_reader = Task::spawn({
        let session = session.clone();
        async move {
            let mut reader = Reader::new(upstream.0, "upstream");
            while let Some(line) = reader.next().await {
                session.upstream_said(line).await;
            }
            session.lose_upstream().await;
        }
    });

    let ended = serve_client(&session, Reader::new(front.0, "client")).await;
    finish_upstream.cancel();
    if ended == Ended::ByClient {
        let goodbye = async {
            upstream_writer.ended().await;
            upstream_reader.ended().await;
        };
        // An upstream that does not end by itself is its owner's to end.
        let _ = timeout(GRACE, goodbye).await;
    }
    finish_front.cancel();
    // A client that reads no more loses what it did not read.
    let _ = timeout(GRACE, front_writer.ended()).await;
    ended
}

/// Reads the client until a side ends, then sees its calls off.
async fn serve_client<R: AsyncRead + Unpin>(
    session: &Arc<Session>,
    mut client: Reader<R>,
) -> Ended {
    let mut calls = JoinSet::new();
    let ended = loop {
        let line = tokio::select! {
            biased;
            () = session.upstream_gone.cancelled() => break Ended::ByUpstream,
            () = session.client_gone.cancelled() => break Ended::ByClient,
            Some(call) = calls.join_next() => {
                if let Err(error) = call {
                    tracing::error!(%error, "a call broke the gateway; its client gets no answer");
                }
                continue;
            }
            line = client.next() => line,
        };
        let Some(line) = line else { break Ended::ByClient };
        tokio::select! {
            biased;
            () = session.client_said(line, &mut calls) => {}
            () = session.upstream_gone.cancelled() => break Ended::ByUpstream,
            () = session.client_gone.cancelled() => break Ended::ByClient,
        }
    };
    if ended == Ended::ByClient {
        session.client_gone.cancel();
    } else {
        // Attempts know already. A call that sleeps would wake up to nothing,
        // but one that is about to be answered deserves the moment.
        let _ = timeout(GRACE / 2, async { while calls.join_next().await.is_some() {} }).await;
        session.given_up.cancel();
    }
    let _ = timeout(GRACE, async { while calls.join_next().await.is_some() {} }).await;
    ended
}

/// Writes until `finish`, then what is left, and closes the stream. Ends early if the stream fails.
async fn write_front(
    mut queue: mpsc::Receiver<Message>,
    mut to: impl AsyncWrite + Unpin,
    finish: CancellationToken,
) {
    loop {
        let message = tokio::select! {
            biased;
            Some(message) = queue.recv() => message,
            () = finish.cancelled() => break,
        };
        if lines::write(&mut to, &message).await.is_err() {
            return;
        }
    }
    // The client may have closed its end already; then there is nothing to close.
    let _ = to.shutdown().await;
}

/// A task that ends with its owner.
struct Task(JoinHandle<()>);

impl Task {
    fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task))
    }

    async fn ended(&mut self) {
        // How it ended changes nothing for those who wait.
        let _ = (&mut self.0).await;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
