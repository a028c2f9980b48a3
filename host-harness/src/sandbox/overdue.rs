//! When the time of a call is over.
//!
//! Guests are held to time on the wall, for that is what their callers wait for.
//! But on a starved machine a call of a microsecond may be interrupted for longer
//! than any limit, and that is not the guest's doing. So when a limit is reached,
//! the host looks how much the thread has run meanwhile: a guest that did not
//! get half of its time to run goes on, though not for ever.

use std::time::Duration;

use wasmtime::{Result, Trap, UpdateDeadline};

use super::ticks;

/// How often a call's time is given again to one that did not get to run.
const EXTENSIONS: u32 = 20;
/// Ticks after which it is first looked how much a thread has run until then:
/// nearly all calls have ended, and it is no part of what they cost.
const FIRST_LOOK: u64 = 2;

/// The time of each call, counted out once: the division is dear beside a decision.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allotted {
    /// Ticks until the first look.
    pub(super) first: u64,
    /// Ticks from then on.
    rest: u64,
    /// How long a thread has to run in this time for it to count.
    running: Duration,
}

impl Allotted {
    pub(super) fn of(call_time: Duration) -> Self {
        let ticks = ticks::within(call_time);
        let first = ticks.min(FIRST_LOOK);
        Self { first, rest: (ticks - first).max(1), running: call_time / 2 }
    }
}

/// What is known of a call that has not ended soon.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Overdue {
    /// How long the thread had run at the first look.
    ran: Option<Duration>,
    looks: u32,
}

impl Overdue {
    /// What becomes of a call that has reached its deadline.
    pub(super) fn look(
        &mut self,
        allotted: &Allotted,
        ran: Option<Duration>,
    ) -> Result<UpdateDeadline> {
        self.looks += 1;
        if self.looks == 1 {
            self.ran = ran;
            return Ok(UpdateDeadline::Continue(allotted.rest));
        }
        let starved = match (self.ran, ran) {
            (Some(before), Some(now)) => now.saturating_sub(before) < allotted.running,
            // Nobody knows, so it is held to what the wall says.
            _ => false,
        };
        if starved && self.looks < EXTENSIONS + 2 {
            Ok(UpdateDeadline::Continue(allotted.rest))
        } else {
            Err(Trap::Interrupt.into())
        }
    }
}

/// How long this thread has run, if the system tells.
pub(super) fn ran() -> Option<Duration> {
    // Its first number is the time on a processor in nanoseconds.
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(told.split_whitespace().next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// How often a call is looked at before it is stopped, if the thread has
    /// run for so long at each look.
    fn looks(ran: impl Fn(u64) -> Option<Duration>) -> u64 {
        let (mut overdue, allotted) = (Overdue::default(), Allotted::of(ms(100)));
        (0..100).take_while(|n| overdue.look(&allotted, ran(*n)).is_ok()).count() as u64
    }

    #[test]
    fn a_guest_that_runs_all_the_time_is_stopped_at_its_limit() {
        assert_eq!(looks(|n| Some(ms(10 + n * 90))), 1);
        assert_eq!(looks(|_| None), 1, "the wall decides where nothing else is known");
    }

    #[test]
    fn a_guest_that_hardly_runs_goes_on_until_it_has_run_for_half_its_time_or_for_too_long() {
        assert_eq!(looks(|n| Some(ms(n * 10))), 5);
        assert_eq!(looks(|_| Some(ms(7))), 21, "it never runs");
    }

    #[test]
    fn both_parts_of_a_time_are_the_whole_and_none_is_nothing() {
        for time in [0, 1, 5, 10, 100, 60_000] {
            let Allotted { first, rest, .. } = Allotted::of(ms(time));
            assert!(first >= 1 && rest >= 1 && first + rest >= ticks::within(ms(time)), "{time}");
        }
        assert!(Allotted::of(Duration::MAX).rest > u64::MAX / 4);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_thread_that_works_has_run() {
        let before = ran().expect("Linux tells");
        let begun = std::time::Instant::now();
        while ran().expect("it still does") == before {
            assert!(begun.elapsed() < Duration::from_secs(60), "it never changes");
        }
    }
}
