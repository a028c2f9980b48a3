//! What an entry of `upstreams` means.

use std::{collections::BTreeMap, ffi::OsString};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{file::UpstreamEntry, filled, issue};
use crate::{
    contract::Issue,
    mcp::{
        HttpUpstream, IdempotencyKey, IdempotencyKeys, Prefixes, Target, child::ServerCommand,
        header_to_pass, header_to_send,
    },
};

/// A name may have 128 characters, and the upstream's own is the greater part of it.
const LONGEST_PREFIX: usize = 64;
/// It is a part of a URL, and a label of metrics.
const LONGEST_NAME: usize = 128;

/// A server.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Where it is.
    pub target: Target,
    /// Headers of a client's request that it is to see as well.
    pub pass_headers: Vec<HeaderName>,
    /// Whether what it says of its tools is believed; none if the plugins'
    /// `trusted_upstreams` decide. A command's is unless the file says otherwise:
    /// whoever starts a program trusts it already.
    pub trusted: Option<bool>,
    /// Arguments that make a call of it safe to repeat.
    pub idempotency_keys: IdempotencyKeys,
    /// What the client finds before its names where it is joined with others.
    pub prefixes: Prefixes,
}

pub(super) fn check(
    name: &str,
    entry: UpstreamEntry,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Upstream, Vec<Issue>> {
    let mut issues = Vec::new();
    let path = format!("upstreams.{name}");
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if name.is_empty() || !name.chars().all(plain) {
        let told = "the name must be of letters, digits, `-`, `_` and `.`: it is a part of a URL";
        issues.push(issue(&*path, told));
    } else if name.chars().all(|letter| letter == '.') {
        let told = "the name must not be of dots only: in a URL such a part stands for a folder, \
                    and clients take it out";
        issues.push(issue(&*path, told));
    } else if name.len() > LONGEST_NAME {
        let told = format!("the name must have at most {LONGEST_NAME} characters");
        issues.push(issue(&*path, told));
    }
    let headers = headers(&path, entry.headers, environment, &mut issues);
    let mut pass_headers = Vec::new();
    for (index, name) in entry.pass_headers.iter().enumerate() {
        match header_to_pass(name) {
            Ok(name) => pass_headers.push(name),
            Err(problem) => issues.push(issue(format!("{path}.pass_headers[{index}]"), problem)),
        }
    }
    let mut keys = Vec::new();
    for (index, key) in entry.idempotency_keys.iter().enumerate() {
        match key.parse::<IdempotencyKey>() {
            Ok(key) => keys.push(key),
            Err(problem) => {
                let path = format!("{path}.idempotency_keys[{index}]");
                issues.push(issue(path, problem.to_string()));
            }
        }
    }
    for (key, prefix) in
        [("tool_prefix", &entry.tool_prefix), ("prompt_prefix", &entry.prompt_prefix)]
    {
        if let Some(problem) = prefix.as_deref().and_then(problem_of_prefix) {
            issues.push(issue(format!("{path}.{key}"), problem));
        }
    }
    let prefixes = Prefixes { tools: entry.tool_prefix, prompts: entry.prompt_prefix };
    let trusted = entry.trust.or((!entry.command.is_empty()).then_some(true));
    let target = match (entry.url, entry.command) {
        (Some(url), command) if command.is_empty() => {
            if !entry.env.is_empty() || entry.cwd.is_some() {
                let told = "`env` and `cwd` are for a `command`; a `url` has neither";
                issues.push(issue(&*path, told));
            }
            match HttpUpstream::new(&url, headers) {
                Ok(upstream) => Some(Target::Url(upstream)),
                Err(error) => {
                    issues.push(issue(format!("{path}.url"), error.to_string()));
                    None
                }
            }
        }
        (None, command) if !command.is_empty() => {
            if !headers.is_empty() || !pass_headers.is_empty() {
                let told = "a command has no headers; give a `url`, or leave them out";
                issues.push(issue(&*path, told));
            }
            let words = command.into_iter().map(Into::into).collect();
            let environment = environment_of(&path, entry.env, environment, &mut issues);
            Some(Target::Command(ServerCommand { words, environment, folder: entry.cwd }))
        }
        _ => {
            issues.push(issue(&*path, "must have either a `url` or a `command`"));
            None
        }
    };
    match target {
        Some(target) if issues.is_empty() => {
            let idempotency_keys = keys.into_iter().collect();
            Ok(Upstream { target, pass_headers, trusted, idempotency_keys, prefixes })
        }
        _ => Err(issues),
    }
}

/// What is wrong with a prefix, if anything is.
fn problem_of_prefix(prefix: &str) -> Option<String> {
    let in_a_name = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    if prefix.is_empty() {
        Some("is empty; leave it out if the names are to stay as they are".to_owned())
    } else if !prefix.chars().all(in_a_name) {
        Some(format!("must be of letters, digits, `_`, `-` and `.`, as names are, not `{prefix}`"))
    } else if prefix.len() > LONGEST_PREFIX {
        Some(format!("must have at most {LONGEST_PREFIX} characters, not {}", prefix.len()))
    } else {
        None
    }
}

/// Upstreams that have the same prefix: their names could not be told apart.
pub(super) fn same_prefixes(upstreams: &BTreeMap<String, Upstream>) -> Vec<Issue> {
    let mut issues = Vec::new();
    let mut known = BTreeMap::new();
    for (name, Upstream { prefixes, .. }) in upstreams {
        for (key, prefix) in
            [("tool_prefix", &prefixes.tools), ("prompt_prefix", &prefixes.prompts)]
        {
            let Some(prefix) = prefix else { continue };
            if let Some(first) = known.insert((key, prefix), name) {
                issues.push(issue(
                    format!("upstreams.{name}.{key}"),
                    format!("`{prefix}` is that of `{first}` already; give each its own"),
                ));
            }
        }
    }
    issues
}

/// What a server has in its environment beside the gateway's own.
fn environment_of(
    path: &str,
    entries: BTreeMap<String, String>,
    environment: &dyn Fn(&str) -> Option<String>,
    issues: &mut Vec<Issue>,
) -> Vec<(OsString, OsString)> {
    let mut filled_in = Vec::new();
    for (name, value) in entries {
        let place = format!("{path}.env.{name}");
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            issues.push(issue(place, "no environment can hold such a name or value"));
            continue;
        }
        match filled(&value, environment) {
            Ok(value) => filled_in.push((name.into(), value.into())),
            Err(missing) => issues.push(issue(place, missing)),
        }
    }
    filled_in
}

fn headers(
    path: &str,
    entries: BTreeMap<String, String>,
    environment: &dyn Fn(&str) -> Option<String>,
    issues: &mut Vec<Issue>,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in entries {
        let place = format!("{path}.headers.{name}");
        let header = match header_to_send(&name) {
            Ok(header) => header,
            Err(problem) => {
                issues.push(issue(place, problem));
                continue;
            }
        };
        let value = match filled(&value, environment) {
            Ok(value) => value,
            Err(missing) => {
                issues.push(issue(place, missing));
                continue;
            }
        };
        // The value itself is not told: it may be a secret.
        match HeaderValue::from_str(&value) {
            Ok(mut value) => {
                value.set_sensitive(true);
                headers.insert(header, value);
            }
            Err(_) => issues.push(issue(place, "its value holds what no header can")),
        }
    }
    headers
}
