//! From bytes to compiled code that fits the contract.

use std::{fs::File, io::Read, path::Path};

use super::{
    engine::engine,
    error::{LoadError, LoadProblem},
    imports,
    state::GuestState,
};
use crate::contract::RetryPluginPre;

/// The largest file, in bytes, that is taken for a component.
const MOST_BYTES: u64 = 16 << 20;

/// A compiled component whose imports and exports fit the contract.
#[derive(Clone)]
pub struct Component {
    pub(super) pre: RetryPluginPre<GuestState>,
}

impl Component {
    /// Reads a file once, and checks and compiles what was read.
    ///
    /// # Errors
    /// The file cannot be read or is no component of the contract; see [`LoadProblem`].
    pub fn from_file(path: &Path) -> Result<Self, LoadError> {
        let unreadable = |error| LoadProblem::Unreadable(error).of_path(path);
        let file = File::open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        Self::from_bytes(&path.display().to_string(), &bytes)
    }

    /// Checks and compiles a component. `name` stands for it in errors.
    ///
    /// # Errors
    /// See [`LoadProblem`].
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, LoadError> {
        compile(bytes).map(|pre| Self { pre }).map_err(|problem| problem.of(name))
    }
}

fn compile(bytes: &[u8]) -> Result<RetryPluginPre<GuestState>, LoadProblem> {
    let size = bytes.len() as u64;
    if size > MOST_BYTES {
        return Err(LoadProblem::TooLarge { size, most: MOST_BYTES });
    }
    // After the magic number come a version and a layer, 16 bits each.
    match bytes {
        [0, b'a', b's', b'm', _, _, 0, 0, ..] => return Err(LoadProblem::CoreModule),
        [0, b'a', b's', b'm', ..] => {}
        _ => return Err(LoadProblem::NotWasm),
    }
    // `from_binary` never takes precompiled code, whatever the bytes pretend to be.
    let component = wasmtime::component::Component::from_binary(engine(), bytes)
        .map_err(|error| LoadProblem::Invalid(one_line(&error)))?;
    imports::check(&component)?;
    let wrong_shape = |error| LoadProblem::WrongShape(one_line(&error));
    let pre = imports::linker().instantiate_pre(&component).map_err(wrong_shape)?;
    RetryPluginPre::new(pre).map_err(wrong_shape)
}

/// An error and its causes in one line.
pub(super) fn one_line(error: &wasmtime::Error) -> String {
    let causes: Vec<String> =
        error.chain().map(|cause| cause.to_string().replace(['\n', '\r'], " ")).collect();
    causes.join(": ")
}
