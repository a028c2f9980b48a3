//! JSON that is looked through where it stands: one pass forward, and nothing
//! of it is kept but where things are. A tree of an answer takes twenty times
//! the room of the answer.

use std::{borrow::Cow, fmt, marker::PhantomData, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// Gives every member of an object, in order. Nothing if it is no object.
pub(super) fn members<'a>(json: &'a str, each: impl FnMut(&str, &'a str)) {
    if json.starts_with('{') {
        // It was JSON already, so that nothing fails on the way.
        let _ = serde_json::Deserializer::from_str(json).deserialize_map(Members(each));
    }
}

/// Gives every item of an array, in order. Nothing if it is no array.
pub(super) fn items<'a>(json: &'a str, each: impl FnMut(&'a str)) {
    if json.starts_with('[') {
        let _ = serde_json::Deserializer::from_str(json).deserialize_seq(Items(each));
    }
}

/// The text that a JSON string stands for; none if it is no string. Half of a
/// surrogate pair is no Unicode and becomes the replacement character.
pub(super) fn text(json: &str) -> Option<Cow<'_, str>> {
    json.starts_with('"').then(|| serde_json::from_str(json).map(|Text(text)| text).ok())?
}

/// Where `part` stands in `whole`, which it is a part of.
pub(super) fn place(whole: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}

struct Members<F>(F);

impl<'de, F: FnMut(&str, &'de str)> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((Text(name), value)) = map.next_entry::<Text<'_>, &RawValue>()? {
            (self.0)(&name, value.get());
        }
        Ok(())
    }
}

struct Items<F>(F);

impl<'de, F: FnMut(&'de str)> Visitor<'de> for Items<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<&RawValue>()? {
            (self.0)(item.get());
        }
        Ok(())
    }
}

struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As bytes, for those may hold what is no Unicode.
        deserializer.deserialize_bytes(Bytes(PhantomData)).map(Self)
    }
}

struct Bytes<'a>(PhantomData<&'a str>);

impl<'de: 'a, 'a> Visitor<'de> for Bytes<'a> {
    type Value = Cow<'a, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(String::from_utf8_lossy(bytes))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Cow::Owned(String::from_utf8_lossy(bytes).into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scaling::assert_linear;

    #[test]
    fn members_and_items_come_in_order_as_they_are_written() {
        let mut seen = Vec::new();
        members(r#"{"a" : 1e2 , "\u0062":[ 1 ],"a":"\"","\ud800":{}}"#, |name, value| {
            seen.push((name.to_owned(), value));
        });
        let expected =
            [("a", "1e2"), ("b", "[ 1 ]"), ("a", r#""\"""#), ("\u{fffd}\u{fffd}\u{fffd}", "{}")];
        assert_eq!(seen.len(), expected.len());
        for ((name, value), (wanted, written)) in seen.iter().zip(expected) {
            assert_eq!((name.as_str(), *value), (wanted, written));
        }
        let mut seen = Vec::new();
        items(r#"[ 1 ,{"a":[]}, "x"]"#, |item| seen.push(item));
        assert_eq!(seen, ["1", r#"{"a":[]}"#, r#""x""#]);
        members("[1]", |_, _| panic!("no object"));
        items(r#"{"a":1}"#, |_| panic!("no array"));
    }

    #[test]
    fn a_text_is_borrowed_unless_it_is_written_with_escapes() {
        assert!(matches!(text(r#""é""#), Some(Cow::Borrowed("é"))));
        assert_eq!(text(r#""\u00e9\n""#).as_deref(), Some("é\n"));
        assert!(text(r#""a\ud800b""#).expect("a text").starts_with('a'));
        assert_eq!((text("1"), text("{}"), text("null")), (None, None, None));
    }

    #[test]
    fn any_depth_is_looked_through_in_linear_time() {
        let nested = |depth| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert_linear(10_000, nested, |json| {
            let mut seen = 0;
            members(json, |_, value| seen = value.len());
            seen
        });
    }
}
