//! A wasmtime host for retry plugins, and an MCP gateway around it.
//!
//! * [`config`]: the gateway's configuration file.
//! * [`chain`]: several plugins that judge the same calls.
//! * [`contract`]: the Rust face of the WIT package in `wit/`.
//! * [`sandbox`]: loads a component and calls it without trusting it.
//! * [`gateway`]: the retry loop.
//! * [`metrics`]: numbers for operators; [`otlp`]: spans for a collector.
//! * [`mcp`]: a transparent MCP proxy that runs `tools/call` through the loop.
//! * [`mod@simulate`]: the loop and the component against a simulated server, on virtual time.
//! * [`mod@judge`]: what a plugin makes of recorded answers.
//! * [`mod@advise`]: what other policies would have made of calls that were logged.
//! * [`report`]: pages and lines for people; [`escaped`]: texts of peers in them.
//! * [`regular_file`] and [`redacted`]: files that are read whole, and URLs that are shown.

pub mod advise;
pub mod bundled;
pub mod chain;
pub mod config;
pub mod contract;
pub mod gateway;
mod https;
pub mod judge;
pub mod mcp;
pub mod metrics;
pub mod otlp;
mod peer_text;
pub mod redacted;
pub mod regular_file;
pub mod report;
pub mod rotating;
pub mod sandbox;
#[cfg(test)]
mod scaling;
pub mod simulate;

pub use peer_text::escaped;
