use alloc::{format, vec::Vec};

use proptest::prelude::*;

use super::*;

const TTL: Millis = Millis(300_000);

fn fail(state: &mut State, target: &str, request: &str, now: u64) -> u32 {
    state.record_failure(Kind::Tool, target.into(), request.into(), 1, Millis(now)).1.failures
}

#[test]
fn pairs_that_read_the_same_when_joined_are_two_calls() {
    let mut state = State::new(10, 1, TTL, 1);
    assert_eq!(fail(&mut state, "a:b", "c", 0), 1);
    assert_eq!(fail(&mut state, "a", "b:c", 0), 1);
    assert_eq!(fail(&mut state, "a:b", "c", 0), 2);
    assert_eq!(state.len(), 2);
}

#[test]
fn a_tool_and_a_resource_of_the_same_name_are_two_calls() {
    let mut state = State::new(10, 10, TTL, 1);
    let mut fail = |kind| state.record_failure(kind, "a".into(), "b".into(), 1, TTL).1.failures;
    let failures = [Kind::Tool, Kind::Tool, Kind::Resource].map(&mut fail);
    assert_eq!((failures, state.len()), ([1, 2, 1], 2));
    assert!(state.end(Kind::Resource, "a", "b"));
    assert!(state.end(Kind::Tool, "a", "b"));
}

#[test]
fn an_entry_that_was_silent_for_longer_than_the_ttl_goes_and_a_younger_one_stays() {
    let mut state = State::new(10, 1, TTL, 1);
    fail(&mut state, "old", "1", 0);
    fail(&mut state, "young", "1", 1_000);
    state.evict_expired(Kind::Tool, Millis(TTL.0));
    assert_eq!(state.len(), 2, "the TTL itself is not longer than the TTL");
    state.evict_expired(Kind::Tool, Millis(TTL.0 + 1_000));
    assert_eq!(state.len(), 1);
    assert!(state.end(Kind::Tool, "young", "1"));
    assert_eq!(state.evicted().expired, 1);
}

#[test]
fn the_entry_that_was_touched_longest_ago_makes_room() {
    let mut state = State::new(2, 1, TTL, 1);
    fail(&mut state, "t", "1", 0);
    fail(&mut state, "t", "2", 1);
    fail(&mut state, "t", "1", 2);
    fail(&mut state, "t", "3", 3);
    assert_eq!(fail(&mut state, "t", "1", 4), 3);
    assert!(!state.end(Kind::Tool, "t", "2"));
    assert_eq!(state.evicted().displaced, 1);
}

#[test]
fn a_state_that_is_bounded_anew_keeps_its_newest_entries() {
    let mut state = State::new(8, 1, TTL, 1);
    for request in 0..6 {
        fail(&mut state, "t", &format!("{request}"), request);
    }
    state.rebound(3, 1, TTL);
    assert_eq!((state.len(), state.capacity()), (3, 3));
    assert!(!state.end(Kind::Tool, "t", "2"));
    assert_eq!(fail(&mut state, "t", "3", 9), 2);
    state.rebound(100, 1, TTL);
    assert_eq!(fail(&mut state, "t", "5", 9), 2);
    assert_eq!(state.evicted().displaced, 3);
}

#[derive(Debug, Clone)]
enum Op {
    Fail(u8, u8),
    Remove(u8, u8),
    Wait(u32),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..4_u8, 0..6_u8).prop_map(|(target, request)| Op::Fail(target, request)),
        2 => (0..4_u8, 0..6_u8).prop_map(|(target, request)| Op::Remove(target, request)),
        1 => (0..200_000_u32).prop_map(Op::Wait),
    ]
}

proptest! {
    /// Against the plainest possible model: a list in order of touch.
    #[test]
    fn it_behaves_like_a_list_that_is_searched_from_end_to_end(
        ops in prop::collection::vec(op(), 0..400), capacity in 1..12_u32, seed: u64,
    ) {
        let mut state = State::new(capacity, 1, TTL, seed);
        let mut model: Vec<(String, String, u32, u64)> = Vec::new();
        let mut now = 0;
        for op in ops {
            state.evict_expired(Kind::Tool, Millis(now));
            for _ in 0..EVICTIONS_PER_CALL {
                if model.first().is_some_and(|oldest| now - oldest.3 > TTL.0) {
                    model.remove(0);
                }
            }
            match op {
                Op::Fail(target, request) => {
                    let key = (format!("{target}"), format!("{request}"));
                    let at = model.iter().position(|e| (&e.0, &e.1) == (&key.0, &key.1));
                    let failures = at.map_or(0, |at| model.remove(at).2) + 1;
                    if model.len() >= capacity as usize {
                        model.remove(0);
                    }
                    prop_assert_eq!(fail(&mut state, &key.0, &key.1, now), failures);
                    model.push((key.0, key.1, failures, now));
                }
                Op::Remove(target, request) => {
                    let key = (format!("{target}"), format!("{request}"));
                    let at = model.iter().position(|e| (&e.0, &e.1) == (&key.0, &key.1));
                    prop_assert_eq!(state.end(Kind::Tool, &key.0, &key.1), at.is_some());
                    if let Some(at) = at {
                        model.remove(at);
                    }
                }
                Op::Wait(time) => now += u64::from(time),
            }
            prop_assert_eq!(state.len() as usize, model.len());
            prop_assert!(state.len() <= capacity);
        }
    }
}
