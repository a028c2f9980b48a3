//! Compiled code, kept from one start to the next.

#[cfg_attr(unix, path = "private_dir.rs")]
#[cfg_attr(not(unix), path = "no_private_dir.rs")]
mod private_dir;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use private_dir::PrivateDir;
use wasmtime::{Engine, component::Component};

use super::{Digest, one_line::one_line};

/// A private directory for compiled code.
///
/// Compiled code is run as it is, so it is only ever read from a directory that
/// belongs to this user and that nobody else may enter (mode 0700), from files
/// that belong to this user and that nobody else may touch. Whoever can write
/// there can run code in this process, but could as well replace the program.
///
/// An entry is named by the digest of the component and by what the compiler
/// would do with it; the component itself is still read, hashed and checked
/// every time. Entries are written whole or not at all, and one that is damaged
/// is made anew. The directory may be emptied at any time.
#[derive(Debug, Clone)]
pub struct CodeCache {
    dir: Arc<PrivateDir>,
}

/// A directory that cannot be used for compiled code.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", .path.display())]
pub struct CodeCacheError {
    path: PathBuf,
    problem: io::Error,
}

impl CodeCache {
    /// Opens the directory, and makes it if it is not there.
    ///
    /// # Errors
    /// It cannot be made or read, is no directory (a symbolic link is none),
    /// belongs to somebody else, or is open to others.
    pub fn open(path: &Path) -> Result<Self, CodeCacheError> {
        match PrivateDir::open(path) {
            Ok(dir) => Ok(Self { dir: Arc::new(dir) }),
            Err(problem) => Err(CodeCacheError { path: path.to_owned(), problem }),
        }
    }

    /// The code that was kept for this component and an engine like this one.
    pub(super) fn load(&self, engine: &Engine, digest: &Digest) -> Option<Component> {
        let name = name(engine, digest);
        let entry = match self.dir.read(&name) {
            Ok(entry) => entry,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(%error, name, "kept code cannot be read; the plugin is compiled anew");
                return None;
            }
        };
        let Some(code) = Entry::code_in(&entry, digest) else {
            tracing::warn!(name, "kept code is damaged; the plugin is compiled anew");
            return None;
        };
        // SAFETY: these bytes are what `Component::serialize` gave to `store`:
        // they come from a file of this user in a directory of this user's that
        // nobody else may write to, and their checksum shows that they are
        // whole. wasmtime itself checks that its version and settings fit.
        match unsafe { Component::deserialize(engine, code) } {
            Ok(component) => Some(component),
            Err(error) => {
                let error = one_line(&error);
                tracing::warn!(error, name, "kept code does not fit; the plugin is compiled anew");
                None
            }
        }
    }

    /// Keeps the code of a component. That it cannot be kept costs the next start some time.
    pub(super) fn store(&self, engine: &Engine, digest: &Digest, component: &Component) {
        let name = name(engine, digest);
        let kept = component.serialize().map_err(|error| one_line(&error)).and_then(|code| {
            let entry = Entry::of(digest, &code);
            self.dir.write(&name, &entry).map_err(|error| error.to_string())
        });
        if let Err(error) = kept {
            tracing::warn!(error, name, "compiled code cannot be kept");
        }
    }
}

/// The hash says which engines can run the code; that it is of 64 bits does not
/// matter, for wasmtime compares the settings themselves.
fn name(engine: &Engine, digest: &Digest) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{digest}-{:016x}.cwasm", hasher.finish())
}

/// The bytes of a file: the component's digest, the code's, and the code.
struct Entry;

impl Entry {
    fn of(component: &Digest, code: &[u8]) -> Vec<u8> {
        [component.as_bytes(), Digest::of(code).as_bytes(), code].concat()
    }

    fn code_in<'a>(entry: &'a [u8], component: &Digest) -> Option<&'a [u8]> {
        let (of_component, rest) = entry.split_first_chunk::<32>()?;
        let (of_code, code) = rest.split_first_chunk::<32>()?;
        let whole = of_component == component.as_bytes() && of_code == Digest::of(code).as_bytes();
        whole.then_some(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_back_only_whole_and_for_its_component() {
        let digest = Digest::of(b"component");
        let entry = Entry::of(&digest, b"code");
        assert_eq!(Entry::code_in(&entry, &digest), Some(&b"code"[..]));
        assert_eq!(Entry::code_in(&entry, &Digest::of(b"another")), None);
        for length in 0..entry.len() {
            assert_eq!(Entry::code_in(&entry[..length], &digest), None, "{length}");
        }
        for byte in 0..entry.len() {
            let mut damaged = entry.clone();
            damaged[byte] ^= 1;
            assert_eq!(Entry::code_in(&damaged, &digest), None, "{byte}");
        }
    }
}
