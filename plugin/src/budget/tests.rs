use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn terms(size: u64, success: u32) -> Terms {
    Terms {
        size: Tokens::whole(size),
        success: Tokens::thousandths(success),
        failure: Tokens::whole(1),
        throttle: Tokens::whole(2),
        timeout: Tokens::thousandths(1_500),
        refill_per_minute: Tokens::default(),
    }
}

fn any_terms() -> impl Strategy<Value = Terms> {
    let thousandths = |most| (0..=most).prop_map(Tokens::thousandths);
    let costs = (thousandths(100_000), thousandths(100_000), thousandths(100_000));
    let incomes = (thousandths(10_000_u32), thousandths(1_000_000));
    (1..1_000_u64, costs, incomes).prop_map(|(size, costs, (success, refill_per_minute))| Terms {
        size: Tokens::whole(size),
        success,
        failure: costs.0,
        throttle: costs.1,
        timeout: costs.2,
        refill_per_minute,
    })
}

#[derive(Debug, Clone)]
enum Op {
    Succeed,
    Fail,
    Throttle,
    Sleep,
    /// One of the sleeping retries is heard of, or cancelled.
    Wake(prop::sample::Index),
    Pass(u32),
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        Just(Op::Succeed),
        Just(Op::Fail),
        Just(Op::Throttle),
        Just(Op::Sleep),
        any::<prop::sample::Index>().prop_map(Op::Wake),
        (0..100_000_u32).prop_map(Op::Pass),
    ]
}

proptest! {
    #[test]
    fn a_bucket_is_never_below_zero_nor_above_its_size(
        terms in any_terms(), ops in prop::collection::vec(any_op(), 0..200),
    ) {
        let mut now = Millis(0);
        let mut bucket = Bucket::full(&terms, now);
        let mut asleep = Vec::new();
        for op in ops {
            match op {
                Op::Succeed => bucket.deposit(&terms),
                Op::Fail => bucket.charge(terms.failure),
                Op::Throttle => bucket.charge(terms.throttle),
                Op::Sleep => asleep.push(bucket.reserve(&terms)),
                Op::Wake(which) if !asleep.is_empty() => {
                    bucket.give_back(asleep.swap_remove(which.index(asleep.len())));
                }
                Op::Wake(_) => {}
                Op::Pass(time) => now = Millis(now.0 + u64::from(time)),
            }
            bucket.update(&terms, now);
            // That it is not below zero is the type's to say: an overflow panics here.
            prop_assert!(bucket.left <= terms.size);
        }
    }

    #[test]
    fn cancelled_retries_give_back_exactly_what_they_held(
        terms in any_terms(), failures in 0..50_u32, sleepers in 0..50_usize,
    ) {
        let mut bucket = Bucket::full(&terms, Millis(0));
        for _ in 0..failures {
            bucket.charge(terms.failure);
        }
        let before = bucket;
        let asleep: Vec<_> = (0..sleepers).map(|_| bucket.reserve(&terms)).collect();
        let held: u64 = asleep.iter().map(|held| held.0).sum();
        prop_assert_eq!(bucket.left.0 + held, before.left.0);
        for held in asleep {
            bucket.give_back(held);
        }
        prop_assert_eq!(bucket, before);
    }

    #[test]
    fn a_ratio_holds_exactly(ratio in 1..=1_000_u32, rounds in 1..2_000_u64) {
        // So many successes for so many failures leave what was there.
        let terms = terms(1_000_000, ratio);
        let mut bucket = Bucket::full(&terms, Millis(0));
        bucket.charge(Tokens::whole(500_000));
        let start = bucket.left;
        for _ in 0..rounds {
            bucket.deposit(&terms);
        }
        prop_assert_eq!(bucket.left.0 - start.0, rounds * u64::from(ratio));
    }

    #[test]
    fn a_refill_brings_the_same_however_often_it_is_looked_at(
        rate in 0..=1_000_000_u32, steps in prop::collection::vec(0..10_000_u64, 1..100),
    ) {
        let terms = Terms { refill_per_minute: Tokens::thousandths(rate), ..terms(1_000_000, 0) };
        let mut bucket = Bucket::full(&terms, Millis(0));
        bucket.charge(terms.size);
        let mut now = 0;
        for step in steps {
            now += step;
            bucket.update(&terms, Millis(now));
        }
        prop_assert_eq!(bucket.left.0, now * u64::from(rate) / 60_000);
    }
}

