//! The same message with something else in it; all other bytes stay as they came.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{Id, Kind, Message, params::Params, raw};

impl Message {
    /// The same message under another id.
    #[must_use]
    pub fn with_id(mut self, id: &Id) -> Self {
        self.members.set("id", id.raw().to_owned());
        match &mut self.kind {
            Kind::Request { id: old, .. } => *old = id.clone(),
            Kind::Response { id: old } => *old = Some(id.clone()),
            Kind::Notification { .. } => {}
        }
        self
    }

    /// The same request with a member of its `_meta` set.
    #[must_use]
    pub fn with_meta(mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Self {
        self.params_mut().set_meta(name, raw(value));
        self
    }

    /// The same request without a member of its `_meta`.
    #[must_use]
    pub fn without_meta(mut self, name: &str) -> Self {
        if let Some(params) = &mut self.params {
            params.remove_meta(name);
        }
        self
    }

    /// The same message with a member of its `params` set.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: Box<RawValue>) -> Self {
        self.params_mut().set(name, value);
        self
    }

    /// The `params`, which are an object from now on.
    fn params_mut(&mut self) -> &mut Params {
        if self.params.is_none() {
            self.members.set("params", RawValue::NULL.to_owned());
        }
        self.params.get_or_insert_default()
    }

    /// The same message with a member set.
    #[must_use]
    pub(in crate::mcp) fn with_member(mut self, name: &str, value: Box<RawValue>) -> Self {
        if name == "params" {
            self.params = Params::parse(&value).ok().map(Box::new);
        }
        self.members.set(name, value);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_id_changes_nothing_but_the_id() {
        let read =
            Message::written(r#"{"result":{"a":1.0},"id":"retry-1","jsonrpc":"2.0","_x":[]}"#);
        let answer = read.with_id(&Id::new(serde_json::from_str("7.0").expect("JSON")));
        assert_eq!(
            serde_json::to_string(&answer).expect("JSON"),
            r#"{"result":{"a":1.0},"id":7.0,"jsonrpc":"2.0","_x":[]}"#
        );
    }

    #[test]
    fn a_cancellation_keeps_its_reason_under_another_id() {
        let text = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"reason":"bored","requestId":4}}"#;
        let read = Message::written(text);
        assert_eq!(read.id_in_params("requestId").expect("an id").raw().get(), "4");
        let told =
            serde_json::to_string(&read.with_param("requestId", Id::text("a").raw().to_owned()))
                .expect("JSON");
        assert_eq!(told, text.replace(":4", r#":"a""#));
    }

    #[test]
    fn a_member_of_meta_is_left_out_and_the_rest_stays_as_it_was() {
        let without = |text| {
            let read = Message::written(text).without_meta("progressToken");
            serde_json::to_string(&read).expect("JSON")
        };
        let text =
            r#"{"id":1,"method":"m","params":{"a":1e1,"_meta":{"k":1.0,"progressToken":7}}}"#;
        assert_eq!(without(text), text.replace(r#","progressToken":7"#, ""));
        for untouched in [
            r#"{"id":1,"method":"m"}"#,
            r#"{"id":1,"method":"m","params":{ "a" : 1, "_meta": { "k" : 1 } }}"#,
        ] {
            assert_eq!(without(untouched), untouched);
        }
    }
}
