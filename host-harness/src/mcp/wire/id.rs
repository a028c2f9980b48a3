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

    /// The id that is this number.
    #[must_use]
    pub fn number_of(number: u64) -> Self {
        Self::new(&raw(&number))
    }

    /// The id's value.
    #[must_use]
    pub fn key(&self) -> &IdKey {
        &self.key
    }

    /// Whether it is a number without a fraction.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        self.raw.get().parse::<i64>().is_ok()
    }

    /// Whether both mean the same request: some peers give `7` back as `"7"`, as
    /// `7.0`, or the other way round.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.key == other.key || self.number().is_some_and(|number| other.number() == Some(number))
    }

    /// The integer that it is in any spelling.
    fn number(&self) -> Option<i64> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let text = self.key.0.trim_matches('"');
        let float = || {
            let number: f64 = text.parse().ok()?;
            (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
        };
        text.parse().ok().or_else(float)
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

    #[test]
    fn an_integer_is_known_again_in_another_spelling_and_nothing_else_is() {
        let id = |text| Id::new(serde_json::from_str(text).expect("JSON"));
        for (one, other) in [("7", r#""7""#), ("7.0", "7"), (r#""7""#, "7.0"), ("-3", "-3.0")] {
            assert!(id(one).is_like(&id(other)), "{one} {other}");
        }
        for (one, other) in [("7", "8"), ("7.5", "7"), ("null", "0"), (r#""a""#, r#""b""#)] {
            assert!(!id(one).is_like(&id(other)), "{one} {other}");
        }
        assert!(id("7").is_integer() && !id(r#""7""#).is_integer() && !id("7.0").is_integer());
    }
}
