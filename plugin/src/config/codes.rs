//! Sets of status codes and of JSON-RPC error codes.

use alloc::{format, string::String, vec::Vec};
use core::ops::RangeInclusive;

use super::{
    Issue,
    json::{Value, joined},
    setting::{Setting, refuse},
};

/// A set of integers, as ranges in ascending order that do not touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codes(Vec<(i64, i64)>);

impl Codes {
    /// The set of all integers in these ranges; order and overlaps do not matter.
    #[must_use]
    #[inline(never)]
    pub fn new(ranges: &[RangeInclusive<i64>]) -> Self {
        let mut merged: Vec<(i64, i64)> = Vec::new();
        for (mut first, mut last) in ranges.iter().cloned().map(RangeInclusive::into_inner) {
            // Those that it meets or touches become one with it.
            merged.retain(|&(start, end)| {
                let apart = end < first.saturating_sub(1) || start > last.saturating_add(1);
                if !apart {
                    (first, last) = (first.min(start), last.max(end));
                }
                apart
            });
            let place = merged.partition_point(|(start, _)| *start < first);
            merged.insert(place, (first, last));
        }
        Self(merged)
    }

    /// Whether `code` is one of them.
    #[must_use]
    #[inline]
    pub fn contains(&self, code: i64) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= code);
        after > 0 && code <= self.0[after - 1].1
    }

    /// The codes that fit 32 bits, ascending. Only sets of statuses are asked
    /// for this; their ranges lie within 0 to 999.
    pub fn listed(&self) -> impl Iterator<Item = i32> {
        self.0
            .iter()
            .flat_map(|(first, last)| *first..=*last)
            .filter_map(|code| code.try_into().ok())
    }

    /// Numbers where a range holds one, else texts: how the configuration writes them.
    fn written(&self) -> String {
        let range = |(first, last): &(i64, i64)| match first == last {
            true => format!("{first}"),
            false => format!("\"{first}..{last}\""),
        };
        let ranges: Vec<_> = self.0.iter().map(range).collect();
        format!("[{}]", joined(&ranges, ","))
    }
}

/// HTTP-like status codes: numbers, ranges (`"500..599"`) and classes (`"5xx"`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statuses(pub(super) Codes);

/// JSON-RPC error codes: numbers and ranges (`"-32019..-32000"`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RpcCodes(pub(super) Codes);

impl Setting for Statuses {
    fn apply(&mut self, value: &Value, path: &str, issues: &mut Vec<Issue>) {
        let must = "a status code (32 bits), a range like \"500..599\" (within 0 and 999) or a class like \"5xx\"";
        let read = |item: &Value| match item {
            Value::Text(text) => {
                class(text).or_else(|| range(text).filter(|range| range.0 >= 0 && range.1 <= 999))
            }
            number => {
                let code = i64::from(number.as_integer::<i32>()?);
                Some((code, code))
            }
        };
        apply_codes(&mut self.0, read, must, value, path, issues);
    }

    fn schema(&self) -> String {
        list_of_codes(
            r#","minimum":-2147483648,"maximum":2147483647"#,
            r"^([1-9]xx|[0-9]{1,3}\\.\\.[0-9]{1,3})$",
        )
    }

    fn written(&self) -> Option<String> {
        Some(self.0.written())
    }
}

impl Setting for RpcCodes {
    fn apply(&mut self, value: &Value, path: &str, issues: &mut Vec<Issue>) {
        let must = "an error code or a range like \"-32019..-32000\"";
        let read = |item: &Value| match item {
            Value::Text(text) => range(text),
            number => number.as_integer::<i64>().map(|code| (code, code)),
        };
        apply_codes(&mut self.0, read, must, value, path, issues);
    }

    fn schema(&self) -> String {
        list_of_codes("", r"^-?[0-9]+\\.\\.-?[0-9]+$")
    }

    fn written(&self) -> Option<String> {
        Some(self.0.written())
    }
}

/// `bounds` are those of a number, `pattern` is what a text in the list looks
/// like, as JSON writes them.
fn list_of_codes(bounds: &str, pattern: &str) -> String {
    format!(
        r#""type":"array","items":{{"anyOf":[{{"type":"integer"{bounds}}},{{"type":"string","pattern":"{pattern}"}}]}}"#
    )
}

fn apply_codes(
    to: &mut Codes,
    read: fn(&Value) -> Option<(i64, i64)>,
    must: &str,
    value: &Value,
    path: &str,
    issues: &mut Vec<Issue>,
) {
    let Value::Array(items) = value else {
        return refuse(value, "a list of codes", path, issues);
    };
    let before = issues.len();
    let mut ranges = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        match read(item) {
            Some((first, last)) => ranges.push(first..=last),
            None => refuse(item, must, &format!("{path}[{index}]"), issues),
        }
    }
    if issues.len() == before {
        *to = Codes::new(&ranges);
    }
}

/// `5xx`.
fn class(text: &str) -> Option<(i64, i64)> {
    let digit = text.strip_suffix("xx")?;
    let [digit @ b'1'..=b'9'] = digit.as_bytes() else { return None };
    let first = i64::from(digit - b'0') * 100;
    Some((first, first + 99))
}

/// `first..last`, both included, not empty.
fn range(text: &str) -> Option<(i64, i64)> {
    // Not split at the text "..": to search for a text takes kilobytes of code.
    let (first, last) = text.split_once('.')?;
    let (first, last) = (integer(first)?, integer(last.strip_prefix('.')?)?);
    (first <= last).then_some((first, last))
}

/// Digits with at most a minus: no `+`, which `parse` alone would take.
fn integer(text: &str) -> Option<i64> {
    let digits: &str = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// The default statuses and codes are numbers, one by one.
#[inline(never)]
pub(super) fn numbers(codes: &[i64]) -> Codes {
    let ranges: Vec<_> = codes.iter().map(|code| *code..=*code).collect();
    Codes::new(&ranges)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_contains_what_one_of_its_ranges_contains(
            ranges in prop::collection::vec((-50_i64..50, 0_i64..10), 0..8), code in -60_i64..70,
        ) {
            let ranges: Vec<_> = ranges.into_iter().map(|(first, more)| first..=first + more).collect();
            let expected = ranges.iter().any(|range| range.contains(&code));
            prop_assert_eq!(Codes::new(&ranges).contains(code), expected);
        }
    }

    #[test]
    fn classes_and_ranges_are_read_and_nothing_like_them() {
        assert_eq!(class("5xx"), Some((500, 599)));
        assert_eq!(range("-32019..-32000"), Some((-32019, -32000)));
        assert_eq!(range("500..500"), Some((500, 500)));
        for wrong in ["5x", "0xx", "55xx", "xx", "5XX"] {
            assert_eq!(class(wrong), None, "{wrong}");
        }
        for wrong in ["500", "500..", "..", "2..1", "+1..2", "1...2", "a..b"] {
            assert_eq!(range(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_set_at_the_ends_of_the_integers_does_not_overflow() {
        let all = Codes::new(&[i64::MIN..=0, 1..=i64::MAX]);
        assert!(all.contains(i64::MIN) && all.contains(0) && all.contains(i64::MAX));
        let listed: String =
            Codes::new(&[5..=6, 1..=1]).listed().map(|code| format!("{code} ")).collect();
        assert_eq!(listed, "1 5 6 ");
    }
}
