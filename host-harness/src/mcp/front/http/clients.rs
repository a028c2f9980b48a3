//! The connections that are open: how many, which of them has nothing to do,
//! and how much each has not read yet.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use tokio_util::sync::CancellationToken;

/// All connections.
#[derive(Debug)]
pub(super) struct Clients {
    most: usize,
    most_unread: usize,
    /// Of all together, in bytes.
    unread: AtomicUsize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    all: HashMap<u64, Arc<Client>>,
}

/// One connection.
#[derive(Debug)]
struct Client {
    activity: Mutex<Activity>,
    cut: CancellationToken,
}

#[derive(Debug)]
struct Activity {
    /// When anything came or went.
    last: Instant,
    /// Whether a whole request has ever come.
    has_asked: bool,
    /// Requests whose answer is not at its end.
    under_way: usize,
    /// Bytes of answers that the operating system has not taken.
    unread: usize,
    /// Since when there are such bytes.
    behind_since: Option<Instant>,
}

impl Activity {
    fn is_idle(&self) -> bool {
        self.under_way == 0 && self.unread == 0
    }
}

impl Client {
    fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clients {
    /// At most so many, that have not read so many bytes together.
    pub(super) fn new(most: usize, most_unread: usize) -> Arc<Self> {
        Arc::new(Self { most, most_unread, unread: AtomicUsize::new(0), open: Mutex::default() })
    }

    /// Counts a connection until what is returned is dropped. If there are as
    /// many as may be, the idlest makes room; none if all have something to do.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Entered> {
        let mut open = self.open();
        if open.all.len() >= self.most && !make_room(&mut open) {
            return None;
        }
        let activity = Activity {
            last: Instant::now(),
            has_asked: false,
            under_way: 0,
            unread: 0,
            behind_since: None,
        };
        let client =
            Arc::new(Client { activity: Mutex::new(activity), cut: CancellationToken::new() });
        let id = open.next;
        open.next += 1;
        open.all.insert(id, client.clone());
        Some(Entered { clients: self.clone(), id, client })
    }

    /// Closes the idlest connection. False if all have something to do.
    pub(super) fn make_room(&self) -> bool {
        make_room(&mut self.open())
    }

    /// Too much is held for clients that do not read: who is behind for the
    /// longest time is cut off, as long as others wait as well.
    fn relieve(&self) {
        while self.unread.load(Ordering::Relaxed) > self.most_unread {
            let longest = {
                let open = self.open();
                let behind = open.all.values().filter_map(|client| {
                    let since = client.activity().behind_since?;
                    (!client.cut.is_cancelled()).then_some((since, client))
                });
                let mut behind: Vec<_> = behind.collect();
                if behind.len() < 2 {
                    return;
                }
                behind.sort_unstable_by_key(|(since, _)| *since);
                behind[0].1.clone()
            };
            tracing::debug!("cut off a client that does not read its answer");
            longest.cut.cancel();
            self.settle(&longest);
        }
    }

    /// A client owes nothing any more.
    fn settle(&self, client: &Client) {
        let mut activity = client.activity();
        activity.behind_since = None;
        self.unread.fetch_sub(std::mem::take(&mut activity.unread), Ordering::Relaxed);
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// First goes who has never asked anything, and of those who did the idlest.
fn make_room(open: &mut Open) -> bool {
    let idle = open.all.iter().filter_map(|(id, client)| {
        let activity = client.activity();
        activity.is_idle().then_some(((activity.has_asked, activity.last), *id))
    });
    let Some(client) = idle.min().and_then(|(_, id)| open.all.remove(&id)) else { return false };
    tracing::debug!("closed an idle connection to make room");
    client.cut.cancel();
    true
}

/// A connection is open while this is.
#[derive(Debug)]
pub(super) struct Entered {
    clients: Arc<Clients>,
    id: u64,
    client: Arc<Client>,
}

impl Entered {
    /// Cancelled when the connection is to be closed at once.
    pub(super) fn cut(&self) -> &CancellationToken {
        &self.client.cut
    }

    /// Bytes came.
    pub(super) fn read(&self) {
        self.client.activity().last = Instant::now();
    }

    /// The operating system took so many bytes for the client.
    pub(super) fn wrote(&self, bytes: usize) {
        let mut activity = self.client.activity();
        activity.last = Instant::now();
        // Heads of answers are not among those that it owes.
        let taken = bytes.min(activity.unread);
        activity.unread -= taken;
        if activity.unread == 0 {
            activity.behind_since = None;
        }
        self.clients.unread.fetch_sub(taken, Ordering::Relaxed);
    }

    /// So many more bytes are for the client.
    pub(super) fn owes(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        {
            let mut activity = self.client.activity();
            if self.client.cut.is_cancelled() {
                return;
            }
            activity.unread = activity.unread.saturating_add(bytes);
            activity.behind_since.get_or_insert_with(Instant::now);
        }
        if self.clients.unread.fetch_add(bytes, Ordering::Relaxed) + bytes
            > self.clients.most_unread
        {
            self.clients.relieve();
        }
    }

    /// A request is under way until what is returned is dropped.
    pub(super) fn asks(self: &Arc<Self>) -> UnderWay {
        let mut activity = self.client.activity();
        activity.has_asked = true;
        activity.under_way += 1;
        drop(activity);
        UnderWay(self.clone())
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.clients.open().all.remove(&self.id);
        self.clients.settle(&self.client);
    }
}

/// A request that is not answered to its end.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Entered>);

impl UnderWay {
    /// Of whom.
    pub(super) fn client(&self) -> &Entered {
        &self.0
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.client.activity().under_way -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entered(clients: &Arc<Clients>) -> Arc<Entered> {
        Arc::new(clients.enter().expect("room"))
    }

    #[test]
    fn the_idlest_makes_room_and_who_has_something_to_do_stays() {
        let clients = Clients::new(3, 100);
        let [working, asked, silent] = [(); 3].map(|()| entered(&clients));
        let request = working.asks();
        drop(asked.asks());
        // It was heard last, but has never asked anything.
        silent.read();
        let [fourth, fifth] = [(); 2].map(|()| {
            let new = entered(&clients);
            let request = new.asks();
            (new, request)
        });
        assert!(silent.cut().is_cancelled() && asked.cut().is_cancelled());
        assert!(!working.cut().is_cancelled());
        assert!(clients.enter().is_none(), "all have something to do");
        // An answer that is not read is still something to do.
        fourth.0.owes(10);
        drop(fourth.1);
        assert!(clients.enter().is_none());
        fourth.0.wrote(10);
        assert!(clients.enter().is_some());
        assert!(fourth.0.cut().is_cancelled() && !fifth.0.cut().is_cancelled());
        drop(request);
    }

    #[test]
    fn who_is_behind_for_the_longest_time_is_cut_off_and_one_alone_never() {
        let clients = Clients::new(10, 100);
        let [first, second, third] = [(); 3].map(|()| entered(&clients));
        first.owes(1000);
        assert!(!first.cut().is_cancelled(), "nobody else waits");
        first.wrote(950);
        second.owes(50);
        // It takes a little now and then, and is behind all the same.
        first.wrote(1);
        third.owes(40);
        assert!(first.cut().is_cancelled());
        assert!(!second.cut().is_cancelled() && !third.cut().is_cancelled());
        assert_eq!(clients.unread.load(Ordering::Relaxed), 90);
        first.owes(1000);
        drop(first);
        second.wrote(1000);
        assert_eq!(clients.unread.load(Ordering::Relaxed), 40, "nothing is counted twice");
        drop(third);
        assert_eq!(clients.unread.load(Ordering::Relaxed), 0);
    }
}
