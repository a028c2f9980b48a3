//! What a plugin may know of a tool's result: a few facts, and the texts if it asks.

use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::{
    contract::{Outcome, Returned, Structured},
    gateway::Texts,
};

/// The facts of the result of a `tools/call`, whatever JSON it is.
#[must_use]
pub fn outcome_of_result(result: &Value) -> Outcome {
    Outcome::Returned(Returned {
        is_error: is_error(result),
        structured: result.get("structuredContent").filter(|content| !content.is_null()).map(
            |content| Structured { is_error: is_error(content), status_code: status_code(content) },
        ),
    })
}

fn is_error(value: &Value) -> bool {
    value.get("isError").and_then(Value::as_bool) == Some(true)
}

/// `as_i64` refuses booleans, texts, and every number that was written as a float (`500.0`, `-0`).
fn status_code(content: &Value) -> Option<i32> {
    content.get("status_code")?.as_i64()?.try_into().ok()
}

/// The text items of a result, found when a plugin asks for them, and never copied.
#[derive(Debug)]
pub struct ResultTexts {
    result: Arc<Value>,
    /// Where in `content` the text items are.
    places: OnceLock<Vec<usize>>,
}

impl ResultTexts {
    /// The texts of this result.
    #[must_use]
    pub fn new(result: Arc<Value>) -> Self {
        Self { result, places: OnceLock::new() }
    }

    fn items(&self) -> &[Value] {
        self.result.get("content").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn places(&self) -> &[usize] {
        self.places.get_or_init(|| {
            let texts = self.items().iter().enumerate().filter(|(_, item)| text(item).is_some());
            texts.map(|(place, _)| place).collect()
        })
    }
}

impl Texts for ResultTexts {
    fn count(&self) -> usize {
        self.places().len()
    }

    fn get(&self, index: usize) -> Option<&str> {
        text(self.items().get(*self.places().get(index)?)?)
    }
}

fn text(item: &Value) -> Option<&str> {
    let is_text = item.get("type").and_then(Value::as_str) == Some("text");
    item.get("text").and_then(Value::as_str).filter(|_| is_text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(result: &Value) -> (bool, Option<(bool, Option<i32>)>) {
        match outcome_of_result(result) {
            Outcome::Returned(facts) => {
                (facts.is_error, facts.structured.map(|facts| (facts.is_error, facts.status_code)))
            }
            other => panic!("a result is returned, not {other:?}"),
        }
    }

    #[test]
    fn only_the_boolean_true_is_an_error() {
        assert_eq!(facts(&json!({"isError": true})), (true, None));
        for no in [json!("true"), json!(1), json!(false), json!(null), json!({})] {
            assert_eq!(
                facts(&json!({ "isError": no, "structuredContent": {"isError": no} })),
                (false, Some((false, None)))
            );
        }
        assert_eq!(
            facts(&json!({"structuredContent": {"isError": true}})),
            (false, Some((true, None)))
        );
    }

    #[test]
    fn a_result_that_is_no_object_is_a_plain_success() {
        for result in [json!(null), json!([{"isError": true}]), json!("isError"), json!(1)] {
            assert_eq!(facts(&result), (false, None), "{result}");
        }
    }

    #[test]
    fn structured_content_counts_unless_it_is_absent_or_null() {
        assert_eq!(facts(&json!({"structuredContent": null})), (false, None));
        for empty in [json!([]), json!("x"), json!(0), json!(false), json!({})] {
            assert_eq!(facts(&json!({ "structuredContent": empty })), (false, Some((false, None))));
        }
    }

    #[test]
    fn a_status_is_an_integer_that_fits_32_bits() {
        for (written, status) in [
            ("503", Some(503)),
            ("-2147483648", Some(i32::MIN)),
            ("2147483647", Some(i32::MAX)),
            ("2147483648", None),
            ("18446744073709551615", None),
            ("500.0", None),
            ("5e2", None),
            ("-0", None),
            ("0", Some(0)),
            ("true", None),
            (r#""503""#, None),
        ] {
            let result = format!(r#"{{"structuredContent":{{"status_code":{written}}}}}"#);
            let result = serde_json::from_str(&result).expect("JSON");
            assert_eq!(facts(&result), (false, Some((false, status))), "{written}");
        }
    }

    #[test]
    fn texts_are_counted_among_the_text_items_only() {
        let texts = ResultTexts::new(Arc::new(json!({"content": [
            {"type": "image", "text": "no"}, {"type": "text", "text": "a"}, "text", null,
            {"type": "text", "text": 1}, {"type": "TEXT", "text": "no"}, {"type": "text", "text": ""},
        ]})));
        assert_eq!(
            (texts.count(), texts.get(0), texts.get(1), texts.get(2)),
            (2, Some("a"), Some(""), None)
        );
        let none = ResultTexts::new(Arc::new(json!({"content": {"type": "text", "text": "a"}})));
        assert_eq!((none.count(), none.get(0)), (0, None));
    }
}
