//! Files that are no component of the contract.

use std::path::Path;

use host_harness::{bundled, sandbox::Component};

fn refusal(bytes: &[u8]) -> String {
    match Component::from_bytes("plugin.wasm", bytes) {
        Ok(_) => panic!("loaded"),
        Err(error) => {
            let line = error.to_string();
            assert!(!line.contains('\n'), "one line: {line}");
            line
        }
    }
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("valid text")
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
fn a_truncated_file_is_not_a_valid_component() {
    let whole = bundled::COMPONENT;
    for length in [9, 100, whole.len() / 2, whole.len() - 1] {
        let line = refusal(&whole[..length]);
        assert!(line.starts_with("plugin.wasm: not a valid component: "), "{line}");
    }
}

#[test]
fn bytes_that_are_no_wasm_are_told_so() {
    for bytes in [&b""[..], b"\0as", b"<html>", b"\x7fELF\x02\x01\x01\0"] {
        assert!(refusal(bytes).contains("not WebAssembly"), "{bytes:?}");
    }
}

#[test]
fn a_core_module_is_told_from_a_component() {
    assert!(refusal(&wat("(module)")).contains("a core WebAssembly module, not a component"));
}

#[test]
fn a_forbidden_import_is_named() {
    for import in
        ["wasi:filesystem/types@0.2.6", "wasi:random/insecure@0.2.6", "wasi:random/random@0.3.0"]
    {
        let line = refusal(&wat(&format!(r#"(component (import "{import}" (instance)))"#)));
        assert!(line.contains(&format!("it imports `{import}`")), "{line}");
    }
    // A version of WASI 0.2 that this host does not know by name is welcome.
    let line = refusal(&wat(r#"(component (import "wasi:random/random@0.2.99" (instance)))"#));
    assert!(!line.contains("it imports"), "{line}");
}

#[test]
fn a_missing_export_is_named() {
    let line = refusal(&wat("(component)"));
    assert!(line.contains("does not fit the contract"), "{line}");
    assert!(line.contains("mcp-gateway:hooks/"), "{line}");
}

#[test]
fn an_import_of_another_shape_is_named() {
    let line = refusal(&wat(r#"(component (import "wasi:random/random@0.2.0"
            (instance (export "get-random-u64" (func (param "x" u32))))))"#));
    assert!(line.contains("get-random-u64"), "{line}");
}
