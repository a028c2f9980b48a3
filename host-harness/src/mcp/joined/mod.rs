//! Several upstreams that a client sees as one server.
//!
//! For each client there is one session with each upstream, with its own retry
//! loop: they are joined above it, so that the plugin, the budgets and the
//! metrics see every upstream as it is. What is about one upstream only passes
//! as it came, under the client's own id.
//!
//! * [`group`]: which upstreams, and what all clients of them share.
//! * `member`: one upstream for one client, and its `voice`; `query`: one request of the client.
//! * `answer`: what becomes of a request, by its method.
//! * `greeting`: `initialize` and `server/discover`; `capabilities`: what all can do together.
//! * `changes`: upstreams that come late or go early.
//! * `acquaintance`: who speaks without a session, and the `probe` for it; `stateless`: what that needs.
//! * `lists`: all that the upstreams list (`listed` is of what), and when an
//!   unknown name makes them list again (`relisting`).
//! * `directory`: whose everything is, by the `claims` of the upstreams, and by
//!   what they have answered lately (`generations`).
//! * `warned`: what was warned of already.
//! * `named`: tools, prompts and tasks; `resources`: what has a URI, and
//!   `template`, whether one fits a template.
//! * `subscription`: `subscriptions/listen` of 2026-07-28.

mod acquaintance;
mod answer;
mod capabilities;
mod changes;
mod claims;
mod connect;
mod directory;
mod generations;
mod greeting;
pub mod group;
mod listed;
mod lists;
mod member;
mod named;
mod probe;
mod query;
mod relisting;
mod resources;
mod stateless;
mod subscription;
mod subscriptions;
mod template;
mod voice;
mod warned;

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    time::Duration,
};

use futures_util::future::{BoxFuture, join_all};
use tokio::{sync::RwLock, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::mcp::{
    front::ToClient,
    handler::{Client, Handler, Request},
    headers::Headers,
    live::LiveCalls,
    methods::{CANCELLED, INITIALIZE, INITIALIZED, PROGRESS},
    reply::Answer,
    server_requests::ServerRequests,
    subscription_id,
    task::Task,
    tool_call::ToolCall,
    unique::Unique,
    wire::{Id, Kind, Message},
};
use directory::Directory;
pub use group::Group;
use listed::Listed;
use member::{GRACE, Member};
use query::{Era, Query};
use subscriptions::Subscriptions;
use voice::Hears;

const UPDATED: &str = "notifications/resources/updated";
/// How long the upstreams may take to answer where all are asked, if nothing else is said.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One client in front of several upstreams.
pub(crate) struct Joined {
    group: Arc<Group>,
    /// In the order of their names; never empty.
    members: Vec<Member>,
    /// Hears what no request of the client is about.
    client: Arc<dyn Client>,
    live: Arc<LiveCalls>,
    names: Unique,
    directory: Directory,
    server_requests: ServerRequests,
    subscriptions: Subscriptions,
    /// Held while the upstreams answer `initialize`.
    greeting: Arc<RwLock<()>>,
    /// The client's `initialize`.
    greeted_with: Mutex<Option<Query>>,
    client_is_ready: Mutex<bool>,
    /// Held while upstreams are asked what they are.
    meeting: tokio::sync::Mutex<()>,
    me: Weak<Joined>,
    /// Cancels every call.
    closed: CancellationToken,
    /// The last upstream is gone.
    gone: CancellationToken,
    /// Wait for each upstream to go.
    watching: OnceLock<Vec<Task>>,
}

impl Handler for Joined {
    fn answer(
        self: Arc<Self>,
        request: Request,
        client: Arc<dyn Client>,
    ) -> BoxFuture<'static, Answer> {
        Box::pin(async move {
            let query = self.query(request, client);
            let live = self.live.enter(&query.id, &query.cancelled, &query.cancellation);
            let _live = match live {
                Ok(live) => live,
                Err(too_many) => return Answer::Response(too_many.refusal(&query.id)),
            };
            let answering = async {
                let _alone = if query.method == INITIALIZE {
                    Some(self.greeting.clone().write_owned().await)
                } else {
                    self.greeted().await;
                    None
                };
                self.reply(&query).await
            };
            tokio::select! {
                biased;
                () = query.cancelled.cancelled() => Answer::Cancelled,
                answer = answering => answer.into(),
            }
        })
    }

    fn take(self: Arc<Self>, message: Message, headers: Headers) -> BoxFuture<'static, ()> {
        Box::pin(async move { self.client_said(message, headers).await })
    }

    fn end(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.closed.cancel();
            let _ = timeout(GRACE, self.live.cancelled_have_ended()).await;
            join_all(self.members.iter().map(|member| member.session.end())).await;
        })
    }

    fn gone(&self) -> &CancellationToken {
        &self.gone
    }

    fn is_whole(&self) -> bool {
        !self.members.iter().any(Member::is_lost)
    }
}

