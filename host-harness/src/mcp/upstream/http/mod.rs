//! An upstream that speaks Streamable HTTP, of 2025-11-25 and before with its
//! sessions, or of 2026-07-28 without.
//!
//! * `client`: one HTTP request.
//! * `headers`: what its headers say.
//! * `exchange`: one message, and everything that comes back for it.
//! * `answer`: what an HTTP answer holds.
//! * `events` and `documents`: the messages of an answer that is a stream, and of one in JSON.
//! * `listening`: streams that the server is asked for.
//! * `tools`: what an HTTP client has to know of the tools that it calls.
//! * `memory`: the session with the server, and how it is renewed.

mod answer;
mod client;
mod documents;
mod events;
mod exchange;
mod headers;
mod listening;
mod memory;
mod tools;

use std::{collections::HashMap, sync::Arc, time::Duration};

use http::HeaderMap;
use tokio::{
    sync::{Semaphore, oneshot},
    task::{AbortHandle, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

pub use client::BadUrl;
use client::Client;
use exchange::Exchange;

use crate::mcp::{
    headers::Headers,
    session::Session,
    upstream::{Link, Outbox, ToUpstream, cancellation::Cancellation},
    wire::{IdKey, Kind},
};

/// How long what is under way may take when the session ends, and the goodbye after that.
const GRACE: Duration = Duration::from_secs(1);
/// How long later messages wait for the server to take a notification or a
/// response, so that it sees them in their order.
const ORDER: Duration = Duration::from_secs(10);
/// Notifications of clients without a session that are on their way
/// to the server at a time; more are dropped.
const MAX_NOTIFICATIONS: usize = 256;

/// A server behind a URL. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct HttpUpstream {
    client: Arc<Client>,
}

impl HttpUpstream {
    /// The server at `url`. Every request carries `headers`.
    ///
    /// # Errors
    /// `url` is no absolute URL of `http` or `https`.
    pub fn new(url: &str, headers: HeaderMap) -> Result<Self, BadUrl> {
        Ok(Self { client: Arc::new(Client::new(url, headers)?) })
    }
}

impl Link for HttpUpstream {
    const GRACE: Duration = Duration::from_secs(3);

    async fn run(self, session: Arc<Session>, mut outbox: Outbox, finish: CancellationToken) {
        // Whichever way this ends, nobody listens on.
        let ended = CancellationToken::new();
        let _ended = ended.clone().drop_guard();
        let exchange = Arc::new(Exchange::new(self.client, session, ended));
        let mut under_way = UnderWay::default();
        loop {
            // In this order: a cancellation follows the request that it speaks of.
            tokio::select! {
                biased;
                Some(sent) = outbox.queue.recv() => under_way.send(&exchange, sent).await,
                Some(word) = outbox.last_words.recv() => under_way.cancel(&exchange, word),
                Some(ended) = under_way.tasks.join_next() => under_way.reap(ended),
                () = finish.cancelled() => break,
            }
        }
        let rest = async { while under_way.tasks.join_next().await.is_some() {} };
        // A server that does not answer in time is left alone.
        let _ = timeout(GRACE, rest).await;
        let _ = timeout(GRACE, exchange.say_goodbye()).await;
    }
}

/// The HTTP requests that have not ended.
struct UnderWay {
    tasks: JoinSet<Option<IdKey>>,
    requests: HashMap<IdKey, Request>,
    /// Room for the notifications of many clients.
    apart: Arc<Semaphore>,
}

impl Default for UnderWay {
    fn default() -> Self {
        let apart = Arc::new(Semaphore::new(MAX_NOTIFICATIONS));
        Self { tasks: JoinSet::new(), requests: HashMap::new(), apart }
    }
}

/// A request whose answer has not come.
struct Request {
    task: AbortHandle,
    /// Closed once nothing of the task is left.
    over: oneshot::Receiver<()>,
}

impl UnderWay {
    async fn send(&mut self, exchange: &Arc<Exchange>, sent: ToUpstream) {
        match sent.message.kind().clone() {
            Kind::Request { id, .. } => {
                let (exchange, key) = (exchange.clone(), id.key().clone());
                let (alive, over) = oneshot::channel();
                let task = self.tasks.spawn(async move {
                    let _alive: oneshot::Sender<()> = alive;
                    exchange.request(sent, &id).await;
                    Some(id.key().clone())
                });
                self.requests.insert(key, Request { task, over });
            }
            Kind::Notification { method } if method == "notifications/cancelled" => {
                // Who sent it waits for nothing.
                let (word, _) = Cancellation::new(sent.message);
                self.cancel(exchange, word);
            }
            Kind::Notification { .. } | Kind::Response { .. } => {
                let exchange = exchange.clone();
                if exchange.carries_many_clients() {
                    return self.tell_apart(&exchange, sent);
                }
                let (taken, told) = oneshot::channel();
                self.tasks.spawn(async move {
                    exchange.tell(sent).await;
                    // Nobody may wait any more.
                    let _ = taken.send(());
                    None
                });
                let _ = timeout(ORDER, told).await;
            }
        }
    }

    /// Tells the server what one of many clients says: no other waits for it.
    fn tell_apart(&mut self, exchange: &Arc<Exchange>, sent: ToUpstream) {
        let one = match sent.message.kind() {
            // As many as the server has asked: those are bounded already.
            Kind::Response { .. } => None,
            _ => match self.apart.clone().try_acquire_owned() {
                Ok(one) => Some(one),
                Err(_) => return tracing::debug!("dropped a notification: too many are under way"),
            },
        };
        let exchange = exchange.clone();
        self.tasks.spawn(async move {
            let _ = timeout(ORDER, exchange.tell(sent)).await;
            drop(one);
            None
        });
    }

    /// Ends the HTTP request of a cancelled request. Since 2026-07-28 that says
    /// it all; before, the server is told.
    fn cancel(
        &mut self,
        exchange: &Arc<Exchange>,
        Cancellation { notice, delivering }: Cancellation,
    ) {
        let request = notice.id_in_params("requestId");
        let request = request.and_then(|id| self.requests.remove(id.key()));
        if let Some(request) = &request {
            request.task.abort();
        }
        let exchange = exchange.clone();
        self.tasks.spawn(async move {
            if let Some(request) = request {
                // It ends by being dropped.
                let _ = request.over.await;
            }
            if exchange.has_sessions() {
                let told =
                    exchange.tell(ToUpstream { message: notice, headers: Headers::default() });
                // A server that does not answer is not asked for ever.
                let _ = timeout(ORDER, told).await;
            }
            drop(delivering);
            None
        });
    }

    fn reap(&mut self, ended: Result<Option<IdKey>, tokio::task::JoinError>) {
        match ended {
            Ok(Some(key)) => drop(self.requests.remove(&key)),
            Ok(None) => {}
            Err(error) if error.is_panic() => {
                tracing::error!(%error, "an exchange with the upstream broke the gateway");
            }
            // It was cancelled.
            Err(_) => {}
        }
    }
}
