//! Work on large messages, which must not hold up the small ones of others.

use std::{panic::resume_unwind, sync::LazyLock, thread::available_parallelism};

use tokio::{
    sync::Semaphore,
    task::{JoinHandle, spawn_blocking},
};

/// From this size on, in bytes, work on a message leaves the worker that others
/// wait for. To read so much takes about a tenth of a millisecond.
const LARGE: usize = 256 * 1024;

/// As many at a time as there are processors: more would only wait for each other.
static ROOM: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, usize::from)));

/// Does `work` on a message of so many bytes: at once if it is small, on a
/// thread of its own if it is large.
pub(super) async fn work_on<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    if bytes < LARGE { work() } else { done(begin(work)).await }
}

/// Work that may be waited for again after somebody stopped to wait for it.
#[derive(Debug)]
pub(super) struct Work<T>(Option<JoinHandle<T>>);

impl<T: Send + 'static> Work<T> {
    /// No work.
    pub(super) const NONE: Self = Self(None);

    /// Does `work` on a message of so many bytes. What it comes to, if it was
    /// done at once; [`finish`](Self::finish) has it otherwise.
    pub(super) fn start(
        &mut self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        if bytes < LARGE {
            return Some(work());
        }
        self.0 = Some(begin(work));
        None
    }

    /// What the work that was started came to; none if none was. Cancel-safe.
    pub(super) async fn finish(&mut self) -> Option<T> {
        let result = done(self.0.as_mut()?).await;
        self.0 = None;
        Some(result)
    }
}

fn begin<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(async {
        // The room is never closed.
        let _room = ROOM.acquire().await;
        done(spawn_blocking(work)).await
    })
}

async fn done<T>(work: impl Future<Output = Result<T, tokio::task::JoinError>>) -> T {
    match work.await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime is about to stop, and everything with it.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_work_on_a_large_message_leaves_its_thread() {
        let here = std::thread::current().id();
        let thread = || std::thread::current().id();
        assert_eq!(work_on(LARGE - 1, thread).await, here);
        assert_ne!(work_on(LARGE, thread).await, here);
    }

    #[tokio::test]
    async fn work_is_finished_though_nobody_waited_for_it_at_first() {
        let (go, wait) = std::sync::mpsc::channel();
        let mut work = Work::NONE;
        assert_eq!(work.finish().await, None);
        assert_eq!(work.start(LARGE, move || wait.recv().expect("a word")), None);
        {
            let mut waiting = std::pin::pin!(work.finish());
            let polled = std::future::poll_fn(|cx| {
                std::task::Poll::Ready(waiting.as_mut().poll(cx).is_pending())
            });
            assert!(polled.await);
        }
        go.send(7).expect("somebody listens");
        assert_eq!(work.finish().await, Some(7));
        assert_eq!(work.start(0, || 8), Some(8));
        assert_eq!(work.finish().await, None);
    }
}
