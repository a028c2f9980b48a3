//! Loads a component and calls it without trusting it.
//!
//! A [`Component`] is compiled once. A [`Plugin`] runs several warm instances
//! of it ("shards") and sends every call of one target to the same shard, so
//! that what the plugin remembers of a target lives in one place. Each shard
//! has bounds on time and memory, each answer passes the `boundary`, and an
//! instance that breaks is replaced.

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
mod options;
mod plugin;
mod provenance;
mod resources;
mod shard;
mod state;
mod strikes;

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
