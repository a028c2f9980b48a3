//! What requests and results say since 2026-07-28.

use serde_json::{Value, json};

use crate::mcp::introduction::implementation;

/// Where a result names its server.
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// How long a result may be kept, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CacheHint {
    ttl_ms: u64,
    public: bool,
}

impl CacheHint {
    /// As a server gave it.
    pub(super) fn of(ttl_ms: Option<u64>, scope: Option<&str>) -> Self {
        Self { ttl_ms: ttl_ms.unwrap_or(0), public: scope == Some("public") }
    }

    /// Of what is not whole, and is to be asked for again.
    pub(super) const STALE: Self = Self { ttl_ms: 0, public: false };
}

/// Adds to a result what every result says, with the most careful of `hints`.
pub(super) fn complete(result: &mut Value, hints: impl IntoIterator<Item = CacheHint>) {
    let strictest = |one: CacheHint, other: CacheHint| CacheHint {
        ttl_ms: one.ttl_ms.min(other.ttl_ms),
        public: one.public && other.public,
    };
    let hint = hints.into_iter().reduce(strictest).unwrap_or(CacheHint::STALE);
    result["resultType"] = "complete".into();
    result["ttlMs"] = hint.ttl_ms.into();
    result["cacheScope"] = if hint.public { "public" } else { "private" }.into();
    result["_meta"] = json!({ SERVER_INFO: implementation() });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_joined_result_is_kept_no_longer_and_shown_to_no_more_than_each_part_of_it() {
        let hint = |ttl, scope| CacheHint::of(Some(ttl), Some(scope));
        let told = |hints: &[CacheHint]| {
            let mut result = json!({});
            complete(&mut result, hints.iter().copied());
            (result["ttlMs"].clone(), result["cacheScope"].clone())
        };
        assert_eq!(told(&[hint(9, "public"), hint(7, "public")]), (7.into(), "public".into()));
        assert_eq!(told(&[hint(9, "public"), hint(7, "private")]), (7.into(), "private".into()));
        let silent = CacheHint::of(None, None);
        assert_eq!(told(&[hint(9, "public"), silent]), (0.into(), "private".into()));
        assert_eq!(told(&[]), (0.into(), "private".into()));
    }
}
