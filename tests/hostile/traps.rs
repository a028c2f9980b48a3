//! Guests that trap.

use std::sync::Arc;

use futures::executor::block_on;
use host_harness::{
    gateway::{
        Attempt, BudgetStore, Clock, Finished, Gateway, InProcessBudgets, Limits, LogicalCall,
        Stop, Unobserved,
    },
    sandbox::{Breakage, Exceeded, HookFailure, Options, Replacement},
};

use super::{
    attack::{BAD, Marked, attack, breakage, options, start_with, trap},
    guest::{Guest, Verdict},
};
use crate::virtual_clock::VirtualClock;

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

/// Asks for a retry of each call of `bad` that costs a token, of a bucket of so
/// many for the tool, and traps over what came of that retry.
fn spendthrift(tokens: u32) -> Guest {
    let verdict = Verdict { tool_budget: 1, cost: 1_000, ..Verdict::retry(5) };
    let asks = verdict.guest();
    let escaped = |words: &[u32]| -> String {
        let bytes = words.iter().flat_map(|word| word.to_le_bytes());
        bytes.map(|byte| format!("\\{byte:02x}")).collect()
    };
    // ok: no notices, no budget of the upstream, a list of one budget of tools.
    let configured = escaped(&[0, 0, 0, 0, 0, 0, 0, 0, 5120, 1]);
    let terms = escaped(&[tokens * 1_000, 0, 0, 0]);
    Guest {
        configure: "(i32.const 5000)".to_owned(),
        handle: format!(
            "(if (i32.eq (local.get $attempt) (i32.const 2)) (then unreachable)) {}",
            asks.handle
        ),
        rest: format!(
            r#"{} (data (i32.const 5000) "{configured}") (data (i32.const 5120) "{terms}")"#,
            asks.rest
        ),
        ..asks
    }
}

#[test]
fn a_trap_does_not_fill_the_budget_again() {
    let replacement = Replacement { strikes: 1_000, ..Replacement::default() };
    let plugin = start_with(&spendthrift(3), Options { replacement, ..options() });
    let (budgets, clock) = (Arc::new(InProcessBudgets::default()), VirtualClock::default());
    let gateway = Gateway {
        hook: Some(plugin.clone()),
        limits: Limits::default(),
        clock: Arc::new(clock.clone()),
        budgets: budgets.clone(),
        observer: Arc::new(Unobserved),
    };
    let call = |number: u32| {
        // Long enough for an instance to be started again.
        clock.advance(std::time::Duration::from_secs(3_600));
        let call = LogicalCall::new(BAD, number.to_string());
        let run =
            gateway.run(&call, |attempt: Attempt| std::future::ready(Marked::of(attempt.number())));
        match block_on(run) {
            Finished::Answered { stop, attempts, .. } => (stop, attempts.number()),
            Finished::Cancelled { .. } => panic!("nobody cancelled"),
        }
    };
    for number in 1..=3 {
        let (stop, attempts) = call(number);
        let broke = |stop: &Stop| matches!(stop, Stop::PluginFailed(HookFailure::Broke(_)));
        assert!(broke(&stop) && attempts == 2, "{stop:?} after {attempts}");
        assert_eq!(plugin.faults()["broke.trapped"], u64::from(number));
        assert_eq!(budgets.levels().emptiest, Some(3_000 - 1_000 * u64::from(number)));
    }
    // The instance is a new one; the bucket is the old one.
    let (stop, attempts) = call(4);
    assert!(matches!(stop, Stop::BudgetExhausted(_)) && attempts == 1, "{stop:?}");
    assert!(clock.now().as_secs() >= 4 * 3_600);
}
