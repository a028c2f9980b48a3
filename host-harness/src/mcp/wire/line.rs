//! A message as one line.

use super::Message;

/// A message in JSON that holds no line break, for peers that read a message a
/// line and for events, in which a line break ends a field.
///
/// JSON allows line breaks between its tokens, and only there: in a text they
/// are escaped. A peer that sends some could otherwise end the line that it is
/// relayed in, and begin messages of its own.
#[derive(Debug)]
pub struct Line(String);

impl Line {
    /// The message; each carriage return and line feed between its tokens is a
    /// space, every other byte is as it was.
    #[must_use]
    pub fn of(message: &Message) -> Self {
        // A message that was read, or made here, can be written.
        Self::joined(serde_json::to_string(message).unwrap_or_default())
    }

    fn joined(text: String) -> Self {
        match memchr::memchr2(b'\r', b'\n', text.as_bytes()) {
            None => Self(text),
            Some(_) => Self(text.replace(['\r', '\n'], " ")),
        }
    }

    /// The line without its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The line with the line feed that ends it.
    #[must_use]
    pub fn ended(self) -> Vec<u8> {
        let mut line = self.0.into_bytes();
        line.push(b'\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// Any JSON, with texts that hold all kinds of line ends.
    fn json() -> impl Strategy<Value = Value> {
        let text = || "[a-z\"\\\\\r\n\u{2028}\u{2029}\u{85}\u{0}ä]{0,6}";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((text(), inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// White space that JSON allows between two tokens.
    const SPACES: [&str; 8] = ["", "", " ", "\n", "\r", "\r\n", "\t\n ", "\n\n\r"];

    /// JSON with white space between its tokens, of the kinds that `kinds` names in turn.
    fn spaced(value: &Value, kinds: &mut impl Iterator<Item = usize>) -> String {
        let mut space = || SPACES[kinds.next().unwrap_or(0) % SPACES.len()];
        let (open, between, close) = (space(), space(), space());
        let list = |items: Vec<String>| items.join(&format!("{between},{open}"));
        match value {
            Value::Array(items) => {
                let items = items.iter().map(|item| spaced(item, kinds)).collect();
                format!("{open}[{between}{}{close}]{between}", list(items))
            }
            Value::Object(members) => {
                let members = members.iter().map(|(name, value)| {
                    let name = Value::from(name.clone());
                    format!("{name}{open}:{}", spaced(value, kinds))
                });
                let members = members.collect();
                format!("{open}{{{between}{}{close}}}{between}", list(members))
            }
            scalar => format!("{open}{scalar}{close}"),
        }
    }

    proptest! {
        /// Also of a message that was edited: what is written anew and what came.
        #[test]
        fn any_message_with_any_white_space_is_exactly_one_line_of_the_same_json(
            params in json(),
            meta in json(),
            kinds in prop::collection::vec(0..SPACES.len(), 1..32),
        ) {
            let request = serde_json::json!({
                "method": "m", "id": 7, "params": { "a": params, "_meta": { "b": meta } },
            });
            let text = spaced(&request, &mut kinds.into_iter().cycle());
            let message = Message::written(text.trim());
            for message in [message.clone(), message.with_meta("c", "d\r\n\u{2028}")] {
                let line = Line::of(&message);
                prop_assert!(!line.as_str().contains(['\r', '\n']), "{:?}", line);
                let same: Value = serde_json::from_str(line.as_str()).expect("JSON");
                let written: Value = serde_json::from_str(&message.text()).expect("JSON");
                prop_assert_eq!(same, written);
                let ended = line.ended();
                prop_assert_eq!(ended.iter().filter(|byte| **byte == b'\n').count(), 1);
                prop_assert!(ended.ends_with(b"\n"));
            }
        }
    }

    #[test]
    fn line_ends_between_tokens_become_spaces_and_nothing_else_changes() {
        let text = "{\"method\":\r\"m\",\n\"a\":[\r\n\"\u{2028}\\n\"]}";
        let line = Line::joined(text.to_owned());
        assert_eq!(line.as_str(), "{\"method\": \"m\", \"a\":[  \"\u{2028}\\n\"]}");
    }
}
