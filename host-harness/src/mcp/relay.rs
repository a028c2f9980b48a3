//! The pump between a client and an upstream server.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    gateway::Gateway,
    mcp::{
        child::StartError,
        codes::{INVALID_REQUEST, NO_ANSWER},
        downstream::{Downstream, Shutdown},
        front::ToClient,
        handler::{Client, Handler, Request},
        headers::Headers,
        joined::Group,
        lines::{self, Reader},
        live::{MAX_LIVE_CALLS, TooMany},
        options::RelayOptions,
        outgoing::{self, Inbox, Outgoing},
        session::Session,
        task::Task,
        upstream::{Connect, Connected, Lines},
        wire::{Message, Unreadable, Was},
    },
};

/// How long each step of an orderly end may take.
const GRACE: Duration = Duration::from_secs(2);

/// How long requests that are under way may take once the client has ended its input.
const REST: Duration = Duration::from_secs(5);

/// Two ends that lie closer together than this are one.
const SAME_MOMENT: Duration = Duration::from_millis(50);

/// Which side ended the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The client closed its side, or the gateway shuts down.
    ByClient,
    /// The upstream closed its side. Every request that waited got an error.
    ByUpstream,
}

/// Relays MCP between a client (`front`) and an upstream server until one of
/// them closes its side or the gateway shuts down. Each side is a pair of what the
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
    shutdown: impl Into<Shutdown>,
) -> Ended
where
    FR: AsyncRead + Unpin + Send,
    FW: AsyncWrite + Unpin + Send + 'static,
    UR: AsyncRead + Unpin + Send + 'static,
    UW: AsyncWrite + Unpin + Send + 'static,
{
    let upstream = Lines(upstream.0, upstream.1);
    one(gateway, options, front, upstream, shutdown.into()).await
}

/// As [`relay`], to an upstream of any kind. One behind a URL ends with its
/// client only: that it cannot be reached is an error of each request. A child
/// is started again when it crashes; it ends the session if it ends before it
/// has answered anything, or crashes too often.
///
/// # Panics
/// Outside of a tokio runtime with its timer and its I/O enabled.
pub async fn relay_to<FR, FW>(
    gateway: Arc<Gateway>,
    options: RelayOptions,
    front: (FR, FW),
    upstream: impl Into<Connected>,
    shutdown: impl Into<Shutdown>,
) -> Ended
where
    FR: AsyncRead + Unpin + Send,
    FW: AsyncWrite + Unpin + Send + 'static,
{
    one(gateway, options, front, upstream.into(), shutdown.into()).await
}

async fn one<FR, FW>(
    gateway: Arc<Gateway>,
    options: RelayOptions,
    front: (FR, FW),
    upstream: impl Connect,
    shutdown: Shutdown,
) -> Ended
where
    FR: AsyncRead + Unpin + Send,
    FW: AsyncWrite + Unpin + Send + 'static,
{
    let limit = options.max_message_bytes;
    let (downstream, client, inbox) = on_lines(&shutdown);
    let closed = downstream.closed.clone();
    let session = Session::open(gateway, options, upstream, &downstream, client.clone());
    pump(Pumped { handler: session, client, inbox, closed, limit }, front, &shutdown).await
}

/// As [`relay`], to several upstreams that the client sees as one. It ends by
/// the upstream when the last of them has.
///
/// # Errors
/// None of them can be started.
///
/// # Panics
/// Outside of a tokio runtime with its timer and its I/O enabled.
pub async fn relay_to_several<FR, FW>(
    group: &Arc<Group>,
    front: (FR, FW),
    shutdown: impl Into<Shutdown>,
) -> Result<Ended, StartError>
where
    FR: AsyncRead + Unpin + Send,
    FW: AsyncWrite + Unpin + Send + 'static,
{
    let shutdown = shutdown.into();
    let (downstream, client, inbox) = on_lines(&shutdown);
    let closed = downstream.closed.clone();
    let handler = group.connect(&downstream, client.clone())?;
    let limit = group.max_message_bytes();
    Ok(pump(Pumped { handler, client, inbox, closed, limit }, front, &shutdown).await)
}

/// A client on lines: all that it hears goes through one queue.
struct OnLines(Outgoing);

impl Client for OnLines {
    fn tell(&self, said: ToClient) -> BoxFuture<'_, Option<Message>> {
        Box::pin(async {
            self.0.send(said).await;
            None
        })
    }
}

/// The downstream side of a client on lines, and what it has yet to hear.
fn on_lines(shutdown: &Shutdown) -> (Downstream, Arc<OnLines>, Inbox) {
    let (outgoing, inbox) = outgoing::queue();
    let downstream = Downstream::one(shutdown);
    let closed = downstream.closed.child_token();
    (Downstream { closed, ..downstream }, Arc::new(OnLines(outgoing)), inbox)
}

/// What a client on lines speaks with.
struct Pumped {
    handler: Arc<dyn Handler>,
    client: Arc<OnLines>,
    inbox: Inbox,
    /// Cancels what the client has called.
    closed: CancellationToken,
    /// The longest line of the client that is read, in bytes.
    limit: usize,
}

