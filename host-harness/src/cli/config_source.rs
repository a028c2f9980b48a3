//! A plugin's configuration as the operator gives it: a file, JSON on the
//! command line, and single options that change it.

use std::{
    convert::Infallible,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context, anyhow, bail};
use host_harness::{bundled, config::MAX_CONFIG_BYTES, regular_file};
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

/// Where the configuration is written.
#[derive(Debug, Clone)]
pub(super) enum ConfigSource {
    /// A file of JSON.
    File(PathBuf),
    /// Itself.
    Inline(String),
}

impl FromStr for ConfigSource {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        // No file begins so that anybody would name with an option.
        let inline = text.trim_start().starts_with('{');
        Ok(if inline { Self::Inline(text.to_owned()) } else { Self::File(text.into()) })
    }
}

impl fmt::Display for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Inline(_) => f.write_str("--config"),
        }
    }
}

impl ConfigSource {
    /// The file that it is in; none if it is on the command line.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Inline(_) => None,
        }
    }

    /// The text, which is JSON. What the JSON means is the plugin's to check.
    pub(super) fn json(&self) -> anyhow::Result<String> {
        let text = match self {
            Self::Inline(text) => text.clone(),
            Self::File(path) => regular_file::text(path, MAX_CONFIG_BYTES)
                .with_context(|| format!("{self}: cannot be read"))?,
        };
        if let Err(error) = serde_json::from_str::<IgnoredAny>(&text) {
            let (line, column) = (error.line(), error.column());
            let problem = error.to_string();
            // serde_json says the place again, in other words.
            let problem =
                problem.rsplit_once(" at line ").map_or(&*problem, |(problem, _)| problem);
            return Err(anyhow!("{self}:{line}:{column}: {problem}"));
        }
        Ok(text)
    }
}

/// Options that change the configuration.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct ConfigOptions {
    /// The profile of the bundled plugin, in place of the configuration's:
    /// `safe` or `compatible`.
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
    /// Tools that are safe to call twice, by name or pattern (`get_*`): any
    /// transient failure of theirs is retried. May be given several times.
    #[arg(long, value_name = "PATTERN")]
    pub(super) idempotent: Vec<String>,
}

impl ConfigOptions {
    /// Whether any is given.
    pub(super) fn are_any(&self) -> bool {
        self.profile.is_some() || !self.idempotent.is_empty()
    }

    /// The configuration with these in it.
    ///
    /// # Errors
    /// It contradicts an option.
    pub(super) fn applied(&self, place: &str, text: String) -> anyhow::Result<String> {
        if !self.are_any() {
            return Ok(text);
        }
        let mut config: Value = serde_json::from_str(&text)?;
        let Value::Object(members) = &mut config else {
            bail!("{place}: must be an object, such as {{\"profile\": \"safe\"}}")
        };
        if let Some(profile) = &self.profile {
            members.insert("profile".to_owned(), json!(profile));
        }
        if !self.idempotent.is_empty() {
            let overrides = members.entry("tool_overrides").or_insert_with(|| json!({}));
            let Value::Object(overrides) = overrides else {
                bail!("{place}: tool_overrides: must be an object")
            };
            for pattern in &self.idempotent {
                mark(pattern, overrides)
                    .map_err(|problem| anyhow!("--idempotent {pattern}: {problem} ({place})"))?;
            }
        }
        Ok(config.to_string())
    }
}

/// Marks a tool or a pattern as safe to call twice.
fn mark(pattern: &str, overrides: &mut Map<String, Value>) -> Result<(), String> {
    if pattern.trim().is_empty() {
        return Err("name a tool, or a pattern such as `get_*`".to_owned());
    }
    let own = overrides.entry(pattern).or_insert_with(|| json!({}));
    let Value::Object(own) = own else {
        return Err(format!("tool_overrides[\"{pattern}\"]: must be an object"));
    };
    match own.insert("idempotent".to_owned(), json!(true)) {
        Some(Value::Bool(false)) => Err(format!(
            "tool_overrides[\"{pattern}\"].idempotent is false; leave out one of the two"
        )),
        _ => Ok(()),
    }
}

/// What the bundled plugin works by if the operator gives no configuration.
pub(super) const RECOMMENDED: &str = r#"{"profile": "safe"}"#;

/// What a configuration is called in messages where there is no file of it.
pub(super) fn place(config: Option<&ConfigSource>, plugin: Option<&Path>) -> String {
    match (config, plugin) {
        (Some(config), _) => config.to_string(),
        (None, Some(plugin)) => plugin.display().to_string(),
        (None, None) => bundled::NAME.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(profile: Option<&str>, idempotent: &[&str], config: &str) -> Result<Value, String> {
        let options = ConfigOptions {
            profile: profile.map(ToOwned::to_owned),
            idempotent: idempotent.iter().map(|&pattern| pattern.to_owned()).collect(),
        };
        let text = options.applied("c.json", config.to_owned()).map_err(|e| e.to_string())?;
        Ok(serde_json::from_str(&text).expect("JSON"))
    }

    #[test]
    fn what_begins_as_an_object_is_the_configuration_and_all_else_its_file() {
        for (given, inline) in [("{}", true), (" \n{\"a\":1}", true), ("a.json", false)] {
            let source: ConfigSource = given.parse().expect("never fails");
            assert_eq!(matches!(source, ConfigSource::Inline(_)), inline, "{given}");
        }
        let broken: ConfigSource = "{\"max_retries\": }".parse().expect("never fails");
        let problem = broken.json().expect_err("no JSON").to_string();
        assert_eq!(problem, "--config:1:17: expected value");
    }

    #[test]
    fn options_change_the_configuration_and_leave_the_rest_as_it_was() {
        assert_eq!(
            applied(Some("safe"), &["get_*", "a"], r#"{"tool_overrides":{"a":{"max_retries":1}}}"#),
            Ok(json!({
                "tool_overrides": {
                    "a": { "max_retries": 1, "idempotent": true },
                    "get_*": { "idempotent": true },
                },
                "profile": "safe",
            }))
        );
        let untouched = r#"{ "max_retries": 1, "max_retries": 2 }"#;
        let options = ConfigOptions::default();
        assert_eq!(options.applied("c", untouched.to_owned()).expect("fine"), untouched);
    }

    #[test]
    fn an_option_that_contradicts_the_configuration_is_refused() {
        for (idempotent, config, problem) in [
            ("a", r#"{"tool_overrides":{"a":{"idempotent":false}}}"#, "leave out one of the two"),
            ("a", r#"{"tool_overrides":[]}"#, "c.json: tool_overrides: must be an object"),
            ("a", "[]", "c.json: must be an object"),
            (" ", "{}", "name a tool"),
        ] {
            let told = applied(None, &[idempotent], config).expect_err("refused");
            assert!(told.contains(problem), "{told}");
        }
    }
}
