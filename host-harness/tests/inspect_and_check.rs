//! Somebody else's plugin, looked at and tried with the built program.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use host_harness::{bundled, sandbox::Digest};

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_host-harness")).args(arguments).output();
    let Output { status, stdout, stderr } = output.expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).expect("a place to write");
    path
}

#[test]
fn inspect_shows_what_a_component_is() {
    let path = file("inspected.wasm", bundled::COMPONENT);
    let (code, out, _) = run(&["inspect", path.to_str().expect("a plain path")]);
    assert_eq!(code, Some(0));
    for expected in [
        format!("size      {} bytes", bundled::COMPONENT.len()),
        format!("sha256    {}", Digest::of(bundled::COMPONENT)),
        "mcp-gateway:hooks/content@0.1.0: text-count, text, excerpt, field".to_owned(),
        "exports   mcp-gateway:hooks/tool-post-invoke@0.1.0: handle, retries, forget".to_owned(),
        "name      retry-with-backoff".to_owned(),
        "\"max_retries\"".to_owned(),
    ] {
        assert!(out.contains(&expected), "{expected} in {out}");
    }
}

#[test]
fn check_passes_the_bundled_component_with_any_good_configuration() {
    let config = file("checked.json", r#"{"profile": "safe"}"#);
    for options in [&["check"][..], &["check", "--config", config.to_str().expect("a plain path")]]
    {
        let (code, out, err) = run(options);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
        assert!(out.ends_with("checks passed\n") && !out.contains("FAIL"), "{out}");
    }
}

#[test]
fn check_names_what_is_wrong_and_fails() {
    let config = file("refused.json", r#"{"max_retries": "many"}"#);
    let (code, out, _) = run(&["check", "--config", config.to_str().expect("a plain path")]);
    assert_eq!(code, Some(1));
    let told = "  FAIL  it accepts the configuration\n        it refuses max_retries: ";
    assert!(out.contains(told), "{out}");
    assert!(out.contains("it breaks the contract: "), "{out}");
}

#[test]
fn a_file_that_is_no_component_is_refused_by_both() {
    let path = file("none.wasm", "none");
    for command in ["inspect", "check"] {
        let (code, out, err) = run(&[command, path.to_str().expect("a plain path")]);
        assert_eq!((code, out.as_str()), (Some(1), ""));
        assert!(err.contains("none.wasm: not WebAssembly"), "{err}");
    }
}
