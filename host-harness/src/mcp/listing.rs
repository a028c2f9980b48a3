//! Reading the lists of a server, as much of them as is kept.
//!
//! A server may list what it likes, and a single one is relayed whatever it
//! lists. What the gateway itself remembers of a list has bounds, and what is
//! beyond them is passed over without being taken apart.

use std::fmt;

use serde::{
    Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// The longest name of a tool or a prompt that is remembered, in bytes.
pub(super) const MOST_NAME_BYTES: usize = 256;
/// The longest URI, or template of one, that is remembered, in bytes.
pub(super) const MOST_URI_BYTES: usize = 8 * 1024;

/// How much is remembered of each list of one upstream: of its tools, its
/// prompts, its resources and its templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListLimits {
    /// Entries; default 10,000.
    pub max_listed: usize,
    /// Bytes of all entries together; default 8 MiB.
    pub max_listed_bytes: usize,
}

impl Default for ListLimits {
    fn default() -> Self {
        Self { max_listed: 10_000, max_listed_bytes: 8 * 1024 * 1024 }
    }
}

/// What is left of the limits while a list is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    entries: usize,
    bytes: usize,
}

/// The key of the limit that a list is beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beyond(pub(super) &'static str);

impl From<ListLimits> for Allowance {
    fn from(limits: ListLimits) -> Self {
        Self { entries: limits.max_listed, bytes: limits.max_listed_bytes }
    }
}

impl Allowance {
    /// One more entry.
    ///
    /// # Errors
    /// It is beyond a limit.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Beyond> {
        let entries = self.entries.checked_sub(1).ok_or(Beyond("limits.max_listed"))?;
        let bytes = self.bytes.checked_sub(bytes).ok_or(Beyond("limits.max_listed_bytes"))?;
        (self.entries, self.bytes) = (entries, bytes);
        Ok(())
    }

    /// An entry of so many bytes is not kept any more.
    pub(super) fn give_back(&mut self, bytes: usize) {
        self.entries += 1;
        self.bytes += bytes;
    }
}

/// A member of an object where it stands; of one that came twice the last, as JSON parsers do.
pub(super) fn member<'a>(object: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    struct Last<'n>(&'n str);

    impl<'de> Visitor<'de> for Last<'_> {
        type Value = Option<&'de RawValue>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = None;
            while let Some(name) = map.next_key::<String>()? {
                if name == self.0 {
                    found = Some(map.next_value()?);
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(found)
        }
    }

    serde_json::Deserializer::from_str(object.get()).deserialize_map(Last(name)).ok()?
}

/// Gives `each` the entries of an array where they stand, until it wants no more.
/// None if it is no array.
pub(super) fn each_entry<'a>(
    array: &'a RawValue,
    each: impl FnMut(&'a RawValue) -> Result<(), Beyond>,
) -> Option<Result<(), Beyond>> {
    struct Entries<F>(F);

    impl<'de, F: FnMut(&'de RawValue) -> Result<(), Beyond>> Visitor<'de> for Entries<F> {
        type Value = Result<(), Beyond>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON array")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut all: A) -> Result<Self::Value, A::Error> {
            while let Some(entry) = all.next_element()? {
                if let Err(beyond) = (self.0)(entry) {
                    while all.next_element::<IgnoredAny>()?.is_some() {}
                    return Ok(Err(beyond));
                }
            }
            Ok(Ok(()))
        }
    }

    serde_json::Deserializer::from_str(array.get()).deserialize_seq(Entries(each)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> &RawValue {
        serde_json::from_str(text).expect("JSON")
    }

    #[test]
    fn a_list_is_read_to_its_bounds_and_the_last_of_two_counts() {
        let page = raw(r#"{"tools":[9],"nextCursor":"x","tools":[1,"22",{"a":3}]}"#);
        let tools = member(page, "tools").expect("a member");
        for (limits, kept, beyond) in [
            ((3, 100), 3, None),
            ((2, 100), 2, Some(Beyond("limits.max_listed"))),
            ((3, 5), 2, Some(Beyond("limits.max_listed_bytes"))),
            ((0, 0), 0, Some(Beyond("limits.max_listed"))),
        ] {
            let mut left: Allowance =
                ListLimits { max_listed: limits.0, max_listed_bytes: limits.1 }.into();
            let mut read = 0;
            let result = each_entry(tools, |entry| {
                left.take(entry.get().len())?;
                read += 1;
                Ok(())
            });
            assert_eq!((read, result.expect("a list").err()), (kept, beyond));
        }
        assert!(each_entry(raw("{}"), |_| Ok(())).is_none());
        assert!(member(raw("[]"), "tools").is_none());
    }
}
