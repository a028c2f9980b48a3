//! Guests that play with handles. The contract has no resources, so nothing is
//! ever lent to a guest; it can still make resources of its own.

use super::{
    attack::{attack, trap},
    guest::Guest,
};

const RESOURCES: &str = r#"
    (import "[export]test:guest/things" "[resource-new]thing" (func $new (param i32) (result i32)))
    (import "[export]test:guest/things" "[resource-drop]thing" (func $drop (param i32)))
    (import "[export]test:guest/things" "[resource-rep]thing" (func $rep (param i32) (result i32)))"#;

fn told(hostile: &str) -> String {
    trap(attack(&Guest { imports: RESOURCES, ..Guest::bad_at(hostile) }))
}

#[test]
fn a_flood_of_handles_is_stopped() {
    let told = told("(loop $more (drop (call $new (i32.const 1))) (br $more))");
    assert!(told.contains("handle") || told.contains("resource"), "{told}");
}

#[test]
fn a_handle_dropped_twice_stops_the_guest() {
    let told = told(
        "(call $drop (call $new (i32.const 1)))
        (call $drop (i32.const 1))
        (call $drop (i32.const 1))",
    );
    assert!(told.contains("handle"), "{told}");
}

#[test]
fn a_forged_handle_stops_the_guest() {
    assert!(told("(drop (call $rep (i32.const 12345)))").contains("handle"));
    assert!(told("(call $drop (i32.const -1))").contains("handle"));
}
