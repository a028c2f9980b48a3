use std::{collections::HashMap, thread};

use proptest::prelude::*;

use super::*;
use crate::contract::BudgetTerms;

fn terms(size: u32, upstream: u32) -> Terms {
    let of = |tokens: u32| BudgetTerms {
        size: tokens * 1_000,
        success: 100,
        refill_per_minute: 0,
        floor_per_minute: 0,
    };
    Terms { target: of(size), upstream: Some(of(upstream)) }
}

const fn account<'a>(upstream: &'a str, tool: &'a str) -> Account<'a> {
    Account { upstream: Some(upstream), tool: Some(tool) }
}

fn withdraw(store: &InProcessBudgets, account: Account<'_>, price: Price, now: u64) -> bool {
    match store.withdraw(account, price, Duration::from_millis(now)) {
        Decision::Made(allowed) => allowed,
        Decision::Pending(_) => unreachable!("it is in this process"),
    }
}

/// How many retries of one token each are paid for, of so many.
fn paid(store: &InProcessBudgets, account: Account<'_>, terms: Terms, retries: u32) -> u32 {
    let price = Price { cost: 1_000, terms };
    (0..retries).filter(|_| withdraw(store, account, price, 0)).count() as u32
}

#[test]
fn both_buckets_must_pay() {
    let (store, terms) = (InProcessBudgets::default(), terms(20, 60));
    assert_eq!(paid(&store, account("u", "a"), terms, 100), 20);
    assert_eq!(paid(&store, account("u", "b"), terms, 100), 20, "a tool of its own");
    assert_eq!(paid(&store, account("u", "c"), terms, 100), 20);
    assert_eq!(paid(&store, account("u", "d"), terms, 100), 0, "the upstream's are spent");
    assert_eq!(paid(&store, account("v", "d"), terms, 100), 20, "another upstream");
    let unnamed = Account { upstream: None, tool: Some("a") };
    assert_eq!(paid(&store, unnamed, terms, 100), 20, "those without a name have one as well");
    let resources = Account { upstream: Some("w"), tool: None };
    assert_eq!(paid(&store, resources, terms, 100), 20, "all resources share one");
}

#[test]
fn without_terms_of_the_upstream_only_the_bucket_of_the_target_counts() {
    let store = InProcessBudgets::default();
    let own = Terms { upstream: None, ..terms(4, 1) };
    for tool in ["a", "b", "c"] {
        assert_eq!(paid(&store, account("u", tool), own, 9), 4, "{tool}");
    }
}

#[test]
fn a_refused_retry_takes_nothing_from_either_bucket() {
    let (store, terms) = (InProcessBudgets::default(), terms(2, 3));
    assert_eq!(paid(&store, account("u", "a"), terms, 50), 2);
    assert_eq!(paid(&store, account("u", "b"), terms, 50), 1);
    // `b` still has one, and pays as soon as the upstream can.
    store.deposit(account("u", "c"), terms, 10, Duration::ZERO);
    assert_eq!(paid(&store, account("u", "b"), terms, 50), 1);
}

#[test]
fn many_names_get_no_more_than_a_few() {
    let store = InProcessBudgets::default();
    // The upstream has enough for all, so that only the number of tools bounds them.
    let terms = terms(2, 1_000_000);
    for tool in 0..MOST_TOOLS {
        assert_eq!(paid(&store, account("u", &tool.to_string()), terms, 9), 2);
    }
    let late = |name: &str| paid(&store, account("u", name), terms, 9);
    assert_eq!((late("late"), late("later"), late("latest")), (2, 0, 0), "they share one");
    assert_eq!(late("0"), 0, "nobody's bucket was filled by it");
    assert_eq!(store.levels().buckets, MOST_TOOLS as u64 + 2);
    // Those that are full again make room.
    for tool in 0..MOST_TOOLS {
        store.deposit(account("u", &tool.to_string()), terms, 20, Duration::ZERO);
    }
    assert_eq!(late("fresh"), 2);
}

#[test]
fn full_buckets_are_forgotten_and_cost_nothing() {
    let (store, terms) = (InProcessBudgets::default(), terms(20, 60));
    store.deposit(account("u", "a"), terms, 5, Duration::ZERO);
    assert_eq!(store.levels(), Levels::default());
    assert_eq!(paid(&store, account("u", "a"), terms, 1), 1);
    assert_eq!(store.levels().buckets, 2);
    assert_eq!(store.levels().emptiest, Some(19_000));
    store.deposit(account("u", "a"), terms, 10, Duration::ZERO);
    assert_eq!(store.levels(), Levels::default());
    assert!(!store.named.read().expect("nobody panicked")["u"].spent.load(Ordering::Relaxed));
}