#[test]
fn a_ratio_of_0_6_pays_for_exactly_60_percent() {
    let terms = terms(1_000, 600);
    let mut bucket = Bucket::full(&terms, Millis(0));
    for _ in 0..499 {
        bucket.charge(terms.failure);
    }
    assert_eq!(bucket.left(), Tokens::whole(501));
    for _ in 0..10_000 {
        for _ in 0..10 {
            bucket.deposit(&terms);
        }
        for _ in 0..6 {
            bucket.charge(terms.failure);
        }
    }
    assert_eq!(bucket.left(), Tokens::whole(501));
}

#[test]
fn retries_stop_at_half() {
    let terms = terms(10, 100);
    let mut bucket = Bucket::full(&terms, Millis(0));
    let allowed = (0..7).filter(|_| {
        bucket.charge(terms.failure);
        bucket.allows_retries()
    });
    assert_eq!(allowed.count(), 4);
}

#[test]
fn a_smaller_bucket_keeps_what_fits_and_a_larger_one_keeps_all() {
    let mut bucket = Bucket::full(&terms(100, 0), Millis(0));
    bucket.charge(Tokens::whole(20));
    bucket.update(&terms(1_000, 0), Millis(0));
    assert_eq!(bucket.left(), Tokens::whole(80));
    bucket.update(&terms(50, 0), Millis(0));
    assert_eq!(bucket.left(), Tokens::whole(50));
}

#[test]
fn upstreams_and_tools_of_one_name_have_buckets_of_their_own() {
    let (mut budgets, terms) = (Budgets::new(1), terms(10, 0));
    let mut left = HashMap::new();
    for (owner, cost) in [(Owner::Upstream("a"), 1), (Owner::Tool("a"), 2), (Owner::Tool("b"), 3)] {
        let place = budgets.open(owner, &terms, Millis(0));
        let bucket = budgets.at(place, &terms, Millis(0));
        bucket.charge(Tokens::whole(cost));
        left.insert(cost, bucket.left());
    }
    assert_eq!(left, HashMap::from([1, 2, 3].map(|cost| (cost, Tokens::whole(10 - cost)))));
    assert_eq!(budgets.levels().buckets, 3);
}

#[test]
fn nobody_gets_a_drained_bucket_filled_by_calling_many_names() {
    let (mut budgets, terms) = (Budgets::new(1), terms(10, 0));
    let drain = |budgets: &mut Budgets, name: &str| {
        let place = budgets.open(Owner::Tool(name), &terms, Millis(0));
        budgets.at(place, &terms, Millis(0)).charge(terms.size);
    };
    drain(&mut budgets, "mine");
    for name in 0..10_000 {
        drain(&mut budgets, &alloc::format!("{name}"));
    }
    let place = budgets.open(Owner::Tool("mine"), &terms, Millis(0));
    assert_eq!(budgets.at(place, &terms, Millis(0)).left(), Tokens::default());
    let levels = budgets.levels();
    assert_eq!(levels.buckets, 1_025, "as many as there may be, and the shared one");
    assert_eq!((levels.drained, levels.left), (1_025, Tokens::default()));
    assert_eq!(levels.size, Tokens::whole(10 * 1_025));
}

#[test]
fn a_bucket_that_is_as_new_makes_room() {
    let (mut budgets, terms) = (Budgets::new(1), terms(10, 0));
    for name in 0..10_000 {
        let place = budgets.open(Owner::Tool(&alloc::format!("{name}")), &terms, Millis(0));
        assert_ne!(place, Place::Shared);
    }
}

#[test]
fn a_bucket_stays_while_a_retry_of_it_sleeps() {
    let (mut budgets, terms) =
        (Budgets::new(1), Terms { failure: Tokens::default(), ..terms(10, 0) });
    let place = budgets.open(Owner::Tool("asleep"), &terms, Millis(0));
    let reservation = budgets.reserve(place, &terms, Millis(0));
    for name in 0..10_000 {
        budgets.open(Owner::Tool(&alloc::format!("{name}")), &terms, Millis(0));
    }
    assert_eq!(budgets.open(Owner::Tool("asleep"), &terms, Millis(0)), place);
    budgets.give_back(reservation);
}
