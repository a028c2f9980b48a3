//! One JSON-RPC message, every member kept as the bytes that arrived.

mod changed;
mod id;
mod line;
mod params;
mod unreadable;
#[cfg(test)]
mod written;

use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

pub use id::{Id, IdKey};
pub use line::Line;
pub use unreadable::{Bound, NotAMessage, TooMuch, Unreadable, Was};

use crate::mcp::members::{Members, NoMembers};
use params::Params;

/// What a message is, by the members that it has.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Wants a response. Its id may be `null`: JSON-RPC allows it, MCP does not, the upstream decides.
    Request {
        /// The method's name.
        method: String,
        /// What the response will carry.
        id: Id,
    },
    /// Wants none.
    Notification {
        /// The method's name.
        method: String,
    },
    /// A result or an error. One without an id, or with `null`, answers a
    /// request that could not be read.
    Response {
        /// Of the request.
        id: Option<Id>,
    },
}

/// One JSON-RPC message.
#[derive(Debug, Clone)]
pub struct Message {
    /// Where `params` are read as well, their value here says nothing.
    members: Members,
    kind: Kind,
    /// The `params`, if they are an object.
    params: Option<Box<Params>>,
}

impl Message {
    /// Reads a message. Neither `jsonrpc` nor the shapes of parameters and
    /// results are checked: that is between the client and the upstream.
    ///
    /// # Errors
    /// `raw` is no object, or has neither a `method` that is a text nor a
    /// `result` nor an `error`. JSON-RPC batches, which MCP dropped again in
    /// 2025-06-18, are no messages either. Or it, its `params` or their `_meta`
    /// have too many members.
    pub fn parse(raw: &RawValue) -> Result<Self, Unreadable> {
        let mut read = Members::read(raw).map_err(|problem| match problem {
            NoMembers::NotAnObject => NotAMessage.into(),
            NoMembers::TooMany => Unreadable::TooMuch(TooMuch::members_of_message(raw)),
        })?;
        let params = read.iter().find(|(name, _)| name == "params").map(|(_, raw)| *raw);
        let params = params.map(Params::parse);
        if let (Some(Ok(_)), Some((_, raw))) =
            (&params, read.iter_mut().find(|(name, _)| name == "params"))
        {
            // They are kept apart.
            *raw = RawValue::NULL;
        }
        let members = Members::of(read);
        let id = members.get("id").map(Id::new);
        let kind = if let Some(method) = members.get("method") {
            let method = serde_json::from_str(method.get()).map_err(|_| NotAMessage)?;
            match id {
                Some(id) => Kind::Request { method, id },
                None => Kind::Notification { method },
            }
        } else if members.get("result").is_some() || members.get("error").is_some() {
            Kind::Response { id }
        } else {
            return Err(NotAMessage.into());
        };
        let params = match params {
            Some(Ok(params)) => Some(Box::new(params)),
            Some(Err(NoMembers::TooMany)) => {
                return Err(Unreadable::TooMuch(TooMuch::members_of_params(&kind)));
            }
            Some(Err(NoMembers::NotAnObject)) | None => None,
        };
        Ok(Self { members, kind, params })
    }

    /// An error response. Without an `id` it answers a request that could not be read.
    #[must_use]
    pub fn error(
        id: Option<&Id>,
        code: i64,
        message: &str,
        data: Option<serde_json::Value>,
    ) -> Self {
        let mut error = serde_json::json!({ "code": code, "message": message });
        if let Some(data) = data {
            error["data"] = data;
        }
        let mut members = Members::default();
        members.set("jsonrpc", raw("2.0"));
        if let Some(id) = id {
            members.set("id", id.raw().to_owned());
        }
        members.set("error", raw(&error));
        Self { members, kind: Kind::Response { id: id.cloned() }, params: None }
    }

    /// A response with this `error`, whatever it holds.
    #[must_use]
    pub fn failed(id: &Id, error: &(impl Serialize + ?Sized)) -> Self {
        let mut members = Members::default();
        members.set("jsonrpc", raw("2.0"));
        members.set("id", id.raw().to_owned());
        members.set("error", raw(error));
        Self { members, kind: Kind::Response { id: Some(id.clone()) }, params: None }
    }

    /// A response with a result.
    #[must_use]
    pub fn result(id: &Id, result: &(impl Serialize + ?Sized)) -> Self {
        let mut members = Members::default();
        members.set("jsonrpc", raw("2.0"));
        members.set("id", id.raw().to_owned());
        members.set("result", raw(result));
        Self { members, kind: Kind::Response { id: Some(id.clone()) }, params: None }
    }

    /// A request without parameters.
    #[must_use]
    pub fn request(id: &Id, method: &str) -> Self {
        let mut members = Members::default();
        members.set("jsonrpc", raw("2.0"));
        members.set("id", id.raw().to_owned());
        members.set("method", raw(method));
        let kind = Kind::Request { method: method.to_owned(), id: id.clone() };
        Self { members, kind, params: None }
    }

