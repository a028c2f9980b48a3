//! Guests that want more memory, tables and instances than there are.

use host_harness::sandbox::{Demand, Plugin, StartError};

use super::{
    attack::{attack, options, trap},
    guest::Guest,
};

fn refused(guest: &Guest) -> StartError {
    match Plugin::start(&guest.component(), options()) {
        Err(error) => error,
        Ok(_) => panic!("started"),
    }
}

fn demand(guest: &Guest) -> Demand {
    match refused(guest) {
        StartError::Demand(demand) => demand,
        other => panic!("{other}"),
    }
}

#[test]
fn a_memory_bomb_gets_the_limit_and_no_page_more() {
    // 64 MiB are 1024 pages: it takes them one by one, and writes into each.
    let bomb = "(local.set $pages (memory.grow (i32.const 1)))
        (if (i32.ne (local.get $pages) (i32.const -1)) (then
            (i32.store (i32.mul (local.get $pages) (i32.const 65536)) (i32.const 1))
            (br $more)))
        (if (i32.ne (memory.size) (i32.const 1024)) (then (i64.store (i32.const -1) (i64.const 0))))
        unreachable";
    let mut guest = Guest::bad_at(&format!("(loop $more {bomb})"));
    guest.handle = format!("(local $pages i32) {}", guest.handle);
    // Not "out of bounds": it had all pages that it may have.
    assert!(trap(attack(&guest)).contains("unreachable"));
}

#[test]
fn a_memory_bomb_in_the_start_function_harms_only_itself() {
    let rest = "(func $start (loop $more
        (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable)
        (start $start)";
    let error = refused(&Guest { rest: rest.to_owned(), ..Guest::polite() });
    assert!(matches!(error, StartError::Broke(_)), "{error}");
}

#[test]
fn a_table_bomb_gets_the_limit_and_no_entry_more() {
    let bomb = "(loop $more
        (br_if $more (i32.ne (table.grow $t (ref.null func) (i32.const 1)) (i32.const -1))))
        (if (i32.ne (table.size $t) (i32.const 10000)) (then (i64.store (i32.const -1) (i64.const 0))))
        unreachable";
    let guest = Guest { rest: "(table $t 0 funcref)".to_owned(), ..Guest::bad_at(bomb) };
    assert!(trap(attack(&guest)).contains("unreachable"));
}

#[test]
fn a_giant_initial_memory_is_refused_before_it_is_made() {
    let guest = Guest { memory: r#"(memory (export "memory") 1025)"#, ..Guest::polite() };
    assert_eq!(demand(&guest), Demand::Memory { bytes: 1025 << 16, most: 64 << 20 });
    let guest = Guest { memory: r#"(memory (export "memory") 65536)"#, ..Guest::polite() };
    assert_eq!(demand(&guest), Demand::Memory { bytes: 4 << 30, most: 64 << 20 });
}

#[test]
fn a_second_memory_is_refused_before_it_is_made() {
    let guest = Guest { rest: "(memory 1)".to_owned(), ..Guest::polite() };
    assert_eq!(demand(&guest), Demand::Memories { count: 2, most: 1 });
}

#[test]
fn a_giant_initial_table_is_refused_before_it_is_made() {
    let guest = Guest { rest: "(table 10001 funcref)".to_owned(), ..Guest::polite() };
    assert_eq!(demand(&guest), Demand::Table { elements: 10_001, most: 10_000 });
}

#[test]
fn many_tables_are_refused_before_they_are_made() {
    let guest = Guest { rest: "(table 1 funcref)".repeat(9), ..Guest::polite() };
    assert!(matches!(demand(&guest), Demand::Tables { count: 9.., most: 8 }));
}

#[test]
fn an_instance_bomb_is_refused() {
    let mut bytes = Guest::polite().bytes();
    let modules = core_modules(&bytes);
    // A core module section with an empty module, and a core instance section
    // that instantiates it twenty times.
    bytes.extend(b"\x01\x08\0asm\x01\0\0\0");
    let instances: Vec<u8> = [0, modules, 0].repeat(20);
    bytes.extend([2, u8::try_from(1 + instances.len()).expect("short"), 20]);
    bytes.extend(instances);
    let component = host_harness::sandbox::Component::from_bytes("bomb.wasm", &bytes);
    match Plugin::start(&component.expect("a valid component"), options()) {
        Err(StartError::Broke(breakage)) => {
            assert!(breakage.to_string().contains("instance count too high"), "{breakage}");
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("started"),
    }
}

/// How many core modules a component has: the sections with the id 1.
fn core_modules(bytes: &[u8]) -> u8 {
    let (mut at, mut modules) = (8, 0);
    while at < bytes.len() {
        modules += u8::from(bytes[at] == 1);
        at += 1;
        let (mut size, mut shift) = (0_usize, 0);
        loop {
            let byte = bytes[at];
            at += 1;
            size |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        at += size;
    }
    modules
}

#[test]
fn a_shared_memory_which_no_limit_would_reach_is_no_valid_component() {
    let guest = Guest { rest: "(memory 1 2 shared)".to_owned(), ..Guest::polite() };
    let Err(error) = guest.try_component() else { panic!("loaded") };
    assert!(error.to_string().contains("not a valid component"), "{error}");
}
