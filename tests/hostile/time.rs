//! Guests that never come to an end.

use host_harness::sandbox::{Breakage, Plugin, StartError};

use super::{
    attack::{attack_on, breakage, impatient, judge, judged_badly, start_with},
    guest::Guest,
};

const FOR_EVER: &str = "(loop $for_ever (br $for_ever)) unreachable";

/// How a guest breaks that is bad at the target `bad`.
fn attack(guest: &Guest) -> Breakage {
    let plugin = start_with(guest, impatient());
    breakage(attack_on(&plugin, |plugin| judged_badly(plugin, None)))
}

fn is_too_slow(breakage: &Breakage) -> bool {
    matches!(breakage, Breakage::TooSlow(_))
}

#[test]
fn an_endless_loop_in_handle_is_stopped() {
    assert!(is_too_slow(&attack(&Guest::bad_at(FOR_EVER))));
}

#[test]
fn an_endless_loop_in_realloc_is_stopped() {
    let realloc =
        format!("(if (i32.eq (local.get $size) (i32.const 3)) (then {FOR_EVER})) (i32.const 8192)");
    assert!(is_too_slow(&attack(&Guest { realloc, ..Guest::polite() })));
}

#[test]
fn an_endless_loop_in_post_return_is_stopped() {
    let rest = format!(
        r#"(global $bad (mut i32) (i32.const 0))
           (func (export "cabi_post_mcp-gateway:hooks/tool-post-invoke@0.1.0#handle") (param i32)
               (if (global.get $bad) (then {FOR_EVER})))"#
    );
    let guest = Guest { rest, ..Guest::bad_at("(global.set $bad (i32.const 1))") };
    assert!(is_too_slow(&attack(&guest)));
}

#[test]
fn an_endless_loop_in_configure_does_not_start() {
    let guest = Guest { configure: FOR_EVER.to_owned(), ..Guest::polite() };
    match Plugin::start(&guest.component(), impatient()) {
        Err(StartError::Broke(breakage)) => assert!(is_too_slow(&breakage)),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("started"),
    }
}

#[test]
fn an_endless_loop_over_a_new_configuration_leaves_the_old_one_in_force() {
    let configure = format!(
        "(if (i32.gt_u (local.get $config_len) (i32.const 4)) (then {FOR_EVER})) (i32.const 1024)"
    );
    let plugin = start_with(&Guest { configure, ..Guest::polite() }, impatient());
    match plugin.reconfigure(r#"{"more": true}"#) {
        Err(StartError::Broke(breakage)) => assert!(is_too_slow(&breakage)),
        other => panic!("{other:?}"),
    }
    for n in 0..16 {
        judge(&plugin, &format!("target-{n}")).expect("every shard answers");
    }
}

#[test]
fn an_endless_loop_in_the_start_function_does_not_start() {
    let rest = "(func $start (loop $for_ever (br $for_ever))) (start $start)".to_owned();
    match Plugin::start(&(Guest { rest, ..Guest::polite() }).component(), impatient()) {
        Err(StartError::Broke(breakage)) => assert!(is_too_slow(&breakage)),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("started"),
    }
}

#[test]
fn an_endless_loop_in_stats_costs_the_next_call_nothing() {
    let guest = Guest { stats: FOR_EVER, ..Guest::polite() };
    let plugin = start_with(&guest, impatient());
    assert!(is_too_slow(&breakage(plugin.stats().expect_err("it hangs"))));
    for n in 0..16 {
        judge(&plugin, &format!("target-{n}")).expect("every shard answers");
    }
}
