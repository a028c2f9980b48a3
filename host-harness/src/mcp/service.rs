//! What one server behind the gateway needs.

use std::sync::Arc;

use http::HeaderName;

use crate::{
    gateway::Gateway,
    mcp::{options::RelayOptions, upstream::Target},
};

/// What one server behind the gateway needs.
#[derive(Clone)]
pub struct Service {
    /// Runs its calls.
    pub gateway: Arc<Gateway>,
    /// How to relay.
    pub relaying: RelayOptions,
    /// The server.
    pub target: Target,
    /// Headers of a client's request that the server is to see as well, beside
    /// those of MCP and of traces.
    pub pass_headers: Vec<HeaderName>,
}
