//! What the gateway reads out of an upstream's answer, and what the component makes of it.

use host_harness::{
    contract::{Outcome, Returned},
    gateway::{Background, Hook, Reply, RetryHook},
    mcp::{
        AttemptReply,
        reply::Answer,
        wire::{Id, Message},
    },
};
use serde_json::{Value, value::RawValue};

use super::run;
use crate::plugin_under_test::{invocation, start};

/// The facts of a result, read in another way than the gateway does.
fn expected(result: &Value) -> Outcome {
    let structured = result.get("structuredContent").filter(|content| !content.is_null());
    Outcome::Returned(Returned {
        is_error: result.get("isError") == Some(&Value::Bool(true)),
        structured: structured.map(|content| host_harness::contract::Structured {
            is_error: content.get("isError") == Some(&Value::Bool(true)),
            status_code: content
                .get("status_code")
                .and_then(Value::as_i64)
                .and_then(|code| i32::try_from(code).ok()),
        }),
    })
}

#[test]
fn an_answer_is_relayed_unchanged_and_judged_whatever_is_in_it() {
    let plugin = start(r#"{"check_text_content": true, "max_retries": 10}"#);
    run("result", |input| {
        let Ok(raw) = serde_json::from_slice::<Box<RawValue>>(input) else { return };
        let Ok(message) = Message::parse(&raw) else { return };
        let reply = AttemptReply::of(Answer::Response(message.clone()));
        let outcome = reply.outcome();
        let content = reply.content();
        let result = message.get("result").filter(|_| message.get("error").is_none());
        let result = result.and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
        if let Some(result) = result.filter(|_| !matches!(outcome, Outcome::Unfinished(_))) {
            assert_eq!(outcome, expected(&result), "{result}");
        }
        if let Some(content) = &content {
            let count = content.text_count();
            assert!((0..count).all(|index| content.text(index).is_some()));
            assert_eq!(content.text(count), None);
            for pointer in ["", "/", "/isError", "/a~1b~0", "/0/0", "no pointer", "/~"] {
                let _ = content.field(pointer);
            }
        }
        let background = Background { content, ..Background::none() };
        let invocation = invocation("fuzzed", "1");
        let verdict = plugin.judge(Hook::ToolPostInvoke, invocation, &outcome, background);
        verdict.expect("the bundled plugin keeps the contract");
        let response = reply.into_message(&Id::text("client"));
        for member in ["result", "error"] {
            let (before, after) = (message.get(member), response.get(member));
            assert_eq!(before.map(RawValue::get), after.map(RawValue::get), "{member}");
        }
    });
    assert!(plugin.faults().is_empty(), "{:?}", plugin.faults());
}
