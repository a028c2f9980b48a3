//! The places where we differ from the peer on purpose, as `peer/README.md` numbers them.

use std::{collections::BTreeMap, fmt};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Divergence {
    /// 1: the peer joins tool and request id into one key.
    JoinedKey,
    /// 3: the peer takes a boolean for a status code.
    BooleanStatus,
    /// 3: the peer wraps a status in a text to 32 bits.
    WrappedStatus,
    /// 4: the peer ignores unknown keys.
    UnknownKey,
    /// 4: the peer takes booleans for integers.
    BooleanInteger,
    /// 4: the peer finds a bad override only when its tool is called.
    LateOverride,
    /// 6: the peer takes any number of milliseconds as a limit.
    LongLimit,
    /// 6: the peer asks for delays of more than an hour.
    LongDelay,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JoinedKey => "1 the peer joins tool and request id",
            Self::BooleanStatus => "3 the peer takes a boolean for a status code",
            Self::WrappedStatus => "3 the peer wraps a status to 32 bits",
            Self::UnknownKey => "4 the peer ignores unknown keys",
            Self::BooleanInteger => "4 the peer takes booleans for integers",
            Self::LateOverride => "4 the peer finds a bad override only at a call",
            Self::LongLimit => "6 the peer accepts milliseconds beyond an hour",
            Self::LongDelay => "6 the peer delays for more than an hour",
        })
    }
}

/// How often each was met.
#[derive(Debug, Default)]
pub struct Met(BTreeMap<Divergence, usize>);

impl Met {
    pub fn count(&mut self, divergence: Divergence) {
        *self.0.entry(divergence).or_default() += 1;
    }

    pub fn of(&self, divergence: Divergence) -> usize {
        self.0.get(&divergence).copied().unwrap_or(0)
    }
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (divergence, times) in &self.0 {
            writeln!(f, "{times:>6} x {divergence}")?;
        }
        Ok(())
    }
}
