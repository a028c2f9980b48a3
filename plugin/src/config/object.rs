//! Reading one JSON object key by key, and collecting what is wrong with it.

use alloc::{format, string::String, vec::Vec};
use core::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::{
    Issue,
    issue::{member, shown},
    suggest::closest,
};

/// An object of the configuration and its place. Every reader returns the
/// value if it is there and right; what is wrong goes into `issues`.
pub(super) struct Object<'a> {
    pub(super) path: &'a str,
    members: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    /// The object at `path`, of which only `known` keys are allowed.
    pub(super) fn open(
        path: &'a str,
        members: &'a Map<String, Value>,
        known: &[&str],
        issues: &mut Vec<Issue>,
    ) -> Self {
        for key in members.keys().filter(|key| !known.contains(&key.as_str())) {
            let message = match closest(key, known) {
                Some(close) => format!("unknown key; did you mean `{close}`?"),
                None => format!("unknown key; allowed here are: {}", known.join(", ")),
            };
            issues.push(Issue { path: member(path, key), message });
        }
        Self { path, members }
    }

    pub(super) fn path_of(&self, key: &str) -> String {
        member(self.path, key)
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.members.get(key)
    }

    pub(super) fn integer(
        &self,
        key: &str,
        range: &RangeInclusive<u64>,
        issues: &mut Vec<Issue>,
    ) -> Option<u64> {
        let value = self.get(key)?;
        let integer = value.as_u64().filter(|integer| range.contains(integer));
        if integer.is_none() {
            let (least, most) = (range.start(), range.end());
            let message =
                format!("must be an integer from {least} to {most}, not {}", shown(value));
            issues.push(Issue { path: self.path_of(key), message });
        }
        integer
    }

    pub(super) fn boolean(&self, key: &str, issues: &mut Vec<Issue>) -> Option<bool> {
        let value = self.get(key)?;
        if value.as_bool().is_none() {
            let message = format!("must be true or false, not {}", shown(value));
            issues.push(Issue { path: self.path_of(key), message });
        }
        value.as_bool()
    }

    pub(super) fn statuses(&self, key: &str, issues: &mut Vec<Issue>) -> Option<Vec<i32>> {
        let value = self.get(key)?;
        let Some(items) = value.as_array() else {
            let message = format!("must be a list of status codes, not {}", shown(value));
            issues.push(Issue { path: self.path_of(key), message });
            return None;
        };
        let before = issues.len();
        let mut codes = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match item.as_i64().and_then(|code| i32::try_from(code).ok()) {
                Some(code) => codes.push(code),
                None => {
                    let path = format!("{}[{index}]", self.path_of(key));
                    let message = format!("must be an integer of 32 bits, not {}", shown(item));
                    issues.push(Issue { path, message });
                }
            }
        }
        (issues.len() == before).then_some(codes)
    }
}
