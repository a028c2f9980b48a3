//! Configurations that the peer accepted or refused.

use std::io::{self, Write};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    divergence::{Divergence, Met},
    mend::{HOUR, mend},
};
use crate::plugin_under_test::{judge, try_start};
use host_harness::sandbox::{Plugin, StartError};

#[derive(Deserialize)]
struct Case {
    config: Value,
    ok: bool,
    probe: Option<Probe>,
}

/// What the peer answered under this configuration; an object instead of a
/// number where it threw an error.
#[derive(Deserialize)]
struct Probe {
    #[serde(rename = "t_isError_x4")]
    t_is_error_x4: Vec<Value>,
    #[serde(rename = "z_isError_x4")]
    z_is_error_x4: Vec<Value>,
    t_structured_500: Value,
    t_structured_1: Value,
    t_text_500: Value,
}

impl Probe {
    fn answers(&self) -> Vec<&Value> {
        let single = [&self.t_structured_500, &self.t_structured_1, &self.t_text_500];
        self.t_is_error_x4.iter().chain(&self.z_is_error_x4).chain(single).collect()
    }

    /// The same questions to our plugin, in the same order.
    fn ask(plugin: &Plugin) -> Vec<u64> {
        let failed = json!({ "isError": true });
        let status = |code| json!({ "structuredContent": { "status_code": code } });
        let text = json!({ "content": [{ "type": "text", "text": "{\"status_code\": 500}" }] });
        let mut answers = Vec::new();
        for tool in ["t", "z"] {
            for _ in 0..4 {
                answers.push(judge(plugin, tool, "x4", &failed).retry_delay_ms);
            }
        }
        for (id, result) in [("500", status(500)), ("1", status(1)), ("text", text)] {
            answers.push(judge(plugin, "t", id, &result).retry_delay_ms);
        }
        answers
    }
}

#[test]
fn configurations_are_accepted_or_refused_as_by_the_peer_or_differ_by_name() {
    let mut met = Met::default();
    let mut probed = 0;
    let cases: Vec<Case> = include_str!("config_cases.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a case"))
        .collect();
    assert_eq!(cases.len(), 162);
    for Case { config, ok, probe } in &cases {
        let (mended, places) = mend(config);
        if !places.is_empty() {
            let named = paths(config, try_start(&config.to_string(), 10).err());
            for (path, divergence) in places {
                assert!(named.contains(&path), "{config}: {named:?} lack {path}");
                met.count(divergence);
            }
        }
        match (try_start(&mended.to_string(), 10), ok) {
            (Ok(plugin), true) => {
                if let Some(probe) = probe {
                    probed += compare(config, probe, &plugin, &mut met);
                }
            }
            (Err(error), false) => drop(paths(config, Some(error))),
            (Err(error), true) => {
                let named = paths(config, Some(error));
                let late = named.iter().all(|path| path.starts_with("tool_overrides[\""));
                assert!(late, "{config}: accepted by the peer, but we refuse {named:?}");
                met.count(Divergence::LateOverride);
            }
            (Ok(_), false) => panic!("{config}: refused by the peer, but we accept {mended}"),
        }
    }
    let counted = format!("{} configurations, {probed} answers compared", cases.len());
    writeln!(io::stderr().lock(), "\n{counted}; named divergences met:\n{met}").expect("stderr");
    assert_eq!(probed, 616);
    let expected = [
        (Divergence::UnknownKey, 8),
        (Divergence::BooleanInteger, 11),
        (Divergence::LateOverride, 7),
        (Divergence::LongLimit, 18),
        (Divergence::LongDelay, 14),
    ];
    assert_eq!(expected.map(|(divergence, _)| (divergence, met.of(divergence))), expected);
}

/// The paths of the issues of a refusal, each of which says something.
fn paths(config: &Value, refusal: Option<StartError>) -> Vec<String> {
    let Some(StartError::Config(issues)) = refusal else {
        panic!("{config} should be refused, not {refusal:?}");
    };
    assert!(!issues.is_empty());
    for issue in &issues {
        assert!(!issue.message.is_empty() && !issue.path.is_empty(), "{config}: {issue:?}");
    }
    issues.into_iter().map(|issue| issue.path).collect()
}

/// Returns how many answers were compared.
fn compare(config: &Value, probe: &Probe, plugin: &Plugin, met: &mut Met) -> usize {
    let ours = Probe::ask(plugin);
    for (recorded, ours) in probe.answers().into_iter().zip(&ours) {
        let recorded = recorded.as_u64().expect("a delay");
        if recorded > HOUR {
            met.count(Divergence::LongDelay);
        }
        assert_eq!(*ours, recorded.min(HOUR), "{config}");
    }
    ours.len()
}
