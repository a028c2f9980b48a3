//! A single-threaded executor whose [time](super::time) is virtual: when nobody
//! can go on, the clock jumps to the next timer. Tasks run in the order in which
//! they were woken, so a run depends on nothing but its input.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Wake, Waker},
};

use super::time::VirtualClock;

type Task = Pin<Box<dyn Future<Output = ()>>>;

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
            match self.clock.next_timer() {
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
    use std::time::Duration;

    use super::*;
    use crate::gateway::Clock;

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
