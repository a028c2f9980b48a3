//! The attempt marker in the `_meta` of a call: how gateways in a row keep from
//! multiplying their retries.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{contract::OuterAttempts, mcp::wire::Message};

/// The member of `_meta`: `{"attempt": 2, "most": 3}`, with `most_not_executed`
/// where other attempts are made of a call that was surely not executed.
pub(super) const NAME: &str = "retry-with-backoff/attempt";

#[derive(Serialize, Deserialize)]
struct Marker {
    attempt: u32,
    most: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    most_not_executed: Option<u32>,
}

/// The marker that the client sent. One that makes no sense is none.
pub(super) fn read(meta: &Value) -> Option<OuterAttempts> {
    let Marker { attempt, most, most_not_executed } =
        Deserialize::deserialize(meta.get(NAME)?).ok()?;
    let most_not_executed = most_not_executed.unwrap_or(most);
    (1..=most.min(most_not_executed)).contains(&attempt).then_some(OuterAttempts {
        attempt,
        most,
        most_not_executed,
    })
}

/// The same call with another marker in place of the client's.
pub(super) fn write(call: Message, marker: OuterAttempts) -> Message {
    let OuterAttempts { attempt, most, most_not_executed } = marker;
    let most_not_executed = (most_not_executed != most).then_some(most_not_executed);
    call.with_meta(NAME, &Marker { attempt, most, most_not_executed })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_marker_that_makes_sense_is_read() {
        let told = |attempt| {
            read(&json!({ NAME: attempt }))
                .map(|told| (told.attempt, told.most, told.most_not_executed))
        };
        assert_eq!(told(json!({"attempt": 2, "most": 3})), Some((2, 3, 3)));
        assert_eq!(told(json!({"attempt": 3, "most": 3, "more": {}})), Some((3, 3, 3)));
        let partly = json!({"attempt": 1, "most": 1, "most_not_executed": 4});
        assert_eq!(told(partly), Some((1, 1, 4)));
        for nonsense in [
            json!({"attempt": 0, "most": 3}),
            json!({"attempt": 4, "most": 3}),
            json!({"attempt": 2, "most": 3, "most_not_executed": 1}),
            json!({"attempt": 2, "most": 3, "most_not_executed": "4"}),
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
            let marked = write(call, OuterAttempts { attempt: 2, most: 3, most_not_executed: 3 });
            assert_eq!(serde_json::to_string(&marked).expect("JSON"), after);
        }
    }
}
