//! The gateway's configuration file, in YAML.
//!
//! ```yaml
//! listen: 127.0.0.1:8080            # without it: stdin and stdout
//! limits: { max_tool_retries: 3, attempt_timeout_ms: 30000, deadline_ms: 60000 }
//! otlp: { endpoint: "http://localhost:4318" }
//! upstreams:
//!   search: { url: "https://example.com/mcp", headers: { Authorization: "Bearer ${TOKEN}" } }
//!   files:
//!     command: [npx, -y, "@modelcontextprotocol/server-filesystem", /data]
//!     tool_prefix: files_            # where all are served as one
//! plugins:                          # as ContextForge writes them
//!   - name: RetryWithBackoff
//!     kind: plugins.retry_with_backoff.retry_with_backoff.RetryWithBackoffPlugin
//!     hooks: [tool_post_invoke, resource_post_fetch]
//!     mode: sequential
//!     on_error: ignore
//!     priority: 50
//!     conditions: [{ server_ids: [search], tools: [find] }]
//!     config: { max_retries: 2 }
//! ```
//!
//! * [`file`](mod@file): its shape.
//! * `listen`: where clients are listened to.
//! * [`plugins`]: what an entry of `plugins` means.
//! * [`upstreams`]: what an entry of `upstreams` means.

pub mod file;
mod listen;
pub mod plugins;
pub mod upstreams;
mod variables;

use std::{collections::BTreeMap, io, path::Path};

use crate::{contract::Issue, otlp::Endpoint, regular_file};
pub use file::{General, OnError};
pub use listen::listen_address;
pub use plugins::{Code, PluginEntry};
pub use upstreams::Upstream;
pub use variables::filled;

/// The most that a configuration may have, of the gateway or of a plugin: 4 MiB.
pub const MAX_CONFIG_BYTES: usize = 4 << 20;

/// What a configuration file says, checked.
#[derive(Debug)]
pub struct Config {
    /// What belongs to no upstream and no plugin.
    pub general: General,
    /// The servers by their names; at least one.
    pub upstreams: BTreeMap<String, Upstream>,
    /// The plugins that are not disabled, by priority.
    pub plugins: Vec<PluginEntry>,
}

/// A configuration that is not put into force.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It is no YAML, or not of the right shape.
    #[error("{line}:{column}: {path}{problem}")]
    Shape {
        /// Where, from 1; 0 if that is not known.
        line: u64,
        /// Where in the line, from 1; 0 if that is not known.
        column: u64,
        /// Of what, such as `limits.deadline_ms: `; empty for the whole.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Everything that is wrong with what it says, each with its path.
    #[error("{}", lines(.0))]
    Issues(Vec<Issue>),
}

impl Config {
    /// Reads a file. Paths in it start at its folder; `environment` knows the
    /// variables that its headers name.
    ///
    /// # Errors
    /// It cannot be read, or is wrong: every problem at once, as far as its
    /// shape lets them be found.
    pub fn from_file(
        path: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let text = regular_file::text(path, MAX_CONFIG_BYTES)?;
        Self::from_text(&text, folder, environment)
    }

    /// As [`Config::from_file`], of what a file in `folder` would say.
    ///
    /// # Errors
    /// It is wrong.
    pub fn from_text(
        text: &str,
        folder: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let file = shaped(text)?;
        let mut issues = Vec::new();
        let mut upstreams = BTreeMap::new();
        for (name, entry) in file.upstreams {
            match upstreams::check(&name, entry, environment) {
                Ok(upstream) => drop(upstreams.insert(name, upstream)),
                Err(found) => issues.extend(found),
            }
        }
        if upstreams.is_empty() && issues.is_empty() {
            issues.push(issue("upstreams", "must name at least one server"));
        }
        let otlp = file.otlp.map(|file::Otlp { endpoint }| {
            let endpoint = endpoint.map(|url| url.parse::<Endpoint>());
            endpoint.transpose().unwrap_or_else(|error| {
                issues.push(issue("otlp.endpoint", error.to_string()));
                None
            })
        });
        issues.extend(upstreams::same_prefixes(&upstreams));
        let (plugins, found) = plugins::check(file.plugins, folder);
        issues.extend(found);
        if issues.is_empty() {
            let file::File { listen, allow_hosts, allow_origins, limits, .. } = file;
            let file::File { outcome_meta, exhausted_text, trace, .. } = file;
            let trace = trace.map(|it| (folder.join(&it.file), it.rotation()));
            let general = General {
                listen,
                allow_hosts,
                allow_origins,
                limits,
                outcome_meta,
                exhausted_text,
                otlp,
                trace,
            };
            Ok(Self { general, upstreams, plugins })
        } else {
            Err(ConfigError::Issues(issues))
        }
    }
}

fn shaped(text: &str) -> Result<file::File, ConfigError> {
    let failed = |path: String, error: &serde_saphyr::Error| {
        let (line, column) =
            error.location().map_or((0, 0), |place| (place.line(), place.column()));
        // The first line says what; the rest shows the source, which may hold secrets.
        let told = error.to_string();
        let told = told.lines().next().unwrap_or_default();
        let problem = told.strip_prefix("error: ").unwrap_or(told);
        let problem = problem.strip_prefix(&format!("line {line} column {column}: "));
        let problem = problem.unwrap_or(told).to_owned();
        let path = if path == "." { String::new() } else { format!("{path}: ") };
        ConfigError::Shape { line, column, path, problem }
    };
    let mut path = String::new();
    serde_saphyr::with_deserializer_from_str(text, |yaml| {
        serde_path_to_error::deserialize(yaml).map_err(|error| {
            path = error.path().to_string();
            error.into_inner()
        })
    })
    .map_err(|error| failed(path, &error))
}

fn issue(path: impl Into<String>, message: impl Into<String>) -> Issue {
    Issue { path: path.into(), message: message.into() }
}

fn lines(issues: &[Issue]) -> String {
    let lines: Vec<_> =
        issues.iter().map(|Issue { path, message }| format!("{path}: {message}")).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests;
