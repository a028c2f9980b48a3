//! The id of a request.

use serde_json::value::RawValue;

use super::raw;

/// A request id: echoed as it was written, compared by its value.
#[derive(Debug, Clone)]
pub struct Id {
    raw: Box<RawValue>,
    key: IdKey,
}

/// The value of an [`Id`], for tables: `1` and `"1"` differ, `"a"` and `"\u0061"` do not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdKey(String);

impl Id {
    /// The id written so.
    #[must_use]
    pub fn new(raw: &RawValue) -> Self {
        let key = match serde_json::from_str::<serde_json::Value>(raw.get()) {
            Ok(value) => value.to_string(),
            // Valid JSON that no text or number can hold, such as a lone surrogate.
            Err(_) => raw.get().to_owned(),
        };
        Self { raw: raw.to_owned(), key: IdKey(key) }
    }

    /// The id with this text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::new(&raw(text))
    }

    /// The id's value.
    #[must_use]
    pub fn key(&self) -> &IdKey {
        &self.key
    }

    /// The id as it was written.
    #[must_use]
    pub fn raw(&self) -> &RawValue {
        &self.raw
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_compared_by_value_and_type() {
        let key = |text| Id::new(serde_json::from_str(text).expect("JSON")).key().clone();
        assert_eq!(key(r#""a""#), key(r#""\u0061""#));
        assert_ne!(key("1"), key(r#""1""#));
    }
}
