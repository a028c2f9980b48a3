//! Guests that keep the host busy.

use std::sync::Arc;

use host_harness::{
    contract::Scalar,
    gateway::{Background, Content, Hook, RetryHook},
    sandbox::{Breakage, Exceeded, HookFailure, Violation},
};

use super::{
    attack::{BAD, FAILED, attack, attack_by, attack_with, breakage, start, trap},
    guest::Guest,
};

const TEXT_COUNT: &str =
    r#"(import "mcp-gateway:hooks/content@0.1.0" "text-count" (func $ask (result i32)))"#;
const TEXT: &str =
    r#"(import "mcp-gateway:hooks/content@0.1.0" "text" (func $text (param i32 i32)))"#;
const FIELD: &str =
    r#"(import "mcp-gateway:hooks/content@0.1.0" "field" (func $field (param i32 i32 i32)))"#;
const TOOK: &str =
    r#"(import "mcp-gateway:hooks/context@0.1.0" "took-ms" (func $ask (result i64)))"#;
const RANDOM: &str =
    r#"(import "wasi:random/random@0.2.6" "get-random-u64" (func $ask (result i64)))"#;
const RANDOM_BYTES: &str =
    r#"(import "wasi:random/random@0.2.6" "get-random-bytes" (func $bytes (param i64 i32)))"#;

/// One text of 32 KiB, and a field that is as long.
struct Long;

const LONG: usize = 32 << 10;

impl Content for Long {
    fn text_count(&self) -> usize {
        1
    }

    fn text(&self, index: usize) -> Option<&str> {
        static TEXT: [u8; LONG] = [b'x'; LONG];
        (index == 0).then(|| str::from_utf8(&TEXT).expect("letters"))
    }

    fn has_fields(&self) -> bool {
        true
    }

    fn field(&self, _: &str) -> Option<Scalar> {
        Some(Scalar::Text("x".repeat(LONG)))
    }
}

#[test]
fn a_flood_of_host_calls_is_stopped_whichever_function_is_called() {
    for import in [TEXT_COUNT, TOOK] {
        let guest = Guest {
            imports: import,
            ..Guest::bad_at("(loop $more (drop (call $ask)) (br $more))")
        };
        let breakage = breakage(attack(&guest));
        assert!(
            matches!(breakage, Breakage::Exceeded(Exceeded::HostCalls { most: 10_000 })),
            "{breakage}"
        );
    }
}

#[test]
fn ten_thousand_host_calls_are_no_flood() {
    let asks = "(local.set $left (i32.const 10000))
        (loop $more (drop (call $ask))
            (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))";
    let mut guest = Guest { imports: TEXT_COUNT, ..Guest::bad_at(asks) };
    guest.handle = format!("(local $left i32) {}", guest.handle);
    let plugin = start(&guest);
    for _ in 0..3 {
        super::attack::judge(&plugin, BAD).expect("the count begins anew with each call");
    }
}

#[test]
fn a_flood_of_random_numbers_is_stopped() {
    let flood = "(loop $more (drop (call $ask)) (br $more))";
    let drop_all = "(call $bytes (i64.const 0x10000000000) (i32.const 3000))";
    for (imports, hostile) in [(RANDOM, flood), (RANDOM_BYTES, drop_all)] {
        let breakage = breakage(attack(&Guest { imports, ..Guest::bad_at(hostile) }));
        assert!(
            matches!(breakage, Breakage::Exceeded(Exceeded::RandomBytes { most: 65_536 })),
            "{breakage}"
        );
    }
}

/// Judges the target `bad` with a long content, and returns the verdict's `failures`.
fn counted(guest: &Guest) -> u32 {
    let plugin = start(guest);
    let invocation = host_harness::contract::Invocation {
        target: BAD,
        request_id: "1",
        attempt: 1,
        now_ms: 0,
        time_left_ms: None,
        known: host_harness::contract::Known::empty(),
    };
    let background = Background { content: Some(Arc::new(Long)), ..Background::none() };
    let verdict = plugin.judge(Hook::ToolPostInvoke, invocation, &FAILED, background);
    verdict.expect("an answer").failures
}

/// It asks for the same text or field until there is none, and counts. The
/// option's tag is at 3000.
fn reader(imports: &'static str, ask: &str) -> Guest {
    let hostile = format!(
        "(loop $more {ask}
            (if (i32.load8_u (i32.const 3000)) (then
                (i32.store (i32.const 2068) (i32.add (i32.load (i32.const 2068)) (i32.const 1)))
                (br $more))))
        (return (i32.const 2048))"
    );
    Guest { imports, ..Guest::bad_at(&hostile) }
}

#[test]
fn text_may_be_read_again_and_again_but_not_more_than_the_limit_in_all() {
    let most = u32::try_from((1 << 20) / LONG).expect("small");
    assert_eq!(counted(&reader(TEXT, "(call $text (i32.const 0) (i32.const 3000))")), most);
    let field = reader(FIELD, "(call $field (i32.const 0) (i32.const 0) (i32.const 3000))");
    assert_eq!(counted(&field), most);
}

#[test]
fn a_question_longer_than_the_limit_is_not_read() {
    let guest = Guest {
        memory: r#"(memory (export "memory") 4)"#,
        imports: FIELD,
        ..Guest::bad_at("(call $field (i32.const 65536) (i32.const 65537) (i32.const 3000))")
    };
    let told = trap(attack_with(&guest, Some(Arc::new(Long))));
    assert!(told.contains("fuel"), "{told}");
}

#[test]
fn a_flood_of_metrics_is_refused() {
    // 65 metrics, each named by the seven bytes at 600.
    let metric = r"\58\02\00\00\07\00\00\00\00\00\00\00\00\00\00\00";
    let guest = Guest {
        stats: "(i32.const 4096)",
        rest: format!(r#"(data (i32.const 4096) "\08\10\00\00\41\00\00\00{}")"#, metric.repeat(65)),
        ..Guest::polite()
    };
    let failure = attack_by(&guest, |plugin| plugin.stats().expect_err("too many"));
    let HookFailure::Rejected(violation) = failure else { panic!("{failure:?}") };
    assert_eq!(violation, Violation::TooManyMetrics { count: 65, most: 64 });
}
