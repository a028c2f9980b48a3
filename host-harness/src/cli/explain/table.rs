//! What was found out, for people and for programs.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use host_harness::contract::ToolAnnotations;
use serde_json::{Value, json};

use super::tool::{Explained, Key, Retried, Upstream, summary};

/// Columns that fit 80 together with what stands between them.
const TOOL: usize = 26;
const HINTS: usize = 16;
const RETRIED: usize = 21;

/// One server.
pub(super) fn as_text(
    upstream: &Upstream,
    tools: &[Explained],
    out: &mut impl Write,
) -> io::Result<()> {
    if let Some(name) = &upstream.name {
        writeln!(out, "{name}")?;
    }
    if tools.is_empty() {
        return writeln!(out, "the server lists no tools");
    }
    writeln!(out, "{:TOOL$} {:HINTS$} {:RETRIED$} changed by", "tool", "hints", "retried after")?;
    for one in tools {
        let name = one.tool.escape_debug().to_string();
        let (hints, retried) = (hints(one.hints), retried(one.retried));
        if name.chars().count() > TOOL {
            writeln!(out, "{name}")?;
            write!(out, "{:TOOL$} ", "")?;
        } else {
            write!(out, "{name:TOOL$} ")?;
        }
        writeln!(out, "{hints:HINTS$} {retried:RETRIED$} {}", name_of(one.key))?;
    }
    writeln!(out, "\n{}.", summary(tools).replace(", ", ",\n"))?;
    let keys: BTreeSet<_> = tools.iter().map(|one| one.key).collect();
    for key in keys {
        writeln!(out, "  {:<14} {}", name_of(key), how(key, upstream))?;
    }
    Ok(())
}

/// One server.
pub(super) fn as_json(upstream: &Upstream, tools: &[Explained]) -> Value {
    let count = |which| tools.iter().filter(|tool| tool.retried == which).count();
    let tools: Vec<_> = tools
        .iter()
        .map(|one| {
            json!({
                "tool": one.tool,
                "hints": {
                    "readOnlyHint": one.hints.read_only,
                    "destructiveHint": one.hints.destructive,
                    "idempotentHint": one.hints.idempotent,
                },
                "retried": label(one.retried),
                "reason": one.reason.map(|reason| snake(&format!("{reason:?}"))),
                "key": name_of(one.key),
            })
        })
        .collect();
    json!({
        "upstream": upstream.name,
        "trusted": upstream.trusted,
        "tools": tools,
        "summary": {
            "any_transient": count(Retried::AnyTransient),
            "not_executed": count(Retried::NotExecuted),
            "never": count(Retried::Never),
        },
    })
}

/// The hint that decides, by the specification's table.
const fn hints(hints: ToolAnnotations) -> &'static str {
    match hints {
        ToolAnnotations { read_only: Some(true), .. } => "read-only",
        ToolAnnotations { idempotent: Some(true), .. } => "idempotent",
        ToolAnnotations { idempotent: Some(false), .. } => "not idempotent",
        ToolAnnotations { destructive: Some(true), .. } => "destructive",
        ToolAnnotations { destructive: Some(false), .. } => "not destructive",
        ToolAnnotations { read_only: Some(false), .. } => "not read-only",
        _ => "none",
    }
}

const fn retried(retried: Retried) -> &'static str {
    match retried {
        Retried::AnyTransient => "any transient failure",
        Retried::NotExecuted => "only if not executed",
        Retried::Never => "never",
    }
}

const fn label(retried: Retried) -> &'static str {
    match retried {
        Retried::AnyTransient => "any_transient",
        Retried::NotExecuted => "not_executed",
        Retried::Never => "never",
    }
}

const fn name_of(key: Key) -> &'static str {
    match key {
        Key::Idempotent => "idempotent",
        Key::Trust => "trust",
        Key::ReplaySafety => "replay_safety",
        Key::MaxRetries => "max_retries",
        Key::Shadow => "shadow",
        Key::Conditions => "conditions",
        Key::Plugin => "the plugin",
    }
}

fn how(key: Key, upstream: &Upstream) -> &'static str {
    match key {
        Key::Idempotent => {
            "`--idempotent TOOL`, or `idempotent: true` (or false) of the\n                 \
             tool in `tool_overrides`; names may be patterns"
        }
        Key::Trust if upstream.trusted == Some(false) => {
            "the hints are not believed: leave out `--distrust`, or\n                 \
             `trust: false`"
        }
        Key::Trust => {
            "the hints are not believed: `--trust`, `trust: true` of the\n                 \
             upstream, or its name in `trusted_upstreams`"
        }
        Key::ReplaySafety => {
            "`replay_safety: never`, or `idempotent: false` of the tool,\n                 \
             forbids it"
        }
        Key::MaxRetries => "`max_retries`, or `--max-tool-retries`, is 0",
        Key::Shadow => "with `shadow: true` it is only said what would be done",
        Key::Conditions => "no plugin is asked: `conditions` and `hooks` of the plugins",
        Key::Plugin => "the plugin retries no failed connection: see its configuration",
    }
}

/// `Reason::HintsSilent` as `hints_silent`.
fn snake(name: &str) -> String {
    let name = name.rsplit("::").next().unwrap_or(name);
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use host_harness::contract::Reason;

    use super::*;

    #[test]
    fn no_line_of_the_table_is_longer_than_a_terminal_is_wide() {
        let silent = ToolAnnotations { read_only: None, destructive: None, idempotent: None };
        let keys = [
            Key::Idempotent,
            Key::Trust,
            Key::ReplaySafety,
            Key::MaxRetries,
            Key::Shadow,
            Key::Conditions,
            Key::Plugin,
        ];
        let tools: Vec<_> = keys
            .into_iter()
            .map(|key| Explained {
                tool: "t".repeat(60),
                hints: silent,
                retried: Retried::AnyTransient,
                reason: Some(Reason::HintsSilent),
                key,
            })
            .collect();
        for trusted in [None, Some(false)] {
            let upstream = Upstream { name: Some("u".to_owned()), trusted };
            let mut text = Vec::new();
            as_text(&upstream, &tools, &mut text).expect("memory");
            let text = String::from_utf8(text).expect("text");
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "{line}");
            }
        }
        assert_eq!(as_json(&Upstream::default(), &tools)["tools"][0]["reason"], "hints_silent");
    }
}
