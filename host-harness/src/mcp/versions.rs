//! The versions of the protocol.

/// Those that begin with `initialize`, the oldest first.
pub(super) const WITH_SESSIONS: [&str; 4] =
    ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

/// The last version whose clients begin with `initialize`.
pub(super) const LAST_WITH_SESSIONS: &str = WITH_SESSIONS[WITH_SESSIONS.len() - 1];

/// Whether a request that is made in a session, or names none, may name this
/// version in its header. Later ones are for whoever speaks them to judge.
pub(super) fn may_be_named(version: &str) -> bool {
    version > LAST_WITH_SESSIONS || WITH_SESSIONS.contains(&version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_never_were_are_told_from_those_that_were_or_may_come() {
        for version in ["2024-11-05", "2025-11-25", "2026-07-28", "2027-01-01"] {
            assert!(may_be_named(version), "{version}");
        }
        for version in ["1999-01-01", "2025-06-19", "1", ""] {
            assert!(!may_be_named(version), "{version}");
        }
    }
}
