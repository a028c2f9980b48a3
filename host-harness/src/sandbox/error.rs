//! What can go wrong with a plugin, in kinds that never mix.

use std::{fmt, path::PathBuf, time::Duration};

use crate::{
    contract::{HookError, Issue},
    sandbox::{Demand, Digest, Violation},
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

impl HookFailure {
    /// Whether the plugin failed here and now: it was asked, and broke or
    /// answered outside of the contract.
    pub(super) const fn is_of_the_plugin(&self) -> bool {
        match self {
            Self::Refused(_)
            | Self::Broke(
                Breakage::Resting { .. } | Breakage::SetAside { .. } | Breakage::Busy { .. },
            ) => false,
            Self::Broke(_) | Self::Rejected(_) => true,
        }
    }
}

/// How a plugin broke.
#[derive(Debug, thiserror::Error)]
pub enum Breakage {
    /// A call took longer than [`Limits::call_time`](crate::sandbox::Limits::call_time).
    #[error("it did not answer within {} ms", .0.as_millis())]
    TooSlow(Duration),
    /// It trapped, or returned something that cannot be read.
    #[error("{0}")]
    Trapped(String),
    /// It ran into a limit and was stopped.
    #[error("{0}")]
    Exceeded(#[from] Exceeded),
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
    /// It was not asked, for other calls kept it busy for all of
    /// [`Limits::turn_time`](crate::sandbox::Limits::turn_time).
    #[error("it was busy with other calls for {} ms", .waited.as_millis())]
    Busy {
        /// How long the call waited for its turn.
        waited: Duration,
    },
    /// It failed too often and is not asked before this has passed; see
    /// [`Replacement`](crate::sandbox::Replacement).
    #[error("it failed too often and is set aside for another {} ms", .rest.as_millis())]
    SetAside {
        /// How long until it is asked again.
        rest: Duration,
    },
}

impl Breakage {
    /// What calls are counted under for which there was no turn.
    pub(super) const BUSY: &str = "skipped.busy";

    /// What it is counted under.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TooSlow(_) => "broke.too_slow",
            Self::Trapped(_) => "broke.trapped",
            Self::Exceeded(_) => "broke.exceeded",
            Self::NoInstance(_) => "broke.no_instance",
            Self::Resting { .. } => "skipped.resting",
            Self::SetAside { .. } => "skipped.set_aside",
            Self::Busy { .. } => Self::BUSY,
        }
    }
}

/// A limit on one call of a guest that stops it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// [`Limits::host_calls`](crate::sandbox::Limits::host_calls).
    #[error("it called the host more than {most} times in one call")]
    HostCalls {
        /// The limit.
        most: u32,
    },
    /// [`Limits::random_bytes_per_call`](crate::sandbox::Limits::random_bytes_per_call).
    #[error("it asked for more than {most} random bytes in one call")]
    RandomBytes {
        /// The limit in bytes.
        most: usize,
    },
    /// [`LoadLimits::stack_bytes`](crate::sandbox::LoadLimits::stack_bytes).
    #[error("it used more stack than it has")]
    Stack,
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
        size: usize,
        /// The largest size in bytes.
        most: usize,
    },
    /// It is not the one that [`Provenance::pinned`](crate::sandbox::Provenance::pinned) asks for.
    #[error("its SHA-256 is {found}, not {pinned}")]
    OtherDigest {
        /// Its digest.
        found: Digest,
        /// The one that was expected.
        pinned: Digest,
    },
    /// There are [`Provenance::keys`](crate::sandbox::Provenance::keys), and no signature.
    #[error(
        "it is not signed; expected a signature of 64 bytes beside it, in a file with `.sig` added to its name"
    )]
    NotSigned,
    /// Its signature is of something else, by somebody else, or no signature.
    #[error("its signature was made by none of the configured keys for this file")]
    WrongSignature,
    /// The file with its signature could not be read.
    #[error("its signature cannot be read: {0}")]
    UnreadableSignature(std::io::Error),
    /// It does not begin like WebAssembly.
    #[error("not WebAssembly; expected a component (.wasm built for wasm32-wasip2)")]
    NotWasm,
    /// It is a module of the core specification.
    #[error("a core WebAssembly module, not a component; build it for wasm32-wasip2")]
    CoreModule,
    /// [`LoadLimits::stack_bytes`](crate::sandbox::LoadLimits::stack_bytes) is out of range.
    #[error("a guest can have a stack of 1 to {most} bytes, not {bytes}")]
    WrongStack {
        /// The size that was configured.
        bytes: usize,
        /// The largest size.
        most: usize,
    },
    /// It has more to compile than [`LoadLimits`](crate::sandbox::LoadLimits)
    /// allow: compilation would take long, or much memory.
    #[error("it has {found} {what}; {most} are the most")]
    TooMuchCode {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much there may be.
        most: usize,
    },
    /// It was not compiled within [`LoadLimits::compile_time`](crate::sandbox::LoadLimits::compile_time).
    #[error("it was not compiled within {} ms", .0.as_millis())]
    CompilesTooSlowly(Duration),
    /// Another component, given up because it took too long, is still being compiled.
    #[error("the compiler is still busy with a component that took too long; try again later")]
    CompilerBusy,
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
    /// It needs more than an instance may use. Nothing of it was run.
    #[error("{0}")]
    Demand(#[from] Demand),
    /// What it says of itself or of its configuration breaks the contract, or
    /// is not what was expected.
    #[error("the plugin's answer breaks the contract: {0}")]
    Rejected(#[from] Violation),
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
