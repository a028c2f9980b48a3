//! A clock that only moves when somebody sleeps on it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use host_harness::gateway::{Clock, Sleep};

/// Sleeping takes no time: it moves the clock and is over at once.
#[derive(Debug, Default, Clone)]
pub struct VirtualClock {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    now: Duration,
    sleeps: Vec<Duration>,
}

impl VirtualClock {
    /// Every sleep that was asked for, in order.
    pub fn sleeps(&self) -> Vec<Duration> {
        self.lock().sleeps.clone()
    }

    /// Lets time pass without a sleep.
    pub fn advance(&self, duration: Duration) {
        self.lock().now += duration;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Duration {
        self.lock().now
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let clock = self.clone();
        // Time moves when the sleep is waited for, not when it is made.
        Box::pin(async move {
            let mut inner = clock.lock();
            inner.now += duration;
            inner.sleeps.push(duration);
        })
    }
}