async fn pump<FR, FW>(pumped: Pumped, front: (FR, FW), shutdown: &Shutdown) -> Ended
where
    FR: AsyncRead + Unpin + Send,
    FW: AsyncWrite + Unpin + Send + 'static,
{
    let Pumped { handler, client, inbox, closed, limit } = pumped;
    let finish_front = CancellationToken::new();
    let mut writing_front = Task::spawn({
        let (closed, finish) = (closed.clone(), finish_front.clone());
        async move {
            write_front(inbox, front.1, finish).await;
            closed.cancel();
        }
    });

    let mut requests = JoinSet::new();
    let reader = Reader::new(front.0, "client", limit);
    let ended = serve_client(&handler, &client, reader, &closed, &mut requests, shutdown).await;
    // What the upstream still has to say to requests under way is passed on, first
    // as it is, then with its input closed: who pipes requests in and ends its
    // input may still read the answers.
    let rest = async { while requests.join_next().await.is_some() {} };
    tokio::select! {
        _ = timeout(REST, rest) => {}
        () = closed.cancelled() => {}
        () = shutdown.now.cancelled() => {}
    }
    closed.cancel();
    let _ = timeout(GRACE, async { while requests.join_next().await.is_some() {} }).await;
    if ended == Ended::ByClient {
        let rest = async { while requests.join_next().await.is_some() {} };
        tokio::join!(handler.end(), timeout(GRACE, rest)).1.ok();
    }
    finish_front.cancel();
    // A client that reads no more loses what it did not read.
    let _ = timeout(GRACE, writing_front.ended()).await;
    ended
}

/// Reads the client until a side ends, then sees its calls off.
async fn serve_client<R: AsyncRead + Unpin>(
    handler: &Arc<dyn Handler>,
    client: &Arc<OnLines>,
    mut reader: Reader<R>,
    closed: &CancellationToken,
    requests: &mut JoinSet<()>,
    shutdown: &Shutdown,
) -> Ended {
    let gone = handler.gone();
    let ended = loop {
        let line = tokio::select! {
            biased;
            () = gone.cancelled() => {
                // A client that goes at the same moment has no complaint.
                break match timeout(SAME_MOMENT, reader.next()).await {
                    Ok(None) => Ended::ByClient,
                    _ => Ended::ByUpstream,
                };
            }
            () = closed.cancelled() => break Ended::ByClient,
            () = shutdown.drain.cancelled() => break Ended::ByClient,
            Some(request) = requests.join_next() => {
                if let Err(error) = request {
                    tracing::error!(%error, "a call broke the gateway; its client gets no answer");
                }
                continue;
            }
            line = reader.next() => line,
        };
        let Some(line) = line else { break Ended::ByClient };
        let message = match understood(line) {
            Ok(message) => message,
            Err(Some(refusal)) => {
                client.tell(refusal.into()).await;
                continue;
            }
            Err(None) => continue,
        };
        match Request::new(message.clone(), Headers::default()) {
            Some(request) => begin(handler, client, request, requests),
            None => {
                tokio::select! {
                    biased;
                    () = handler.clone().take(message, Headers::default()) => {}
                    () = gone.cancelled() => break Ended::ByUpstream,
                    () = closed.cancelled() => break Ended::ByClient,
                    () = shutdown.drain.cancelled() => break Ended::ByClient,
                }
            }
        }
    };
    if ended == Ended::ByClient && shutdown.drain.is_cancelled() {
        // Calls that wait for another attempt are about to be answered, and
        // those in the middle of one may be.
        let _ = timeout(GRACE, async { while requests.join_next().await.is_some() {} }).await;
        closed.cancel();
    }
    ended
}

/// Begins to answer a request. It is on its way upstream when this returns,
/// unless it has to wait for something: a client's messages keep their order.
fn begin(
    handler: &Arc<dyn Handler>,
    client: &Arc<OnLines>,
    request: Request,
    requests: &mut JoinSet<()>,
) {
    let id = request.id.clone();
    if requests.len() >= MAX_LIVE_CALLS {
        let refusal = TooMany.refusal(&id);
        let client = client.clone();
        requests.spawn(async move { client.0.send(refusal.into()).await });
        return;
    }
    let answer = handler.clone().answer(request, client.clone());
    let client = client.clone();
    let mut answering = Box::pin(async move {
        if let Some(said) = answer.await.into_response(&id) {
            client.0.send(said).await;
        }
    });
    if answering.as_mut().now_or_never().is_none() {
        requests.spawn(answering);
    }
}

/// What a line of the client comes to: a message, or what the client is told
/// in place of an answer, if anything.
fn understood(line: Result<Message, Unreadable>) -> Result<Message, Option<Message>> {
    let too_much = match line {
        Ok(message) => return Ok(message),
        Err(Unreadable::NotAMessage(_)) => {
            let refusal = Message::error(None, INVALID_REQUEST, "Invalid Request", None);
            return Err(Some(refusal));
        }
        Err(Unreadable::TooMuch(too_much)) => too_much,
    };
    tracing::warn!(%too_much, "dropped a message of the client");
    match &too_much.was {
        Was::Request(id) => Err(Some(too_much.error(id, INVALID_REQUEST, "the request"))),
        // The upstream gets it in place of the answer that it waits for.
        Was::Response(id) => Ok(too_much.error(id, NO_ANSWER, "the client's answer")),
        Was::Unknown => Err(None),
    }
}

/// Writes until `finish`, then what is left, and closes the stream. Ends early if the stream fails.
async fn write_front(mut queue: Inbox, mut to: impl AsyncWrite + Unpin, finish: CancellationToken) {
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
