//! Errors of the engine, as they are shown.

use super::boundary;

/// An error and its causes in one line. It may quote names from the component,
/// so that it is cleaned and of a bounded length.
pub(super) fn one_line(error: &wasmtime::Error) -> String {
    const MOST_CHARS: usize = 500;
    let causes: Vec<String> =
        error.chain().map(|cause| cause.to_string().replace(['\n', '\r'], " ")).collect();
    boundary::clean(&causes.join(": ")).chars().take(MOST_CHARS).collect()
}
