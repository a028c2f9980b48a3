//! A shard behind its lock, and how calls get to it.
//!
//! Whoever may block just takes the lock. A thread that serves other calls as
//! well never waits for it: it takes the lock if nobody has it, or is about to
//! give it back; otherwise the call waits in line, as a task, and its turn comes
//! on a thread of its own. At most one such thread for each shard is busy.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Semaphore;

use crate::sandbox::{Breakage, shard::Shard};

/// How often the lock is tried before a call gets in line: some microseconds,
/// in which a quick plugin decides ten times.
const TRIES: u32 = 128;

pub(super) struct Slot {
    shard: Mutex<Shard>,
    /// The turn of one call, given in the order in which they came.
    turn: Semaphore,
    /// Calls whose turn did not come in time.
    turned_away: AtomicU64,
}

impl Slot {
    pub(super) const fn new(shard: Shard) -> Self {
        Self {
            shard: Mutex::new(shard),
            turn: Semaphore::const_new(1),
            turned_away: AtomicU64::new(0),
        }
    }

    /// Waits for the lock, however long another call takes.
    pub(super) fn lock(&self) -> MutexGuard<'_, Shard> {
        // A thread that panicked in here left at worst a shard whose instance
        // the next call replaces.
        self.shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock, if it can be had without waiting for more than a quick decision.
    #[inline]
    pub(super) fn lock_at_once(&self) -> Option<MutexGuard<'_, Shard>> {
        for _ in 0..TRIES {
            match self.shard.try_lock() {
                Ok(shard) => return Some(shard),
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
            }
        }
        None
    }

    /// Does something with the shard on a thread that may block, when its turn
    /// has come. It is done to its end even if nobody waits for it any more.
    ///
    /// # Errors
    /// Its turn did not come within `patience`; nothing was done.
    pub(super) async fn in_turn<T: Send + 'static>(
        self: Arc<Self>,
        patience: Duration,
        work: impl FnOnce(&mut Shard) -> T + Send + 'static,
    ) -> Result<T, Breakage> {
        let Ok(turn) = tokio::time::timeout(patience, self.turn.acquire()).await else {
            self.turned_away.fetch_add(1, Ordering::Relaxed);
            return Err(Breakage::Busy { waited: patience });
        };
        // Given back by the work itself: nobody comes before it has ended.
        turn.expect("it is never closed").forget();
        let slot = self;
        let done = tokio::task::spawn_blocking(move || {
            let turn = Turn(&slot);
            let done = work(&mut slot.lock());
            drop(turn);
            done
        });
        match done.await {
            Ok(done) => Ok(done),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime ends, and all its tasks with it.
                Err(_) => std::future::pending().await,
            },
        }
    }

    /// How many calls were turned away for it was busy.
    pub(super) fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }
}

/// The turn of the call that works.
struct Turn<'a>(&'a Slot);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.turn.add_permits(1);
    }
}
