//! Where what is remembered of a call lives.

use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering},
};

/// The thread that was the first to have a call judged. A plugin in several
/// instances keeps the call where this thread works anyway, whichever thread
/// asks later.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Home(OnceLock<usize>);

impl Home {
    /// A home that is settled: as if the thread with this number had been the first.
    #[must_use]
    pub fn at(number: usize) -> Self {
        Self(OnceLock::from(number))
    }

    /// The home is this thread from now on, unless there is one already.
    pub fn settle(&self) {
        self.0.get_or_init(this_thread);
    }

    /// The number of the thread; that of this one as long as the call has no home.
    #[must_use]
    pub fn number(&self) -> usize {
        self.0.get().copied().unwrap_or_else(this_thread)
    }
}

/// Threads are counted in the order in which they first come by.
fn this_thread() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: usize = THREADS.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}
