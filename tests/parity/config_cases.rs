//! Configurations that the peer accepted or refused.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    divergence::{Divergence, Met},
    mend::{HOUR, mend},
};
use crate::plugin_under_test::{judge, start, try_start};
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

    fn found_a_bad_override(&self) -> bool {
        self.answers().iter().any(|answer| answer.is_object())
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
        for (_, divergence) in &places {
            met.count(*divergence);
        }
        let ours = try_start(&config.to_string(), 10);
        if !places.is_empty() {
            let named = refused(config, ours);
            let found = |(path, _): &(String, Divergence)| named.contains(path);
            assert!(places.iter().all(found), "{config}: {named:?} lack one of {places:?}");
            match try_start(&mended.to_string(), 10) {
                Ok(plugin) if *ok => probed += compare(config, probe.as_ref(), &plugin, &mut met),
                Ok(_) => assert!(!ok, "{config}: only what the peer refused as well"),
                Err(_) => late_or_never(config, *ok, probe.as_ref(), &mut met),
            }
        } else if *ok && probe.as_ref().is_some_and(Probe::found_a_bad_override) {
            let named = refused(config, ours);
            assert!(named.iter().all(|path| path.starts_with("tool_overrides[\"")), "{named:?}");
            met.count(Divergence::LateOverride);
        } else if *ok && ours.is_err() {
            let named = refused(config, ours);
            // An override of a tool that the probe never called.
            assert!(
                named.iter().all(|path| path.starts_with("tool_overrides[\"other")),
                "{named:?}"
            );
            met.count(Divergence::LateOverride);
        } else if *ok {
            let plugin = start(&config.to_string());
            probed += compare(config, probe.as_ref(), &plugin, &mut met);
        } else {
            refused(config, ours);
        }
    }
    eprintln!("{} configurations, {probed} answers compared; divergences met:\n{met}", cases.len());
    assert!(probed > 500, "{probed}");
}

/// Mended, it is still refused: then the peer refused it too.
fn late_or_never(config: &Value, ok: bool, probe: Option<&Probe>, met: &mut Met) {
    if probe.is_some_and(Probe::found_a_bad_override) {
        met.count(Divergence::LateOverride);
    } else {
        assert!(!ok, "{config}");
    }
}

/// The paths of its issues, each of which says something.
fn refused(config: &Value, started: Result<Plugin, StartError>) -> Vec<String> {
    let Err(StartError::Config(issues)) = started else {
        panic!("{config} should be refused");
    };
    assert!(!issues.is_empty());
    for issue in &issues {
        assert!(!issue.message.is_empty(), "{config}");
        assert!(!issue.path.is_empty(), "{config}: {}", issue.message);
    }
    issues.into_iter().map(|issue| issue.path).collect()
}

/// Returns how many answers were compared.
fn compare(config: &Value, probe: Option<&Probe>, plugin: &Plugin, met: &mut Met) -> usize {
    let Some(probe) = probe else { return 0 };
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
