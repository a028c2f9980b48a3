//! Replays recorded sequences of calls.

use std::{
    env, fs,
    io::{self, Write},
    path::Path,
};

use serde::Deserialize;
use serde_json::Value;

use super::{
    divergence::{Divergence, Met},
    mend::{HOUR, Mended, mend},
    peer_model::PeerModel,
};
use crate::plugin_under_test::{issues, judge, try_start};

#[derive(Deserialize)]
struct Sequence {
    id: String,
    config: Value,
    calls: Vec<Call>,
}

#[derive(Deserialize)]
struct Call {
    tool: String,
    request_id: String,
    result: Value,
    expect_retry_delay_ms: u64,
}

/// The quirks that change the answer to a call.
const QUIRKS: [Divergence; 3] =
    [Divergence::JoinedKey, Divergence::BooleanStatus, Divergence::WrappedStatus];

/// Fewest quirks first, so that a difference is put down to no more than it takes.
const SETS: [&[Divergence]; 7] = [
    &[QUIRKS[0]],
    &[QUIRKS[1]],
    &[QUIRKS[2]],
    &[QUIRKS[0], QUIRKS[1]],
    &[QUIRKS[0], QUIRKS[2]],
    &[QUIRKS[1], QUIRKS[2]],
    &QUIRKS,
];

#[derive(Default)]
struct Replay {
    sequences: usize,
    calls: usize,
    same: usize,
    met: Met,
}

impl Replay {
    fn sequence(&mut self, sequence: &Sequence) {
        self.sequences += 1;
        let drawn = sequence.config.get("jitter") != Some(&Value::Bool(false));
        assert!(!drawn, "{}: set jitter to false; drawn delays cannot be compared", sequence.id);
        let (config, mended) = mend(&sequence.config);
        if !mended.is_empty() {
            refused_at_exactly(&sequence.config, &mended, &sequence.id);
        }
        for (_, divergence) in &mended {
            self.met.count(*divergence);
        }
        let plugin = match try_start(&config.to_string(), 10) {
            Ok(plugin) => plugin,
            Err(error) => panic!("{}: no named divergence refuses this: {error}", sequence.id),
        };
        let mut plain = PeerModel::new(&config, &[]);
        let mut quirky = SETS.map(|quirks| PeerModel::new(&config, quirks));
        for (index, call) in sequence.calls.iter().enumerate() {
            let Call { tool, request_id, result, expect_retry_delay_ms } = call;
            let ours = judge(&plugin, tool, request_id, result).retry_delay_ms;
            let without_quirks = plain.delay(tool, request_id, result);
            let with_quirks = quirky.each_mut().map(|model| model.delay(tool, request_id, result));
            let place = || format!("{} call {index} ({tool:?}, {request_id:?})", sequence.id);

            self.calls += 1;
            // Of delays above an hour, which only a mended configuration meets,
            // we give the hour.
            let recorded = (*expect_retry_delay_ms).min(HOUR);
            if recorded < *expect_retry_delay_ms {
                assert!(!mended.is_empty(), "{}", place());
                self.met.count(Divergence::LongDelay);
            }
            if ours == recorded {
                self.same += usize::from(recorded == *expect_retry_delay_ms);
                continue;
            }
            assert_eq!(ours, without_quirks, "{}: recorded {recorded}", place());
            let explained = with_quirks.iter().position(|delay| *delay == recorded);
            let Some(explained) = explained else {
                panic!("{}: recorded {recorded}, ours {ours}, and no quirk explains it", place());
            };
            for quirk in SETS[explained] {
                self.met.count(*quirk);
            }
        }
    }

    /// To stderr itself: what `eprintln` writes, the test runner keeps for failures.
    fn report(&self, file: &str) {
        let Self { sequences, calls, same, met } = self;
        let mut stderr = io::stderr().lock();
        let counted =
            format!("{sequences} sequences, {calls} calls compared, {same} answered alike");
        writeln!(stderr, "\n{file}: {counted}; named divergences met:\n{met}").expect("stderr");
    }
}

/// The configuration is refused, and the issues are at the mended places and no others.
fn refused_at_exactly(config: &Value, mended: &Mended, id: &str) {
    let mut expected: Vec<&str> = mended.iter().map(|(path, _)| path.as_str()).collect();
    let issues = issues(&config.to_string());
    let mut named: Vec<&str> = issues.iter().map(|issue| issue.path.as_str()).collect();
    expected.sort_unstable();
    named.sort_unstable();
    assert_eq!(named, expected, "{id}");
}

fn replay(file: &str, text: &str) -> Replay {
    let mut replay = Replay::default();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str(line) {
            Ok(sequence) => replay.sequence(&sequence),
            Err(error) => panic!("{file}:{}: {error}", index + 1),
        }
    }
    replay.report(file);
    replay
}

#[test]
fn every_recorded_call_is_answered_as_the_peer_did_or_differs_by_name() {
    if let Ok(file) = env::var("PEER_VECTORS") {
        // Tests run in their package's folder; people type paths from the workspace's.
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(&file);
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{file}: {error}"));
        let replay = replay(&file, &text);
        assert!(replay.calls > 0, "{file} holds no calls");
        return;
    }
    let replay = replay("tests/parity/vectors.jsonl", include_str!("vectors.jsonl"));
    assert_eq!((replay.sequences, replay.calls), (300, 6139));
    let met = [
        (Divergence::JoinedKey, 104),
        (Divergence::BooleanStatus, 12),
        (Divergence::WrappedStatus, 6),
        (Divergence::UnknownKey, 26),
        (Divergence::LongLimit, 48),
        (Divergence::LongDelay, 153),
    ];
    assert_eq!(met.map(|(divergence, _)| (divergence, replay.met.of(divergence))), met);
}
