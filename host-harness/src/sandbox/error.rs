//! What can go wrong with a plugin, in kinds that never mix.

use std::{fmt, path::PathBuf, time::Duration};

use crate::{
    contract::{HookError, Issue},
    sandbox::Violation,
};

/// A hook gave no verdict that can be used. The caller gets the upstream's own result.
#[derive(Debug, thiserror::Error)]
pub enum HookFailure {
    /// The plugin refused: an error of the contract.
    #[error("the plugin refused: {0}")]
    Refused(HookError),
    /// The plugin broke: a trap, or a limit.
    #[error("the plugin broke: {0}")]
    Broke(#[from] Breakage),
    /// The host rejects the plugin's answer.
    #[error("the plugin's answer breaks the contract: {0}")]
    Rejected(#[from] Violation),
}

/// How a plugin broke.
#[derive(Debug, thiserror::Error)]
pub enum Breakage {
    /// A call took longer than [`Limits::call_time`](crate::sandbox::Limits::call_time).
    #[error("it did not answer within {} ms", .0.as_millis())]
    TooSlow(Duration),
    /// It trapped, exceeded a limit, or returned something that cannot be read.
    #[error("{0}")]
    Trapped(String),
    /// A fresh instance could not be made.
    #[error("a fresh instance did not start: {0}")]
    NoInstance(String),
    /// It broke a short time ago, and the next instance is not made before this has passed.
    #[error("it broke {strikes} times in a row and rests for another {} ms", .rest.as_millis())]
    Resting {
        /// How often it broke without a good answer in between.
        strikes: u32,
        /// How long until a fresh instance is made.
        rest: Duration,
    },
}

/// A file is no component that this host can run.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct LoadError {
    /// The file.
    pub name: String,
    /// What is wrong with it.
    pub problem: LoadProblem,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum LoadProblem {
    /// It could not be read.
    #[error("cannot be read: {0}")]
    Unreadable(std::io::Error),
    /// It is larger than a component may be.
    #[error("{size} bytes are more than the {most} that a component may have")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The largest size in bytes.
        most: u64,
    },
    /// It does not begin like WebAssembly.
    #[error("not WebAssembly; expected a component (.wasm built for wasm32-wasip2)")]
    NotWasm,
    /// It is a module of the core specification.
    #[error("a core WebAssembly module, not a component; build it for wasm32-wasip2")]
    CoreModule,
    /// It is damaged.
    #[error("not a valid component: {0}")]
    Invalid(String),
    /// It imports what this host does not give.
    #[error("it imports `{import}`, which this host does not provide; allowed are: {allowed}")]
    ForbiddenImport {
        /// The first such import.
        import: String,
        /// What may be imported.
        allowed: String,
    },
    /// An import or an export is missing or has another shape than in the contract.
    #[error("it does not fit the contract mcp-gateway:hooks@0.1.0: {0}")]
    WrongShape(String),
}

impl LoadProblem {
    pub(crate) fn of(self, name: impl Into<String>) -> LoadError {
        LoadError { name: name.into(), problem: self }
    }

    pub(crate) fn of_path(self, path: impl Into<PathBuf>) -> LoadError {
        self.of(path.into().display().to_string())
    }
}

/// A component could be loaded, but not be put to work.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It refused its configuration.
    #[error("{}", Lines(.0))]
    Config(Vec<Issue>),
    /// It broke before its first call.
    #[error("the plugin did not start: {0}")]
    Broke(#[from] Breakage),
}

/// Issues, a line each: `path: message`.
struct Lines<'a>(&'a [Issue]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Issue { path, message }) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            let colon = if path.is_empty() { "" } else { ": " };
            write!(f, "{separator}{path}{colon}{message}")?;
        }
        Ok(())
    }
}
