//! What a plugin may know of the answer to a tool call: a few facts, and the body if it asks.

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use serde::Serialize;
use serde_json::Value;

use crate::{
    contract::{Outcome, Part, Returned, Scalar, Structured, Unfinished},
    gateway::{Content, excerpt_of_json, excerpt_of_texts},
    mcp::{
        raw_json::{items, members, place, text},
        wire::{Id, Message},
    },
};

/// Fields are looked up in structured contents, and in data of errors, of so
/// many bytes at the most; there are none in longer ones.
pub const MOST_BYTES_WITH_FIELDS: usize = 1 << 20;

/// The result of a `tools/call`, whatever JSON it is: read in one pass when it
/// comes, looked through when a plugin asks, and never copied.
#[derive(Debug)]
pub struct ResultContent {
    response: Message,
    outcome: Outcome,
    /// Where these members stand in the result.
    structured: Option<Range<usize>>,
    content: Option<Range<usize>>,
    has_fields: bool,
    fields: OnceLock<Value>,
    texts: OnceLock<Vec<Text>>,
}

/// One text of a body.
#[derive(Debug)]
struct Text {
    /// Where the string stands in the result.
    place: Range<usize>,
    /// What it stands for, if it is written with escapes.
    unescaped: OnceLock<Box<str>>,
}

impl ResultContent {
    /// What a response brings; one without a result brings `null`.
    #[must_use]
    pub fn new(response: Message) -> Self {
        let result = result_of(&response);
        let (mut is_error, mut kind, mut task) = (false, None, None);
        let (mut content, mut structured) = (None, None);
        members(result, |name, value| match name {
            "isError" => is_error = value == "true",
            "resultType" => kind = text(value),
            "task" => task = Some(value),
            "content" => content = Some(value),
            "structuredContent" => structured = Some(value).filter(|value| *value != "null"),
            _ => {}
        });
        let unfinished = match kind.as_deref() {
            Some("input_required") => Some(Unfinished::InputRequired),
            Some("task") => Some(Unfinished::Task),
            // In 2025-11-25 a task stands in place of the content.
            _ => (content.is_none() && task.is_some_and(has_id)).then_some(Unfinished::Task),
        };
        let (facts, has_fields) = structured.map_or((None, false), |content| {
            let (facts, has_fields) = read_structured(content);
            (Some(facts), has_fields && content.len() <= MOST_BYTES_WITH_FIELDS)
        });
        let outcome = match unfinished {
            Some(unfinished) => Outcome::Unfinished(unfinished),
            None => Outcome::Returned(Returned { is_error, structured: facts }),
        };
        let structured = structured.map(|part| place(result, part));
        let content = content.map(|part| place(result, part));
        let (fields, texts) = (OnceLock::new(), OnceLock::new());
        Self { response, outcome, structured, content, has_fields, fields, texts }
    }

    /// What a result brings that no server sent: for those who judge results
    /// outside of a gateway.
    #[must_use]
    pub fn of(result: &(impl Serialize + ?Sized)) -> Self {
        Self::new(Message::result(&Id::text("judged"), result))
    }

    /// The facts that a plugin judges.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The response, as it came.
    pub(super) fn response(&self) -> &Message {
        &self.response
    }

    /// The response, as it came.
    pub(super) fn into_response(self) -> Message {
        self.response
    }

    fn result(&self) -> &str {
        result_of(&self.response)
    }

    fn part(&self, place: &Option<Range<usize>>) -> Option<&str> {
        self.result().get(place.clone()?)
    }

    fn texts(&self) -> &[Text] {
        self.texts.get_or_init(|| {
            let (result, mut texts) = (self.result(), Vec::new());
            items(self.part(&self.content).unwrap_or_default(), |item| {
                let (mut is_text, mut written) = (false, None);
                members(item, |name, value| match name {
                    "type" => is_text = text(value).as_deref() == Some("text"),
                    "text" => written = Some(value).filter(|value| value.starts_with('"')),
                    _ => {}
                });
                if let (true, Some(written)) = (is_text, written) {
                    let place = place(result, written);
                    texts.push(Text { place, unescaped: OnceLock::new() });
                }
            });
            texts
        })
    }

    fn read<'a>(&'a self, Text { place, unescaped }: &'a Text) -> &'a str {
        let written = self.result().get(place.clone()).unwrap_or_default();
        let plain = written.trim_matches('"');
        if !plain.contains('\\') {
            return plain;
        }
        unescaped.get_or_init(|| text(written).unwrap_or_default().into())
    }