#[test]
fn threads_together_get_what_the_buckets_hold() {
    let (store, terms) = (InProcessBudgets::default(), terms(50, 120));
    let sums: Vec<u32> = thread::scope(|scope| {
        let (store, tools) = (&store, ["a", "b", "c", "d"]);
        let threads =
            tools.map(|tool| scope.spawn(move || paid(store, account("u", tool), terms, 1_000)));
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(sums.iter().sum::<u32>(), 120);
    assert!(sums.iter().all(|sum| *sum <= 50), "{sums:?}");
}

/// As plainly as it can be written: every bucket is kept for ever.
#[derive(Default)]
struct Model(HashMap<Option<usize>, (u64, u64, u64, u64)>);

impl Model {
    /// left, fraction, updated, succeeded.
    fn at(
        &mut self,
        whose: Option<usize>,
        terms: &BudgetTerms,
        now: u64,
    ) -> &mut (u64, u64, u64, u64) {
        let size = u64::from(terms.size);
        let bucket = self.0.entry(whose).or_insert((size, 0, now, now));
        let parts = (now - bucket.2) * u64::from(terms.floor_per_minute) + bucket.1;
        *bucket = ((bucket.0 + parts / 60_000).min(size), parts % 60_000, now, bucket.3);
        if bucket.0 == size {
            bucket.1 = 0;
        }
        bucket
    }

    fn put_in(&mut self, whose: Option<usize>, terms: &BudgetTerms, now: u64, tokens: u64) {
        let bucket = self.at(whose, terms, now);
        bucket.0 = (bucket.0 + tokens).min(terms.size.into());
        if bucket.0 == u64::from(terms.size) {
            bucket.1 = 0;
        }
    }
}

#[derive(Debug, Clone)]
enum Op {
    Succeed(usize),
    Plan(usize, u32),
    /// A planned retry is made.
    Make(prop::sample::Index),
    /// A planned retry is not made.
    GiveUp(prop::sample::Index),
    Pass(u64),
}

fn any_op() -> impl Strategy<Value = Op> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        2 => (0..3_usize).prop_map(Op::Succeed),
        4 => (0..3_usize, 1..5_000_u32).prop_map(|(tool, cost)| Op::Plan(tool, cost)),
        2 => index().prop_map(Op::Make),
        2 => index().prop_map(Op::GiveUp),
        1 => (0..5_000_u64).prop_map(Op::Pass),
    ]
}

proptest! {
    /// Exact in every step, for both levels, whatever is planned, made and
    /// given up in between; and what is given up leaves no trace.
    #[test]
    fn a_budget_is_the_sum_of_what_happened(
        sizes in (1..30_u32, 1..60_u32), success in 0..2_000_u32, floor in 0..20_000_u32,
        ops in prop::collection::vec(any_op(), 1..200),
    ) {
        let of = |tokens: u32| BudgetTerms {
            size: tokens * 1_000, success, refill_per_minute: 0, floor_per_minute: floor,
        };
        let terms = Terms { target: of(sizes.0), upstream: Some(of(sizes.1)) };
        let (store, mut model) = (InProcessBudgets::default(), Model::default());
        let (mut now, mut planned) = (0, Vec::<(usize, Price)>::new());
        let names = ["a", "b", "c"];
        for op in ops {
            let levels = |tool: usize| [(Some(tool), terms.target), (None, of(sizes.1))];
            match op {
                Op::Pass(time) => now += time,
                Op::Succeed(tool) => {
                    store.deposit(account("u", names[tool]), terms, 1, Duration::from_millis(now));
                    for (whose, terms) in levels(tool) {
                        model.put_in(whose, &terms, now, success.into());
                    }
                }
                Op::Plan(tool, cost) => {
                    let price = Price { cost, terms };
                    let left = levels(tool).map(|(whose, terms)| model.at(whose, &terms, now).0);
                    let enough = left.iter().all(|left| *left >= u64::from(cost));
                    prop_assert_eq!(withdraw(&store, account("u", names[tool]), price, now), enough);
                    if enough {
                        for (whose, terms) in levels(tool) {
                            model.at(whose, &terms, now).0 -= u64::from(cost);
                        }
                        planned.push((tool, price));
                    }
                }
                Op::Make(which) if !planned.is_empty() => {
                    planned.swap_remove(which.index(planned.len()));
                }
                Op::GiveUp(which) if !planned.is_empty() => {
                    let (tool, price) = planned.swap_remove(which.index(planned.len()));
                    store.give_back(account("u", names[tool]), price, Duration::from_millis(now));
                    for (whose, terms) in levels(tool) {
                        model.put_in(whose, &terms, now, price.cost.into());
                    }
                }
                Op::Make(_) | Op::GiveUp(_) => {}
            }
        }
    }
}
