//! The pump between a client and an upstream server.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    gateway::Gateway,
    mcp::{
        front::ToClient,
        headers::Headers,
        lines::{self, Reader},
        session::{Ends, Session},
        task::Task,
        upstream::{HttpUpstream, Lines, Link, Supervised},
    },
};

/// How long each step of an orderly end may take.
const GRACE: Duration = Duration::from_secs(2);

/// Two ends that lie closer together than this are one.
const SAME_MOMENT: Duration = Duration::from_millis(50);

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
/// `tools/call` and `resources/read` run through `gateway`; everything else
/// passes as it is.
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
    pump(gateway, options, front, Lines(upstream.0, upstream.1), stop).await
}

/// As [`relay`], to an upstream that speaks Streamable HTTP. It ends with its
/// client only: an upstream that cannot be reached is an error of each request.
///
/// # Panics
/// Outside of a tokio runtime with its timer and its I/O enabled.
pub async fn relay_to_http<FR, FW>(
    gateway: Arc<Gateway>,
    options: RelayOptions,
    front: (FR, FW),
    upstream: HttpUpstream,
    stop: CancellationToken,
) -> Ended
where
    FR: AsyncRead + Unpin + Send,
    FW: AsyncWrite + Unpin + Send + 'static,
{
    pump(gateway, options, front, upstream, stop).await
}

/// As [`relay`], to a child that is started again when it crashes. It ends by
/// the upstream if the child ends before it has answered anything, or crashes
/// too often.
///
/// # Panics
/// Outside of a tokio runtime with its timer enabled.
pub async fn relay_to_child<FR, FW>(
    gateway: Arc<Gateway>,
    options: RelayOptions,
    front: (FR, FW),
    upstream: Supervised,
    stop: CancellationToken,
) -> Ended
where
    FR: AsyncRead + Unpin + Send,
    FW: AsyncWrite + Unpin + Send + 'static,
{
    pump(gateway, options, front, upstream, stop).await
}

async fn pump<FR, FW, L>(
    gateway: Arc<Gateway>,
    options: RelayOptions,
    front: (FR, FW),
    link: L,
    stop: CancellationToken,
) -> Ended
where
    FR: AsyncRead + Unpin + Send,
    FW: AsyncWrite + Unpin + Send + 'static,
    L: Link,
{
    let (session, Ends { outbox, inbox }) = Session::new(gateway, options, &stop);
    let (finish_front, finish_upstream) = (CancellationToken::new(), CancellationToken::new());
    let mut writing_front = Task::spawn({
        let (session, finish) = (session.clone(), finish_front.clone());
        async move {
            write_front(inbox, front.1, finish).await;
            session.client_gone.cancel();
        }
    });
    let mut upstream = Task::spawn(link.run(session.clone(), outbox, finish_upstream.clone()));

    let ended = serve_client(&session, Reader::new(front.0, "client")).await;
    finish_upstream.cancel();
    if ended == Ended::ByClient {
        let _ = timeout(L::GRACE, upstream.ended()).await;
    }
    finish_front.cancel();
    // A client that reads no more loses what it did not read.
    let _ = timeout(GRACE, writing_front.ended()).await;
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
            () = session.upstream_gone.cancelled() => {
                // A client that goes at the same moment has no complaint.
                break match timeout(SAME_MOMENT, client.next()).await {
                    Ok(None) => Ended::ByClient,
                    _ => Ended::ByUpstream,
                };
            }
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
            () = session.client_said(line, Headers::default(), &mut calls) => {}
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
    mut queue: mpsc::Receiver<ToClient>,
    mut to: impl AsyncWrite + Unpin,
    finish: CancellationToken,
) {
    loop {
        let message = tokio::select! {
            biased;
            Some(said) = queue.recv() => said.message,
            () = finish.cancelled() => break,
        };
        if lines::write(&mut to, &message).await.is_err() {
            return;
        }
    }
    // The client may have closed its end already; then there is nothing to close.
    let _ = to.shutdown().await;
}