impl Hears for Joined {
    fn hear<'a>(
        &'a self,
        at: usize,
        said: ToClient,
        client: Option<&'a dyn Client>,
    ) -> BoxFuture<'a, Option<Message>> {
        Box::pin(self.upstream_said(at, said, client.unwrap_or(&*self.client)))
    }
}

impl Joined {
    /// Handles what has no answer, and what came with it over HTTP.
    async fn client_said(&self, message: Message, headers: Headers) {
        match message.kind().clone() {
            Kind::Notification { method } if method == CANCELLED => {
                // One that is over already needs no cancellation.
                if let Some(id) = message.id_in_params("requestId") {
                    self.live.cancel(&id, &message);
                }
            }
            Kind::Notification { method } if method == PROGRESS => {
                match self.server_requests.progressed(message) {
                    Some((at, report)) => self.members[at].tell(report, &headers).await,
                    None => tracing::debug!("dropped progress that no upstream asked for"),
                }
            }
            Kind::Response { .. } => match self.server_requests.answered(message) {
                Some((at, answer)) => self.members[at].tell(answer, &headers).await,
                None => tracing::debug!("dropped a response that no upstream waits for"),
            },
            Kind::Notification { .. } | Kind::Request { .. } => {
                self.greeted().await;
                let era = Era::of(&message, &headers);
                let told: Vec<_> = {
                    let mut ready = self.client_is_ready();
                    *ready |= matches!(message.kind(), Kind::Notification { method } if method == INITIALIZED);
                    self.members.iter().filter(|member| !member.is_left_out(era)).collect()
                };
                for member in told {
                    member.tell(message.clone(), &headers).await;
                }
            }
        }
    }

    fn query(&self, request: Request, client: Arc<dyn Client>) -> Query {
        let Request { message, method, id, headers, cancellation, .. } = request;
        // A client that has gone may still read what it has asked for, but
        // wants nothing more to be done.
        let cancelled = match ToolCall::of(&method, &message) {
            Some(_) => self.closed.child_token(),
            None => CancellationToken::new(),
        };
        Query { message, method, id, headers, client, cancelled, cancellation }
    }

    /// Waits until nobody is being greeted: an upstream hears nothing before `initialize`.
    async fn greeted(&self) {
        drop(self.greeting.read().await);
    }

    /// A name that nothing else has here.
    fn unique(&self, what: &str) -> String {
        self.names.name(what)
    }

    fn remember_greeting(&self, query: &Query) {
        *self.greeted_with.lock().unwrap_or_else(PoisonError::into_inner) = Some(query.clone());
    }

    /// The client's `initialize`, if there was one.
    fn greeting_query(&self) -> Option<Query> {
        self.greeted_with.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the client has said so.
    fn client_is_ready(&self) -> MutexGuard<'_, bool> {
        self.client_is_ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handles what an upstream says to a client. What it is to hear if it asked
    /// what nobody can be asked.
    async fn upstream_said(
        &self,
        at: usize,
        said: ToClient,
        client: &dyn Client,
    ) -> Option<Message> {
        let member = &self.members[at];
        let ToClient { message, status } = said;
        let message = match message.kind().clone() {
            Kind::Request { .. } | Kind::Notification { .. } if member.is_silenced() => {
                tracing::debug!(upstream = member.name, "dropped what it said: left out");
                return None;
            }
            Kind::Request { id, .. } => {
                let ours = Id::text(&self.unique("question"));
                match self.server_requests.asked(at, &id, ours, message) {
                    Ok(question) => question,
                    Err(refusal) => return Some(refusal),
                }
            }
            Kind::Notification { method } if method == CANCELLED => {
                self.server_requests.withdrawn(at, message)
            }
            Kind::Notification { method } => {
                for kind in Listed::of_change(&method) {
                    self.directory.relisting(*kind).changed();
                }
                if method == UPDATED && self.is_of_another(at, &message) {
                    tracing::debug!(upstream = member.name, "dropped news of another's resource");
                    return None;
                }
                match subscription_id::of(&message) {
                    Some(id) => {
                        self.subscription_said(&id, at, message, client).await;
                        return None;
                    }
                    None => message,
                }
            }
            Kind::Response { .. } => message,
        };
        let refusal = client.tell(ToClient { message, status }).await?;
        Some(self.server_requests.answered(refusal)?.1)
    }

    /// Whether the resource that an upstream speaks of is another's.
    fn is_of_another(&self, at: usize, message: &Message) -> bool {
        let uri = message.text_in_params("uri");
        let owner = uri.and_then(|uri| self.directory.owner_of_uri(&uri));
        owner.is_some_and(|owner| owner != at)
    }
}
