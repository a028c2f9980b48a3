//! What an entry of `plugins` means.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{
    file::{Mode, OnError, RawCondition, RawPlugin},
    issue,
};
use crate::{chain::Condition, contract::Issue, gateway::Hook};

/// A plugin that is to judge calls.
#[derive(Debug, Clone)]
pub struct PluginEntry {
    /// Where the file names it, such as `plugins[0]`.
    pub path: String,
    /// The operator's name for it.
    pub name: String,
    /// Its code.
    pub code: Code,
    /// What it is asked for.
    pub hooks: Vec<Hook>,
    /// When it is asked: if any of them holds, or always if there are none.
    pub conditions: Vec<Condition>,
    /// What becomes of a call when it fails.
    pub on_error: OnError,
    /// Its own configuration, as JSON.
    pub config: String,
}

/// Where a plugin's code is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// The component that this program carries.
    Bundled,
    /// A file.
    File(PathBuf),
}

/// Entries without a priority come last, as in the original.
const LAST: i64 = i64::MAX;

/// The entries that are not disabled, by priority, and what is wrong with any of them.
pub(super) fn check(raw: Vec<RawPlugin>, folder: &Path) -> (Vec<PluginEntry>, Vec<Issue>) {
    let mut issues = Vec::new();
    let mut entries: Vec<(i64, PluginEntry)> = Vec::new();
    for (index, plugin) in raw.into_iter().enumerate() {
        let path = format!("plugins[{index}]");
        let (mode, priority) = (plugin.mode, plugin.priority.unwrap_or(LAST));
        match entry(path, plugin, folder) {
            Ok(entry) if mode != Mode::Disabled => {
                // Metrics and logs tell them apart by it.
                if let Some((_, other)) = entries.iter().find(|(_, one)| one.name == entry.name) {
                    let told = format!("`{}` is the name of {} as well", entry.name, other.path);
                    issues.push(issue(format!("{}.name", entry.path), told));
                }
                entries.push((priority, entry));
            }
            Ok(_) => {}
            Err(found) => issues.extend(found),
        }
    }
    // Stable: equals stay in the order of the file.
    entries.sort_by_key(|(priority, _)| *priority);
    (entries.into_iter().map(|(_, entry)| entry).collect(), issues)
}

fn entry(path: String, raw: RawPlugin, folder: &Path) -> Result<PluginEntry, Vec<Issue>> {
    let mut issues = Vec::new();
    let code = code(&raw.kind, folder).unwrap_or_else(|told| {
        issues.push(issue(format!("{path}.kind"), told));
        Code::Bundled
    });
    let mut hooks = Vec::new();
    match raw.hooks {
        None => hooks.extend([Hook::ToolPostInvoke, Hook::ResourcePostFetch]),
        Some(names) => {
            for (index, name) in names.iter().enumerate() {
                match &**name {
                    "tool_post_invoke" => hooks.push(Hook::ToolPostInvoke),
                    "resource_post_fetch" => hooks.push(Hook::ResourcePostFetch),
                    other => issues.push(issue(
                        format!("{path}.hooks[{index}]"),
                        format!(
                            "`{other}` is no hook of this gateway; it has `tool_post_invoke` and \
                             `resource_post_fetch`"
                        ),
                    )),
                }
            }
        }
    }
    let mut conditions = Vec::new();
    for (index, raw) in raw.conditions.into_iter().enumerate() {
        match condition(raw) {
            Ok(condition) => conditions.push(condition),
            Err(keys) => {
                for key in keys {
                    let place = format!("{path}.conditions[{index}].{key}");
                    let told = "cannot be checked: this gateway knows neither tenants nor users \
                                nor content types; leave it out";
                    issues.push(issue(place, told));
                }
            }
        }
    }
    if raw.mode == Mode::FireAndForget {
        let told = "nobody waits for the answer of such a plugin, so it can retry nothing; give \
                    `sequential`, or `disabled`";
        issues.push(issue(format!("{path}.mode"), told));
    }
    let config = raw.config.map_or(Value::Null, Value::Object).to_string();
    if issues.is_empty() {
        let on_error = raw.on_error;
        Ok(PluginEntry { path, name: raw.name, code, hooks, conditions, on_error, config })
    } else {
        Err(issues)
    }
}

/// The original's class names mean the bundled component, which takes its place.
fn code(kind: &str, folder: &Path) -> Result<Code, String> {
    if let Some(path) = kind.strip_prefix("wasm://") {
        return Ok(Code::File(folder.join(path)));
    }
    if kind == "retry-with-backoff" || kind.contains("retry_with_backoff") {
        return Ok(Code::Bundled);
    }
    Err(format!(
        "`{kind}` cannot be loaded here; give `wasm://FILE.wasm`, or `retry-with-backoff` for the \
         component that comes with the gateway"
    ))
}

fn condition(raw: RawCondition) -> Result<Condition, Vec<&'static str>> {
    let unknown: Vec<_> = [
        ("tenant_ids", raw.tenant_ids),
        ("user_patterns", raw.user_patterns),
        ("content_types", raw.content_types),
    ]
    .into_iter()
    .filter(|(_, values)| !values.is_empty())
    .map(|(key, _)| key)
    .collect();
    if !unknown.is_empty() {
        return Err(unknown);
    }
    Ok(Condition { upstreams: raw.server_ids, tools: raw.tools, resources: raw.resources })
}
