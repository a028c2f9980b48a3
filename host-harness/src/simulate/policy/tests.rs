//! The numbers of the documents.

use super::*;
use crate::simulate::chance::Stream;

const START: Duration = Duration::from_secs(1);

/// Failures of calls of their own, one after the other: how many are retried.
fn retried(algorithm: &mut dyn Algorithm, calls: u32, timed_out: bool, now: Duration) -> u32 {
    let mut chance = Chance::new(1, Stream::Models);
    let mut retried = 0;
    for _ in 0..calls {
        algorithm.started(1, now);
        algorithm.ended();
        let failed = Failed { attempt: 1, timed_out, pushback: None, now };
        let decision = algorithm.failed(&failed, &mut Call::default(), &mut chance);
        retried += u32::from(matches!(decision, Decision::Retry { .. }));
    }
    retried
}

fn first(algorithm: &mut dyn Algorithm, attempt: u32, pushback: Option<Pushback>) -> Decision {
    let failed = Failed { attempt, timed_out: false, pushback, now: START };
    algorithm.failed(&failed, &mut Call::default(), &mut Chance::new(1, Stream::Models))
}

#[test]
fn grpc_stops_at_half_of_its_tokens_and_begins_again_above_it() {
    let mut grpc = Published::Grpc.algorithm();
    assert_eq!(retried(&mut *grpc, 20, false, START), 4, "the fifth failure leaves half");
    // Every one of the twenty was charged, so that it stands at 0.
    for _ in 0..60 {
        grpc.succeeded(&Call::default());
    }
    assert_eq!(retried(&mut *grpc, 1, false, START), 0, "6 - 1 is half");
    for _ in 0..11 {
        grpc.succeeded(&Call::default());
    }
    assert_eq!(retried(&mut *grpc, 1, false, START), 1);
}

#[test]
fn grpc_comes_back_when_the_server_says_so() {
    let mut grpc = Published::Grpc.algorithm();
    let asked = Duration::from_millis(1_234);
    let decision = first(&mut *grpc, 1, Some(Pushback::After(asked)));
    assert!(matches!(decision, Decision::Retry { wait, .. } if wait == asked), "{decision:?}");
    assert!(matches!(first(&mut *grpc, 1, Some(Pushback::Never)), Decision::Enough));
}

#[test]
fn aws_pays_for_a_hundred_retries_or_fifty_after_timeouts() {
    let mut aws = Published::AwsStandard.algorithm();
    assert_eq!(retried(&mut *aws, 1_000, false, START), 100);
    let mut aws = Published::AwsStandard.algorithm();
    assert_eq!(retried(&mut *aws, 1_000, true, START), 50);
    // What its last retry cost comes back with a success, else 1.
    aws.succeeded(&Call { paid: 10.0, waited: None });
    assert_eq!(retried(&mut *aws, 10, false, START), 2);
    for _ in 0..4 {
        aws.succeeded(&Call::default());
    }
    assert_eq!(retried(&mut *aws, 10, false, START), 0);
    aws.succeeded(&Call::default());
    assert_eq!(retried(&mut *aws, 10, false, START), 1);
    assert!(matches!(first(&mut *Published::AwsStandard.algorithm(), 3, None), Decision::Enough));
}

#[test]
fn finagle_retries_a_fifth_of_its_calls_and_ten_a_second_and_forgets_after_ten() {
    let mut finagle = Published::Finagle.algorithm();
    assert_eq!(retried(&mut *finagle, 1_000, false, START), 100 + 1_000 / 5);
    let nine_later = START + Duration::from_secs(9);
    assert_eq!(retried(&mut *finagle, 10, false, nine_later), 2, "ten calls more");
    let long_after = START + Duration::from_secs(60);
    assert_eq!(retried(&mut *finagle, 1_000, false, long_after), 100 + 1_000 / 5);
}

#[test]
fn envoy_has_three_retries_in_flight_or_a_fifth_of_its_requests() {
    let mut envoy = Published::Envoy.algorithm();
    assert_eq!(retried(&mut *envoy, 10, false, START), 3);
    for _ in 0..50 {
        envoy.started(1, START);
    }
    assert_eq!(retried(&mut *envoy, 20, false, START), 7, "ten in all");
    envoy.settled();
    assert_eq!(retried(&mut *envoy, 20, false, START), 1);
    for _ in 0..50 {
        envoy.ended();
    }
    assert_eq!(retried(&mut *envoy, 20, false, START), 0);
}

#[test]
fn waits_grow_as_published() {
    for (published, attempt, least, most) in [
        (Published::Grpc, 1, 80, 120),
        (Published::Grpc, 3, 320, 480),
        (Published::AwsStandard, 1, 0, 1_000),
        (Published::AwsStandard, 2, 0, 2_000),
        (Published::Finagle, 1, 5, 5),
        (Published::Envoy, 1, 0, 25),
        (Published::Envoy, 3, 0, 175),
    ] {
        let decision = first(&mut *published.algorithm(), attempt, None);
        let Decision::Retry { wait, at_most } = decision else { panic!("{published:?}") };
        assert_eq!(at_most.as_millis(), most, "{published:?} after attempt {attempt}");
        assert!((least..=most).contains(&wait.as_millis()), "{published:?}: {wait:?}");
    }
}
