//! Where a component has to come from, with files as an operator has them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ed25519_dalek::{
    Signer, SigningKey, pkcs8::EncodePublicKey, pkcs8::spki::der::pem::LineEnding,
};
use host_harness::{
    bundled,
    sandbox::{Digest, LoadProblem, Loader, Provenance, PublicKey},
};

/// A directory of its own for one test, with `plugin.wasm` in it.
fn plugin(test: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("provenance").join(test);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("a place to write");
    let file = dir.join("plugin.wasm");
    fs::write(&file, bundled::COMPONENT).expect("written");
    file
}

fn sign(file: &Path, key: &SigningKey) {
    let digest = Digest::of(&fs::read(file).expect("the plugin"));
    let signature = key.sign(digest.as_bytes()).to_bytes();
    fs::write(file.with_extension("wasm.sig"), signature).expect("written");
}

fn signed_by(key: &SigningKey) -> Loader {
    let pem = key.verifying_key().to_public_key_pem(LineEnding::LF).expect("PEM");
    let keys = vec![PublicKey::from_pem(&pem).expect("a key")];
    Loader { provenance: Provenance { keys, pinned: None }, ..Loader::default() }
}

fn problem(loader: &Loader, file: &Path) -> LoadProblem {
    match loader.file(file) {
        Ok(_) => panic!("loaded"),
        Err(error) => error.problem,
    }
}

#[test]
fn a_signed_plugin_loads_and_a_changed_one_does_not() {
    let (file, key) = (plugin("signed"), SigningKey::from_bytes(&[7; 32]));
    let loader = signed_by(&key);
    assert!(matches!(problem(&loader, &file), LoadProblem::NotSigned));
    sign(&file, &key);
    let component = loader.file(&file).expect("signed");
    assert_eq!(component.digest(), Digest::of(bundled::COMPONENT));
    sign(&file, &SigningKey::from_bytes(&[8; 32]));
    assert!(matches!(problem(&loader, &file), LoadProblem::WrongSignature));
}

#[test]
fn a_wrong_signature_is_found_before_anything_is_compiled() {
    let (file, key) = (plugin("before"), SigningKey::from_bytes(&[7; 32]));
    sign(&file, &key);
    // Not even WebAssembly: who looked at it would say so.
    fs::write(&file, "changed").expect("written");
    assert!(matches!(problem(&signed_by(&key), &file), LoadProblem::WrongSignature));
    let provenance = Provenance { pinned: Some(Digest::of(bundled::COMPONENT)), keys: Vec::new() };
    let pinned = Loader { provenance, ..Loader::default() };
    assert!(matches!(problem(&pinned, &file), LoadProblem::OtherDigest { .. }));
}

#[test]
fn a_signature_that_is_too_long_or_too_short_is_none() {
    let (file, key) = (plugin("length"), SigningKey::from_bytes(&[7; 32]));
    sign(&file, &key);
    let beside = file.with_extension("wasm.sig");
    let signature = fs::read(&beside).expect("signed");
    for wrong in [&signature[..63], &[&signature[..], b"\n"].concat(), b""] {
        fs::write(&beside, wrong).expect("written");
        assert!(matches!(problem(&signed_by(&key), &file), LoadProblem::WrongSignature));
    }
}
