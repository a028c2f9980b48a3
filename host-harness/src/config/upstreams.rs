//! What an entry of `upstreams` means.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{file::UpstreamEntry, issue};
use crate::{
    contract::Issue,
    mcp::{HttpUpstream, Target},
};

/// A server.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Where it is.
    pub target: Target,
    /// Headers of a client's request that it is to see as well.
    pub pass_headers: Vec<HeaderName>,
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
    }
    let headers = headers(&path, entry.headers, environment, &mut issues);
    let mut pass_headers = Vec::new();
    for (index, name) in entry.pass_headers.iter().enumerate() {
        match name.parse() {
            Ok(name) => pass_headers.push(name),
            Err(_) => issues.push(issue(
                format!("{path}.pass_headers[{index}]"),
                format!("`{name}` is no name of a header"),
            )),
        }
    }
    let target = match (entry.url, entry.command) {
        (Some(url), command) if command.is_empty() => match HttpUpstream::new(&url, headers) {
            Ok(upstream) => Some(Target::Url(upstream)),
            Err(error) => {
                issues.push(issue(format!("{path}.url"), error.to_string()));
                None
            }
        },
        (None, command) if !command.is_empty() => {
            if !headers.is_empty() || !pass_headers.is_empty() {
                let told = "a command has no headers; give a `url`, or leave them out";
                issues.push(issue(&*path, told));
            }
            Some(Target::Command(command.into_iter().map(Into::into).collect()))
        }
        _ => {
            issues.push(issue(&*path, "must have either a `url` or a `command`"));
            None
        }
    };
    match target {
        Some(target) if issues.is_empty() => Ok(Upstream { target, pass_headers }),
        _ => Err(issues),
    }
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
        let Ok(header) = name.parse::<HeaderName>() else {
            issues.push(issue(place, format!("`{name}` is no name of a header")));
            continue;
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

/// A text with the variables of the environment that it names as `${NAME}`.
fn filled(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else {
            return Err("`${` has no `}`".to_owned());
        };
        let value = environment(name)
            .ok_or_else(|| format!("there is no variable `{name}` in the environment"))?;
        filled.push_str(before);
        filled.push_str(&value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}
