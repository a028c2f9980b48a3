//! What a call is about, and how long its name may be to be judged.

use std::{fmt, ops::Deref};

/// A tool's name, or a resource's URI, as the client wrote it.
///
/// Callers choose it, so that it may have any length. Plugins remember targets
/// and hosts show them; one of more than [`Target::MAX_BYTES`] is therefore
/// passed on, but not judged, and nothing is remembered of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Target(String);

/// A target that no plugin is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "its name has {bytes} bytes; only calls with names of up to {} bytes are judged",
    Target::MAX_BYTES
)]
pub struct TargetTooLong {
    /// The length of its name.
    pub bytes: usize,
}

impl Target {
    /// The most bytes of a name that is judged: 256. Names of tools have 128
    /// characters at the most.
    pub const MAX_BYTES: usize = 256;

    /// The name, for a plugin.
    ///
    /// # Errors
    /// It is longer than [`Target::MAX_BYTES`].
    pub const fn judged(&self) -> Result<&str, TargetTooLong> {
        let bytes = self.0.len();
        if bytes > Self::MAX_BYTES { Err(TargetTooLong { bytes }) } else { Ok(self.0.as_str()) }
    }

    /// The name, or as much of its start as is shown.
    #[must_use]
    pub fn start(&self) -> &str {
        start(&self.0)
    }
}

/// As much of a name as is shown.
pub(super) fn start(text: &str) -> &str {
    &text[..text.floor_char_boundary(Target::MAX_BYTES)]
}

impl Deref for Target {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.start())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.start(), f)
    }
}

impl<T: Into<String>> From<T> for Target {
    fn from(name: T) -> Self {
        Self(name.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_judged_up_to_its_last_byte_and_not_beyond() {
        let longest = Target::from("x".repeat(256));
        assert_eq!(longest.judged(), Ok(&*"x".repeat(256)));
        // In bytes, not in characters.
        for name in ["x".repeat(257), "é".repeat(129)] {
            let bytes = name.len();
            assert_eq!(Target::from(name).judged(), Err(TargetTooLong { bytes }));
        }
        assert_eq!(Target::from("é".repeat(9_000)).to_string().len(), 256);
    }
}
