//! A JSON object, its members as the bytes that arrived.

use std::{collections::HashMap, fmt, ops::Deref, sync::Arc};

use serde::{
    Deserializer, Serialize, Serializer,
    de::{IgnoredAny, MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::value::RawValue;

/// The members that an object may have where the gateway reads them one by one:
/// a message, its `params`, their `_meta`, a result. An object of `{"1":1,...}`
/// takes about ten times its own size in memory while it is read, so this is what
/// bounds it: 6 MiB. What the gateway only passes on is not counted.
pub const MAX_MEMBERS: usize = 65_536;

/// Up to so many members a look through all of them is cheaper than an index.
const FEW: usize = 16;

/// A JSON object as it came: order, unknown members, numbers and escapes untouched.
///
/// Of a member that came twice the last value is kept, as JSON parsers do.
#[derive(Debug, Clone, Default)]
pub struct Members(Vec<(String, Held)>);

/// From this size on, in bytes, the copies of a message share a value.
const SHARED: usize = 4 * 1024;

/// A value. A long one is copied by counting who has it.
#[derive(Debug, Clone)]
enum Held {
    Alone(Box<RawValue>),
    Shared(Arc<Box<RawValue>>),
}

impl From<Box<RawValue>> for Held {
    fn from(value: Box<RawValue>) -> Self {
        if value.get().len() < SHARED { Self::Alone(value) } else { Self::Shared(Arc::new(value)) }
    }
}

impl Deref for Held {
    type Target = RawValue;

    fn deref(&self) -> &RawValue {
        match self {
            Self::Alone(value) => value,
            Self::Shared(value) => value,
        }
    }
}

/// The members of an object where they stand.
pub(in crate::mcp) type Borrowed<'a> = Vec<(String, &'a RawValue)>;

/// Why there are no members to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoMembers {
    /// It is not a JSON object, or a member's name is not Unicode text.
    #[error("not a JSON object")]
    NotAnObject,
    /// It has more than [`MAX_MEMBERS`].
    #[error("an object of more than {MAX_MEMBERS} members")]
    TooMany,
}

impl Members {
    /// Reads a JSON object, in time that grows with its length and not faster.
    ///
    /// # Errors
    /// `raw` is not a JSON object, or one of too many members.
    pub fn parse(raw: &RawValue) -> Result<Self, NoMembers> {
        Ok(Self::of(Self::read(raw)?))
    }

    /// As [`parse`](Self::parse), without a copy of what is found.
    ///
    /// # Errors
    /// `raw` is not a JSON object, or one of too many members.
    pub(in crate::mcp) fn read(raw: &RawValue) -> Result<Borrowed<'_>, NoMembers> {
        let mut deserializer = serde_json::Deserializer::from_str(raw.get());
        deserializer.deserialize_map(InOrder).unwrap_or(Err(NoMembers::NotAnObject))
    }

    /// Copies of these.
    pub(in crate::mcp) fn of(members: Borrowed<'_>) -> Self {
        let owned = |(name, value): (_, &RawValue)| (name, value.to_owned().into());
        Self(members.into_iter().map(owned).collect())
    }

    /// About what they take in JSON, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.get().len() + 4).sum()
    }

    /// The member's value, unparsed.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// Replaces a member where it stands, or adds it at the end.
    pub fn set(&mut self, name: &str, value: Box<RawValue>) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value.into(),
            None => self.0.push((name.to_owned(), value.into())),
        }
    }

    /// Takes a member out. False if there is none.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|(known, _)| known != name);
        self.0.len() < before
    }
}

/// Reads members in their order.
struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Result<Borrowed<'de>, NoMembers>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Borrowed<'de> = Vec::new();
        // Where each name stands, once there are many.
        let mut places: HashMap<String, usize> = HashMap::new();
        while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
            let count = members.len();
            if count < FEW {
                match members.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, old)) => *old = value,
                    None => members.push((name, value)),
                }
                continue;
            }
            if places.is_empty() {
                let names = members.iter().enumerate();
                places.extend(names.map(|(place, (name, _))| (name.clone(), place)));
            }
            match places.get(&name) {
                Some(place) => members[*place].1 = value,
                None if count == MAX_MEMBERS => {
                    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                    return Ok(Err(NoMembers::TooMany));
                }
                None => {
                    places.insert(name.clone(), count);
                    members.push((name, value));
                }
            }
        }
        Ok(Ok(members))
    }
}

impl Members {
    /// Writes all members in their order, this one with another value.
    pub(in crate::mcp) fn serialize_with<S: Serializer>(
        &self,
        replaced: &str,
        by: &impl Serialize,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            if name == replaced {
                map.serialize_entry(name, by)?;
            } else {
                map.serialize_entry(name, &**value)?;
            }
        }
        map.end()
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, &**value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scaling::assert_linear;

    fn parse(text: &str) -> Result<Members, NoMembers> {
        Members::parse(serde_json::from_str(text).expect("JSON"))
    }

    /// An object of `count` members, each with a name of its own.
    fn object(count: usize) -> String {
        let members: Vec<_> = (0..count).map(|number| format!("\"{number:x}\":1")).collect();
        format!("{{{}}}", members.join(","))
    }

    #[test]
    fn of_a_name_that_comes_again_the_last_value_stands_in_the_first_place() {
        for filler in [0, FEW, 3 * FEW] {
            let many = object(filler);
            let many = many.trim_matches(['{', '}']);
            let comma = if filler == 0 { "" } else { "," };
            let text = format!(r#"{{"x":1,{many}{comma}"y":2,"x":3,"z":4,"y":5}}"#);
            let members = parse(&text).expect("an object");
            let value = |name| members.get(name).map(RawValue::get);
            assert_eq!((value("x"), value("y"), value("z")), (Some("3"), Some("5"), Some("4")));
            assert_eq!(members.0.len(), filler + 3);
            assert_eq!(members.0[0].0, "x");
        }
    }

    #[test]
    fn more_members_than_the_bound_are_refused_and_as_many_are_read() {
        assert_eq!(parse(&object(MAX_MEMBERS)).expect("an object").0.len(), MAX_MEMBERS);
        assert_eq!(parse(&object(MAX_MEMBERS + 1)).expect_err("too many"), NoMembers::TooMany);
        assert_eq!(parse("[]").expect_err("a list"), NoMembers::NotAnObject);
    }

    #[test]
    fn members_are_read_in_linear_time() {
        let raw = |count| -> Box<RawValue> { serde_json::from_str(&object(count)).expect("JSON") };
        assert_linear(MAX_MEMBERS / 16, raw, |raw| Members::parse(raw).expect("an object"));
        let again = |count| -> Box<RawValue> {
            serde_json::from_str(&format!("{{\"x\":1{}}}", ",\"x\":1".repeat(count))).expect("JSON")
        };
        assert_linear(MAX_MEMBERS / 16, again, |raw| Members::parse(raw).expect("an object"));
    }
}
