//! A transparent MCP proxy, over lines of JSON-RPC and over Streamable HTTP on
//! either side, that runs `tools/call` and `resources/read` through the
//! [gateway](crate::gateway).
//!
//! Why not rmcp's typed client and server, back to back? A typed model keeps
//! what it knows: unknown members go, floats are rounded, error codes beyond 32
//! bits fail the message, and a new protocol version needs a new model. Even
//! rmcp's generic `JsonRpcMessage` over a custom `ServiceRole` drops unknown
//! top-level members and an error's `data: null`, and refuses ids and codes
//! outside of its integer types; its `TokioChildProcess` is a `RoleClient`
//! only. So the proxy relays [raw messages](wire) and takes from rmcp what
//! loses nothing: the stdio pipes.
//!
//! A message's way:
//!
//! * [`wire`]: one JSON-RPC message, its members as the bytes that arrived;
//!   [`lines`]: one a line; [`too_long`]: what is said in place of one that is too long.
//! * `large`: work on long messages leaves the workers.
//! * [`front`]: where it comes in; [`mod@relay`] is the front on lines.
//! * `downstream`: whose requests those are, and when they are to end.
//! * `peer`: what the client speaks with: a session, or several that are [`joined`].
//! * `outgoing`: what a client has yet to hear.
//! * `session`: what happens to each message of one client and one upstream.
//! * `retried`: a call that may be retried; `call`, what the gateway reads of
//!   it; `attempt`, one attempt at it; [`reply`], what that brought back.
//! * `ending`: what the client gets at the end of such a call; `own_error`: the
//!   errors that the gateway makes itself, written and read back; `failed_closed`:
//!   the error where a call is to fail with its plugin.
//! * [`facts`]: what a plugin may know of a result; `raw_json`: JSON that is
//!   looked through where it stands.
//! * `catalogue`: what the upstream says of its tools, read as `listing` allows; `unasked`: the list
//!   of them where no client asks for it; `attempt_marker`: what
//!   gateways in a row tell each other; `progress`: what several attempts report.
//! * `pending`: who waits for which response of the upstream.
//! * `server_requests`: what servers ask a client.
//! * [`upstream`]: the servers: [`child`] processes and URLs; `process_group`:
//!   all that a command starts, and `guardian`: what ends that if the gateway is killed.
//! * `service`: what the gateway has to know of a server; `unique`: names that nothing else has;
//!   `introduction`: what the gateway says of itself.
//! * `headers`: what travels with a message over HTTP; `header_value`: texts in
//!   headers; `param_headers`: parameters that a tool wants to see there;
//!   `trace_context`: the trace that a call belongs to, whichever way it came.

mod attempt_marker;
mod cancellation;
mod catalogue;
pub mod child;
pub mod codes;
mod downstream;
mod ending;
pub mod facts;
mod failed_closed;
pub mod front;
#[cfg(unix)]
mod guardian;
mod handler;
mod header_names;
mod header_value;
mod headers;
mod idempotency_key;
mod introduction;
pub mod joined;
mod large;
pub mod lines;
mod listing;
mod live;
mod members;
mod methods;
mod options;
mod outgoing;
mod own_error;
mod param_headers;
mod pending;
mod process_group;
mod progress;
mod raw_json;
pub mod relay;
pub mod reply;
mod server_requests;
mod service;
mod session;
mod subscription_id;
mod task;
pub mod too_long;
mod tool_call;
mod trace_context;
mod unique;
pub mod upstream;
mod versions;
pub mod wire;

pub use catalogue::Listed;
pub use downstream::Shutdown;
pub use facts::{ErrorContent, HttpContent, ResultContent};
pub use failed_closed::PLUGIN_FAILED;
pub use front::HttpStatus;
pub use header_names::{header_to_pass, header_to_send};
pub use idempotency_key::{IdempotencyKey, IdempotencyKeys, NotAKey};
pub use joined::Group;
pub use listing::ListLimits;
pub use options::{Prefixes, RelayOptions};
pub use relay::{Ended, relay, relay_to, relay_to_several};
pub use reply::AttemptReply;
pub use upstream::{Connected, EndStatus, HttpUpstream, Supervised, Target};

#[cfg(test)]
mod tests;
