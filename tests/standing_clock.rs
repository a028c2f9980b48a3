//! The clock of an attempt stands while the client has to answer what the server asks.

use std::{sync::Arc, time::Duration};

use host_harness::contract::Outcome;
use host_harness::gateway::{
    Clock, Content, Finished, Gateway, Limits, LogicalCall, Question, Questions, Reply, Sleep,
    Unobserved,
};
use proptest::prelude::*;
use tokio::time::{Instant, sleep};

/// Time that tokio moves on when everybody sleeps.
struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(sleep(duration))
    }
}

#[derive(Debug, PartialEq)]
enum Answer {
    Given,
    TimedOut(Duration),
}

impl Reply for Answer {
    fn outcome(&self) -> Outcome {
        Outcome::TimedOut
    }

    fn content(&self) -> Option<Arc<dyn Content>> {
        None
    }

    fn timed_out(after: Duration) -> Self {
        Self::TimedOut(after)
    }
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// What becomes of an attempt that may take 100 ms, and of its call.
fn run<F: Future<Output = ()>>(
    deadline: Option<Duration>,
    attempt: impl FnOnce(Questions) -> F,
) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let gateway = Gateway {
            hook: None,
            limits: Limits { attempt_timeout: Some(ms(100)), deadline, ..Limits::default() },
            clock: Arc::new(Paused(Instant::now())),
            budgets: Arc::new(host_harness::gateway::InProcessBudgets::default()),
            observer: Arc::new(Unobserved),
        };
        let call = LogicalCall::new("test_tool", "1");
        // Asked before, and never answered.
        let _forgotten = call.questions.ask();
        let mut attempts = Some(attempt);
        let questions = call.questions.clone();
        let invoke = |_| {
            let attempt = attempts.take().expect("one attempt")(questions.clone());
            async {
                attempt.await;
                Answer::Given
            }
        };
        match gateway.run(&call, invoke).await {
            Finished::Answered { reply, .. } => reply,
            Finished::Cancelled { .. } => panic!("nobody cancels it"),
        }
    })
}

#[test]
fn an_attempt_waits_for_the_client_as_long_as_it_takes() {
    let answer = run(None, |questions| async move {
        sleep(ms(50)).await;
        let question = questions.ask();
        sleep(ms(60_000)).await;
        drop(question);
        sleep(ms(49)).await;
    });
    assert_eq!(answer, Answer::Given);
}

#[test]
fn what_the_server_takes_itself_is_counted_before_and_after_the_question() {
    let answer = run(None, |questions| async move {
        sleep(ms(50)).await;
        let question = questions.ask();
        sleep(ms(60_000)).await;
        drop(question);
        sleep(ms(51)).await;
    });
    assert_eq!(answer, Answer::TimedOut(ms(60_100)));
}

#[test]
fn the_deadline_of_the_call_does_not_wait_for_the_client() {
    let answer = run(Some(ms(1_000)), |questions| async move {
        let _question = questions.ask();
        sleep(ms(60_000)).await;
    });
    assert_eq!(answer, Answer::TimedOut(ms(1_000)));
}

#[test]
fn a_question_from_before_the_attempt_does_not_hold_its_clock() {
    let answer = run(None, |_| sleep(ms(101)));
    assert_eq!(answer, Answer::TimedOut(ms(100)));
}

proptest! {
    #[test]
    fn an_attempt_is_given_up_when_it_has_taken_its_time_without_the_questions(
        parts in prop::collection::vec((0_u64..40, prop::option::of(1_u64..500)), 1..8),
        overlap in any::<bool>(),
    ) {
        // At the very millisecond either may come first.
        let own: u64 = parts.iter().map(|(own, _)| own).sum();
        prop_assume!(own != 100);
        let answer = run(None, |questions| async move {
            let mut before: Option<Question> = None;
            for (own, asked) in parts {
                drop(before.take());
                sleep(ms(own)).await;
                if let Some(asked) = asked {
                    let question = questions.ask();
                    let second = overlap.then(|| questions.ask());
                    sleep(ms(asked)).await;
                    drop(question);
                    // The other one is open until the server goes on.
                    before = second;
                }
            }
        });
        prop_assert_eq!(answer == Answer::Given, own < 100, "{} ms", own);
    }
}
