//! Fuzz targets: functions of bytes that must hold for all bytes.
//!
//! Each run of the tests replays the corpus and then tries a bounded number of
//! inputs that proptest makes out of it, the same ones every time. For longer:
//!
//! ```sh
//! FUZZ_CASES=1000000 cargo test --package boundary-tests fuzz
//! ```
//!
//! An input that fails is printed, as small as proptest can make it; it belongs
//! into the corpus from then on.

mod config;
mod result;
mod verdict;

use std::{fs, path::Path};

use proptest::{
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

/// Cases of one target where nobody asks for more.
const CASES: u32 = 10_000;

/// What happens to an input of the corpus.
#[derive(Debug, Clone)]
enum Edit {
    /// A bit of a byte is flipped.
    Flip(Index, u8),
    /// A byte is replaced.
    Set(Index, u8),
    /// Bytes go.
    Cut(Index, u8),
    /// Bytes come.
    Insert(Index, Vec<u8>),
    /// A piece is repeated behind itself.
    Repeat(Index, u8, u8),
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let place = |index: &Index, bytes: &[u8]| index.index(bytes.len().max(1));
        match self {
            Self::Flip(at, bit) => {
                let at = place(at, bytes);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Self::Set(at, to) => {
                let at = place(at, bytes);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = *to;
                }
            }
            Self::Cut(at, count) => {
                let at = place(at, bytes).min(bytes.len());
                let end = (at + usize::from(*count)).min(bytes.len());
                bytes.drain(at..end);
            }
            Self::Insert(at, new) => {
                let at = place(at, bytes).min(bytes.len());
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Repeat(at, count, times) => {
                let at = place(at, bytes).min(bytes.len());
                let end = (at + usize::from(*count)).min(bytes.len());
                let piece = bytes[at..end].repeat(usize::from(*times));
                bytes.splice(end..end, piece);
            }
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    // Pieces that mean something in JSON, beside plain bytes.
    let words = [
        "null",
        "true",
        "{}",
        "[]",
        "\"\"",
        "-0",
        "1e999",
        "\\ud800",
        "\"a\":",
        ",",
        "status_code",
    ];
    let word = select(words.map(str::as_bytes).map(<[u8]>::to_vec).to_vec());
    prop_oneof![
        (at(), 0..8_u8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        (at(), any::<u8>()).prop_map(|(at, to)| Edit::Set(at, to)),
        (at(), 1..16_u8).prop_map(|(at, count)| Edit::Cut(at, count)),
        (at(), word).prop_map(|(at, new)| Edit::Insert(at, new)),
        (at(), prop::collection::vec(any::<u8>(), 1..8))
            .prop_map(|(at, new)| Edit::Insert(at, new)),
        (at(), 1..32_u8, 1..5_u8).prop_map(|(at, count, times)| Edit::Repeat(at, count, times)),
    ]
}

/// The corpus of a target, each input with the name of its file.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let dir = Path::new("fuzz/corpus").join(target);
    let mut inputs: Vec<_> = fs::read_dir(&dir)
        .expect("a corpus")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| (path.display().to_string(), fs::read(&path).expect("an input")))
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{} is empty", dir.display());
    inputs
}

/// Replays the corpus of a target and tries inputs made from it.
fn run(target: &str, check: impl Fn(&[u8])) {
    let corpus = corpus(target);
    for (name, input) in &corpus {
        println!("{name}");
        check(input);
    }
    let cases = match std::env::var("FUZZ_CASES") {
        Ok(cases) => cases.parse().expect("FUZZ_CASES is a number"),
        Err(_) => CASES,
    };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let inputs: Vec<_> = corpus.into_iter().map(|(_, input)| input).collect();
    let edited =
        (select(inputs), prop::collection::vec(edit(), 0..8)).prop_map(|(mut input, edits)| {
            edits.iter().for_each(|edit| edit.apply(&mut input));
            input
        });
    let input = prop_oneof![9 => edited, 1 => prop::collection::vec(any::<u8>(), 0..256)];
    let tried = TestRunner::new_with_rng(config, rng).run(&input, |input| {
        check(&input);
        Ok(())
    });
    if let Err(failure) = tried {
        panic!("{target}: {failure}");
    }
}
