//! The front on Streamable HTTP, for clients of 2025-11-25 and before with
//! their sessions, and of 2026-07-28 without.
//!
//! In the order of a request's way:
//!
//! * `connections`: how they are accepted, and closed; `clients`, which of them
//!   have something to do and what they have not read; `stream`, one of them.
//! * `guard`: who may speak at all.
//! * `endpoint`: what a POST, a GET and a DELETE mean; `request`, a request in a POST.
//! * `era`: whether a server in a command knows 2026-07-28.
//! * `initialize`: the beginning of a session.
//! * `mirror`: whether the headers say what the body says.
//! * `table`: the sessions, and the one that all requests without one share.
//! * `conversation`: one session, and `places`: where each message to its client goes.
//! * `served`: the server or the servers at a path.
//! * `shared`: what keeps requests of different clients apart in one session.
//! * `answer`: a response in JSON, or a stream of events; `status`, its HTTP status; `refused`: what the
//!   front answers in place of a server.

mod answer;
mod clients;
mod connections;
mod conversation;
mod endpoint;
mod era;
mod guard;
mod initialize;
mod mirror;
mod places;
mod refused;
mod request;
mod scrapes;
mod served;
mod shared;
mod status;
mod stream;
mod table;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header};
use tokio::{
    net::TcpListener,
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

pub use guard::Admission;
use scrapes::Scrapes;
use served::Served;
use table::Table;

pub use crate::mcp::service::Service;
use crate::{
    mcp::{
        Shutdown,
        joined::{self, Group},
    },
    metrics::{self, Metrics},
};

/// Bounds of the front.
#[derive(Debug, Clone, Copy)]
pub struct FrontLimits {
    /// The longest body of a request, in bytes; default 4 MiB.
    pub max_body_bytes: usize,
    /// How long a client may take for the head of a request, and once more for
    /// its body; default 30 s. A connection that is asked nothing for so long
    /// is closed.
    pub read_timeout: Duration,
    /// How long a client may take nothing of an answer before its connection
    /// is closed; default 30 s.
    pub write_timeout: Duration,
    /// The longest head of a request, in bytes; default 64 KiB. A longer one,
    /// or one of more than 100 headers, gets a 431.
    pub max_header_bytes: usize,
    /// Connections at a time; default 16,384, and never more than three of four
    /// file descriptors that the operating system allows. At the limit the idlest
    /// without a request is closed; if all have one, others get a 503.
    pub max_connections: usize,
    /// Bytes of answers that clients have asked for and not read, all together;
    /// default 128 MiB. Beyond it the one that is behind for the longest time is
    /// cut off, as long as others are behind as well.
    pub max_unread_bytes: usize,
    /// MCP requests at a time; more get a 503. Default 1024.
    pub max_requests: usize,
    /// Sessions at a time, for each server, from their `initialize` until their
    /// server has ended. At the limit the idlest without a request under way
    /// ends; if all have one, others get a 503. Default 10,000, and 64 of
    /// servers that are started for each session.
    pub max_sessions: Option<usize>,
    /// How long a session may be silent before it is ended; default 30 min.
    pub session_idle: Duration,
    /// How long a server may take to answer `initialize`; default 60 s.
    pub initialize_timeout: Duration,
    /// How long requests may take to end once the front is told to stop; default 10 s.
    pub drain: Duration,
    /// How long the servers that are served as one may take to answer where
    /// all are asked; later ones are left out. Default 30 s.
    pub join_timeout: Duration,
}

impl Default for FrontLimits {
    fn default() -> Self {
        Self {
            max_body_bytes: 4 << 20,
            read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            max_header_bytes: 64 << 10,
            max_connections: 16_384,
            max_unread_bytes: 128 << 20,
            max_requests: 1024,
            max_sessions: None,
            session_idle: Duration::from_secs(30 * 60),
            initialize_timeout: Duration::from_secs(60),
            drain: Duration::from_secs(10),
            join_timeout: joined::PATIENCE,
        }
    }
}

/// A front, not yet listening.
pub struct HttpFront {
    /// Every server by its name; all together, as one, are also at `/mcp`.
    pub services: BTreeMap<String, Service>,
    /// Who may speak.
    pub admission: Admission,
    /// Its bounds.
    pub limits: FrontLimits,
    /// What `/metrics` tells; not there if none.
    pub metrics: Option<Arc<Metrics>>,
}

/// What all requests share.
struct Shared {
    /// Of each server.
    tables: BTreeMap<String, Table>,
    /// Of all as one; none if it is that of the only server.
    all: Option<Table>,
    admission: Admission,
    limits: FrontLimits,
    scrapes: Option<Scrapes>,
    load: Load,
}

/// The MCP requests under way.
#[derive(Default)]
struct Load {
    under_way: AtomicUsize,
    draining: CancellationToken,
    less: Notify,
}

/// One MCP request under way.
struct Underway(Arc<Shared>);

impl Underway {
    /// None if there are too many, or the front is about to stop.
    fn begin(shared: &Arc<Shared>) -> Option<Self> {
        let load = &shared.load;
        let before = load.under_way.fetch_add(1, Ordering::SeqCst);
        let one = Self(shared.clone());
        (before < shared.limits.max_requests && !load.draining.is_cancelled()).then_some(one)
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.load.under_way.fetch_sub(1, Ordering::SeqCst);
        self.0.load.less.notify_waiters();
    }
}

impl HttpFront {
    /// Serves each server at `/mcp/NAME`, and at `/mcp` all of them as one,
    /// until `shutdown`: then new requests are refused, a call that waits for
    /// its next attempt is answered with what it has, and requests under way get
    /// their time to end, unless they have to hurry. `/healthz` says that the process lives,
    /// `/readyz` that it takes requests, and `/metrics` what it has done.
    ///
    /// # Panics
    /// Outside of a tokio runtime with its timer and its I/O enabled.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Into<Shutdown>) {
        let Shutdown { drain, now } = shutdown.into();
        let closed = CancellationToken::new();
        let Self { services, admission, limits, metrics } = self;
        let table = |served| {
            let shutdown = Shutdown { drain: drain.clone(), now: closed.clone() };
            Table::new(served, limits, shutdown)
        };
        let all = Group::needed(&services)
            .then(|| table(Served::Joined(Group::new(services.clone(), limits.join_timeout))));
        let tables =
            services.into_iter().map(|(name, one)| (name, table(Served::One(Box::new(one)))));
        let (tables, load) = (tables.collect(), Load::default());
        let scrapes = metrics.map(Scrapes::new);
        let shared = Arc::new(Shared { tables, all, admission, limits, scrapes, load });
        let sweeper = tokio::spawn(sweep(shared.clone()));
        let (draining, all) = (closed.clone(), shared.clone());
        let drain = async move {
            drain.cancelled().await;
            all.load.draining.cancel();
            tokio::select! {
                _ = timeout(limits.drain, all.idle()) => {}
                () = now.cancelled() => {}
            }
            draining.cancel();
        };
        let app = router(shared.clone());
        let serving = connections::serve(listener, app, &limits, &closed);
        tokio::join!(drain, serving);
        sweeper.abort();
        for table in shared.every_table() {
            table.end().await;
        }
    }
}

