//! How far an operator trusts a plugin, and with what.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};
use host_harness::{
    regular_file,
    sandbox::{
        CodeCache, Digest, Expected, FailPolicy, Limits, LoadLimits, Loader, Options, Provenance,
        PublicKey,
    },
};

/// More than a public key in PEM has.
const MAX_KEY_BYTES: usize = 64 << 10;

#[derive(Debug, Args)]
#[command(next_help_heading = "Sandbox")]
pub(super) struct SandboxOptions {
    /// Load the plugin only if this is its SHA-256.
    #[arg(long, value_name = "HEX", requires = "plugin")]
    plugin_sha256: Option<Digest>,
    /// Load the plugin only if this key (Ed25519, PEM) has signed it; the
    /// signature is read from FILE.wasm.sig. May be given several times: any of the keys will do.
    #[arg(long, value_name = "FILE.pem", requires = "plugin")]
    plugin_key: Vec<PathBuf>,
    /// Load the plugin only if it says that this is its name (and version).
    #[arg(long, value_name = "NAME[@VERSION]", requires = "plugin")]
    expect_plugin: Option<String>,
    /// What becomes of a call whose plugin breaks or answers outside of the contract.
    #[arg(long, value_enum, default_value_t, conflicts_with = "no_plugin")]
    on_plugin_failure: OnFailure,
    /// Keep compiled code here, from one start to the next. The directory must
    /// be private; it is made if it is missing.
    #[arg(long, value_name = "DIR", conflicts_with = "no_plugin")]
    code_cache: Option<PathBuf>,
    /// Load plugin and configuration again when their files change, as on SIGHUP.
    #[arg(long, conflicts_with = "no_plugin")]
    pub(super) watch: bool,
    /// Change a limit of the plugin, such as `call-time=50`. May be given
    /// several times. Times are in milliseconds, sizes in bytes, and none is 0; a
    /// name that does not exist lists them all.
    #[arg(long, value_name = "LIMIT=N", value_parser = limit, conflicts_with = "no_plugin")]
    plugin_limit: Vec<Limit>,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum OnFailure {
    /// The call ends with the server's own last result.
    #[default]
    Open,
    /// The call fails with an error that carries that result.
    Closed,
    /// A fresh instance is asked once; then as `open`.
    Reload,
}

impl SandboxOptions {
    /// How the plugin is loaded.
    pub(super) fn loader(&self) -> anyhow::Result<Loader> {
        let key = |path: &PathBuf| {
            let place = path.display();
            let pem = regular_file::text(path, MAX_KEY_BYTES)
                .with_context(|| format!("{place}: cannot be read"))?;
            PublicKey::from_pem(&pem).with_context(|| place.to_string())
        };
        let keys = self.plugin_key.iter().map(key).collect::<anyhow::Result<_>>()?;
        let provenance = Provenance { pinned: self.plugin_sha256, keys };
        let cache = self.code_cache.as_deref().map(CodeCache::open).transpose()?;
        Ok(Loader { limits: self.bounds().load, provenance, cache })
    }

    /// How it is run, but for its configuration.
    pub(super) fn options(&self) -> Options {
        let limits = self.bounds().run;
        let named = self.expect_plugin.as_deref().map(|named| match named.split_once('@') {
            Some((name, version)) => (name.to_owned(), Some(version.to_owned())),
            None => (named.to_owned(), None),
        });
        let (name, version) = named.map_or((None, None), |(name, version)| (Some(name), version));
        // The proxy has no use for a plugin that does not judge tools.
        let hooks = vec!["tool_post_invoke".to_owned()];
        let fail_policy = match self.on_plugin_failure {
            OnFailure::Open => FailPolicy::Open,
            OnFailure::Closed => FailPolicy::Closed,
            OnFailure::Reload => FailPolicy::Reload,
        };
        let expected = Expected { name, version, hooks };
        Options { limits, fail_policy, expected, ..Options::default() }
    }

