//! What the gateway says of itself where it asks a server what it is, since 2026-07-28.

use serde_json::{Value, json};

use super::{
    headers::VERSION,
    wire::{Id, Message},
};

/// The first version that has no sessions.
pub(super) const STATELESS: &str = "2026-07-28";
/// Where a request names its client.
pub(super) const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// Where it says what its client can do.
pub(super) const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// The gateway itself.
pub(super) fn implementation() -> Value {
    json!({ "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") })
}

/// A `server/discover` that lacks nothing, whatever the client says that it is asked for.
pub(super) fn discover(id: &Id, version: &str) -> Message {
    Message::request(id, "server/discover")
        .with_meta(VERSION, version)
        .with_meta(CLIENT_INFO, &implementation())
        .with_meta(CLIENT_CAPABILITIES, &json!({}))
}
