//! A transparent MCP proxy over lines of JSON-RPC that runs `tools/call`
//! and `resources/read` through the [gateway](crate::gateway).
//!
//! Why not rmcp's typed client and server, back to back? A typed model keeps
//! what it knows: unknown members go, floats are rounded, error codes beyond 32
//! bits fail the message, and a new protocol version needs a new model. Even
//! rmcp's generic `JsonRpcMessage` over a custom `ServiceRole` drops unknown
//! top-level members and an error's `data: null`, and refuses ids and codes
//! outside of its integer types; its `TokioChildProcess` is a `RoleClient`
//! only. So the proxy relays [raw messages](wire) and takes from rmcp what
//! loses nothing: the line codec and the stdio pipes.
//!
//! * [`wire`]: one JSON-RPC message, its members as the bytes that arrived.
//! * [`lines`]: reading and writing messages, one a line.
//! * `catalogue`: what the upstream says of its tools.
//! * `attempt_marker`: what gateways in a row tell each other about their attempts.
//! * [`facts`]: what a plugin may know of a tool's result.
//! * `call`: what the gateway reads of a request that may be retried.
//! * `attempt`: one attempt at it, and [`reply`]: what the attempt brought back.
//! * `progress`: the progress of a call that several attempts report.
//! * [`pending`]: who waits for which response of the upstream.
//! * [`mod@relay`]: the pump between the two sides.
//! * [`child`]: an upstream server as a child process.

mod attempt;
mod attempt_marker;
mod call;
mod catalogue;
pub mod child;
pub mod facts;
pub mod front;
mod headers;
pub mod lines;
mod live;
mod members;
pub mod pending;
mod progress;
pub mod relay;
pub mod reply;
mod session;
mod task;
pub mod upstream;
pub mod wire;

pub use facts::{ErrorContent, ResultContent, outcome_of_result};
pub use front::HttpStatus;
pub use relay::{Ended, RelayOptions, relay, relay_to_child, relay_to_http};
pub use reply::AttemptReply;
pub use upstream::{EndStatus, HttpUpstream, Supervised, Target};

#[cfg(test)]
mod tests;