    /// A notification.
    #[must_use]
    pub fn notification(method: &str, params: &serde_json::Value) -> Self {
        let mut members = Members::default();
        members.set("jsonrpc", raw("2.0"));
        members.set("method", raw(method));
        let params = raw(params);
        let read = Params::parse(&params).ok().map(Box::new);
        members.set("params", params);
        Self { members, kind: Kind::Notification { method: method.to_owned() }, params: read }
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// A member, unparsed.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        match &self.params {
            Some(params) if name == "params" => Some(params.raw()),
            _ => self.members.get(name),
        }
    }

    /// About how long it is in JSON, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.members.bytes() + self.params().map_or(0, Members::bytes)
    }

    /// The members of the `params`, if those are an object.
    #[must_use]
    pub(in crate::mcp) fn params(&self) -> Option<&Members> {
        self.params.as_deref().map(Params::members)
    }

    /// The members of the `_meta` of the `params`, if that is an object.
    #[must_use]
    pub(in crate::mcp) fn meta(&self) -> Option<&Members> {
        self.params.as_deref().and_then(Params::meta)
    }

    /// Whether it is the response to the request with this id.
    #[must_use]
    pub fn answers(&self, request: &Id) -> bool {
        matches!(&self.kind, Kind::Response { id: Some(id) } if id.is_like(request))
    }

    /// A member of the `params`, unparsed.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Box<RawValue>> {
        self.params()?.get(name).map(ToOwned::to_owned)
    }

    /// A text in the `params`.
    #[must_use]
    pub fn text_in_params(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.params()?.get(name)?.get()).ok()
    }

    /// The `code` of an error; none if it is no error, or its code is no 64-bit integer.
    #[must_use]
    pub fn error_code(&self) -> Option<i64> {
        let error = Members::parse(self.get("error")?).ok()?;
        serde_json::from_str(error.get("code")?.get()).ok()
    }

    /// An id in the `params`: the `requestId` that a `notifications/cancelled`
    /// speaks of, or the `progressToken` of a `notifications/progress`.
    #[must_use]
    pub fn id_in_params(&self, name: &str) -> Option<Id> {
        self.params()?.get(name).map(Id::new)
    }
}

impl Message {
    /// As it is written.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes() + 64);
        // A message that was read, or made here, can be written.
        let _ = serde_json::to_writer(&mut bytes, self);
        bytes
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.params {
            None => self.members.serialize(serializer),
            Some(params) => self.members.serialize_with("params", &**params, serializer),
        }
    }
}

/// Texts, JSON values and [`Members`] always have a JSON form.
fn raw(value: &(impl Serialize + ?Sized)) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mcp::members::MAX_MEMBERS, scaling::assert_linear};

    #[test]
    fn a_message_is_written_as_it_was_read() {
        for text in [
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"z":1,"a":[0.10,1e2,-0,12345678901234567890123]},"x":{"y":null}}"#,
            r#"{"id":"1","jsonrpc":"2.0","result":null}"#,
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-9999999999,"message":"\ud800","data":null,"more":1}}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"result":{"b":1,"a":0.30000000000000004}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/of/tomorrow"}"#,
        ] {
            let read = Message::written(text);
            assert_eq!(serde_json::to_string(&read).expect("JSON"), text);
        }
    }

    #[test]
    fn too_many_members_are_refused_by_the_id_of_their_message() {
        let members = |count: usize| {
            let members: Vec<_> = (0..count).map(|number| format!("\"{number}\":1")).collect();
            members.join(",")
        };
        let many = members(MAX_MEMBERS + 1);
        let was = |text: &str| match Message::parse(serde_json::from_str(text).expect("JSON")) {
            Err(Unreadable::TooMuch(TooMuch { bound: Bound::Members, was })) => match was {
                Was::Request(id) => format!("request {}", id.raw()),
                Was::Response(id) => format!("response {}", id.raw()),
                Was::Unknown => "unknown".to_owned(),
            },
            other => format!("{other:?}").chars().take(80).collect(),
        };
        for (text, expected) in [
            (format!(r#"{{"id":1,"method":"m","params":{{{many}}}}}"#), "request 1"),
            (format!(r#"{{"id":1,"method":"m","params":{{"_meta":{{{many}}}}}}}"#), "request 1"),
            (format!(r#"{{"method":"m","params":{{{many}}}}}"#), "unknown"),
            (format!(r#"{{{many},"method":"m","id":1}}"#), "request 1"),
            (format!(r#"{{"id":1,{many},"result":1}}"#), "response 1"),
            (format!(r#"{{{many},"result":1}}"#), "unknown"),
        ] {
            assert_eq!(was(&text), expected);
        }
        let passed = format!(r#"{{"id":1,"method":"m","params":{{"arguments":{{{many}}}}}}}"#);
        assert!(Message::parse(serde_json::from_str(&passed).expect("JSON")).is_ok());
    }

    #[test]
    fn messages_are_read_and_edited_in_linear_time() {
        let request = |count: usize| -> Box<RawValue> {
            let members: Vec<_> = (0..count).map(|number| format!("\"{number}\":[1]")).collect();
            let members = members.join(",");
            let text =
                format!(r#"{{"id":1,"method":"m","params":{{{members},"_meta":{{{members}}}}}}}"#);
            serde_json::from_str(&text).expect("JSON")
        };
        let parse = |raw: &RawValue| Message::parse(raw).expect("a request");
        assert_linear(MAX_MEMBERS / 32, request, |raw| parse(raw));
        assert_linear(MAX_MEMBERS / 32, request, |raw| {
            parse(raw).with_meta("a", "b").with_param("c", raw.clone()).text()
        });
        let flat = |count| -> Box<RawValue> {
            let text = format!(r#"{{"id":1,"result":[{}1]}}"#, "[{}],".repeat(count));
            serde_json::from_str(&text).expect("JSON")
        };
        assert_linear(20_000, flat, |raw| parse(raw));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for text in ["[]", "1", "{}", r#"{"jsonrpc":"2.0","id":1}"#, r#"{"id":1,"method":2}"#] {
            let raw = serde_json::from_str(text).expect("JSON");
            assert!(Message::parse(raw).is_err(), "{text}");
        }
    }
}
