//! Names in a configuration that nothing has: each is a setting without effect.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use host_harness::chain::Condition;
use retry_with_backoff::config::{closest_name, fits_pattern};
use serde_json::Value;

/// Where a name of a tool stands in the configuration.
#[derive(Debug)]
struct OfTool {
    place: String,
    pattern: String,
}

/// All names of upstreams and tools that the configuration of a gateway holds.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    tools: Vec<OfTool>,
    /// Servers that have not listed yet, and what the others have listed.
    heard: Mutex<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    missing: BTreeSet<Option<String>>,
    /// By the name of their upstream.
    tools: Vec<(Option<String>, String)>,
}

impl Patterns {
    /// Of a gateway in front of these upstreams.
    pub(super) fn new(upstreams: impl IntoIterator<Item = Option<String>>) -> Self {
        let heard = Heard { missing: upstreams.into_iter().collect(), tools: Vec::new() };
        Self { tools: Vec::new(), heard: Mutex::new(heard) }
    }

    /// Takes in a configuration of the bundled plugin, which is called `place`.
    /// Returns what can be said before any tool is known.
    pub(super) fn configuration(&mut self, place: &str, json: &str) -> Vec<String> {
        let Ok(config) = serde_json::from_str::<Value>(json) else { return Vec::new() };
        for pattern in config["tool_overrides"].as_object().into_iter().flat_map(|all| all.keys()) {
            let place = format!("{place}: tool_overrides[\"{}\"]", pattern.escape_debug());
            self.tools.push(OfTool { place, pattern: pattern.clone() });
        }
        let trusted = config["trusted_upstreams"].as_array().into_iter().flatten().enumerate();
        let trusted = trusted.filter_map(|(index, name)| Some((index, name.as_str()?)));
        trusted
            .filter_map(|(index, pattern)| {
                let place = format!("{place}: trusted_upstreams[{index}]");
                self.unknown_upstream(&place, pattern)
            })
            .collect()
    }

    /// Takes in the conditions of a plugin. Returns what can be said at once.
    pub(super) fn conditions(&mut self, place: &str, conditions: &[Condition]) -> Vec<String> {
        let mut warnings = Vec::new();
        for (index, condition) in conditions.iter().enumerate() {
            let place = format!("{place}.conditions[{index}]");
            for name in &condition.upstreams {
                warnings.extend(self.unknown_upstream(&format!("{place}.server_ids"), name));
            }
            for name in &condition.tools {
                let place = format!("{place}.tools");
                self.tools.push(OfTool { place, pattern: name.clone() });
            }
        }
        warnings
    }

    fn unknown_upstream(&self, place: &str, pattern: &str) -> Option<String> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let names: Vec<_> = heard.missing.iter().flatten().map(String::as_str).collect();
        if names.iter().any(|name| fits_pattern(pattern, name)) {
            return None;
        }
        let shown = pattern.escape_debug();
        let what = if names.is_empty() {
            "the server has no name; give it one with `--name`, or use `--trust`".to_owned()
        } else {
            let hint = suggestion(pattern, &names);
            format!("no upstream is called `{shown}`{hint}; there is {}", named(&names))
        };
        Some(format!("{place}: has no effect: {what}"))
    }

    /// What can be said when an upstream has listed its tools: nothing until
    /// the last has, for a name may be that of another's tool.
    pub(super) fn after_list(&self, upstream: Option<&str>, tools: Vec<String>) -> Vec<String> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if !heard.missing.remove(&upstream.map(ToOwned::to_owned)) {
            return Vec::new();
        }
        let tools = tools.into_iter().map(|tool| (upstream.map(ToOwned::to_owned), tool));
        heard.tools.extend(tools);
        if !heard.missing.is_empty() || heard.tools.is_empty() {
            return Vec::new();
        }
        let names: Vec<_> = heard.tools.iter().map(|(_, tool)| tool.as_str()).collect();
        let fits = |pattern: &str| {
            heard.tools.iter().any(|(upstream, tool)| {
                fits_pattern(pattern, tool)
                    || upstream.as_ref().is_some_and(|upstream| {
                        fits_pattern(pattern, &format!("{upstream}/{tool}"))
                    })
            })
        };
        let unmatched = self.tools.iter().filter(|of| !fits(&of.pattern));
        unmatched
            .map(|OfTool { place, pattern }| {
                let (shown, hint) = (pattern.escape_debug(), suggestion(pattern, &names));
                format!("{place}: has no effect: no tool is called `{shown}`{hint}")
            })
            .collect()
    }
}

fn suggestion(unknown: &str, known: &[&str]) -> String {
    let close = closest_name(unknown, known);
    close.map_or_else(String::new, |name| format!("; did you mean `{}`?", name.escape_debug()))
}

fn named(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{}`", name.escape_debug())).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_trusted_upstream_that_there_is_not_is_named_before_any_tool_is_known() {
        let mut patterns = Patterns::new([Some("github".to_owned()), Some("files".to_owned())]);
        let config = r#"{"trusted_upstreams": ["githb", "fil*", "x"]}"#;
        assert_eq!(
            patterns.configuration("c.json", config),
            [
                "c.json: trusted_upstreams[0]: has no effect: no upstream is called `githb`; \
                 did you mean `github`?; there is `files`, `github`",
                "c.json: trusted_upstreams[2]: has no effect: no upstream is called `x`; \
                 there is `files`, `github`",
            ]
        );
        let told = Patterns::new([None]).configuration("c", r#"{"trusted_upstreams": ["*"]}"#);
        assert!(told[0].contains("the server has no name"), "{told:?}");
    }

    #[test]
    fn an_override_without_a_tool_is_named_once_all_upstreams_have_listed() {
        let mut patterns = Patterns::new([Some("a".to_owned()), Some("b".to_owned())]);
        let config = r#"{"tool_overrides": {"serch": {}, "get_*": {}, "b/put": {}, "drop_*": {}}}"#;
        assert_eq!(patterns.configuration("c", config), <[&str; 0]>::default());
        assert!(patterns.after_list(Some("a"), tools(&["search", "get_x"])).is_empty());
        assert_eq!(
            patterns.after_list(Some("b"), tools(&["put"])),
            [
                "c: tool_overrides[\"serch\"]: has no effect: no tool is called `serch`; \
                 did you mean `search`?",
                "c: tool_overrides[\"drop_*\"]: has no effect: no tool is called `drop_*`",
            ]
        );
        assert!(patterns.after_list(Some("b"), tools(&["put"])).is_empty(), "said once");
    }

    #[test]
    fn conditions_name_servers_and_tools_as_well() {
        let mut patterns = Patterns::new([Some("a".to_owned())]);
        let condition = Condition {
            upstreams: vec!["c".to_owned()],
            tools: tools(&["t", "gone"]),
            ..Condition::default()
        };
        let told = patterns.conditions("plugins[0]", &[condition]);
        assert!(told[0].starts_with("plugins[0].conditions[0].server_ids: has no effect"));
        let told = patterns.after_list(Some("a"), tools(&["t"]));
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("plugins[0].conditions[0].tools: has no effect: no tool"));
    }
}
