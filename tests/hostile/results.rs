//! Guests whose results cannot be read.

use super::{
    attack::{attack, attack_by, trap},
    guest::{Guest, TOOL_ERROR, Verdict},
};

fn returned(address: &str) -> String {
    trap(attack(&Guest::bad_at(&format!("(return (i32.const {address}))"))))
}

/// The answer to `stats` is a list: its address and its length, here at 4096.
fn stats(bytes: &str) -> String {
    let guest = Guest {
        stats: "(i32.const 4096)",
        rest: format!(r#"(data (i32.const 4096) "{bytes}")"#),
        ..Guest::polite()
    };
    // All shards are asked; the first that fails is the last.
    trap(attack_by(&guest, |plugin| plugin.stats().expect_err("it cannot be read")))
}

#[test]
fn a_result_out_of_range_is_not_read() {
    assert!(returned("-8").contains("out of bounds"));
    assert!(returned("65536").contains("out of bounds"));
    // Its first bytes are in range, its last are not.
    assert!(returned("65496").contains("out of bounds"));
}

#[test]
fn a_misaligned_result_is_not_read() {
    assert!(returned("2052").contains("not aligned"));
}

#[test]
fn a_reason_that_does_not_exist_is_not_read() {
    let unknown = Verdict { reason: 200, ..Verdict::retry(0) };
    assert!(trap(attack(&unknown.guest())).contains("discriminant"));
}

#[test]
fn a_result_that_is_neither_ok_nor_an_error_is_not_read() {
    let rest = r#"(data (i32.const 4096) "\02")"#.to_owned();
    let guest = Guest { rest, ..Guest::bad_at("(return (i32.const 4096))") };
    assert!(trap(attack(&guest)).contains("discriminant"));
}

#[test]
fn an_option_that_is_neither_some_nor_none_is_not_read() {
    let mut guest = Verdict { reason: TOOL_ERROR, ..Verdict::retry(5) }.guest();
    guest.rest.push_str(r#"(data (i32.const 4128) "\ff")"#);
    assert!(trap(attack(&guest)).contains("discriminant"));
}

#[test]
fn an_error_that_the_contract_does_not_know_is_not_read() {
    let rest = r#"(data (i32.const 4096) "\01\00\00\00\00\00\00\00\63")"#.to_owned();
    let guest = Guest { rest, ..Guest::bad_at("(return (i32.const 4096))") };
    assert!(trap(attack(&guest)).contains("discriminant"));
}

#[test]
fn a_list_out_of_range_is_not_read() {
    assert!(stats(r"\00\00\ff\7f\01\00\00\00").contains("out of bounds"));
}

#[test]
fn a_misaligned_list_is_not_read() {
    assert!(stats(r"\01\04\00\00\01\00\00\00").contains("not aligned"));
}

#[test]
fn a_list_whose_size_overflows_is_not_read() {
    // 0x10000001 metrics of 24 bytes: more than 32 bits.
    assert!(!stats(r"\00\04\00\00\01\00\00\10").is_empty());
}

#[test]
fn a_huge_list_is_not_read() {
    assert!(!stats(r"\00\04\00\00\ff\ff\ff\ff").is_empty());
}

#[test]
fn a_huge_text_is_not_read() {
    // One metric at 4104; its name begins at 0 and has 2 GiB.
    assert!(stats(r"\08\10\00\00\01\00\00\00\00\00\00\00\ff\ff\ff\7f").contains("out of bounds"));
}

#[test]
fn bad_utf_8_is_not_read() {
    // One metric at 4104; its name is the two bytes at 4128: a lone surrogate's start.
    let bytes = r"\08\10\00\00\01\00\00\00\20\10\00\00\02\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\ed\a0";
    assert!(stats(bytes).contains("utf-8"));
}

#[test]
fn a_result_larger_than_the_limit_is_not_read() {
    // Two MiB of zeros are a text of two MiB.
    let guest = Guest {
        memory: r#"(memory (export "memory") 64)"#,
        stats: "(i32.const 4096)",
        rest: r#"(data (i32.const 4096) "\08\10\00\00\01\00\00\00\00\00\01\00\00\00\20\00")"#
            .to_owned(),
        ..Guest::polite()
    };
    let told = trap(attack_by(&guest, |plugin| plugin.stats().expect_err("it is too large")));
    assert!(told.contains("fuel"), "{told}");
}
