//! From bytes to compiled code that fits the contract.
//!
//! The cheap questions come first: is it too large, who signed it, what does it
//! say it imports and exports, how much is there to compile. Only then is it compiled.

use std::{
    io,
    path::{Path, PathBuf},
};

use wasmtime::Engine;

use super::{
    CodeCache, Digest, Interface, LoadLimits, Provenance,
    compile::compile,
    demand::Needs,
    engine::engine,
    error::{LoadError, LoadProblem},
    imports,
    one_line::one_line,
    outline,
    state::GuestState,
};
use crate::{contract::RetryPluginPre, regular_file};

/// More than a signature has: one that is too long is told from none that fits.
const MAX_SIGNATURE_BYTES: usize = 64 << 10;

/// A compiled component whose imports and exports fit the contract.
#[derive(Clone)]
pub struct Component {
    pub(super) pre: RetryPluginPre<GuestState>,
    pub(super) needs: Needs,
    digest: Digest,
    size: usize,
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

impl Component {
    /// The SHA-256 of the bytes that it was made of.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The number of these bytes.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// What it imports.
    #[must_use]
    pub fn imports(&self) -> Vec<Interface> {
        let (component, engine) = (self.pre.instance_pre().component(), self.pre.engine());
        let imports = component.component_type();
        imports.imports(engine).map(|(name, item)| Interface::of(name, &item.ty, engine)).collect()
    }

    /// What it exports.
    #[must_use]
    pub fn exports(&self) -> Vec<Interface> {
        let (component, engine) = (self.pre.instance_pre().component(), self.pre.engine());
        let exports = component.component_type();
        exports.exports(engine).map(|(name, item)| Interface::of(name, &item.ty, engine)).collect()
    }
}

/// How components are loaded.
#[derive(Debug, Clone, Default)]
pub struct Loader {
    /// What may be made of a file.
    pub limits: LoadLimits,
    /// Where a component has to come from.
    pub provenance: Provenance,
    /// Where compiled code is kept; nowhere if none.
    pub cache: Option<CodeCache>,
}

impl Loader {
    /// Reads a file once, and checks and compiles what was read. If keys are
    /// configured, its signature is read from the file with `.sig` added to its name.
    ///
    /// # Errors
    /// The file cannot be read or is no component of the contract; see [`LoadProblem`].
    pub fn file(&self, path: &Path) -> Result<Component, LoadError> {
        let load = || {
            let bytes = self.read(path)?;
            self.load(&bytes, self.signature(path)?.as_deref())
        };
        load().map_err(|problem| problem.of_path(path))
    }

    /// The same, but none if the file still is the component with this digest.
    ///
    /// # Errors
    /// As [`Loader::file`], if the file has changed.
    pub fn changed_file(
        &self,
        path: &Path,
        known: &Digest,
    ) -> Result<Option<Component>, LoadError> {
        let load = || {
            let bytes = self.read(path)?;
            if Digest::of(&bytes) == *known {
                return Ok(None);
            }
            self.load(&bytes, self.signature(path)?.as_deref()).map(Some)
        };
        load().map_err(|problem: LoadProblem| problem.of_path(path))
    }

    /// Checks and compiles a component that has no signature. `name` stands for
    /// it in errors.
    ///
    /// # Errors
    /// See [`LoadProblem`].
    pub fn bytes(&self, name: &str, bytes: &[u8]) -> Result<Component, LoadError> {
        self.load(bytes, None).map_err(|problem| problem.of(name))
    }

    /// The file with the signature of this file: the same name with `.sig` added.
    #[must_use]
    pub fn signature_beside(path: &Path) -> PathBuf {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".sig");
        beside.into()
    }

    /// What is in the file with the signature; none if nobody asks for it, or it is not there.
    fn signature(&self, path: &Path) -> Result<Option<Vec<u8>>, LoadProblem> {
        if self.provenance.keys.is_empty() {
            return Ok(None);
        }
        match regular_file::bytes(&Self::signature_beside(path), MAX_SIGNATURE_BYTES) {
            Ok(signature) => Ok(Some(signature)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LoadProblem::UnreadableSignature(error)),
        }
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, LoadProblem> {
        regular_file::bytes(path, self.limits.wasm_bytes).map_err(LoadProblem::Unreadable)
    }

    fn load(&self, bytes: &[u8], signature: Option<&[u8]>) -> Result<Component, LoadProblem> {
        let (size, most) = (bytes.len(), self.limits.wasm_bytes);
        if size > most {
            return Err(LoadProblem::TooLarge { size, most });
        }
        let digest = Digest::of(bytes);
        self.provenance.check(&digest, signature)?;
        // After the magic number come a version and a layer, 16 bits each.
        match bytes {
            [0, b'a', b's', b'm', _, _, 0, 0, ..] => return Err(LoadProblem::CoreModule),
            [0, b'a', b's', b'm', ..] => {}
            _ => return Err(LoadProblem::NotWasm),
        }
        outline::check(bytes, &self.limits)?;
        let engine = engine(&self.limits)?;
        let component = self.code(&engine, &digest, bytes)?;
        // By wasmtime's own reading as well.
        let ty = component.component_type();
        imports::allowed(ty.imports(&engine).map(|(name, _)| name))?;
        let wrong_shape = |error| LoadProblem::WrongShape(one_line(&error));
        let pre = imports::linker(&engine).instantiate_pre(&component).map_err(wrong_shape)?;
        let Some(needs) = Needs::of(&component) else {
            return Err(LoadProblem::WrongShape("it imports core modules".to_owned()));
        };
        let pre = RetryPluginPre::new(pre).map_err(wrong_shape)?;
        Ok(Component { pre, needs, digest, size })
    }

    /// Kept code, or code that was made now and is kept from now on.
    fn code(
        &self,
        engine: &Engine,
        digest: &Digest,
        bytes: &[u8],
    ) -> Result<wasmtime::component::Component, LoadProblem> {
        if let Some(kept) = self.cache.as_ref().and_then(|cache| cache.load(engine, digest)) {
            return Ok(kept);
        }
        let component = compile(engine, bytes, self.limits.compile_time)?;
        if let Some(cache) = &self.cache {
            cache.store(engine, digest, &component);
        }
        Ok(component)
    }
}