fn router(shared: Arc<Shared>) -> Router {
    let limit = DefaultBodyLimit::max(shared.limits.max_body_bytes);
    let mcp = axum::routing::post(endpoint::post).get(endpoint::get).delete(endpoint::delete);
    Router::new()
        .route("/mcp", mcp.clone())
        .route("/mcp/", mcp.clone())
        .route("/mcp/{name}", mcp.clone())
        .route("/mcp/{name}/", mcp)
        .layer(limit)
        // Behind the guard: no web page is to read them.
        .route("/metrics", get(numbers))
        .layer(middleware::from_fn_with_state(shared.clone(), guard::check))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(shared)
}

async fn ready(State(shared): State<Arc<Shared>>) -> (StatusCode, &'static str) {
    if shared.load.draining.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    } else {
        (StatusCode::OK, "ready\n")
    }
}

async fn numbers(State(shared): State<Arc<Shared>>) -> Response {
    let Some(scrapes) = &shared.scrapes else { return StatusCode::NOT_FOUND.into_response() };
    match scrapes.text().await {
        Some(text) => ([(header::CONTENT_TYPE, metrics::MEDIA_TYPE)], text).into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Ends sessions that were silent for too long.
async fn sweep(shared: Arc<Shared>) {
    let pause = (shared.limits.session_idle / 4).max(Duration::from_millis(10));
    loop {
        sleep(pause).await;
        for table in shared.every_table() {
            table.sweep();
        }
    }
}

impl Shared {
    fn every_table(&self) -> impl Iterator<Item = &Table> {
        self.tables.values().chain(&self.all)
    }

    /// Waits until no request is under way.
    async fn idle(&self) {
        loop {
            let less = self.load.less.notified();
            if self.load.under_way.load(Ordering::SeqCst) == 0 {
                return;
            }
            less.await;
        }
    }
}
