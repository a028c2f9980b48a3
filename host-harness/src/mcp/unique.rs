//! Names that nothing else has.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    sync::atomic::{AtomicU64, Ordering},
};

/// Makes names that hold a random one of their own, so that they are unlike
/// those of any other maker, and of any client or server. No secret.
#[derive(Debug)]
pub(super) struct Unique {
    own: String,
    made: AtomicU64,
}

impl Default for Unique {
    fn default() -> Self {
        let own = format!("{:08x}", RandomState::new().build_hasher().finish() >> 32);
        Self { own, made: AtomicU64::new(0) }
    }
}

impl Unique {
    /// The next name for a `what`.
    pub(super) fn name(&self, what: &str) -> String {
        format!("{what}-{}-{}", self.own, self.made.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether this id is a name for a `what` that was made here.
    pub(super) fn made(&self, what: &str, id: &serde_json::value::RawValue) -> bool {
        id.get().starts_with(&format!("\"{what}-{}-", self.own))
    }
}
