//! Where messages name the `subscriptions/listen` of 2026-07-28 that they belong to.

use crate::mcp::wire::{Id, Message};

/// The member of `_meta`.
pub(super) const NAME: &str = "io.modelcontextprotocol/subscriptionId";

/// The request that a notification belongs to.
pub(super) fn of(message: &Message) -> Option<Id> {
    message.meta()?.get(NAME).map(Id::new)
}
