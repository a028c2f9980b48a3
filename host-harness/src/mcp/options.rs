//! How a server is relayed to its clients.

use std::sync::Arc;

use crate::mcp::{
    catalogue::Listed, idempotency_key::IdempotencyKeys, listing::ListLimits,
    too_long::MAX_MESSAGE_BYTES,
};

/// What the client finds before the names of an upstream, if anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefixes {
    /// Before those of its tools.
    pub tools: Option<String>,
    /// Before those of its prompts.
    pub prompts: Option<String>,
}

/// How to relay.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// The operator's name for the upstream, for budgets and trust; default none.
    pub upstream_name: Option<String>,
    /// Whether the operator trusts what the upstream says of its tools; default
    /// none, which leaves that to the plugins.
    pub trusted: Option<bool>,
    /// Arguments that make a call safe to repeat; default none.
    pub idempotency_keys: IdempotencyKeys,
    /// Hears what tools the upstream lists; default nobody.
    pub listed: Option<Arc<dyn Listed>>,
    /// Whether a call that may be retried tells the upstream so, in its
    /// `_meta`, so that a gateway behind this one retries less; default yes.
    pub mark_attempts: bool,
    /// What the client finds before the upstream's names where several
    /// upstreams are joined; default nothing.
    pub prefixes: Prefixes,
    /// The longest message of the upstream, and the longest line of a client,
    /// in bytes; default 64 MiB. Who waits for a longer one gets an error.
    pub max_message_bytes: usize,
    /// How much of the upstream's lists is remembered.
    pub lists: ListLimits,
    /// Whether the client finds in the `_meta` of a result what the gateway made
    /// of its call, if that was repeated or has failed; default yes.
    pub outcome_meta: bool,
    /// Whether a failed result whose retries are used up says so in a text of
    /// its own, for models that would call again at once; default no.
    pub exhausted_text: bool,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            upstream_name: None,
            trusted: None,
            idempotency_keys: IdempotencyKeys::default(),
            listed: None,
            mark_attempts: true,
            prefixes: Prefixes::default(),
            max_message_bytes: MAX_MESSAGE_BYTES,
            lists: ListLimits::default(),
            outcome_meta: true,
            exhausted_text: false,
        }
    }
}
