//! An upstream that speaks Streamable HTTP, of 2025-11-25 and before with its
//! sessions, or of 2026-07-28 without.
//!
//! * `client`: one HTTP request.
//! * `headers`: what its headers say.
//! * `exchange`: one message, and everything that comes back for it.
//! * `answer`: what an HTTP answer holds.
//! * `events` and `documents`: the messages of an answer that is a stream, and of one in JSON.
//! * `listening`: streams that the server is asked for; `reconnect`: when they are taken up again.
//! * `tools`: what an HTTP client has to know of the tools that it calls; `listed_tools`: of those that it lists.
//! * `unclaimed`: responses that come on a stream of their own.
//! * `memory`: the session with the server, and how it is renewed.

mod answer;
mod client;
mod documents;
mod events;
mod exchange;
mod headers;
mod listed_tools;
mod listening;
mod memory;
mod reconnect;
mod tools;
mod unclaimed;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::HeaderMap;
use tokio::{
    sync::{Semaphore, oneshot},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use client::BadUrl;
use client::Client as HttpClient;
use exchange::Exchange;

use crate::mcp::{
    cancellation::Notice,
    handler::{Client, Handler, Request},
    headers::Headers,
    methods::{CANCELLED, INITIALIZE},
    reply::Answer,
    upstream::{Connect, Surroundings},
    wire::{Id, Kind, Message},
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
    client: Arc<HttpClient>,
}

impl HttpUpstream {
    /// The server at `url`. Every request carries `headers`.
    ///
    /// # Errors
    /// `url` is no absolute URL of `http` or `https`.
    pub fn new(url: &str, headers: HeaderMap) -> Result<Self, BadUrl> {
        Ok(Self { client: Arc::new(HttpClient::new(url, headers)?) })
    }
}

impl Connect for HttpUpstream {
    fn connect(self, surroundings: Surroundings) -> Arc<dyn Handler> {
        let ended = CancellationToken::new();
        Arc::new(Server {
            exchange: Arc::new(Exchange::new(self.client, surroundings, ended.clone())),
            telling: Arc::default(),
            room: Arc::new(Semaphore::new(MAX_NOTIFICATIONS)),
            // That it cannot be reached is an error of each request.
            gone: CancellationToken::new(),
            _ended: ended.drop_guard(),
        })
    }
}

/// A server for one session. Every request is one task from its beginning to its answer.
struct Server {
    exchange: Arc<Exchange>,
    telling: Arc<Telling>,
    /// For the notifications of many clients.
    room: Arc<Semaphore>,
    gone: CancellationToken,
    /// Whichever way this ends, nobody listens on.
    _ended: DropGuard,
}

/// What is on its way to the server and has no answer.
#[derive(Debug, Default)]
struct Telling(Mutex<JoinSet<()>>);

impl Telling {
    /// Goes on whether anybody waits for it or not. Without a runtime nothing does.
    fn spawn(&self, telling: impl Future<Output = ()> + Send + 'static) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while all.try_join_next().is_some() {}
        all.spawn_on(telling, &runtime);
    }

    async fn ended(&self) {
        let mut all = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *all)
        };
        while all.join_next().await.is_some() {}
    }
}

/// A request whose answer has not come. Cancelled when it is dropped, after the
/// HTTP request has been: since 2026-07-28 that says it all; before, the server is told.
struct Unanswered<'a> {
    server: &'a Server,
    id: &'a Id,
    request: &'a Request,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        let server = self.server;
        server.tell_of(self.request.cancellation.notice(self.id));
    }
}

impl Server {
    async fn answer(&self, request: Request, client: Arc<dyn Client>) -> Answer {
        let id = request.id.clone();
        if request.method == INITIALIZE {
            // The protocol forbids to cancel it.
            return self.exchange.request(&request, &id, &*client).await;
        }
        let unanswered = Unanswered { server: self, id: &id, request: &request };
        let answer = self.exchange.request(&request, &id, &*client).await;
        std::mem::forget(unanswered);
        answer
    }

    fn tell_of(&self, Notice { message, delivering }: Notice) {
        if !self.exchange.has_sessions() {
            return;
        }
        let exchange = self.exchange.clone();
        self.telling.spawn(async move {
            // A server that does not answer is not asked for ever.
            let _ = timeout(ORDER, exchange.tell(&message, &Headers::default())).await;
            drop(delivering);
        });
    }

    async fn take(&self, message: Message, headers: Headers) {
        let cancels =
            matches!(message.kind(), Kind::Notification { method } if method == CANCELLED);
        if cancels && !self.exchange.has_sessions() {
            return;
        }
        if self.exchange.carries_many_clients() {
            return self.tell_apart(message, headers);
        }
        let exchange = self.exchange.clone();
        let (taken, told) = oneshot::channel();
        self.telling.spawn(async move {
            exchange.tell(&message, &headers).await;
            // Nobody may wait any more.
            let _ = taken.send(());
        });
        let _ = timeout(ORDER, told).await;
    }

    /// Tells the server what one of many clients says: no other waits for it.
    fn tell_apart(&self, message: Message, headers: Headers) {
        let room = match message.kind() {
            // As many as the server has asked: those are bounded already.
            Kind::Response { .. } => None,
            _ => match self.room.clone().try_acquire_owned() {
                Ok(room) => Some(room),
                Err(_) => return tracing::debug!("dropped a notification: too many are under way"),
            },
        };
        let exchange = self.exchange.clone();
        self.telling.spawn(async move {
            let _ = timeout(ORDER, exchange.tell(&message, &headers)).await;
            drop(room);
        });
    }
}

impl Handler for Server {
    fn answer(
        self: Arc<Self>,
        request: Request,
        client: Arc<dyn Client>,
    ) -> BoxFuture<'static, Answer> {
        Box::pin(async move { Self::answer(&self, request, client).await })
    }

    fn take(self: Arc<Self>, message: Message, headers: Headers) -> BoxFuture<'static, ()> {
        Box::pin(async move { Self::take(&self, message, headers).await })
    }

    fn end(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            // A server that does not answer in time is not waited for.
            let _ = timeout(GRACE, self.telling.ended()).await;
            let _ = timeout(GRACE, self.exchange.say_goodbye()).await;
        })
    }

    fn gone(&self) -> &CancellationToken {
        &self.gone
    }
}
