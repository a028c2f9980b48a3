//! Something to say about a configuration.

use alloc::{format, string::String, vec::Vec};

use super::json::{Value, quoted};

/// A place in the configuration and what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Path from the root, such as `tool_overrides["search"].max_retries`.
    pub path: String,
    /// What is wrong there, and what would be right.
    pub message: String,
}

/// So many problems are listed; of the others only the number. Who has more
/// than that wrote another kind of file, and a gateway takes no answer of any length.
pub(super) const MOST_LISTED: usize = 20;

/// The first problems, and how many more there are.
pub(super) fn listed(mut issues: Vec<Issue>) -> Vec<Issue> {
    let more = issues.len().saturating_sub(MOST_LISTED);
    if more > 0 {
        issues.truncate(MOST_LISTED);
        let problems = if more == 1 { "problem" } else { "problems" };
        let message = format!("and {more} more {problems}");
        issues.push(Issue { path: String::new(), message });
    }
    issues
}

/// The path of `key` inside the object at `parent`.
#[inline(never)]
pub(super) fn member(parent: &str, key: &str) -> String {
    let plain =
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match (plain, parent.is_empty()) {
        (true, true) => key.into(),
        (true, false) => format!("{parent}.{key}"),
        (false, _) => entry(parent, key),
    }
}

/// The path of an entry whose key is a name that the operator chose.
pub(super) fn entry(parent: &str, key: &str) -> String {
    format!("{parent}[{}]", quoted(key))
}

/// `value` as it stands in the configuration, shortened to fit a line.
#[inline(never)]
pub(super) fn shown(value: &Value) -> String {
    const MOST: usize = 40;
    let mut text = format!("{value}");
    if let Some((cut, _)) = text.char_indices().nth(MOST) {
        text.truncate(cut);
        text.push('…');
    }
    text
}
