//! Guests that trap.

use host_harness::sandbox::{Breakage, Exceeded};

use super::{
    attack::{attack, breakage, trap},
    guest::Guest,
};

fn trapped(hostile: &str) -> String {
    trap(attack(&Guest::bad_at(hostile)))
}

#[test]
fn an_unreachable_costs_the_caller_nothing() {
    assert!(trapped("unreachable").contains("unreachable"));
}

#[test]
fn a_division_by_zero_costs_the_caller_nothing() {
    let hostile =
        "(drop (i32.div_u (i32.const 1) (i32.sub (local.get $target_len) (i32.const 3))))";
    assert!(trapped(hostile).contains("divide by zero"));
}

#[test]
fn a_load_out_of_bounds_costs_the_caller_nothing() {
    assert!(trapped("(drop (i32.load (i32.const 0x7fffffff)))").contains("out of bounds"));
}

#[test]
fn an_indirect_call_of_nothing_costs_the_caller_nothing() {
    let guest = Guest {
        rest: "(type $nothing (func)) (table 1 funcref)".to_owned(),
        ..Guest::bad_at("(call_indirect (type $nothing) (i32.const 0))")
    };
    assert!(trap(attack(&guest)).contains("uninitialized"));
}

#[test]
fn a_deep_recursion_overflows_only_its_own_stack() {
    let guest = Guest {
        rest: "(func $deeper (param i32) (result i32)
            (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))"
            .to_owned(),
        ..Guest::bad_at("(drop (call $deeper (i32.const 0)))")
    };
    assert!(matches!(breakage(attack(&guest)), Breakage::Exceeded(Exceeded::Stack)));
}
