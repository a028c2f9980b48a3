//! What a guest may ask of the gateway, in every hook in which the contract says
//! that it may.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use host_harness::{
    contract::{Invocation, Known, MostRetries, OuterAttempts, ToolAnnotations},
    gateway::{Background, CallContext, Content, Hook, RetryHook},
    mcp::ResultContent,
    sandbox::{Options, Plugin},
};
use serde_json::json;

use super::{
    attack::{FAILED, options, start_with},
    guest::Guest,
};

const IMPORTS: &str = r#"
    (import "mcp-gateway:hooks/content@0.1.0" "text-count" (func $text_count (result i32)))
    (import "mcp-gateway:hooks/content@0.1.0" "text" (func $text (param i32 i32)))
    (import "mcp-gateway:hooks/content@0.1.0" "excerpt" (func $excerpt (param i32 i32 i32)))
    (import "mcp-gateway:hooks/content@0.1.0" "field" (func $field (param i32 i32 i32)))
    (import "mcp-gateway:hooks/context@0.1.0" "upstream" (func $upstream (param i32)))
    (import "mcp-gateway:hooks/context@0.1.0" "annotations" (func $annotations (param i32)))
    (import "mcp-gateway:hooks/context@0.1.0" "trusted" (func $trusted (param i32)))
    (import "mcp-gateway:hooks/context@0.1.0" "took-ms" (func $took (result i64)))
    (import "mcp-gateway:hooks/context@0.1.0" "outer" (func $outer (param i32)))"#;

/// Asks everything, and has a bit for each answer that is not none, in this order.
const ASK: &str = r#"
    (data (i32.const 1536) "/n")
    (func $some (param $bit i32) (result i32)
        (i32.shl (i32.load8_u (i32.const 12288)) (local.get $bit)))
    (func $ask (result i32) (local $bits i32)
        (local.set $bits (call $text_count))
        (call $text (i32.const 0) (i32.const 12288))
        (local.set $bits (i32.or (local.get $bits) (call $some (i32.const 1))))
        (call $excerpt (i32.const 0) (i32.const 100) (i32.const 12288))
        (local.set $bits (i32.or (local.get $bits) (call $some (i32.const 2))))
        (call $field (i32.const 1536) (i32.const 2) (i32.const 12288))
        (local.set $bits (i32.or (local.get $bits) (call $some (i32.const 3))))
        (call $upstream (i32.const 12288))
        (local.set $bits (i32.or (local.get $bits) (call $some (i32.const 4))))
        (call $annotations (i32.const 12288))
        (local.set $bits (i32.or (local.get $bits) (call $some (i32.const 5))))
        (call $trusted (i32.const 12288))
        (local.set $bits (i32.or (local.get $bits) (call $some (i32.const 6))))
        (local.set $bits (i32.or (local.get $bits)
            (i32.shl (i64.eq (call $took) (i64.const 70)) (i32.const 7))))
        (call $outer (i32.const 12288))
        (i32.or (local.get $bits) (call $some (i32.const 8))))"#;

/// The texts and fields of an answer, what is known of a call, how long it took.
const CONTENT: u32 = 0b0_0000_1111;
const CONTEXT: u32 = 0b1_0111_0000;
const TOOK: u32 = 0b0_1000_0000;

/// `failures` of a verdict, and the retries, are what was answered.
fn asking() -> Arc<Plugin> {
    let (handle, retries) = (
        "(i32.store (i32.const 2068) (call $ask)) (i32.const 2048)",
        "(i32.store (i32.const 3076) (call $ask)) (i32.const 3072)",
    );
    let guest = Guest {
        imports: IMPORTS,
        handle: handle.to_owned(),
        retries,
        read_handle: handle,
        read_retries: retries,
        rest: ASK.to_owned(),
        ..Guest::polite()
    };
    start_with(&guest, Options { max_tool_retries: 1_000, shards: NonZeroUsize::MIN, ..options() })
}

fn known() -> CallContext {
    CallContext {
        upstream: Some("u".to_owned()),
        annotations: Some(ToolAnnotations { read_only: None, destructive: None, idempotent: None }),
        outer: Some(OuterAttempts { attempt: 1, most: 2, most_not_executed: 2 }),
        trusted: Some(false),
        ..CallContext::default()
    }
}

fn handled(plugin: &Plugin, hook: Hook, background: Background) -> u32 {
    let invocation = Invocation {
        target: "t",
        request_id: "1",
        attempt: 1,
        now_ms: 0,
        time_left_ms: None,
        known: Known::empty(),
    };
    plugin.judge(hook, invocation, &FAILED, background).expect("a verdict").failures
}

const HOOKS: [Hook; 2] = [Hook::ToolPostInvoke, Hook::ResourcePostFetch];

#[test]
fn every_question_is_answered_in_both_hooks() {
    let plugin = asking();
    let result = json!({
        "isError": true, "content": [{ "type": "text", "text": "no" }],
        "structuredContent": { "n": 7 },
    });
    for hook in HOOKS {
        let content: Arc<dyn Content> = Arc::new(ResultContent::of(&result));
        let (context, took) = (Arc::new(known()), Duration::from_millis(70));
        let background = Background { content: Some(content), context, took };
        assert_eq!(handled(&plugin, hook, background), CONTENT | CONTEXT | TOOK, "{hook:?}");
        assert_eq!(handled(&plugin, hook, Background::none()), 0, "{hook:?}");
    }
}

#[test]
fn within_retries_there_is_the_context_and_no_content() {
    let plugin = asking();
    for hook in HOOKS {
        let of = |context| {
            let retries = plugin.retries(hook, "t", &Arc::new(context)).expect("an answer");
            let MostRetries { maybe_executed, not_executed: 0 } = retries else {
                panic!("{retries:?}")
            };
            maybe_executed
        };
        assert_eq!(of(known()), CONTEXT, "{hook:?}");
        assert_eq!(of(CallContext::default()), 0, "{hook:?}");
    }
}
