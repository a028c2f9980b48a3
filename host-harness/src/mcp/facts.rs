//! What a plugin may know of the answer to a tool call: a few facts, and the body if it asks.

use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::{
    contract::{Outcome, Part, Returned, Scalar, Structured, Unfinished},
    gateway::{Content, excerpt_of_json, excerpt_of_texts},
};

/// The facts of the result of a `tools/call`, whatever JSON it is.
#[must_use]
pub fn outcome_of_result(result: &Value) -> Outcome {
    if let Some(unfinished) = unfinished(result) {
        return Outcome::Unfinished(unfinished);
    }
    Outcome::Returned(Returned {
        is_error: is_error(result),
        structured: result.get("structuredContent").filter(|content| !content.is_null()).map(
            |content| Structured { is_error: is_error(content), status_code: status_code(content) },
        ),
    })
}

/// A result that ends the attempt but not the call: `resultType` says so since
/// 2026-07-28; in 2025-11-25 a task stands in place of the content.
fn unfinished(result: &Value) -> Option<Unfinished> {
    match result.get("resultType").and_then(Value::as_str) {
        Some("input_required") => Some(Unfinished::InputRequired),
        Some("task") => Some(Unfinished::Task),
        _ => {
            let is_task = result.get("task")?.get("taskId")?.is_string();
            (is_task && result.get("content").is_none()).then_some(Unfinished::Task)
        }
    }
}

fn is_error(value: &Value) -> bool {
    value.get("isError").and_then(Value::as_bool) == Some(true)
}

/// `as_i64` refuses booleans, texts, and every number that was written as a float (`500.0`, `-0`).
fn status_code(content: &Value) -> Option<i32> {
    content.get("status_code")?.as_i64()?.try_into().ok()
}

/// The body of a result, looked through when a plugin asks, and never copied.
#[derive(Debug)]
pub struct ResultContent {
    result: Arc<Value>,
    /// Where in `content` the text items are.
    texts: OnceLock<Vec<usize>>,
}

impl ResultContent {
    /// The body of this result.
    #[must_use]
    pub fn new(result: Arc<Value>) -> Self {
        Self { result, texts: OnceLock::new() }
    }

    fn items(&self) -> &[Value] {
        self.result.get("content").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn texts(&self) -> &[usize] {
        self.texts.get_or_init(|| {
            let texts = self.items().iter().enumerate().filter(|(_, item)| text(item).is_some());
            texts.map(|(place, _)| place).collect()
        })
    }
}

impl Content for ResultContent {
    fn text_count(&self) -> usize {
        self.texts().len()
    }

    fn text(&self, index: usize) -> Option<&str> {
        text(self.items().get(*self.texts().get(index)?)?)
    }

    fn has_fields(&self) -> bool {
        let told = |name: &String| name == "isError" || name == "status_code";
        match self.result.get("structuredContent") {
            Some(Value::Object(members)) => members.keys().any(|name| !told(name)),
            Some(Value::Array(items)) => !items.is_empty(),
            _ => false,
        }
    }

    fn field(&self, pointer: &str) -> Option<Scalar> {
        scalar(self.result.get("structuredContent")?.pointer(pointer)?)
    }

    fn excerpt(&self, part: Part, most: usize) -> Option<String> {
        match part {
            Part::Texts => {
                let texts = self.items().iter().filter_map(text);
                // Some servers put an object where a text belongs.
                excerpt_of_texts(texts, most).or_else(|| {
                    excerpt_of_json(self.items().iter().find_map(|item| item.get("text"))?, most)
                })
            }
            Part::Data => excerpt_of_json(self.result.get("structuredContent")?, most),
        }
    }
}

/// The body of a JSON-RPC error: its `message` and its `data`.
#[derive(Debug)]
pub struct ErrorContent(pub Arc<Value>);

impl ErrorContent {
    fn message(&self) -> Option<&str> {
        self.0.get("message")?.as_str()
    }
}

impl Content for ErrorContent {
    fn text_count(&self) -> usize {
        usize::from(self.message().is_some())
    }

    fn text(&self, index: usize) -> Option<&str> {
        self.message().filter(|_| index == 0)
    }

