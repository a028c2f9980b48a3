//! Loads a component and calls it without trusting it.
//!
//! A [`Component`] is made by a [`Loader`]: the bytes are read once, held to
//! their [`Provenance`], and only then compiled, within [`LoadLimits`]; a
//! [`CodeCache`] spares the next start the compiler. What it imports and
//! exports must be what the contract says.
//!
//! A [`Plugin`] runs several warm instances of it ("shards"). Any of them may
//! judge any call; a call stays with the shard of its thread, for a shard that
//! moves between processor cores at each call takes twice as long
//! ([`Plugin::shard_of`]). Each call is bounded by [`Limits`], and each
//! answer passes the `boundary`, which names every [`Violation`] of the
//! contract. A call whose plugin fails goes on as [`FailPolicy`] says; an
//! instance that broke is replaced as [`Replacement`] says, and a shard that
//! fails too often is set aside. Configuration and component can be changed
//! while calls go on.
//!
//! Nothing that a guest does reaches further than its own shard:
//!
//! | what it does | what stops it | what the caller is told |
//! |---|---|---|
//! | never returns | epochs, [`Limits::call_time`] | [`Breakage::TooSlow`] |
//! | traps, returns what cannot be read | wasmtime | [`Breakage::Trapped`] |
//! | takes memory, tables, instances | [`Demand`] before the start, then `memory.grow` fails | its own trap |
//! | recurses, floods the host with calls, draws randomness | stack, counters | [`Breakage::Exceeded`] |
//! | returns or asks with too much data | a budget of bytes for each crossing | [`Breakage::Trapped`] |
//! | lies | the boundary | [`HookFailure::Rejected`] |
//! | imports what it should not | the allowlist, before anything runs | [`LoadProblem::ForbiddenImport`] |
//!
//! [`conformance`] tries any component against the contract.

mod ask;
mod boundary;
mod code_cache;
mod compile;
mod component;
pub mod conformance;
mod demand;
mod digest;
mod engine;
mod error;
mod fail_policy;
mod imports;
mod instance;
mod interface;
mod limits;
mod one_line;
mod options;
mod outline;
mod overdue;
mod pace;
mod plugin;
mod provenance;
mod resources;
mod shard;
mod state;
mod strikes;
mod ticks;

pub use boundary::{Expected, Violation};
pub use code_cache::{CodeCache, CodeCacheError};
pub use component::{Component, Loader};
pub use demand::Demand;
pub use digest::{Digest, NotADigest};
pub use error::{Breakage, Exceeded, HookFailure, LoadError, LoadProblem, StartError};
pub use fail_policy::{FailPolicy, Replacement};
pub use interface::Interface;
pub use limits::{Limits, LoadLimits};
pub use options::Options;
pub use plugin::Plugin;
pub use provenance::{NotAPublicKey, Provenance, PublicKey};
pub use state::Entropy;
