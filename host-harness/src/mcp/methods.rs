//! The methods of the protocol that the gateway itself has to do with.

/// Begins a session (2025-11-25 and before).
pub(crate) const INITIALIZE: &str = "initialize";
/// The client has its answer to [`INITIALIZE`].
pub(crate) const INITIALIZED: &str = "notifications/initialized";
/// Cancels a request.
pub(crate) const CANCELLED: &str = "notifications/cancelled";
/// Reports the progress of a request.
pub(crate) const PROGRESS: &str = "notifications/progress";
/// The list of tools.
pub(crate) const TOOLS_LIST: &str = "tools/list";
/// The list of tools has changed.
pub(crate) const TOOLS_CHANGED: &str = "notifications/tools/list_changed";
/// Sets what a server logs.
pub(crate) const SET_LEVEL: &str = "logging/setLevel";
/// Asks to be told when a resource changes.
pub(crate) const SUBSCRIBE: &str = "resources/subscribe";
/// Asks not to be told any more.
pub(crate) const UNSUBSCRIBE: &str = "resources/unsubscribe";
