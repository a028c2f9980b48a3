//! Which upstreams are joined, and what all clients of them share.

use std::{
    collections::{BTreeMap, HashMap, hash_map::RandomState},
    hash::{BuildHasher, Hash},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::HeaderName;

use super::{listed::Listed, member::Standing, probe::Probe, warned::Warned};
use crate::mcp::{
    options::Prefixes, service::Service, too_long::MAX_MESSAGE_BYTES, upstream::Target,
};

/// Upstreams that clients see as one.
pub struct Group {
    pub(super) services: BTreeMap<String, Service>,
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
}
