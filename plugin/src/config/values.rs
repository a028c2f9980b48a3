//! The kinds of values that keys take.

use alloc::{borrow::ToOwned, format, string::String, vec::Vec};
use core::fmt::Display;

use super::{
    Issue,
    json::{Value, joined, quoted},
    setting::{Choice, Setting, one_of, refuse},
};
use crate::delay::Jitter;

/// An integer from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Integer<const MIN: u64, const MAX: u64>(pub(super) u64);

impl<const MIN: u64, const MAX: u64> Setting for Integer<MIN, MAX> {
    fn apply(&mut self, value: &Value, path: &str, issues: &mut Vec<Issue>) {
        apply_integer(&mut self.0, (MIN, MAX), value, path, issues);
    }

    fn schema(&self) -> String {
        bounded("integer", MIN, MAX)
    }

    fn written(&self) -> Option<String> {
        Some(format!("{}", self.0))
    }
}

fn apply_integer(
    to: &mut u64,
    (least, most): (u64, u64),
    value: &Value,
    path: &str,
    issues: &mut Vec<Issue>,
) {
    match value.as_integer::<u64>().filter(|integer| (least..=most).contains(integer)) {
        Some(integer) => *to = integer,
        None => refuse(value, &format!("an integer from {least} to {most}"), path, issues),
    }
}

/// A number from `MIN` to `MAX` thousandths, held exactly: in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Thousandths<const MIN: u32, const MAX: u32>(pub(super) u32);

impl<const MIN: u32, const MAX: u32> Setting for Thousandths<MIN, MAX> {
    fn apply(&mut self, value: &Value, path: &str, issues: &mut Vec<Issue>) {
        apply_thousandths(&mut self.0, (MIN, MAX), value, path, issues);
    }

    fn schema(&self) -> String {
        bounded("number", decimal(MIN), decimal(MAX))
    }

    fn written(&self) -> Option<String> {
        Some(decimal(self.0))
    }
}

/// None if the number has more than three digits after the point. The check
/// is exact: a decimal and its nearest float belong together one to one here.
fn thousandths(number: f64) -> Option<u32> {
    let nearest = (number * 1_000.0 + 0.5) as u32;
    let exact = f64::from(nearest) / 1_000.0 == number;
    exact.then_some(nearest)
}

fn apply_thousandths(
    to: &mut u32,
    (least, most): (u32, u32),
    value: &Value,
    path: &str,
    issues: &mut Vec<Issue>,
) {
    match value.as_f64().and_then(thousandths).filter(|number| (least..=most).contains(number)) {
        Some(number) => *to = number,
        None => {
            let (least, most) = (decimal(least), decimal(most));
            let must = format!(
                "a number from {least} to {most} with at most three digits after the point"
            );
            refuse(value, &must, path, issues);
        }
    }
}

/// The number as people write it.
fn decimal(thousandths: u32) -> String {
    let text = format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What the schema says of a number.
fn bounded(kind: &str, least: impl Display, most: impl Display) -> String {
    format!(r#""type":"{kind}","minimum":{least},"maximum":{most}"#)
}

impl Setting for bool {
    fn apply(&mut self, value: &Value, path: &str, issues: &mut Vec<Issue>) {
        match value.as_bool() {
            Some(flag) => *self = flag,
            None => refuse(value, "true or false", path, issues),
        }
    }

    fn schema(&self) -> String {
        r#""type":"boolean""#.into()
    }

    fn written(&self) -> Option<String> {
        Some(format!("{self}"))
    }
}

/// Whether doing it twice is safe, if the operator says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark(pub(super) Option<bool>);

impl Setting for Mark {
    fn apply(&mut self, value: &Value, path: &str, issues: &mut Vec<Issue>) {
        match value {
            Value::Null => self.0 = None,
            Value::Bool(flag) => self.0 = Some(*flag),
            other => refuse(other, "true, false or null", path, issues),
        }
    }

    fn schema(&self) -> String {
        r#""type":["boolean","null"]"#.into()
    }

    fn written(&self) -> Option<String> {
        Some(self.0.map_or_else(|| "null".into(), |flag| format!("{flag}")))
    }
}

/// The jitter. `true` and `false` are the original plugin's words for `full` and `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct JitterSwitch(pub(super) Jitter);

impl Setting for JitterSwitch {
    fn apply(&mut self, value: &Value, path: &str, issues: &mut Vec<Issue>) {
        let jitter = match value {
            Value::Bool(true) => Some(Jitter::Full),
            Value::Bool(false) => Some(Jitter::None),
            other => other.as_str().and_then(Jitter::from_word),
        };
        match jitter {
            Some(jitter) => self.0 = jitter,
            None => {
                refuse(value, &format!("true, false or {}", one_of(Jitter::WORDS)), path, issues)
            }
        }
    }

    fn schema(&self) -> String {
        format!(r#""enum":[true,false,"{}"]"#, joined(Jitter::WORDS, "\",\""))
    }

    fn written(&self) -> Option<String> {
        self.0.written()
    }
}

/// JSON Pointers (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pointers(pub(super) Vec<String>);

impl Setting for Pointers {
    fn apply(&mut self, value: &Value, path: &str, issues: &mut Vec<Issue>) {
        apply_texts(
            &mut self.0,
            is_pointer,
            "a JSON Pointer like \"/error/code\"",
            value,
            path,
            issues,
        );
    }

    fn schema(&self) -> String {
        r#""type":"array","items":{"type":"string","format":"json-pointer"}"#.into()
    }

    fn written(&self) -> Option<String> {
        Some(texts(&self.0))
    }
}

pub(super) fn is_pointer(text: &str) -> bool {
    let mut escapes = text.split('~').skip(1);
    text.starts_with('/') && escapes.all(|after| after.starts_with(['0', '1']))
}

/// Names, or patterns of names; see [`super::glob`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names(pub(super) Vec<String>);

impl Setting for Names {
    fn apply(&mut self, value: &Value, path: &str, issues: &mut Vec<Issue>) {
        apply_texts(&mut self.0, |_| true, "a name or a pattern", value, path, issues);
    }

    fn schema(&self) -> String {
        r#""type":"array","items":{"type":"string"}"#.into()
    }

    fn written(&self) -> Option<String> {
        Some(texts(&self.0))
    }
}

/// A list of texts as JSON.
fn texts(texts: &[String]) -> String {
    let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", joined(&texts, ","))
}

fn apply_texts(
    to: &mut Vec<String>,
    right: fn(&str) -> bool,
    must: &str,
    value: &Value,
    path: &str,
    issues: &mut Vec<Issue>,
) {
    let Value::Array(items) = value else {
        return refuse(value, "a list of texts", path, issues);
    };
    let before = issues.len();
    let mut texts = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        match item.as_str().filter(|text| right(text)) {
            Some(text) => texts.push(text.to_owned()),
            None => refuse(item, must, &format!("{path}[{index}]"), issues),
        }
    }
    if issues.len() == before {
        *to = texts;
    }
}
