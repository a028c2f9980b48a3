//! Several upstreams that a client sees as one server.
//!
//! For each client there is one session with each upstream, with its own retry
//! loop: they are joined above it, so that the plugin, the budgets and the
//! metrics see every upstream as it is. What is about one upstream only passes
//! as it came, under the client's own id.
//!
//! * [`group`]: which upstreams, and what all clients of them share.
//! * `member`: one upstream for one client, and its `carrier`; `query`: one request of the client.
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
mod carrier;
mod changes;
mod claims;
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
mod template;
mod warned;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{sync::RwLock, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::mcp::{
    call::Call,
    front::ToClient,
    headers::Headers,
    live::{Cancel, LiveCalls, MAX_LIVE_CALLS},
    outgoing::Outgoing,
    reply::NO_ANSWER,
    server_requests::ServerRequests,
    session::{CANCELLED, PROGRESS},
    too_long::MAX_MESSAGE_BYTES,
    unique::Unique,
    wire::{Id, Kind, Message},
};
use changes::INITIALIZED;
use directory::Directory;
pub use group::{Group, Prefixes};
use listed::Listed;
use member::Member;
use query::{Era, Query};
use subscription::Subscriptions;

const INITIALIZE: &str = "initialize";
const UPDATED: &str = "notifications/resources/updated";
/// How long the upstreams may take to answer where all are asked, if nothing else is said.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One client in front of several upstreams.
pub(crate) struct Joined {
    group: Arc<Group>,
    /// In the order of their names; never empty.
    members: Vec<Member>,
    /// To the client. When it is gone, what was for it is dropped.
    front: Outgoing,
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
    /// Cancels every live call.
    pub(crate) client_gone: CancellationToken,
    /// The last upstream is gone.
    pub(crate) upstream_gone: CancellationToken,
}

impl Joined {
    /// Handles a message of the client, and what came with it over HTTP. Requests go on in `calls`.
    pub(crate) async fn client_said(
        self: &Arc<Self>,
        message: Message,
        headers: Headers,
        calls: &mut JoinSet<()>,
    ) {
        match message.kind().clone() {
            Kind::Request { id, .. } if calls.len() >= MAX_LIVE_CALLS => {
                let text = "the gateway has too many calls in flight";
                let refusal = Message::error(Some(&id), NO_ANSWER, text, None);
                self.tell_client(ToClient { about: Some(id), ..refusal.into() }).await;
            }
            Kind::Request { method, id } => {
                let query = self.query(message, method, id, headers);
                let entered = self.live.enter(&query.id, query.cancel.clone());
                let greets = query.method == INITIALIZE;
                let alone =
                    if greets { Some(self.greeting.clone().write_owned().await) } else { None };
                let joined = self.clone();
                calls.spawn(async move {
                    let answering = async {
                        if alone.is_none() {
                            joined.greeted().await;
                        }
                        joined.answer(&query).await
                    };
                    let answer = tokio::select! {
                        biased;
                        () = query.cancel.token.cancelled() => return,
                        answer = answering => answer,
                    };
                    // The client may use the id again once it has the response.
                    drop(entered);
                    joined.tell_client(answer).await;
                });
            }
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
            Kind::Notification { method } => {
                self.greeted().await;
                let era = Era::of(&message, &headers);
                let told: Vec<_> = {
                    let mut ready = self.client_is_ready();
                    *ready |= method == INITIALIZED;
                    self.members.iter().filter(|member| !member.is_left_out(era)).collect()
                };
                for member in told {
                    member.tell(message.clone(), &headers).await;
                }
            }
            Kind::Response { .. } => match self.server_requests.answered(message) {
                Some((at, answer)) => self.members[at].tell(answer, &headers).await,
                None => tracing::debug!("dropped a response that no upstream waits for"),
            },
        }
    }

    fn query(&self, message: Message, method: String, id: Id, headers: Headers) -> Query {
        // A client that has gone may still read what it has asked for, but
        // wants nothing more to be done.
        let token = match Call::of(&method, &message) {
            Some(_) => self.client_gone.child_token(),
            None => CancellationToken::new(),
        };
        Query { message, method, id, headers, cancel: Cancel { token, ..Cancel::default() } }
    }

    /// Waits until nobody is being greeted: an upstream hears nothing before `initialize`.
    async fn greeted(&self) {
        drop(self.greeting.read().await);
    }

    /// The client has closed the stream that the answer to this request was to come on.
    pub(crate) fn client_hung_up(&self, id: &Id) {
        let reason = serde_json::json!({ "reason": "the client closed its stream" });
        self.live.cancel(id, &Message::notification(CANCELLED, &reason));
    }

    /// The longest line of the client that is read, in bytes: what any upstream takes.
    pub(crate) fn max_message_bytes(&self) -> usize {
        let limits = self.members.iter().map(|member| member.session.options.max_message_bytes);
        limits.max().unwrap_or(MAX_MESSAGE_BYTES)
    }

    /// A name that nothing else has here.
    pub(crate) fn unique(&self, what: &str) -> String {
        self.names.name(what)
    }

    /// Whether every upstream that could be started is still there.
    pub(crate) fn is_whole(&self) -> bool {
        !self.members.iter().any(Member::is_lost)
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

    /// Handles what an upstream says.
    async fn upstream_said(&self, at: usize, said: ToClient) {
        let member = &self.members[at];
        let ToClient { message, about, status } = said;
        let about = about.map(|id| member.asker(&id).unwrap_or(id));
        let message = match message.kind().clone() {
            Kind::Response { id: Some(id) } if id.raw().get() != "null" => {
                return member.answered(&id, ToClient { message, about, status });
            }
            Kind::Request { .. } | Kind::Notification { .. } if member.is_silenced() => {
                return tracing::debug!(upstream = member.name, "dropped what it said: left out");
            }
            Kind::Request { id, .. } => {
                let ours = Id::text(&self.unique("question"));
                match self.server_requests.asked(at, &id, ours, message) {
                    Ok(question) => question,
                    Err(refusal) => return member.tell(refusal, &Headers::default()).await,
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
                    return tracing::debug!(
                        upstream = member.name,
                        "dropped news of another's resource"
                    );
                }
                match subscription::subscription_of(&message) {
                    Some(id) => return self.subscription_said(&id, at, message).await,
                    None => message,
                }
            }
            Kind::Response { .. } => message,
        };
        self.tell_client(ToClient { message, about, status }).await;
    }

    /// Whether the resource that an upstream speaks of is another's.
    fn is_of_another(&self, at: usize, message: &Message) -> bool {
        let uri = message.text_in_params("uri");
        let owner = uri.and_then(|uri| self.directory.owner_of_uri(&uri));
        owner.is_some_and(|owner| owner != at)
    }

    pub(super) async fn tell_client(&self, said: ToClient) {
        // A client that is gone needs no answer.
        let _ = self.front.send(said).await;
    }
}