    fn bounds(&self) -> Bounds {
        let mut bounds = Bounds::default();
        for Limit { set, to } in &self.plugin_limit {
            set(&mut bounds, *to);
        }
        bounds
    }
}

/// All limits of a plugin.
#[derive(Debug, Default, PartialEq, Eq)]
struct Bounds {
    load: LoadLimits,
    run: Limits,
}

/// One limit and its new value.
#[derive(Debug, Clone, Copy)]
struct Limit {
    set: Set,
    to: u32,
}

type Set = fn(&mut Bounds, u32);

/// The limits by the names of their fields.
const LIMITS: [(&str, Set); 24] = [
    ("call-time", |bounds, ms| bounds.run.call_time = millis(ms)),
    ("average-time", |bounds, ms| bounds.run.average_time = millis(ms)),
    ("turn-time", |bounds, ms| bounds.run.turn_time = millis(ms)),
    ("memory-bytes", |bounds, n| bounds.run.memory_bytes = n as usize),
    ("memories", |bounds, n| bounds.run.memories = n as usize),
    ("table-elements", |bounds, n| bounds.run.table_elements = n as usize),
    ("tables", |bounds, n| bounds.run.tables = n as usize),
    ("instances", |bounds, n| bounds.run.instances = n as usize),
    ("handles", |bounds, n| bounds.run.handles = n as usize),
    ("hook-result-bytes", |bounds, n| bounds.run.hook_result_bytes = n as usize),
    ("lifecycle-result-bytes", |bounds, n| bounds.run.lifecycle_result_bytes = n as usize),
    ("schema-bytes", |bounds, n| bounds.run.schema_bytes = n as usize),
    ("text-bytes", |bounds, n| bounds.run.text_bytes = n as usize),
    ("text-bytes-per-call", |bounds, n| bounds.run.text_bytes_per_call = n as usize),
    ("texts", |bounds, n| bounds.run.texts = n as usize),
    ("random-bytes-per-call", |bounds, n| bounds.run.random_bytes_per_call = n as usize),
    ("host-calls", |bounds, n| bounds.run.host_calls = n),
    ("max-delay", |bounds, ms| bounds.run.max_delay = millis(ms)),
    ("wasm-bytes", |bounds, n| bounds.load.wasm_bytes = n as usize),
    ("compile-time", |bounds, ms| bounds.load.compile_time = millis(ms)),
    ("function-bytes", |bounds, n| bounds.load.function_bytes = n as usize),
    ("functions", |bounds, n| bounds.load.functions = n as usize),
    ("locals", |bounds, n| bounds.load.locals = n as usize),
    ("stack-bytes", |bounds, n| bounds.load.stack_bytes = n as usize),
];

fn millis(ms: u32) -> Duration {
    Duration::from_millis(ms.into())
}

fn limit(text: &str) -> anyhow::Result<Limit> {
    let known = || LIMITS.map(|(name, _)| name).join(", ");
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| anyhow!("expected LIMIT=N, where LIMIT is one of {}", known()))?;
    let (_, set) = LIMITS
        .into_iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| anyhow!("no limit is called `{name}`; there are {}", known()))?;
    let to: NonZeroU32 = value.parse().with_context(|| {
        format!("`{name}` must be a number from 1 to {}, not `{value}`", u32::MAX)
    })?;
    Ok(Limit { set, to: to.get() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_has_a_name_that_sets_it_and_nothing_else() {
        let mut all = Bounds::default();
        for (index, (name, _)) in LIMITS.into_iter().enumerate() {
            let Limit { set, to } = limit(&format!("{name}={}", 77 + index)).expect("a limit");
            let mut one = Bounds::default();
            set(&mut one, to);
            assert_ne!(one, Bounds::default(), "{name}");
            set(&mut all, to);
        }
        // No two names set the same field: every value is still there.
        let shown = format!("{all:?}");
        for index in 0..LIMITS.len() {
            assert!(shown.contains(&(77 + index).to_string()), "{} in {shown}", 77 + index);
        }
    }

    #[test]
    fn a_wrong_limit_says_what_would_be_right() {
        let told = |text: &str| limit(text).expect_err("wrong").to_string();
        assert!(told("call-time").contains("expected LIMIT=N"));
        assert!(told("call_time=1").contains("there are call-time, average-time"));
        for wrong in ["-1", "0", "4294967296", "", "many"] {
            for (name, _) in LIMITS {
                let expected =
                    format!("`{name}` must be a number from 1 to 4294967295, not `{wrong}`");
                assert_eq!(told(&format!("{name}={wrong}")), expected);
            }
        }
    }
}
