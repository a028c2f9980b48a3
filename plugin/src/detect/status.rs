//! A status that stands somewhere else than in `status_code`.

use super::{Content, Scalar};
use crate::config::Policy;

/// The first of the configured places that holds an integer of 32 bits.
pub(super) fn deeper(content: &impl Content, policy: &Policy) -> Option<i32> {
    policy.status_pointers.iter().find_map(|pointer| match content.field(pointer)? {
        Scalar::Integer(status) => status.try_into().ok(),
        // As with `status_code`, a boolean, a text or 500.0 is no status.
        _ => None,
    })
}
