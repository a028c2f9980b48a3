//! Files that are no component of the contract, or pose as one.

use std::path::Path;

use host_harness::{
    bundled,
    sandbox::{Component, LoadError, LoadLimits, LoadProblem, Loader},
};

use super::guest::Guest;

fn problem(loaded: Result<Component, LoadError>) -> LoadProblem {
    match loaded {
        Ok(_) => panic!("loaded"),
        Err(error) => {
            let line = error.to_string();
            assert!(!line.contains(char::is_control), "one clean line: {line:?}");
            error.problem
        }
    }
}

fn text(wat: &str) -> LoadProblem {
    let bytes = wat::parse_str(wat).expect("valid text");
    problem(Component::from_bytes("hostile.wasm", &bytes))
}

#[test]
fn a_missing_file_is_named() {
    let Err(error) = Component::from_file(Path::new("/nowhere/plugin.wasm")) else {
        panic!("loaded");
    };
    let line = error.to_string();
    assert!(line.starts_with("/nowhere/plugin.wasm: cannot be read: "), "{line}");
}

#[test]
fn bytes_that_are_no_wasm_are_told_so() {
    for bytes in [&b""[..], b"\0as", b"<html>", b"\x7fELF\x02\x01\x01\0"] {
        let problem = problem(Component::from_bytes("hostile.wasm", bytes));
        assert!(matches!(problem, LoadProblem::NotWasm), "{bytes:?}: {problem}");
    }
}

#[test]
fn a_version_of_wasi_that_this_host_does_not_know_by_name_is_welcome() {
    let problem = text(r#"(component (import "wasi:random/random@0.2.99" (instance)))"#);
    assert!(!matches!(problem, LoadProblem::ForbiddenImport { .. }), "{problem}");
}

#[test]
fn an_import_beyond_the_contract_is_forbidden() {
    for import in [
        "wasi:filesystem/types@0.2.6",
        "wasi:random/insecure@0.2.6",
        "wasi:random/random@0.3.0",
        "wasi:sockets/tcp@0.2.6",
        "wasi:cli/environment@0.2.6",
        "mcp-gateway:hooks/secrets@0.1.0",
    ] {
        let problem = text(&format!(r#"(component (import "{import}" (instance)))"#));
        let LoadProblem::ForbiddenImport { import: named, .. } = problem else {
            panic!("{problem}")
        };
        assert_eq!(named, import);
    }
}

#[test]
fn an_import_of_another_version_of_the_contract_is_forbidden() {
    let problem = text(r#"(component (import "mcp-gateway:hooks/content@0.2.0" (instance)))"#);
    assert!(matches!(problem, LoadProblem::ForbiddenImport { .. }), "{problem}");
}

#[test]
fn an_import_of_a_core_module_is_forbidden() {
    let problem = text(r#"(component (import "code" (core module)))"#);
    assert!(matches!(problem, LoadProblem::ForbiddenImport { .. }), "{problem}");
}

#[test]
fn an_import_of_another_type_does_not_fit() {
    let problem = text(
        r#"(component (import "mcp-gateway:hooks/content@0.1.0"
            (instance (export "text-count" (func (param "secret" string) (result u32))))))"#,
    );
    assert!(matches!(problem, LoadProblem::WrongShape(_)), "{problem}");
}

#[test]
fn content_wanted_as_a_handle_that_could_be_kept_does_not_fit() {
    let problem = text(
        r#"(component (import "mcp-gateway:hooks/content@0.1.0"
            (instance (export "content" (type (sub resource))))))"#,
    );
    assert!(matches!(problem, LoadProblem::WrongShape(_)), "{problem}");
}

#[test]
fn a_missing_export_does_not_fit() {
    let problem = text("(component)");
    let LoadProblem::WrongShape(what) = problem else { panic!("{problem}") };
    assert!(what.contains("mcp-gateway:hooks/"), "{what}");
}

#[test]
fn an_export_of_another_type_does_not_fit() {
    let problem = text(
        r#"(component
            (core module $m (func (export "handle") (result i32) (i32.const 0)))
            (core instance $i (instantiate $m))
            (func $handle (result u32) (canon lift (core func $i "handle")))
            (instance $hook (export "handle" (func $handle)))
            (export "mcp-gateway:hooks/tool-post-invoke@0.1.0" (instance $hook)))"#,
    );
    assert!(matches!(problem, LoadProblem::WrongShape(_)), "{problem}");
}

#[test]
fn a_core_module_is_no_component() {
    let problem = text("(module)");
    assert!(matches!(problem, LoadProblem::CoreModule), "{problem}");
}

#[test]
fn truncated_and_garbled_bytes_are_not_valid() {
    let whole = bundled::COMPONENT;
    for length in [9, 64, whole.len() / 2, whole.len() - 1] {
        let problem = problem(Component::from_bytes("hostile.wasm", &whole[..length]));
        assert!(matches!(problem, LoadProblem::Invalid(_)), "{length}: {problem}");
    }
    // A component's beginning, and a terminal's escapes where names belong.
    let mut garbled = whole[..8].to_vec();
    garbled.extend([0x0b; 64]);
    garbled.extend(b"\x1b[2J\r\n");
    let problem = problem(Component::from_bytes("hostile.wasm", &garbled));
    assert!(matches!(problem, LoadProblem::Invalid(_)), "{problem}");
}

#[test]
fn a_file_above_the_limit_is_not_looked_at() {
    let bytes = Guest::polite().bytes();
    let limits = LoadLimits { wasm_bytes: bytes.len() - 1, ..LoadLimits::default() };
    let loader = Loader { limits, ..Loader::default() };
    let problem = problem(loader.bytes("hostile.wasm", &bytes));
    assert!(matches!(problem, LoadProblem::TooLarge { .. }), "{problem}");
}

#[test]
fn a_stack_that_would_endanger_the_host_is_refused() {
    for stack_bytes in [0, LoadLimits::MOST_STACK_BYTES + 1, usize::MAX] {
        let limits = LoadLimits { stack_bytes, ..LoadLimits::default() };
        let loader = Loader { limits, ..Loader::default() };
        let problem = problem(loader.bytes("hostile.wasm", &Guest::polite().bytes()));
        assert!(matches!(problem, LoadProblem::WrongStack { .. }), "{problem}");
    }
}
