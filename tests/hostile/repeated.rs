//! Guests that do a little harm again and again.

use std::time::Duration;

use host_harness::sandbox::{HookFailure, Plugin, Replacement};

use super::{
    attack::{judge_at, options, target},
    guest::{Guest, POLITE_ANSWER},
};

/// Calls of one target, all of them at the time that `now` gives them; returns
/// how many were answered and how many broke. Nothing else may happen.
fn calls(plugin: &Plugin, target: &str, count: u64, now: impl Fn(u64) -> u64) -> (u64, u64) {
    let (mut answered, mut broke) = (0, 0);
    for n in 0..count {
        match judge_at(plugin, target, now(n)) {
            Ok(_) => answered += 1,
            Err(HookFailure::Broke(_)) => broke += 1,
            Err(other) => panic!("{other}"),
        }
    }
    (answered, broke)
}

/// Traps on every third call in the life of an instance.
fn every_third() -> Guest {
    let handle = format!(
        "(if (i32.eq (global.get $calls) (i32.const 2)) (then unreachable)) {POLITE_ANSWER}"
    );
    Guest { handle, ..Guest::polite() }
}

#[test]
fn a_trap_on_every_third_call_costs_that_call_only() {
    let plugin = Plugin::start(&every_third().component(), options()).expect("it starts");
    let (bad, neighbour) = (target(&plugin, true), target(&plugin, false));
    judge_at(&plugin, &neighbour, 0).expect("polite");
    // Ten seconds a call: two strikes are in the window of a minute at any time.
    assert_eq!(calls(&plugin, &bad, 3_000, |n| 10_000 * n), (2_000, 1_000));
    assert_eq!(judge_at(&plugin, &neighbour, 0).expect("polite").failures, 2);
}

#[test]
fn a_trap_on_every_third_call_in_quick_succession_sets_the_plugin_aside() {
    let plugin = Plugin::start(&every_third().component(), options()).expect("it starts");
    // The tenth strike is the thirtieth call; after that nobody is asked.
    assert_eq!(calls(&plugin, "target", 3_000, |_| 0), (20, 2_980));
    let faults = plugin.faults();
    assert_eq!((faults["broke.trapped"], faults["skipped.set_aside"]), (10, 2_970));
}

#[test]
fn a_slow_leak_over_a_million_calls_is_ended_by_the_limit_on_memory_and_begins_anew() {
    // 4 KiB a call, 16 pages that its limit lets it grow to.
    let handle = format!(
        "(global.set $leaked (i32.add (global.get $leaked) (i32.const 4096)))
        (if (i32.gt_u (global.get $leaked) (i32.mul (memory.size) (i32.const 65536))) (then
            (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))))
        (i32.store8 (i32.sub (global.get $leaked) (i32.const 1)) (i32.const 1))
        {POLITE_ANSWER}"
    );
    let rest = "(global $leaked (mut i32) (i32.const 8192))".to_owned();
    let guest = Guest { handle, rest, ..Guest::polite() };
    let mut options = options();
    options.limits.memory_bytes = 1 << 20;
    options.replacement =
        Replacement { window: Duration::from_millis(100), ..Replacement::default() };
    let plugin = Plugin::start(&guest.component(), options).expect("it starts");
    // Of the 256 pages of 4 KiB two are its own: 254 calls, then one that breaks.
    let rounds = 4_000;
    assert_eq!(calls(&plugin, "target", 255 * rounds, |n| n), (254 * rounds, rounds));
}