    fn structured(&self) -> Option<&Value> {
        let written = self.part(&self.structured)?;
        (written.len() <= MOST_BYTES_WITH_FIELDS).then(|| self.fields.get_or_init(|| tree(written)))
    }
}

fn result_of(response: &Message) -> &str {
    response.get("result").map_or("null", |result| result.get())
}

/// A tree of JSON that is short; `null` if none can hold it (nested more than
/// 128 deep, or a text that is not Unicode).
fn tree(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}

fn has_id(task: &str) -> bool {
    let mut has_id = false;
    members(task, |name, value| {
        if name == "taskId" {
            has_id = value.starts_with('"');
        }
    });
    has_id
}

/// The facts of a structured content, and whether it has others.
fn read_structured(content: &str) -> (Structured, bool) {
    let mut facts = Structured { is_error: false, status_code: None };
    let mut others = content.starts_with('[') && content[1..].trim_start() != "]";
    members(content, |name, value| match name {
        "isError" => facts.is_error = value == "true",
        "status_code" => facts.status_code = integer(value).and_then(|code| code.try_into().ok()),
        _ => others = true,
    });
    (facts, others)
}

/// A number that was written as an integer, and not as a float (`500.0`, `-0`).
fn integer(json: &str) -> Option<i64> {
    json.parse().ok().filter(|_| json != "-0" && json.len() <= 20)
}

/// The start of a JSON value; of a text the text itself.
fn excerpt_of_raw(json: &str, most: usize) -> Option<String> {
    let start = |text: &str| {
        let start = &text[..text.floor_char_boundary(most)];
        excerpt_of_json(&Value::from(start), most)
    };
    if let Some(text) = text(json) {
        return start(&text);
    }
    let value = (json.len() <= MOST_BYTES_WITH_FIELDS).then(|| serde_json::from_str(json).ok());
    match value.flatten() {
        Some(value) => excerpt_of_json(&value, most),
        None => start(json),
    }
}

impl Content for ResultContent {
    fn text_count(&self) -> usize {
        self.texts().len()
    }

    fn text(&self, index: usize) -> Option<&str> {
        Some(self.read(self.texts().get(index)?))
    }

    fn has_fields(&self) -> bool {
        self.has_fields
    }

    fn field(&self, pointer: &str) -> Option<Scalar> {
        scalar(self.structured()?.pointer(pointer)?)
    }

    fn excerpt(&self, part: Part, most: usize) -> Option<String> {
        match part {
            Part::Texts => {
                let texts = self.texts().iter().map(|text| self.read(text));
                excerpt_of_texts(texts, most).or_else(|| {
                    // Some servers put an object where a text belongs.
                    let mut first = None;
                    items(self.part(&self.content).unwrap_or_default(), |item| {
                        members(item, |name, value| {
                            if name == "text" && first.is_none() {
                                first = Some(value);
                            }
                        });
                    });
                    excerpt_of_raw(first?, most)
                })
            }
            Part::Data => excerpt_of_raw(self.part(&self.structured)?, most),
        }
    }
}

/// The body of a JSON-RPC error: its `message` and its `data`.
#[derive(Debug)]
pub struct ErrorContent {
    response: Message,
    code: Option<i64>,
    message: Option<Box<str>>,
    data: Option<Range<usize>>,
    fields: OnceLock<Value>,
}

impl ErrorContent {
    /// What the error of a response says.
    #[must_use]
    pub fn new(response: Message) -> Self {
        let error = error_of(&response);
        let (mut code, mut message, mut data) = (None, None, None);
        members(error, |name, value| match name {
            "code" => code = integer(value),
            "message" => message = text(value).map(Into::into),
            "data" => data = Some(value).filter(|value| *value != "null"),
            _ => {}
        });
        let data = data.map(|data| place(error, data));
        Self { response, code, message, data, fields: OnceLock::new() }
    }

    /// What an error says that no server sent; see [`ResultContent::of`].
    #[must_use]
    pub fn of(error: &(impl Serialize + ?Sized)) -> Self {
        Self::new(Message::failed(&Id::text("judged"), error))
    }

    /// Its `code`; none if that is no 64-bit integer.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        self.code
    }

    /// The response, as it came.
    pub(super) fn response(&self) -> &Message {
        &self.response
    }

    /// The response, as it came.
    pub(super) fn into_response(self) -> Message {
        self.response
    }

    fn data(&self) -> Option<&str> {
        error_of(&self.response).get(self.data.clone()?)
    }
}

fn error_of(response: &Message) -> &str {
    response.get("error").map_or("null", |error| error.get())
}

impl Content for ErrorContent {
    fn text_count(&self) -> usize {
        usize::from(self.message.is_some())
    }

