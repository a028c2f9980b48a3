//! What a server says, when it says it in words.
//!
//! Most servers put a failure into a text: `429 Too Many Requests`, `Error:
//! connect ECONNREFUSED`, `{"error":{"code":"rate_limited"}}`. Here such a text
//! is read once, from its first byte to its last, by a table of phrases that
//! are ordered by families; nothing is tried twice, so the time is linear in
//! what is read, and what is read is bounded by who asks for it.

#![no_std]

extern crate alloc;

mod form;
mod list;
mod rules;
mod scan;
mod status;
mod wait;
mod weigh;

#[cfg(test)]
mod tests;

/// What a failure is, by the words of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Another attempt may succeed.
    Transient,
    /// Another attempt may succeed, later: the server gets too many requests.
    Throttled,
    /// Another attempt would fail as well.
    Permanent,
    /// What was paid for or granted is used up: for a day, a month, or for good.
    Spent,
}

/// What a text says of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// What kind of failure it is; none if nothing speaks for any.
    pub class: Option<Class>,
    /// A status that stands in a context that makes it one.
    pub status: Option<u16>,
    /// Whether something speaks for this class that cannot mean anything else.
    pub strong: bool,
    /// How long the server wants to be left alone, in milliseconds.
    pub wait_ms: Option<u64>,
}

/// A text that a server wrote.
#[derive(Debug)]
pub struct Text(scan::Scan);

impl Text {
    /// Reads a text.
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self(scan::Scan::of(text))
    }

    /// What it says, given that it tells of a failure.
    #[must_use]
    pub fn words(&self) -> Words {
        weigh::weigh(&self.0)
    }

    /// Whether it is JSON that says at its top that all went well.
    #[must_use]
    pub fn says_success(&self) -> bool {
        form::says_success(&self.0)
    }

    /// Whether it tells of a failure by its form: it begins as an error, or is
    /// JSON that says so at its top.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        form::is_failure(&self.0)
    }
}
