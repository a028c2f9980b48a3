//! An upstream that speaks Streamable HTTP, of 2025-11-25 and before with its
//! sessions, or of 2026-07-28 without.
//!
//! * `client`: one HTTP request.
//! * `headers`: what its headers say.
//! * `exchange`: one message, and everything that comes back for it.
//! * `answer`: what an HTTP answer holds.
//! * `events` and `documents`: the messages of an answer that is a stream, and of one in JSON.
//! * `listening`: streams that the server is asked for.
//! * `memory`: the session with the server, and how it is renewed.

mod answer;
mod client;
mod documents;
mod events;
mod exchange;
mod headers;
mod listening;
mod memory;

use std::{collections::HashMap, sync::Arc, time::Duration};

use http::HeaderMap;
use tokio::{
    task::{AbortHandle, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

pub use client::BadUrl;
use client::Client;
use exchange::Exchange;

use crate::mcp::{
    session::Session,
    upstream::{Link, Outbox, ToUpstream},
    wire::{IdKey, Kind, Message},
};

/// How long what is under way may take when the session ends, and the goodbye after that.
const GRACE: Duration = Duration::from_secs(1);
/// How long later messages wait for the server to take a notification or a
/// response, so that it sees them in their order.
const ORDER: Duration = Duration::from_secs(10);

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
                Some(notice) = outbox.last_words.recv() => under_way.cancel(&exchange, notice),
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
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<Option<IdKey>>,
    requests: HashMap<IdKey, AbortHandle>,
}

impl UnderWay {
    async fn send(&mut self, exchange: &Arc<Exchange>, sent: ToUpstream) {
        match sent.message.kind().clone() {
            Kind::Request { id, .. } => {
                let (exchange, key) = (exchange.clone(), id.key().clone());
                let task = self.tasks.spawn(async move {
                    exchange.request(sent, &id).await;
                    Some(id.key().clone())
                });
                self.requests.insert(key, task);
            }
            Kind::Notification { method } if method == "notifications/cancelled" => {
                self.cancel(exchange, sent.message);
            }
            Kind::Notification { .. } | Kind::Response { .. } => {
                let exchange = exchange.clone();
                let (taken, told) = tokio::sync::oneshot::channel();
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

    /// Ends the HTTP request of a cancelled request. Since 2026-07-28 that says
    /// it all; before, the server is told.
    fn cancel(&mut self, exchange: &Arc<Exchange>, notice: Message) {
        let request = notice.id_in_params("requestId");
        if let Some(task) = request.and_then(|id| self.requests.remove(id.key())) {
            task.abort();
        }
        if exchange.has_sessions() {
            let exchange = exchange.clone();
            self.tasks.spawn(async move {
                exchange.tell(ToUpstream { message: notice, headers: Arc::default() }).await;
                None
            });
        }
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
