//! A compilation that takes too long. In a process of its own: while it goes
//! on, nothing else is compiled.

use std::time::{Duration, Instant};

use host_harness::{
    bundled,
    sandbox::{Component, LoadLimits, LoadProblem, Loader},
};

#[test]
fn what_takes_too_long_to_compile_is_refused_and_the_compiler_comes_back() {
    let limits = LoadLimits { compile_time: Duration::ZERO, ..LoadLimits::default() };
    let loader = Loader { limits, ..Loader::default() };
    let Err(error) = loader.bytes(bundled::NAME, bundled::COMPONENT) else { panic!("loaded") };
    assert!(matches!(error.problem, LoadProblem::CompilesTooSlowly(_)), "{error}");
    // Until the abandoned compilation ends, others are refused; then they are not.
    let before = Instant::now();
    loop {
        match Component::from_bytes(bundled::NAME, bundled::COMPONENT) {
            Ok(_) => break,
            Err(error) => {
                assert!(matches!(error.problem, LoadProblem::CompilerBusy), "{error}");
                assert!(before.elapsed() < Duration::from_secs(120), "the compiler is stuck");
                std::thread::yield_now();
            }
        }
    }
}
