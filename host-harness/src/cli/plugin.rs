//! From files on disk to a running plugin, or one clear complaint.

use std::{fs, num::NonZeroUsize, path::Path, sync::Arc};

use anyhow::{Context, anyhow};
use host_harness::{
    bundled,
    contract::Issue,
    gateway::RetryHook,
    sandbox::{Component, Entropy, Options, Plugin, StartError},
};
use serde::de::IgnoredAny;
use serde_json::Value;

/// Starts the plugin of an operator: `file`, or the bundled one; configured as `config` says, or with its defaults.
pub(super) fn load(
    file: Option<&Path>,
    config: Option<&Path>,
    max_tool_retries: u32,
) -> anyhow::Result<Arc<dyn RetryHook>> {
    let component = match file {
        Some(file) => Component::from_file(file)?,
        None => Component::from_bytes(bundled::NAME, bundled::COMPONENT)?,
    };
    let json = config.map(read_json).transpose()?.unwrap_or_else(|| Options::default().config);
    let options = Options { config: json, max_tool_retries, ..Options::default() };
    let place =
        config.or(file).map_or_else(|| bundled::NAME.to_owned(), |path| path.display().to_string());
    let plugin = Plugin::start(&component, options).map_err(|error| complaint(&place, error))?;
    for Issue { path, message } in plugin.notices() {
        tracing::warn!("{place}: {path}: {message}");
    }
    Ok(Arc::new(plugin))
}

/// Starts the bundled plugin so that every run draws the same delays, and says who it is.
pub fn seeded(
    config: &Value,
    max_tool_retries: u32,
) -> anyhow::Result<(Arc<dyn RetryHook>, String)> {
    let component = Component::from_bytes(bundled::NAME, bundled::COMPONENT)?;
    let options = Options {
        config: config.to_string(),
        max_tool_retries,
        shards: NonZeroUsize::MIN,
        entropy: Entropy::Seeded(SEED),
        ..Options::default()
    };
    let plugin =
        Plugin::start(&component, options).map_err(|error| complaint(bundled::NAME, error))?;
    let manifest = plugin.describe().context("the plugin does not say who it is")?;
    let size = bundled::COMPONENT.len().div_ceil(1024);
    let description = format!("{} {}, a component of {size} KiB", manifest.name, manifest.version);
    Ok((Arc::new(plugin), description))
}

/// Any number would do; this one shows a good spread of delays.
const SEED: u64 = 7;

/// The text of a file that holds JSON. What the JSON means is the plugin's to check.
fn read_json(path: &Path) -> anyhow::Result<String> {
    let place = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("{place}: cannot be read"))?;
    if let Err(error) = serde_json::from_str::<IgnoredAny>(&text) {
        let (line, column) = (error.line(), error.column());
        let problem = error.to_string();
        // serde_json says the place again, in other words.
        let problem = problem.rsplit_once(" at line ").map_or(&*problem, |(problem, _)| problem);
        return Err(anyhow!("{place}:{line}:{column}: {problem}"));
    }
    Ok(text)
}

/// Every problem on a line of its own, each with the file that it is in.
fn complaint(place: &str, error: StartError) -> anyhow::Error {
    let lines: Vec<_> = error.to_string().lines().map(|line| format!("{place}: {line}")).collect();
    anyhow!(lines.join("\n"))
}
