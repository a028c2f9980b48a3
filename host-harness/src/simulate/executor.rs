//! A single-threaded executor whose time is virtual: when nobody can go on, the
//! clock jumps to the next timer. Timers that end at the same time go in the
//! order in which they were set, so a run depends on nothing but its input.

use std::{
    cell::RefCell,
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use crate::gateway::{Clock, Sleep};

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Virtual time, and whoever waits on it.
#[derive(Debug, Default)]
pub struct VirtualTime(Mutex<Timers>);

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

    /// Moves the clock to the next timer and takes it; none if nobody waits.
    fn next(&self) -> Option<Waker> {
        let mut timers = self.lock();
        let Reverse(timer) = timers.waiting.pop()?;
        timers.now = timers.now.max(timer.at);
        Some(timer.waker)
    }
}

/// The clock of a simulation, as the gateway sees it.
#[derive(Debug, Clone, Default)]
pub struct VirtualClock(Arc<VirtualTime>);

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

/// A task's place, and how often the place has changed hands.
#[derive(Debug, Clone, Copy)]
struct Key {
    place: usize,
    generation: u64,
}

#[derive(Debug, Default)]
struct Ready(Mutex<VecDeque<Key>>);

impl Ready {
    fn push(&self, key: Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(key);
    }

    fn pop(&self) -> Option<Key> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

struct TaskWaker {
    key: Key,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.push(self.key);
    }
}

#[derive(Default)]
struct Place {
    generation: u64,
    task: Option<(Task, Waker)>,
}

/// Starts tasks, from within tasks too.
#[derive(Clone, Default)]
pub struct Spawner(Rc<RefCell<Vec<Task>>>);

impl Spawner {
    /// Starts a task at the present time, after the one that is running.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.0.borrow_mut().push(Box::pin(task));
    }
}

/// Runs tasks on virtual time.
#[derive(Default)]
pub struct Executor {
    clock: VirtualClock,
    spawner: Spawner,
    ready: Arc<Ready>,
    places: Vec<Place>,
    free: Vec<usize>,
}

impl Executor {
    /// The clock that this executor moves; it starts at zero.
    #[must_use]
    pub fn clock(&self) -> VirtualClock {
        self.clock.clone()
    }

    /// Starts tasks.
    #[must_use]
    pub fn spawner(&self) -> Spawner {
        self.spawner.clone()
    }

    /// Runs until every task has ended or waits for something that is no timer.
    pub fn run(&mut self) {
        loop {
            self.adopt();
            while let Some(key) = self.ready.pop() {
                self.poll(key);
                self.adopt();
            }
            match self.clock.0.next() {
                Some(waker) => waker.wake(),
                None => return,
            }
        }
    }

    /// Gives every new task a place and its first turn.
    fn adopt(&mut self) {
        for task in std::mem::take(&mut *self.spawner.0.borrow_mut()) {
            let place = self.free.pop().unwrap_or_else(|| {
                self.places.push(Place::default());
                self.places.len() - 1
            });
            let key = Key { place, generation: self.places[place].generation };
            let waker = Waker::from(Arc::new(TaskWaker { key, ready: self.ready.clone() }));
            self.places[place].task = Some((task, waker));
            self.ready.push(key);
        }
    }

    fn poll(&mut self, key: Key) {
        let place = &mut self.places[key.place];
        // A timer may outlive the task that set it.
        if place.generation != key.generation {
            return;
        }
        let Some((task, waker)) = &mut place.task else { return };
        let mut context = Context::from_waker(waker);
        if task.as_mut().poll(&mut context).is_ready() {
            place.task = None;
            place.generation += 1;
            self.free.push(key.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_end_in_order_of_time_and_those_of_one_time_in_order_of_setting() {
        let mut executor = Executor::default();
        let told = Rc::new(RefCell::new(Vec::new()));
        for (name, millis) in [("c", 20), ("a", 10), ("d", 20), ("b", 10)] {
            let (clock, told) = (executor.clock(), told.clone());
            executor.spawner().spawn(async move {
                clock.sleep(Duration::from_millis(millis)).await;
                told.borrow_mut().push((name, clock.now().as_millis()));
            });
        }
        executor.run();
        assert_eq!(*told.borrow(), [("a", 10), ("b", 10), ("c", 20), ("d", 20)]);
    }

    #[test]
    fn a_timer_that_was_dropped_wakes_nobody_who_came_into_its_place() {
        let mut executor = Executor::default();
        let (clock, spawner) = (executor.clock(), executor.spawner());
        let woken = Rc::new(RefCell::new(0));
        let count = woken.clone();
        executor.spawner().spawn(async move {
            let given_up = async {
                let mut long = clock.sleep(Duration::from_secs(5));
                let short = clock.sleep(Duration::from_secs(1));
                tokio::select! { biased; () = &mut long => {}, () = short => {} }
            };
            given_up.await;
            let clock = clock.clone();
            spawner.spawn(async move {
                let mut sleep = clock.sleep(Duration::from_secs(60));
                std::future::poll_fn(|context| {
                    *count.borrow_mut() += 1;
                    sleep.as_mut().poll(context)
                })
                .await;
                assert_eq!(clock.now(), Duration::from_secs(61));
            });
        });
        executor.run();
        assert_eq!(*woken.borrow(), 2, "at its start and at its end");
    }
}
