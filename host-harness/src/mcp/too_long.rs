//! Messages that are too long to be read, and whose they are all the same.

use serde_json::{Map, Value};

use crate::mcp::wire::{Id, Was};

/// The longest message that is read by default, in bytes. A peer that never ends
/// a message cannot make the gateway run out of memory; a longer one is dropped whole.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// The beginning and the end of a message that is not kept.
#[derive(Debug, Default)]
pub(super) struct Edges {
    head: Vec<u8>,
    tail: Vec<u8>,
}

/// What is kept of a message at either end, in bytes.
const EDGE: usize = 1024;
/// Members that are looked through at either end.
const MOST_MEMBERS: usize = 16;

impl Edges {
    /// The next bytes of the message.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let missing = EDGE.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..missing]);
        self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(EDGE)..]);
        self.tail.drain(..self.tail.len().saturating_sub(EDGE));
    }

    /// What the message was, now that it has come to its end.
    ///
    /// A scalar that stands before the first long member or after the last one
    /// is a member of the envelope, and the id is such a scalar.
    pub(super) fn was(&self) -> Was {
        let (before, next) = self.before();
        let after = self.after();
        let member = |name| before.get(name).or_else(|| after.get(name));
        let Some(id) = member("id").and_then(|id| serde_json::value::to_raw_value(id).ok()) else {
            return Was::Unknown;
        };
        match next.as_deref() {
            _ if member("method").is_some() => Was::Request(Id::new(&id)),
            Some("result" | "error") => Was::Response(Id::new(&id)),
            _ => Was::Unknown,
        }
    }

    /// The scalars at the beginning, and the name of the member after them.
    fn before(&self) -> (Map<String, Value>, Option<String>) {
        let commas = self.head.iter().enumerate().filter(|(_, byte)| **byte == b',');
        let whole = commas.take(MOST_MEMBERS).filter_map(|(at, _)| {
            let object = [&self.head[..at], b"}"].concat();
            Some((at + 1, scalars(&object)?))
        });
        let (at, members) = whole.last().unwrap_or_else(|| {
            let opening = self.head.iter().position(|byte| *byte == b'{');
            (opening.map_or(0, |at| at + 1), Map::new())
        });
        let rest = &self.head[at..];
        let name = serde_json::Deserializer::from_slice(rest).into_iter::<String>().next();
        (members, name.and_then(Result::ok))
    }

    /// The scalars at the end.
    fn after(&self) -> Map<String, Value> {
        let commas = self.tail.iter().enumerate().rev().filter(|(_, byte)| **byte == b',');
        let whole = commas
            .take(MOST_MEMBERS)
            .filter_map(|(at, _)| scalars(&[b"{", &self.tail[at + 1..]].concat()));
        whole.last().unwrap_or_default()
    }
}

/// The members of an object that has nothing but scalars.
fn scalars(object: &[u8]) -> Option<Map<String, Value>> {
    let members: Map<String, Value> = serde_json::from_slice(object).ok()?;
    let scalar = |value: &Value| !value.is_object() && !value.is_array();
    members.values().all(scalar).then_some(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scaling::assert_linear;

    fn was(message: &str, step: usize) -> String {
        let mut edges = Edges::default();
        for bytes in message.as_bytes().chunks(step) {
            edges.push(bytes);
        }
        match edges.was() {
            Was::Request(id) => format!("request {}", id.raw()),
            Was::Response(id) => format!("response {}", id.raw()),
            Was::Unknown => "unknown".to_owned(),
        }
    }

    #[test]
    fn a_long_message_is_looked_through_in_linear_time() {
        let message = |count| format!(r#"{{"id":1,"x":[{}],"y":2}}"#, r#"{"a":1},"#.repeat(count));
        assert_linear(10_000, message, |message| was(message, 1000));
    }

    #[test]
    fn the_id_is_found_at_either_end_and_nowhere_else() {
        let long = format!(
            r#"{{"id":99,"text":"{}\",\"id\":98","a":[1,{{"id":97}}],"z":{{"id":96}},"method":"m"}}"#,
            "x,".repeat(4000)
        );
        let text = format!("\"{}\"", "x".repeat(8000));
        for (message, expected) in [
            (format!(r#"{{"jsonrpc":"2.0","id":7,"result":{long}}}"#), "response 7"),
            (format!(r#"{{"result":{long},"jsonrpc":"2.0","id":"a,b"}}"#), "response \"a,b\""),
            (format!(r#"{{ "id" : 7 , "error" : {long} , "jsonrpc" : "2.0" }}"#), "response 7"),
            (format!(r#"{{"jsonrpc":"2.0","error":{long},"id":7}}"#), "response 7"),
            (format!(r#"{{"jsonrpc":"2.0","id":7,"result":{text}}}"#), "response 7"),
            (format!(r#"{{"method":"m","params":{long},"jsonrpc":"2.0","id":7}}"#), "request 7"),
            (format!(r#"{{"id":7,"params":{long},"method":"m"}}"#), "request 7"),
            (format!(r#"{{"jsonrpc":"2.0","method":"m","params":{long}}}"#), "unknown"),
            (format!(r#"{{"jsonrpc":"2.0","result":{long}}}"#), "unknown"),
            (format!(r#"{{"x":{text},"id":7,"result":{long},"y":{text}}}"#), "unknown"),
            (format!("[{long},7]"), "unknown"),
            (text, "unknown"),
        ] {
            for step in [1, 700, 1500, usize::MAX] {
                assert_eq!(was(&message, step), expected, "{:.60}", message);
            }
        }
    }
}
