//! From bytes to compiled code that fits the contract.

use std::{fs::File, io::Read, path::Path};

use super::{
    LoadLimits, boundary,
    compile::compile,
    demand::Needs,
    engine::engine,
    error::{LoadError, LoadProblem},
    imports,
    state::GuestState,
};
use crate::contract::RetryPluginPre;

/// A compiled component whose imports and exports fit the contract.
#[derive(Clone)]
pub struct Component {
    pub(super) pre: RetryPluginPre<GuestState>,
    pub(super) needs: Needs,
}

impl Component {
    /// Reads a file once, and checks and compiles what was read.
    ///
    /// # Errors
    /// The file cannot be read or is no component of the contract; see [`LoadProblem`].
    pub fn from_file(path: &Path) -> Result<Self, LoadError> {
        Loader::default().file(path)
    }

    /// Checks and compiles a component. `name` stands for it in errors.
    ///
    /// # Errors
    /// See [`LoadProblem`].
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, LoadError> {
        Loader::default().bytes(name, bytes)
    }
}

/// How components are loaded.
#[derive(Debug, Clone, Default)]
pub struct Loader {
    /// What may be made of a file.
    pub limits: LoadLimits,
}

impl Loader {
    /// Reads a file once, and checks and compiles what was read.
    ///
    /// # Errors
    /// The file cannot be read or is no component of the contract; see [`LoadProblem`].
    pub fn file(&self, path: &Path) -> Result<Component, LoadError> {
        let bytes = self.read(path).map_err(|problem| problem.of_path(path))?;
        self.bytes(&path.display().to_string(), &bytes)
    }

    /// Checks and compiles a component. `name` stands for it in errors.
    ///
    /// # Errors
    /// See [`LoadProblem`].
    pub fn bytes(&self, name: &str, bytes: &[u8]) -> Result<Component, LoadError> {
        self.load(bytes).map_err(|problem| problem.of(name))
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, LoadProblem> {
        let file = File::open(path).map_err(LoadProblem::Unreadable)?;
        let mut bytes = Vec::new();
        // One byte more shows that there is too much.
        let most = u64::try_from(self.limits.wasm_bytes).unwrap_or(u64::MAX).saturating_add(1);
        file.take(most).read_to_end(&mut bytes).map_err(LoadProblem::Unreadable)?;
        Ok(bytes)
    }

    fn load(&self, bytes: &[u8]) -> Result<Component, LoadProblem> {
        let (size, most) = (bytes.len(), self.limits.wasm_bytes);
        if size > most {
            return Err(LoadProblem::TooLarge { size, most });
        }
        // After the magic number come a version and a layer, 16 bits each.
        match bytes {
            [0, b'a', b's', b'm', _, _, 0, 0, ..] => return Err(LoadProblem::CoreModule),
            [0, b'a', b's', b'm', ..] => {}
            _ => return Err(LoadProblem::NotWasm),
        }
        let engine = engine(self.limits.stack_bytes)?;
        let component = compile(&engine, bytes, self.limits.compile_time)?;
        imports::check(&component)?;
        let wrong_shape = |error| LoadProblem::WrongShape(one_line(&error));
        let pre = imports::linker(&engine).instantiate_pre(&component).map_err(wrong_shape)?;
        let Some(needs) = Needs::of(&component) else {
            return Err(LoadProblem::WrongShape("it imports core modules".to_owned()));
        };
        let pre = RetryPluginPre::new(pre).map_err(wrong_shape)?;
        Ok(Component { pre, needs })
    }
}

/// An error and its causes in one line. It may quote names from the component,
/// so that it is cleaned and of a bounded length.
pub(super) fn one_line(error: &wasmtime::Error) -> String {
    const MOST_CHARS: usize = 500;
    let causes: Vec<String> =
        error.chain().map(|cause| cause.to_string().replace(['\n', '\r'], " ")).collect();
    boundary::clean(&causes.join(": ")).chars().take(MOST_CHARS).collect()
}
