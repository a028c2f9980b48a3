//! How delays are drawn: always capped first, then drawn, and never 0.

use host_harness::{contract::Verdict, sandbox::Plugin};
use proptest::prelude::*;
use serde_json::json;

use crate::plugin_under_test::{FAILED, invocation, judge_outcome, start};

/// The verdicts of a call that fails until it is left alone.
fn verdicts(plugin: &Plugin, id: &str) -> Vec<Verdict> {
    let next = || judge_outcome(plugin, invocation("t", id), &FAILED);
    std::iter::repeat_with(next).take_while(|verdict| verdict.retry_delay_ms > 0).collect()
}

#[test]
fn a_multiplier_other_than_two_grows_the_ceiling_by_its_powers() {
    for (multiplier, ceilings) in [
        (json!(1), vec![100, 100, 100, 100, 100]),
        (json!(1.5), vec![100, 150, 225, 337, 506]),
        (json!(2), vec![100, 200, 400, 800, 1_000]),
        (json!(10), vec![100, 1_000, 1_000, 1_000, 1_000]),
    ] {
        let plugin = start(
            &json!({
                "max_retries": 5, "backoff_base_ms": 100, "max_backoff_ms": 1_000,
                "backoff_multiplier": multiplier, "jitter": "none",
            })
            .to_string(),
        );
        let seen: Vec<_> = verdicts(&plugin, "1").iter().map(|one| one.retry_delay_ms).collect();
        assert_eq!(seen, ceilings, "{multiplier}");
    }
}

#[test]
fn true_is_full_and_false_is_none() {
    let spread = |jitter: &str| {
        let plugin = start(&format!(r#"{{"max_retries": 1, "jitter": {jitter}}}"#));
        let delays: Vec<_> =
            (0..300).map(|id| verdicts(&plugin, &id.to_string())[0].retry_delay_ms).collect();
        (*delays.iter().min().expect("some"), *delays.iter().max().expect("some"))
    };
    assert_eq!(spread("false"), (200, 200));
    assert_eq!(spread("true"), spread(r#""full""#), "the same seed draws the same");
    let (least, most) = spread("true");
    assert!(least < 20 && most > 180, "{least} to {most}");
    let (least, most) = spread(r#""equal""#);
    assert!((100..110).contains(&least) && (190..=200).contains(&most), "{least} to {most}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn every_shape_stays_within_its_bounds(
        base in 1..5_000_u64, extra in 0..50_000_u64, multiplier in 1_000..=10_000_u32,
        jitter in prop::sample::select(vec!["none", "full", "equal", "decorrelated"]),
    ) {
        let cap = base + extra;
        let plugin = start(&json!({
            "max_retries": 10, "backoff_base_ms": base, "max_backoff_ms": cap,
            "backoff_multiplier": f64::from(multiplier) / 1_000.0, "jitter": jitter,
        }).to_string());
        for call in 0..4 {
            let mut last = None;
            for verdict in verdicts(&plugin, &call.to_string()) {
                let (delay, ceiling) = (verdict.retry_delay_ms, verdict.delay_ceiling_ms);
                prop_assert!((1..=ceiling).contains(&delay), "{:?}", verdict);
                prop_assert!(ceiling <= cap, "{:?}", verdict);
                match jitter {
                    "none" => prop_assert_eq!(delay, ceiling),
                    "equal" => prop_assert!(delay * 2 >= ceiling),
                    "decorrelated" => {
                        prop_assert!(delay >= base);
                        prop_assert_eq!(ceiling, (last.unwrap_or(base) * 3).clamp(base, cap));
                    }
                    _ => {}
                }
                last = Some(delay);
            }
        }
    }
}
