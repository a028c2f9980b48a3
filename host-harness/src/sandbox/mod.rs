//! Loads a component and calls it without trusting it.
mod error;
pub use error::*;
