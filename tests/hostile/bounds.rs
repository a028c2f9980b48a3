//! What the loop bounds, whatever the plugin and the client want.

use host_harness::gateway::{Hook, RetryHook, Stop, Target};

use super::{
    attack::{BAD, judge, run, start},
    guest::{Guest, Verdict},
};

#[test]
fn a_wait_of_more_than_a_minute_ends_the_call_with_its_last_reply() {
    for delay_ms in [60_001, 3_600_000] {
        let plugin = start(&Verdict::retry(delay_ms).guest());
        let (attempts, stop) = run(&plugin, BAD, None);
        assert_eq!(attempts, 1);
        assert!(
            matches!(stop, Stop::WaitTooLong(ref verdict) if verdict.retry_delay_ms == delay_ms)
        );
        assert!(plugin.faults().is_empty(), "it keeps the contract: {:?}", plugin.faults());
    }
}

#[test]
fn a_wait_of_a_minute_is_waited_for() {
    let (attempts, stop) = run(&start(&Verdict::retry(60_000).guest()), BAD, None);
    assert_eq!(attempts, 4, "{stop:?}");
}

#[test]
fn a_call_with_a_longer_name_than_is_judged_passes_and_the_plugin_never_hears_of_it() {
    let plugin = start(&Guest::polite());
    for name in ["x".repeat(Target::MAX_BYTES + 1), "ż".repeat(1 << 20)] {
        let (attempts, stop) = run(&plugin, &name, None);
        assert_eq!(attempts, 1);
        assert!(matches!(stop, Stop::NotJudged(too_long) if too_long.bytes == name.len()));
    }
    let longest = "x".repeat(Target::MAX_BYTES);
    let (_, stop) = run(&plugin, &longest, None);
    // It says how many calls it has judged.
    assert!(matches!(stop, Stop::Plugin(verdict) if verdict.failures == 1));
    plugin.forget(Hook::ToolPostInvoke, &longest, "1", &Default::default());
    assert_eq!(judge(&plugin, &longest).expect("a verdict").failures, 2);
}
