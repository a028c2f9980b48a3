//! Retry with exponential backoff for tool gateways.
//!
//! The modules follow the life of a call: a [`config`] is parsed once, every
//! outcome is judged by [`detect`], [`decide`] turns the judgement into a
//! verdict with a [`delay`], within a [`budget`] and asking the [`context`] where
//! the policy wants it, and [`state`] remembers the failures of calls that are
//! still alive. [`RetryPlugin`] holds them together.
//!
//! All of it is plain Rust without WIT types, so the same policy also compiles
//! natively. Only `bindings` and `runtime`, which exist on wasm alone, know
//! that there is a component around it.

#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

pub mod budget;
pub mod config;
pub mod context;
pub mod decide;
pub mod delay;
pub mod detect;
mod millis;
mod plugin;
mod reason;
mod replay;
pub mod state;
mod stats;
mod table;
mod verdict;

pub use millis::Millis;
pub use plugin::RetryPlugin;
pub use reason::Reason;
pub use replay::Unsafe;
pub use stats::Metric;
pub use verdict::{Kind, Stop, Verdict};

#[cfg(target_arch = "wasm32")]
mod bindings;
#[cfg(target_arch = "wasm32")]
mod runtime;
