//! Virtual time. It stands still while anybody has something to do; timers that
//! end at the same time go in the order in which they were set.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::gateway::{Clock, Sleep};

/// Virtual time, and whoever waits on it.
#[derive(Debug, Default)]
struct VirtualTime(Mutex<Timers>);

#[derive(Debug, Default)]
struct Timers {
    now: Duration,
    set: u64,
    waiting: BinaryHeap<Reverse<Timer>>,
}

#[derive(Debug)]
struct Timer {
    at: Duration,
    number: u64,
    waker: Waker,
}

impl Timer {
    const fn order(&self) -> (Duration, u64) {
        (self.at, self.number)
    }
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

impl VirtualTime {
    fn lock(&self) -> MutexGuard<'_, Timers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The clock of a simulation, as the gateway sees it.
#[derive(Debug, Clone, Default)]
pub struct VirtualClock(Arc<VirtualTime>);

impl VirtualClock {
    /// Moves the clock to the next timer and takes it; none if nobody waits.
    pub(super) fn next_timer(&self) -> Option<Waker> {
        let mut timers = self.0.lock();
        let Reverse(timer) = timers.waiting.pop()?;
        timers.now = timers.now.max(timer.at);
        Some(timer.waker)
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Duration {
        self.0.lock().now
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let until = self.now().saturating_add(duration);
        Box::pin(SleepUntil { time: self.0.clone(), until, set: false })
    }
}

struct SleepUntil {
    time: Arc<VirtualTime>,
    until: Duration,
    set: bool,
}

impl Future for SleepUntil {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut timers = self.time.lock();
        if timers.now >= self.until {
            return Poll::Ready(());
        }
        if !self.set {
            // Once: here a future is only ever polled by the task that owns it.
            timers.set += 1;
            let (number, waker) = (timers.set, context.waker().clone());
            timers.waiting.push(Reverse(Timer { at: self.until, number, waker }));
            drop(timers);
            self.set = true;
        }
        Poll::Pending
    }
}
