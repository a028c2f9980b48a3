//! Compiled code that is kept, and all that must not be taken for it.
#![cfg(unix)]

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use host_harness::{
    bundled,
    sandbox::{CodeCache, LoadLimits, LoadProblem, Loader, Options, Plugin},
};

/// A place of its own for one test; nothing is there yet.
fn place(test: &str) -> PathBuf {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR")).join("code_cache");
    fs::create_dir_all(&parent).expect("a place to write");
    let dir = parent.join(test);
    let _ = fs::remove_dir_all(&dir);
    dir
}

fn loader(dir: &Path) -> Loader {
    let cache = Some(CodeCache::open(dir).expect("a private directory"));
    Loader { cache, ..Loader::default() }
}

/// Such a loader compiles nothing: what it loads was kept.
fn without_compiler(dir: &Path) -> Loader {
    let mut loader = loader(dir);
    loader.limits.compile_time = std::time::Duration::ZERO;
    loader
}

/// Loads the bundled plugin and asks it something.
fn works(loader: &Loader) {
    let component = loader.bytes(bundled::NAME, bundled::COMPONENT).expect("it loads");
    let plugin = Plugin::start(&component, Options::default()).expect("it starts");
    assert_eq!(plugin.describe().expect("a manifest").name, "retry-with-backoff");
}

/// The one entry of a cache.
fn entry(dir: &Path) -> PathBuf {
    let entries: Vec<_> = fs::read_dir(dir).expect("a directory").collect();
    assert_eq!(entries.len(), 1, "one entry, and no draft: {entries:?}");
    entries[0].as_ref().expect("an entry").path()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
}

#[test]
fn code_is_kept_in_private_and_used_again() {
    let dir = place("kept");
    works(&loader(&dir));
    assert_eq!((mode(&dir), mode(&entry(&dir))), (0o700, 0o600));
    let before = fs::metadata(entry(&dir)).expect("an entry").modified().expect("a time");
    works(&without_compiler(&dir));
    let after = fs::metadata(entry(&dir)).expect("an entry").modified().expect("a time");
    assert_eq!(before, after, "it was not written again");
}

#[test]
fn damaged_code_is_made_anew() {
    let dir = place("damaged");
    works(&loader(&dir));
    let entry = entry(&dir);
    let whole = fs::read(&entry).expect("readable");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [&flipped[..], &whole[..whole.len() - 1], b""] {
        fs::write(&entry, damaged).expect("ours");
        works(&loader(&dir));
        assert_eq!(fs::read(&entry).expect("readable").len(), whole.len());
        works(&loader(&dir));
    }
}

#[test]
fn code_that_others_could_have_written_is_not_run() {
    let dir = place("open");
    works(&loader(&dir));
    set_mode(&entry(&dir), 0o620);
    // It is there, but not used: made anew, privately.
    works(&loader(&dir));
    assert_eq!(mode(&entry(&dir)), 0o600);
    let (inside, elsewhere) = (entry(&dir), dir.with_extension("elsewhere"));
    fs::rename(&inside, &elsewhere).expect("ours");
    symlink(&elsewhere, &inside).expect("ours");
    works(&loader(&dir));
    assert!(entry(&dir).symlink_metadata().expect("an entry").is_file(), "no link any more");
}

#[test]
fn a_directory_that_others_may_enter_is_refused() {
    let dir = place("refused");
    fs::create_dir(&dir).expect("ours");
    for wrong in [0o755, 0o770, 0o701] {
        set_mode(&dir, wrong);
        let error = CodeCache::open(&dir).expect_err("open to others").to_string();
        assert!(error.contains("open to others") && error.contains("refused"), "{error}");
    }
    set_mode(&dir, 0o700);
    CodeCache::open(&dir).expect("private");
}

#[test]
fn what_is_no_directory_is_refused() {
    let dir = place("linked");
    let link = dir.with_extension("link");
    let _ = fs::remove_file(&link);
    CodeCache::open(&dir).expect("private");
    symlink(&dir, &link).expect("ours");
    CodeCache::open(&link).expect_err("a symbolic link");
    let file = dir.join("file");
    fs::write(&file, "").expect("ours");
    CodeCache::open(&file).expect_err("a file");
    CodeCache::open(&dir.join("not/there")).expect_err("no parent");
}

#[test]
fn an_engine_that_differs_has_an_entry_of_its_own_or_fits() {
    let dir = place("engines");
    works(&loader(&dir));
    // The stack is no matter of the compiled code: both engines share the entry.
    let mut other = without_compiler(&dir);
    other.limits = LoadLimits { stack_bytes: 128 << 10, ..other.limits };
    works(&other);
    entry(&dir);
}

#[test]
fn kept_code_posing_as_a_component_is_refused() {
    let dir = place("posing");
    works(&loader(&dir));
    let kept = fs::read(entry(&dir)).expect("readable");
    let code = &kept[64..];
    assert!(code.starts_with(b"\x7fELF"), "compiled code is an ELF file");
    let problem = |bytes: &[u8]| match Loader::default().bytes("posing.wasm", bytes) {
        Ok(_) => panic!("loaded"),
        Err(error) => error.problem,
    };
    assert!(matches!(problem(code), LoadProblem::NotWasm));
    let disguised = [&b"\0asm\x0d\0\x01\0"[..], code].concat();
    assert!(matches!(problem(&disguised), LoadProblem::Invalid(_)));
}
