//! How often calls are retried is asked once, and again when the answer may be another.

use std::{num::NonZeroUsize, sync::Arc};

use host_harness::{
    contract::{OuterAttempts, ToolAnnotations},
    gateway::{CallContext, Hook, RetryHook},
    sandbox::{Options, Plugin},
};

use super::{
    attack::{options, start_with},
    guest::Guest,
};

/// Answers how often it has been asked.
const COUNTS: &str = "
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (i32.store (i32.const 3076) (global.get $calls))
    (i32.const 3072)";

fn counting() -> Arc<Plugin> {
    let shards = NonZeroUsize::MIN;
    let guest = Guest { retries: COUNTS, ..Guest::polite() };
    start_with(&guest, Options { max_tool_retries: 20_000, shards, ..options() })
}

fn asked(plugin: &Plugin, target: &str, context: CallContext) -> u32 {
    plugin
        .retries(Hook::ToolPostInvoke, target, &Arc::new(context))
        .expect("an answer")
        .maybe_executed
}

fn of(upstream: &str) -> CallContext {
    CallContext { upstream: Some(upstream.to_owned()), ..CallContext::default() }
}

#[test]
fn the_same_question_is_asked_once() {
    let plugin = counting();
    for _ in 0..3 {
        assert_eq!(asked(&plugin, "t", of("u")), 1);
        assert_eq!(asked(&plugin, "other", of("u")), 2);
        assert_eq!(asked(&plugin, "t", of("v")), 3);
        assert_eq!(asked(&plugin, "t", CallContext::default()), 4);
    }
    let annotations =
        Some(ToolAnnotations { read_only: Some(true), destructive: None, idempotent: None });
    let annotated = || CallContext { annotations, ..of("u") };
    assert_eq!((asked(&plugin, "t", annotated()), asked(&plugin, "t", annotated())), (5, 5));
}

#[test]
fn under_another_layer_it_is_asked_at_every_call() {
    let plugin = counting();
    assert_eq!(asked(&plugin, "t", of("u")), 1);
    let outer = Some(OuterAttempts { attempt: 1, most: 3, most_not_executed: 3 });
    for times in 2..5 {
        assert_eq!(asked(&plugin, "t", CallContext { outer, ..of("u") }), times);
    }
    assert_eq!(asked(&plugin, "t", of("u")), 1);
}

#[test]
fn another_configuration_is_asked_anew() {
    let plugin = counting();
    assert_eq!(asked(&plugin, "t", of("u")), 1);
    plugin.reconfigure("{}").expect("it takes everything");
    assert_eq!(asked(&plugin, "t", of("u")), 2);
}

#[test]
fn ten_thousand_targets_are_answered_and_not_all_remembered() {
    let plugin = counting();
    for number in 1..=10_000 {
        assert_eq!(asked(&plugin, &number.to_string(), of("u")), number);
    }
    assert_eq!(asked(&plugin, "10000", of("u")), 10_000, "it is remembered");
    assert_eq!(asked(&plugin, "1", of("u")), 10_001, "it made room");
}
