//! The third signal: JSON that a tool wrote into a text item.

use core::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Content, Detection, Failure, Signal, gate};
use crate::config::Policy;

/// Looks through the texts for the first one that tells of a transient failure.
pub(super) fn in_texts(content: &impl Content, policy: &Policy) -> Detection {
    let mut detection = Detection::Success;
    for index in 0..content.text_count() {
        let Some(text) = content.text(index) else { continue };
        let Ok(Json::Object { is_error, status_code: status }) = serde_json::from_str(&text) else {
            continue;
        };
        if is_error {
            let signal = Signal::TextError;
            return Detection::Transient(Failure {
                signal,
                status,
                wish: None,
                not_executed: false,
            });
        }
        match status.map(|status| (status, gate(status, policy))) {
            Some((_, transient @ Detection::Transient(_))) => return transient,
            Some((400.., permanent)) => detection = permanent,
            _ => {}
        }
    }
    detection
}

/// A JSON value, read to its end but kept only as far as it matters here.
///
/// `serde::de::IgnoredAny` would not do for the rest: it skips numbers that are
/// out of range, lone surrogates and nesting deeper than 127 levels without a
/// word, and a text with one of these is not JSON to the original plugin.
enum Json {
    Bool(bool),
    Integer(i32),
    Object { is_error: bool, status_code: Option<i32> },
    Other,
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(i32::try_from(value).map_or(Json::Other, Json::Integer))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(i32::try_from(value).map_or(Json::Other, Json::Integer))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        while seq.next_element::<Json>()?.is_some() {}
        Ok(Json::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let (mut is_error, mut status_code) = (false, None);
        while let Some(key) = map.next_key::<Key>()? {
            // Of a key that is there twice, the last value counts.
            match (key, map.next_value::<Json>()?) {
                (Key::IsError, value) => is_error = matches!(value, Json::Bool(true)),
                (Key::StatusCode, Json::Integer(status)) => status_code = Some(status),
                (Key::StatusCode, _) => status_code = None,
                (Key::Other, _) => {}
            }
        }
        Ok(Json::Object { is_error, status_code })
    }
}

/// The keys that matter.
enum Key {
    IsError,
    StatusCode,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Key, E> {
        Ok(match key {
            "isError" => Key::IsError,
            "status_code" => Key::StatusCode,
            _ => Key::Other,
        })
    }
}
