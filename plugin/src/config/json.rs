//! A JSON value, as small as a configuration needs it.
//!
//! `serde_json::Value` would do, but brings a map, a serializer and the tables
//! to print floats with: 20 KiB of a component that may have 150.

use alloc::{borrow::ToOwned, format, string::String, vec::Vec};
use core::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// A number that was written as an integer, and fits 64 bits with or without a sign.
    Integer(i128),
    Float(f64),
    Text(String),
    Array(Vec<Self>),
    Object(Members),
    /// An object of more than [`MOST_MEMBERS`]: nothing that is looked for is one.
    Overfull,
}

/// The members of an object, in their order. Of a name that came twice the last value counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Members(Vec<(String, Value)>);

impl Members {
    #[inline(never)]
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl Value {
    pub(super) fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(flag) = self { Some(*flag) } else { None }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn as_integer<T: TryFrom<i128>>(&self) -> Option<T> {
        if let Self::Integer(number) = self { T::try_from(*number).ok() } else { None }
    }

    pub(super) fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Integer(_) => self.as_integer::<i64>().map(|number| number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }
}

/// As JSON; a float with at most six digits after the point, for it is shown
/// to people and never read again.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(flag) => write!(f, "{flag}"),
            Self::Integer(number) => match (i64::try_from(*number), u64::try_from(*number)) {
                (Ok(number), _) => write!(f, "{number}"),
                (_, Ok(number)) => write!(f, "{number}"),
                _ => f.write_str("a large integer"),
            },
            Self::Float(number) => float(*number, f),
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::Array(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(f, "{comma}{item}")?;
                }
                f.write_str("]")
            }
            Self::Object(Members(members)) => {
                f.write_str("{")?;
                for (index, (name, value)) in members.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(f, "{comma}{}:{value}", quoted(name))?;
                }
                f.write_str("}")
            }
            Self::Overfull => write!(f, "an object of more than {MOST_MEMBERS} keys"),
        }
    }
}

fn float(number: f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (sign, size) = if number < 0.0 { ("-", -number) } else { ("", number) };
    // Up to here a float holds every integer, and millionths of it fit 64 bits.
    if size >= 9e12 {
        return write!(
            f,
            "a number {}",
            if sign.is_empty() { "above 9e12" } else { "below -9e12" }
        );
    }
    let millionths = (size * 1e6 + 0.5) as u64;
    let digits = format!("{:06}", millionths % 1_000_000);
    let digits = digits.trim_end_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    write!(f, "{sign}{}.{digits}", millionths / 1_000_000)
}

/// The texts as one. That of the library sums up first what it takes, and
/// takes a kilobyte of code for each kind of text.
#[inline(never)]
pub(super) fn joined(texts: &[impl AsRef<str>], between: &str) -> String {
    let mut joined = String::new();
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            joined.push_str(between);
        }
        joined.push_str(text.as_ref());
    }
    joined
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            '\n' => quoted.push_str("\\n"),
            '\0'..='\u{1f}' => quoted.push_str(&format!("\\u{:04x}", u32::from(char))),
            _ => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

/// The most keys of one object. Each is looked for among those before it, which
/// costs a small component less than a map does.
const MOST_MEMBERS: usize = 5_000;

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members: Vec<(String, Value)> = Vec::new();
        // No error of serde's own: to make one from a text takes 13 KiB of code.
        let mut overfull = false;
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if overfull {
                continue;
            }
            match members.iter().position(|(known, _)| *known == name) {
                Some(at) => members[at].1 = value,
                None => members.push((name, value)),
            }
            overfull = members.len() > MOST_MEMBERS;
        }
        Ok(if overfull { Value::Overfull } else { Value::Object(Members(members)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_as_it_was_written() {
        for text in [
            "null",
            "true",
            "-3",
            "18446744073709551615",
            "503.0",
            "-0.25",
            "0.000001",
            r#""a \"b\" \\ \n \u0001 é""#,
            r#"[1,[],{"a":{},"b":"c"}]"#,
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(format!("{value}"), text);
        }
        assert_eq!(format!("{}", Value::Float(1e300)), "a number above 9e12");
    }

    #[test]
    fn of_a_name_that_came_twice_the_last_value_counts() {
        for (text, shown) in [
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
            (r#"{"b":1,"a":2,"a":3,"b":4,"c":5,"a":6}"#, r#"{"b":4,"a":6,"c":5}"#),
            (r#"{"":1,"":2}"#, r#"{"":2}"#),
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(format!("{value}"), shown);
        }
    }
}
