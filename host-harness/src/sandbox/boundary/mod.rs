//! Checks on all that comes out of the sandbox, before anybody acts on it.

mod lifecycle;
mod manifest;
mod text;
mod verdict;
mod violation;

pub use manifest::Expected;
pub use violation::Violation;

pub(super) use lifecycle::{metrics, most_retries, policy, schema};
pub(super) use manifest::check as manifest;
pub(super) use text::{clean, issues};
pub(super) use verdict::{Judged, check as verdict};
