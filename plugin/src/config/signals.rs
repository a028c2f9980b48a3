//! `signals`: what the operator knows of how a server reports failures.

use alloc::{borrow::ToOwned, format, string::String, sync::Arc, vec::Vec};

use super::{
    Issue,
    codes::{Codes, RpcCodes},
    issue::member,
    json::{Members, Value, joined, quoted},
    setting::{Setting, choice, one_of, refuse, refuse_unknown},
};
use crate::detect::Scalar;

choice! {
    /// What a signal means.
    pub enum Means {
        /// Another attempt may succeed.
        Transient = "transient",
        /// The same, because of too many requests.
        Throttled = "throttled",
        /// Another attempt would fail as well.
        Permanent = "permanent",
        /// Another attempt may succeed, and this one surely did nothing.
        Refused = "refused",
    }
}

/// One of the operator's signals: all that it asks for must be there.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnSignal {
    /// `text`: anywhere in what the server says.
    pub text: Option<Pattern>,
    /// `message`: in the message of a JSON-RPC error.
    pub message: Option<Pattern>,
    /// `code`: of a JSON-RPC error.
    pub codes: Option<Codes>,
    /// `pointer`, and `equals` if it is given.
    pub pointer: Option<(String, Option<Expected>)>,
    /// `means`.
    pub means: Means,
    /// `without_is_error`.
    pub without_is_error: bool,
}

/// A scalar that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected(Scalar);

impl Expected {
    /// Whether it is this one; an integer is also the float of its value.
    #[must_use]
    pub fn is(&self, found: &Scalar) -> bool {
        match (&self.0, found) {
            (Scalar::Integer(one), Scalar::Number(other)) => *one as f64 == *other,
            (one, other) => one == other,
        }
    }
}

/// A text that is looked for without regard to case, with at most one number in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// In lower case.
    before: String,
    /// Milliseconds of the unit that is captured.
    unit: Option<u64>,
    behind: String,
}

/// The names of captures, and the milliseconds of their units.
const CAPTURES: [(&str, u64); 3] =
    [("{milliseconds}", 1), ("{seconds}", 1_000), ("{minutes}", 60_000)];

/// Without the search of the library, which takes kilobytes of code.
fn split_once<'a>(text: &'a str, part: &str) -> Option<(&'a str, &'a str)> {
    let at = text.as_bytes().windows(part.len()).position(|window| window == part.as_bytes())?;
    Some((text.get(..at)?, text.get(at + part.len()..)?))
}

fn braced(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b'{' | b'}'))
}

impl Pattern {
    #[inline(never)]
    fn of(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        let capture =
            CAPTURES.iter().find_map(|(name, unit)| Some((split_once(&lower, name)?, *unit)));
        let pattern = match capture {
            Some(((before, behind), unit)) => {
                Self { before: before.to_owned(), unit: Some(unit), behind: behind.to_owned() }
            }
            None => Self { before: lower, unit: None, behind: String::new() },
        };
        let sound = !pattern.before.trim_ascii().is_empty() && !braced(&pattern.behind);
        (sound && !braced(&pattern.before)).then_some(pattern)
    }

    /// Whether it is in the text, and the wait in milliseconds that it captures.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<Option<u64>> {
        let (text, before) = (text.as_bytes(), self.before.as_bytes());
        let last = text.len().checked_sub(before.len())?;
        (0..=last).find_map(|at| {
            let there = text[at..at + before.len()].eq_ignore_ascii_case(before);
            if there { self.captured(&text[at + before.len()..]) } else { None }
        })
    }

    fn captured(&self, rest: &[u8]) -> Option<Option<u64>> {
        let Some(unit) = self.unit else { return Some(None) };
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count().min(12);
        if digits == 0 {
            return None;
        }
        let whole = rest[..digits].iter().fold(0, |sum, byte| sum * 10 + u64::from(byte - b'0'));
        let (mut behind, mut thousandths) = (digits, 0);
        if rest.get(digits) == Some(&b'.') && rest.get(digits + 1).is_some_and(u8::is_ascii_digit) {
            let fraction = rest[digits + 1..].iter().take_while(|byte| byte.is_ascii_digit());
            behind = digits + 1 + fraction.clone().count();
            let places = fraction.copied().chain([b'0', b'0', b'0']).take(3);
            thousandths = places.fold(0, |sum, byte| sum * 10 + u64::from(byte - b'0'));
        }
        let rest = rest.get(behind..behind + self.behind.len())?;
        let there = rest.eq_ignore_ascii_case(self.behind.as_bytes());
        there.then(|| Some((whole * unit).saturating_add((thousandths * unit).div_ceil(1_000))))
    }
}

/// None: the signals of the original plugin, and no words.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Signals(pub(super) Option<Arc<[OwnSignal]>>);

const MATCH: [&str; 5] = ["text", "message", "code", "pointer", "equals"];
const KEYS: [&str; 3] = ["match", "means", "without_is_error"];

