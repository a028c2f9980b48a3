//! Guests whose `cabi_realloc` misbehaves while the host writes arguments.

use super::{
    attack::{BAD, attack, judge, start, trap},
    guest::Guest,
};

/// It answers so when room for three bytes (the target `bad`) is asked for.
fn bad_realloc(body: &str) -> Guest {
    let realloc =
        format!("(if (i32.eq (local.get $size) (i32.const 3)) (then {body})) (i32.const 8192)");
    Guest { realloc, ..Guest::polite() }
}

#[test]
fn a_realloc_out_of_bounds_is_not_written_to() {
    for address in ["-1", "65536", "65534"] {
        let told = trap(attack(&bad_realloc(&format!("(return (i32.const {address}))"))));
        assert!(told.contains("out of bounds") || told.contains("beyond"), "{told}");
    }
}

#[test]
fn a_realloc_that_returns_null_overwrites_only_its_own_memory() {
    // Address 0 is as good as any in WebAssembly.
    let plugin = start(&bad_realloc("(return (i32.const 0))"));
    assert_eq!(judge(&plugin, BAD).expect("an answer").failures, 1);
}

#[test]
fn a_realloc_that_calls_the_host_is_stopped() {
    let guest = Guest {
        imports: r#"(import "mcp-gateway:hooks/content@0.1.0" "text-count" (func $count (result i32)))"#,
        ..bad_realloc("(drop (call $count))")
    };
    let told = trap(attack(&guest));
    assert!(told.contains("leave"), "{told}");
}

#[test]
fn a_realloc_that_traps_costs_the_caller_nothing() {
    assert!(trap(attack(&bad_realloc("unreachable"))).contains("unreachable"));
}