    fn text(&self, index: usize) -> Option<&str> {
        self.message.as_deref().filter(|_| index == 0)
    }

    fn has_fields(&self) -> bool {
        self.data().is_some_and(|data| data.len() <= MOST_BYTES_WITH_FIELDS)
    }

    fn field(&self, pointer: &str) -> Option<Scalar> {
        let data = self.data().filter(|data| data.len() <= MOST_BYTES_WITH_FIELDS)?;
        scalar(self.fields.get_or_init(|| tree(data)).pointer(pointer)?)
    }

    fn excerpt(&self, part: Part, most: usize) -> Option<String> {
        match part {
            Part::Texts => excerpt_of_texts(self.message.as_deref().into_iter(), most),
            Part::Data => excerpt_of_raw(self.data()?, most),
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
        match ResultContent::of(result).outcome() {
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
            let response = Message::written(&format!(r#"{{"id":1,"result":{result}}}"#));
            let Outcome::Returned(facts) = ResultContent::new(response).outcome() else {
                panic!("{written}")
            };
            let expected = Some(Structured { is_error: false, status_code: status });
            assert_eq!(facts.structured, expected, "{written}");
        }
    }

    #[test]
    fn texts_are_counted_among_the_text_items_only() {
        let body = ResultContent::of(&json!({"content": [
            {"type": "image", "text": "no"}, {"type": "text", "text": "a"}, "text", null,
            {"type": "text", "text": 1}, {"type": "TEXT", "text": "no"}, {"type": "text", "text": ""},
        ]}));
        assert_eq!(
            (body.text_count(), body.text(0), body.text(1), body.text(2)),
            (2, Some("a"), Some(""), None)
        );
        let none = ResultContent::of(&json!({"content": {"type": "text", "text": "a"}}));
        assert_eq!((none.text_count(), none.text(0)), (0, None));
    }

    #[test]
    fn a_field_is_a_scalar_at_a_json_pointer() {
        let body =
            json!({"a/b": [1, 2.5, "x", true, null, {}], "big": 18_446_744_073_709_551_615_u64});
        let result = ResultContent::of(&json!({ "structuredContent": body }));
        let error = ErrorContent::of(&json!({ "code": 1, "data": body }));
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
            let unfinished = match ResultContent::of(&result).outcome() {
                Outcome::Unfinished(unfinished) => Some(unfinished),
                _ => None,
            };
            assert_eq!(unfinished, expected, "{result}");
        }
    }

    #[test]
    fn of_a_member_that_comes_twice_the_last_counts_and_depth_hides_nothing() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let written = format!(
            r#"{{"id":1,"result":{{"isError":false,"content":{deep},"isError":true,"content":[{deep},{{"type":"image","text":"a\u00e9","type":"text"}}],"structuredContent":{{"status_code":200,"x":{deep},"status_code":503}}}}}}"#
        );
        let content = ResultContent::new(Message::written(&written));
        let structured = Some(Structured { is_error: false, status_code: Some(503) });
        assert_eq!(content.outcome(), Outcome::Returned(Returned { is_error: true, structured }));
        assert_eq!((content.text_count(), content.text(0)), (1, Some("aé")));
        assert!(content.has_fields());
        assert_eq!(content.field("/status_code"), None, "no tree can hold it");
        let data = content.excerpt(Part::Data, 30).expect("its start");
        assert!(data.starts_with(r#"{"status_code":200,"x":[[["#), "{data}");
    }

    #[test]
    fn texts_that_are_not_unicode_are_read_as_far_as_they_are() {
        let written =
            r#"{"id":1,"result":{"isError":true,"content":[{"type":"text","text":"503 \ud800"}]}}"#;
        let content = ResultContent::new(Message::written(written));
        assert_eq!(content.text_count(), 1);
        assert!(content.text(0).expect("a text").starts_with("503 "));
        assert!(matches!(content.outcome(), Outcome::Returned(Returned { is_error: true, .. })));
    }

    #[test]
    fn fields_are_looked_for_in_what_is_not_too_long() {
        let with = |length: usize| {
            ResultContent::of(&json!({
                "structuredContent": { "a": 1, "filler": "x".repeat(length), "status_code": 500 },
            }))
        };
        let (short, long) = (with(MOST_BYTES_WITH_FIELDS / 2), with(MOST_BYTES_WITH_FIELDS));
        assert_eq!((short.has_fields(), short.field("/a")), (true, Some(Scalar::Integer(1))));
        assert_eq!((long.has_fields(), long.field("/a")), (false, None));
        assert_eq!(short.outcome(), long.outcome(), "the facts are read whatever the length");
    }
}