impl Setting for Signals {
    fn apply(&mut self, value: &Value, path: &str, issues: &mut Vec<Issue>) {
        let items = match value {
            Value::Null => {
                self.0 = None;
                return;
            }
            Value::Array(items) => items,
            other => return refuse(other, "a list of signals, or null", path, issues),
        };
        let before = issues.len();
        let mut signals = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            signals.extend(signal(item, &format!("{path}[{index}]"), issues));
        }
        if issues.len() == before {
            self.0 = Some(signals.into());
        }
    }

    fn schema(&self) -> String {
        let means = joined(Means::WORDS, "\",\"");
        format!(
            r##""type":["array","null"],"items":{{"type":"object","additionalProperties":false,"required":["match","means"],"properties":{{"match":{{"type":"object","additionalProperties":false,"minProperties":1,"properties":{{"text":{{"type":"string"}},"message":{{"type":"string"}},"code":{{"type":["integer","string","array"]}},"pointer":{{"type":"string","format":"json-pointer"}},"equals":{{"type":["string","number","boolean"]}}}}}},"means":{{"enum":["{means}"]}},"without_is_error":{{"type":"boolean"}}}}}}"##
        )
    }

    fn written(&self) -> Option<String> {
        // Only defaults are written, and none of them has signals of its own.
        Some(if self.0.is_some() { "[]".into() } else { "null".into() })
    }
}

#[inline(never)]
fn signal(value: &Value, path: &str, issues: &mut Vec<Issue>) -> Option<OwnSignal> {
    let Value::Object(members) = value else {
        refuse(value, "an object with `match` and `means`", path, issues);
        return None;
    };
    refuse_unknown(members, path, &KEYS, issues);
    let missing = |key: &str, issues: &mut Vec<Issue>| {
        issues.push(Issue { path: member(path, key), message: "is missing".into() });
    };
    let mut means = Means::Transient;
    match members.get("means") {
        Some(word) => means.apply(word, &member(path, "means"), issues),
        None => missing("means", issues),
    }
    let mut without_is_error = false;
    if let Some(flag) = members.get("without_is_error") {
        without_is_error.apply(flag, &member(path, "without_is_error"), issues);
    }
    match members.get("match") {
        Some(Value::Object(asked)) => {
            let mut signal = matched(asked, &member(path, "match"), issues);
            (signal.means, signal.without_is_error) = (means, without_is_error);
            Some(signal)
        }
        Some(other) => {
            refuse(other, "an object", &member(path, "match"), issues);
            None
        }
        None => {
            missing("match", issues);
            None
        }
    }
}

#[inline(never)]
fn pattern(asked: &Members, key: &str, path: &str, issues: &mut Vec<Issue>) -> Option<Pattern> {
    let value = asked.get(key)?;
    let pattern = value.as_str().and_then(Pattern::of);
    if pattern.is_none() {
        let must = "a text, with at most one of {seconds}, {milliseconds}, {minutes} in it, not at its start";
        refuse(value, must, &member(path, key), issues);
    }
    pattern
}

#[inline(never)]
fn matched(asked: &Members, path: &str, issues: &mut Vec<Issue>) -> OwnSignal {
    refuse_unknown(asked, path, &MATCH, issues);
    if MATCH[..4].iter().all(|key| !asked.contains(key)) {
        let message = format!("must ask for something: {}", one_of(&MATCH[..4]));
        issues.push(Issue { path: path.into(), message });
    }
    let text = pattern(asked, "text", path, issues);
    let message = pattern(asked, "message", path, issues);
    let codes = asked.get("code").map(|value| {
        let mut codes = RpcCodes(Codes::new(&[]));
        match value {
            Value::Array(_) => codes.apply(value, &member(path, "code"), issues),
            one => codes.apply(&Value::Array([one.clone()].into()), &member(path, "code"), issues),
        }
        codes.0
    });
    let pointer = asked.get("pointer").and_then(|value| {
        let pointer = value.as_str().filter(|text| super::values::is_pointer(text));
        if pointer.is_none() {
            refuse(value, "a JSON Pointer like \"/error/code\"", &member(path, "pointer"), issues);
        }
        pointer.map(ToOwned::to_owned)
    });
    let equals = asked.get("equals").and_then(|value| {
        let scalar = match value {
            Value::Bool(flag) => Some(Scalar::Boolean(*flag)),
            Value::Integer(_) => value.as_integer().map(Scalar::Integer),
            Value::Float(number) => Some(Scalar::Number(*number)),
            Value::Text(text) => Some(Scalar::Text(text.clone())),
            _ => None,
        };
        if scalar.is_none() {
            refuse(value, "a text, a number or a boolean", &member(path, "equals"), issues);
        }
        scalar.map(Expected)
    });
    if equals.is_some() && !asked.contains("pointer") {
        let message = format!("needs {} beside it", quoted("pointer"));
        issues.push(Issue { path: member(path, "equals"), message });
    }
    OwnSignal {
        text,
        message,
        codes,
        pointer: pointer.map(|pointer| (pointer, equals)),
        means: Means::Transient,
        without_is_error: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_found_without_regard_to_case_and_captures_a_number() {
        let pattern = Pattern::of("Come back in {seconds} s").unwrap();
        assert_eq!(pattern.find("error: come BACK in 7 s, please"), Some(Some(7_000)));
        assert_eq!(pattern.find("come back in 1.5 s"), Some(Some(1_500)));
        assert_eq!(pattern.find("come back in a s; come back in 3 s"), Some(Some(3_000)));
        assert_eq!(pattern.find("come back in 3 m"), None);
        assert_eq!(Pattern::of("busy").unwrap().find("It is BUSY"), Some(None));
        for wrong in ["", " ", "{seconds}", "a {second}", "a {seconds} {minutes}"] {
            assert_eq!(Pattern::of(wrong), None, "{wrong}");
        }
    }
}
