//! The attempt marker in the `_meta` of a call: how gateways in a row keep from
//! multiplying their retries.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{contract::OuterAttempts, mcp::wire::Message};

/// The member of `_meta`: `{"attempt": 2, "most": 3}`.
pub(super) const NAME: &str = "retry-with-backoff/attempt";

#[derive(Serialize, Deserialize)]
struct Marker {
    attempt: u32,
    most: u32,
}

/// The marker that the client sent. One that makes no sense is none.
pub(super) fn read(meta: &Value) -> Option<OuterAttempts> {
    let Marker { attempt, most } = Deserialize::deserialize(meta.get(NAME)?).ok()?;
    (1..=most).contains(&attempt).then_some(OuterAttempts { attempt, most })
}

/// The same call with another marker in place of the client's.
pub(super) fn write(call: Message, OuterAttempts { attempt, most }: OuterAttempts) -> Message {
    call.with_meta(NAME, &Marker { attempt, most })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_marker_that_makes_sense_is_read() {
        let told = |attempt| read(&json!({ NAME: attempt })).map(|told| (told.attempt, told.most));
        assert_eq!(told(json!({"attempt": 2, "most": 3})), Some((2, 3)));
        assert_eq!(told(json!({"attempt": 3, "most": 3, "more": {}})), Some((3, 3)));
        for nonsense in [
            json!({"attempt": 0, "most": 3}),
            json!({"attempt": 4, "most": 3}),
            json!({"attempt": -1, "most": 3}),
            json!({"attempt": 1, "most": 4_294_967_296_u64}),
            json!({"attempt": "1", "most": 3}),
            json!({"most": 3}),
            json!(3),
            json!(null),
        ] {
            assert_eq!(told(nonsense.clone()), None, "{nonsense}");
        }
        assert_eq!(read(&json!(null)), None);
    }

    #[test]
    fn a_marker_replaces_the_clients_and_changes_nothing_else() {
        for (before, after) in [
            (
                r#"{"id":1,"method":"tools/call","params":{"name":"t","a":1e2}}"#,
                r#"{"id":1,"method":"tools/call","params":{"name":"t","a":1e2,"_meta":{"retry-with-backoff/attempt":{"attempt":2,"most":3}}}}"#,
            ),
            (
                r#"{"id":1,"method":"tools/call","params":{"_meta":{"retry-with-backoff/attempt":7,"progressToken":-0}}}"#,
                r#"{"id":1,"method":"tools/call","params":{"_meta":{"retry-with-backoff/attempt":{"attempt":2,"most":3},"progressToken":-0}}}"#,
            ),
        ] {
            let call = Message::parse(serde_json::from_str(before).expect("JSON")).expect("a call");
            let marked = write(call, OuterAttempts { attempt: 2, most: 3 });
            assert_eq!(serde_json::to_string(&marked).expect("JSON"), after);
        }
    }
}
