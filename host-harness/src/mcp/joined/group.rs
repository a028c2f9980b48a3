//! Which upstreams are joined, and what all clients of them share.

use std::{
    collections::{BTreeMap, HashMap, hash_map::RandomState},
    hash::{BuildHasher, Hash},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use http::HeaderName;
use tokio_util::sync::CancellationToken;

use super::{
    Joined,
    directory::Directory,
    listed::Listed,
    member::{Member, Standing},
    probe::Probe,
    subscription::Subscriptions,
    voice::Hearing,
    warned::Warned,
};
use crate::mcp::{
    child::StartError,
    downstream::Downstream,
    handler::{Client, Handler},
    live::LiveCalls,
    server_requests::ServerRequests,
    service::Service,
    task::Task,
    too_long::MAX_MESSAGE_BYTES,
    unique::Unique,
    upstream::Target,
};

/// What the client finds before the names of an upstream, if anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefixes {
    /// Before those of its tools.
    pub tools: Option<String>,
    /// Before those of its prompts.
    pub prompts: Option<String>,
}

/// Upstreams that clients see as one.
pub struct Group {
    services: BTreeMap<String, Service>,
    pass_headers: Vec<HeaderName>,
    pub(super) patience: Duration,
    warned: Warned,
    hasher: RandomState,
    /// Of upstreams that are commands: what they are for clients without a session.
    processes: Mutex<HashMap<String, Standing>>,
}

impl Group {
    /// These upstreams, by their names and in the order of them. `patience` is
    /// how long they may take to answer where all are asked.
    #[must_use]
    pub fn new(services: BTreeMap<String, Service>, patience: Duration) -> Arc<Self> {
        let pass_headers = services.values().flat_map(|one| one.pass_headers.clone()).collect();
        Arc::new(Self {
            services,
            pass_headers,
            patience,
            warned: Warned::default(),
            hasher: RandomState::new(),
            processes: Mutex::default(),
        })
    }

    /// Whether these upstreams have to be joined to be one: they are several,
    /// or have names that change.
    #[must_use]
    pub fn needed(services: &BTreeMap<String, Service>) -> bool {
        services.len() > 1
            || services.values().any(|one| one.relaying.prefixes != Prefixes::default())
    }

    /// Headers of a client's request that any of them is to see.
    pub(crate) fn pass_headers(&self) -> &[HeaderName] {
        &self.pass_headers
    }

    /// Whether each client has processes of its own.
    pub(crate) fn starts_children(&self) -> bool {
        self.services.values().any(|one| matches!(one.target, Target::Command(_)))
    }

    /// Whether a warning was not given before. It is given once, not once for each client.
    pub(super) fn warns(&self, upstream: &str, about: &impl Hash) -> bool {
        self.warned.first(upstream, about)
    }

    /// A number for a text; who sends the text cannot know which.
    pub(super) fn hash(&self, text: &str) -> u64 {
        self.hasher.hash_one(text)
    }

    /// The upstream whose prefix a name begins with, whether it can be reached
    /// or not; of several prefixes the longest counts.
    pub(super) fn whose_prefix(&self, kind: Listed, name: &str) -> Option<&str> {
        let prefixed = self.services.iter().filter_map(|(upstream, service)| {
            let prefix = kind.prefix(&service.relaying.prefixes)?;
            name.starts_with(prefix).then_some((prefix.len(), upstream))
        });
        prefixed.max_by_key(|(length, _)| *length).map(|(_, upstream)| &**upstream)
    }

    /// Another process of an upstream that is a command; none if it is not, or does not start.
    pub(super) fn another(&self, name: &str) -> Option<Probe> {
        let service = self.services.get(name)?;
        match service.target {
            Target::Url(_) => None,
            Target::Command(_) => Some(Probe::new(name, service, service.target.start().ok()?)),
        }
    }

    /// What such a process has said of all that are like it.
    pub(super) fn known(&self, name: &str) -> Option<Standing> {
        let known = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(name).filter(|standing| !standing.is_over()).cloned()
    }

    /// Remembers it.
    pub(super) fn remember(&self, name: &str, standing: &Standing) {
        let mut known = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(name.to_owned(), standing.clone());
    }

    /// The longest line of a client that is read, in bytes: what any upstream takes.
    pub(crate) fn max_message_bytes(&self) -> usize {
        let limits = self.services.values().map(|service| service.relaying.max_message_bytes);
        limits.max().unwrap_or(MAX_MESSAGE_BYTES)
    }

    /// Connects their downstream side to all of them; `client` hears what they
    /// say by themselves. One that cannot be started is left out, unless that is so with all.
    pub(crate) fn connect(
        self: &Arc<Self>,
        downstream: &Downstream,
        client: Arc<dyn Client>,
    ) -> Result<Arc<Joined>, StartError> {
        let hearing = Hearing::default();
        let mut members = Vec::new();
        let mut failed = None;
        for (name, service) in &self.services {
            match service.target.start() {
                Ok(upstream) => {
                    let named = (members.len(), &**name);
                    let hearing = hearing.clone();
                    members.push(Member::new(named, service, upstream, downstream, hearing));
                }
                Err(error) => {
                    let reason = &error as &dyn std::error::Error;
                    tracing::warn!(upstream = name, error = reason, "an upstream is left out");
                    failed = Some(error);
                }
            }
        }
        if let (true, Some(error)) = (members.is_empty(), failed) {
            return Err(error);
        }
        let joined = Arc::new_cyclic(|me| Joined {
            me: me.clone(),
            group: self.clone(),
            members,
            client,
            live: Arc::new(LiveCalls::default()),
            names: Unique::default(),
            directory: Directory::default(),
            server_requests: ServerRequests::default(),
            subscriptions: Subscriptions::default(),
            closed: downstream.closed.clone(),
            gone: CancellationToken::new(),
            greeting: Arc::default(),
            greeted_with: Mutex::default(),
            client_is_ready: Mutex::default(),
            meeting: tokio::sync::Mutex::default(),
            watching: OnceLock::new(),
        });
        // Nobody else sets either.
        let _ = hearing.set(Arc::downgrade(&joined));
        let _ = joined.watching.set(watch(&joined));
        Ok(joined)
    }
}

/// Waits for each upstream to go.
fn watch(joined: &Arc<Joined>) -> Vec<Task> {
    let watch = |(at, member): (usize, &Member)| {
        let (gone, joined) = (member.session.gone().clone(), Arc::downgrade(joined));
        Task::spawn(async move {
            gone.cancelled().await;
            if let Some(joined) = joined.upgrade() {
                joined.lost_one(at).await;
            }
        })
    };
    joined.members.iter().enumerate().map(watch).collect()
}
