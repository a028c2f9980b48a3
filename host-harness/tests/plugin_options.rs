//! What an operator may ask of a plugin on the command line.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use ed25519_dalek::{
    Signer, SigningKey,
    pkcs8::{EncodePublicKey, spki::der::pem::LineEnding},
};
use host_harness::{bundled, sandbox::Digest};

const PROGRAM: &str = env!("CARGO_BIN_EXE_host-harness");

/// What the proxy says before a server that ends well; nothing if all is well.
fn complaint(options: &[&str]) -> String {
    let output = Command::new(PROGRAM)
        .arg("proxy")
        .args(options)
        .args(["--", "true"])
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let told = String::from_utf8(output.stderr).expect("text");
    told.lines().filter(|line| line.starts_with("error: ")).collect::<Vec<_>>().join("\n")
}

/// A file with the bundled plugin, of its own for one test.
fn plugin(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}.wasm"));
    fs::write(&path, bundled::COMPONENT).expect("a place to write");
    path
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

#[test]
fn a_plugin_is_held_to_its_digest() {
    let path = plugin("digest");
    let digest = Digest::of(bundled::COMPONENT).to_string();
    assert_eq!(complaint(&["--plugin", text(&path), "--plugin-sha256", &digest]), "");
    let other = Digest::of(b"another").to_string();
    let told = complaint(&["--plugin", text(&path), "--plugin-sha256", &other]);
    assert_eq!(told, format!("error: {}: its SHA-256 is {digest}, not {other}", path.display()));
}

#[test]
fn a_plugin_is_held_to_its_signature() {
    let path = plugin("signature");
    let key = SigningKey::from_bytes(&[7; 32]);
    let pem = path.with_extension("pem");
    let public = key.verifying_key().to_public_key_pem(LineEnding::LF).expect("PEM");
    fs::write(&pem, public).expect("written");
    let options = ["--plugin", text(&path), "--plugin-key", text(&pem)];
    let signature = path.with_extension("wasm.sig");
    let _ = fs::remove_file(&signature);
    assert!(complaint(&options).contains("signature.wasm: it is not signed"));
    let signed = key.sign(Digest::of(bundled::COMPONENT).as_bytes());
    fs::write(&signature, signed.to_bytes()).expect("written");
    assert_eq!(complaint(&options), "");
    fs::write(&pem, "no key").expect("written");
    let told = complaint(&options);
    let expected = "signature.pem: not an Ed25519 public key in PEM";
    assert!(told.contains(expected), "{told}");
}

#[test]
fn a_plugin_is_held_to_its_manifest() {
    let path = plugin("manifest");
    let version = env!("CARGO_PKG_VERSION");
    for good in ["retry-with-backoff", &format!("retry-with-backoff@{version}")] {
        assert_eq!(complaint(&["--plugin", text(&path), "--expect-plugin", good]), "");
    }
    let told = complaint(&["--plugin", text(&path), "--expect-plugin", "another@1.0.0"]);
    let expected = "manifest.wasm: the plugin's answer breaks the contract: its manifest has the name retry-with-backoff, not another";
    assert!(told.contains(expected), "{told}");
}

#[test]
fn a_plugin_is_held_to_its_limits() {
    let path = plugin("limits");
    let told = complaint(&["--plugin", text(&path), "--plugin-limit", "memory-bytes=65536"]);
    assert!(told.contains("limits.wasm: it starts with a memory of "), "{told}");
    assert!(complaint(&["--plugin-limit", "memory=1"]).contains("no limit is called `memory`"));
}

#[cfg(unix)]
#[test]
fn a_code_cache_that_is_open_to_others_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin_options_cache");
    let _ = fs::remove_dir_all(&dir);
    assert_eq!(complaint(&["--code-cache", text(&dir)]), "");
    assert_eq!(fs::read_dir(&dir).expect("a directory").count(), 1, "the code is kept");
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).expect("ours");
    let told = complaint(&["--code-cache", text(&dir)]);
    assert!(told.contains("plugin_options_cache: it is open to others (mode 0755)"), "{told}");
}
