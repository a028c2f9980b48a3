//! SECURITY.md promises nothing without a test.

use std::{fs, path::Path};

/// All Rust sources below a folder, as one text.
fn sources(folder: &Path) -> String {
    let entries = fs::read_dir(folder).expect("a folder of the repository");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let texts = paths.map(|path| match path.extension() {
        _ if path.is_dir() => sources(&path),
        Some(extension) if extension == "rs" => fs::read_to_string(&path).expect("a source"),
        _ => String::new(),
    });
    texts.collect()
}

#[test]
fn every_test_that_the_security_promises_name_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    let page = fs::read_to_string(root.join("SECURITY.md")).expect("SECURITY.md");
    let folders = ["host-harness/src", "host-harness/tests", "plugin/src", "tests"];
    let sources: String = folders.iter().map(|folder| sources(&root.join(folder))).collect();
    let promises = page.lines().skip_while(|line| !line.starts_with("| promise"));
    let mut named = 0;
    for line in promises.skip(2).take_while(|line| line.starts_with('|')) {
        let tests: Vec<_> = line.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "a promise without a test: {line}");
        for test in tests {
            assert!(sources.contains(&format!("fn {test}(")), "there is no test `{test}`");
            named += 1;
        }
    }
    assert!(named > 20, "the table of promises was not found");
}
