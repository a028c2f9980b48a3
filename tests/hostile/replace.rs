//! Another component takes the place of the one at work, or fails to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
};

use host_harness::{
    contract::Issue,
    sandbox::{Digest, Plugin, StartError},
};

use super::{
    attack::{impatient, judge, options, start, start_with},
    guest::Guest,
};

/// A guest that tells its generation in the verdict's `failures`.
fn generation(number: u32) -> Guest {
    let handle = format!("(i32.store (i32.const 2068) (i32.const {number})) (i32.const 2048)");
    Guest { handle, ..Guest::polite() }
}

fn asked(plugin: &Plugin, target: &str) -> u32 {
    judge(plugin, target).expect("an answer").failures
}

#[test]
fn the_new_component_answers_for_every_target_and_the_old_one_is_shut_down() {
    let plugin = start(&generation(1));
    assert_eq!(plugin.digest(), Digest::of(&generation(1).bytes()));
    let notices = plugin.replace(&generation(2).component(), "null").expect("it starts");
    assert!(notices.is_empty());
    assert_eq!(plugin.digest(), Digest::of(&generation(2).bytes()));
    for n in 0..32 {
        assert_eq!(asked(&plugin, &format!("target-{n}")), 2);
    }
}

#[test]
fn nobody_meets_the_new_component_and_later_the_old_one() {
    const LAST: u32 = 60;
    let plugin = start(&generation(0));
    let (seen, over) = (AtomicU32::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for thread in 0..4 {
            let (plugin, seen, over) = (&plugin, &seen, &over);
            scope.spawn(move || {
                let mut n = 0;
                while !over.load(Ordering::SeqCst) {
                    n += 1;
                    // What anybody has seen before this call began.
                    let before = seen.load(Ordering::SeqCst);
                    let met = asked(plugin, &format!("target-{thread}-{n}"));
                    assert!(met >= before, "generation {met} after {before}");
                    seen.fetch_max(met, Ordering::SeqCst);
                }
            });
        }
        for number in 1..=LAST {
            plugin.replace(&generation(number).component(), "null").expect("it starts");
        }
        over.store(true, Ordering::SeqCst);
    });
    assert_eq!(asked(&plugin, "target"), LAST);
    assert!(plugin.faults().is_empty(), "{:?}", plugin.faults());
}

#[test]
fn a_component_that_does_not_start_leaves_the_old_one_at_work() {
    let plugin = start(&generation(1));
    // err([{ path: "hostile", message: "1.0.0" }])
    let refusing = Guest {
        configure: "(i32.const 4096)".to_owned(),
        rest: r#"(data (i32.const 4096) "\01\00\00\00\10\10\00\00\01\00\00\00")
            (data (i32.const 4112) "\58\02\00\00\07\00\00\00\6c\02\00\00\05\00\00\00")"#
            .to_owned(),
        ..generation(2)
    };
    let trapping = Guest { configure: "unreachable".to_owned(), ..generation(2) };
    let nameless = Guest { describe: "(i32.const 1024)", ..generation(2) };
    let greedy = Guest { memory: r#"(memory (export "memory") 2000)"#, ..generation(2) };
    for (guest, expected) in [
        (refusing, "hostile: 1.0.0"),
        (trapping, "did not start"),
        (nameless, "manifest"),
        (greedy, "memory"),
    ] {
        let error = plugin.replace(&guest.component(), "null").expect_err("it does not start");
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(plugin.digest(), Digest::of(&generation(1).bytes()));
        for n in 0..32 {
            assert_eq!(asked(&plugin, &format!("target-{n}")), 1);
        }
    }
    assert!(plugin.faults().is_empty(), "it was not even asked: {:?}", plugin.faults());
}

#[test]
fn a_component_that_hangs_when_it_is_shut_down_does_not_hold_up_its_successor() {
    let hanging = Guest { shutdown: "(loop $for_ever (br $for_ever))", ..generation(1) };
    let plugin = start_with(&hanging, impatient());
    plugin.replace(&generation(2).component(), "null").expect("it starts");
    assert_eq!(asked(&plugin, "target"), 2);
    assert!(plugin.faults().is_empty(), "its end is nobody's fault: {:?}", plugin.faults());
}

#[test]
fn a_configuration_changed_after_a_replacement_goes_to_the_new_component() {
    let only_short = |number| Guest {
        configure: "(if (i32.gt_u (local.get $config_len) (i32.const 4)) (then unreachable))
            (i32.const 1024)"
            .to_owned(),
        ..generation(number)
    };
    let plugin: Arc<Plugin> = start(&only_short(1));
    plugin.replace(&generation(2).component(), "null").expect("it starts");
    let notices: Vec<Issue> = plugin.reconfigure(r#"{"longer": 1}"#).expect("it takes any");
    assert!(notices.is_empty());
    plugin.replace(&only_short(3).component(), "null").expect("it starts");
    let refused = plugin.reconfigure(r#"{"longer": 1}"#);
    assert!(matches!(refused, Err(StartError::Broke(_))), "{refused:?}");
    assert_eq!(asked(&plugin, "target"), 3);
}

#[test]
fn the_faults_of_both_are_counted_together() {
    let plugin = Plugin::start(&Guest::bad_at("unreachable").component(), options());
    let plugin = plugin.expect("it starts");
    judge(&plugin, "bad").expect_err("it traps");
    plugin.replace(&Guest::bad_at("unreachable").component(), "null").expect("it starts");
    judge(&plugin, "bad").expect_err("it traps");
    judge(&plugin, "target").expect("the record is clean, so there is no rest");
    assert_eq!(plugin.faults()["broke.trapped"], 2);
}