    fn has_fields(&self) -> bool {
        self.0.get("data").is_some_and(|data| !data.is_null())
    }

    fn field(&self, pointer: &str) -> Option<Scalar> {
        scalar(self.0.get("data")?.pointer(pointer)?)
    }

    fn excerpt(&self, part: Part, most: usize) -> Option<String> {
        match part {
            Part::Texts => excerpt_of_texts(self.message().into_iter(), most),
            Part::Data => excerpt_of_json(self.0.get("data")?, most),
        }
    }
}

/// The body of an HTTP error, as far as it was read.
#[derive(Debug)]
pub struct HttpContent(pub Arc<str>);

impl Content for HttpContent {
    fn text_count(&self) -> usize {
        1
    }

    fn text(&self, index: usize) -> Option<&str> {
        (index == 0).then_some(&*self.0)
    }

    fn has_fields(&self) -> bool {
        false
    }

    fn field(&self, _: &str) -> Option<Scalar> {
        None
    }
}

fn text(item: &Value) -> Option<&str> {
    let is_text = item.get("type").and_then(Value::as_str) == Some("text");
    item.get("text").and_then(Value::as_str).filter(|_| is_text)
}

fn scalar(value: &Value) -> Option<Scalar> {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => None,
        Value::Bool(flag) => Some(Scalar::Boolean(*flag)),
        Value::Number(number) => {
            let integer = number.as_i64().map(Scalar::Integer);
            integer.or_else(|| number.as_f64().map(Scalar::Number))
        }
        Value::String(text) => Some(Scalar::Text(text.clone())),
    }
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
        let body = ResultContent::new(Arc::new(json!({"content": [
            {"type": "image", "text": "no"}, {"type": "text", "text": "a"}, "text", null,
            {"type": "text", "text": 1}, {"type": "TEXT", "text": "no"}, {"type": "text", "text": ""},
        ]})));
        assert_eq!(
            (body.text_count(), body.text(0), body.text(1), body.text(2)),
            (2, Some("a"), Some(""), None)
        );
        let none = ResultContent::new(Arc::new(json!({"content": {"type": "text", "text": "a"}})));
        assert_eq!((none.text_count(), none.text(0)), (0, None));
    }

    #[test]
    fn a_field_is_a_scalar_at_a_json_pointer() {
        let body =
            json!({"a/b": [1, 2.5, "x", true, null, {}], "big": 18_446_744_073_709_551_615_u64});
        let result = ResultContent::new(Arc::new(json!({ "structuredContent": body })));
        let error = ErrorContent(Arc::new(json!({ "code": 1, "data": body })));
        for content in [&result as &dyn Content, &error] {
            for (pointer, expected) in [
                ("/a~1b/0", Some(Scalar::Integer(1))),
                ("/a~1b/1", Some(Scalar::Number(2.5))),
                ("/a~1b/2", Some(Scalar::Text("x".to_owned()))),
                ("/a~1b/3", Some(Scalar::Boolean(true))),
                ("/a~1b/4", None),
                ("/a~1b/5", None),
                ("/a~1b/6", None),
                ("/a~1b", None),
                ("", None),
                ("big", None),
                ("/big", Some(Scalar::Number(18_446_744_073_709_551_615_u64 as f64))),
            ] {
                assert_eq!(content.field(pointer), expected, "{pointer}");
            }
        }
    }

    #[test]
    fn a_result_that_asks_for_more_or_hands_back_a_task_is_no_end() {
        for (result, expected) in [
            (json!({"resultType": "input_required"}), Some(Unfinished::InputRequired)),
            (json!({"resultType": "task", "taskId": "1"}), Some(Unfinished::Task)),
            (json!({"task": {"taskId": "1", "status": "working"}}), Some(Unfinished::Task)),
            (json!({"task": {"taskId": "1"}, "content": []}), None),
            (json!({"task": {"taskId": 1}}), None),
            (json!({"resultType": "complete", "isError": true}), None),
            (json!({"resultType": 1}), None),
        ] {
            assert_eq!(unfinished(&result), expected, "{result}");
        }
    }
}
