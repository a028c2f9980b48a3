//! The beginning of one client's sessions with all upstreams.

use std::sync::{Arc, Mutex, OnceLock};

use tokio_util::sync::CancellationToken;

use super::{
    Joined, directory::Directory, group::Group, member::Member, subscriptions::Subscriptions,
    voice::Hearing,
};
use crate::mcp::{
    child::StartError,
    downstream::Downstream,
    handler::{Client, Handler},
    live::LiveCalls,
    server_requests::ServerRequests,
    task::Task,
    unique::Unique,
};

impl Group {
    /// Connects their downstream side to all of them; `client` hears what they
    /// say by themselves. One that cannot be started is left out, unless that is so with all.
    pub(crate) fn connect(
        self: &Arc<Self>,
        downstream: &Downstream,
        client: Arc<dyn Client>,
    ) -> Result<Arc<Joined>, StartError> {
        let hearing = Hearing::default();
        let mut members = Vec::new();
        let mut failed = None;
        for (name, service) in &self.services {
            match service.target.start() {
                Ok(upstream) => {
                    let named = (members.len(), &**name);
                    let hearing = hearing.clone();
                    members.push(Member::new(named, service, upstream, downstream, hearing));
                }
                Err(error) => {
                    let reason = &error as &dyn std::error::Error;
                    tracing::warn!(upstream = name, error = reason, "an upstream is left out");
                    failed = Some(error);
                }
            }
        }
        if let (true, Some(error)) = (members.is_empty(), failed) {
            return Err(error);
        }
        let joined = Arc::new_cyclic(|me| Joined {
            me: me.clone(),
            group: self.clone(),
            members,
            client,
            live: Arc::new(LiveCalls::default()),
            names: Unique::default(),
            directory: Directory::default(),
            server_requests: ServerRequests::default(),
            subscriptions: Subscriptions::default(),
            closed: downstream.closed.clone(),
            gone: CancellationToken::new(),
            greeting: Arc::default(),
            greeted_with: Mutex::default(),
            client_is_ready: Mutex::default(),
            meeting: tokio::sync::Mutex::default(),
            watching: OnceLock::new(),
        });
        // Nobody else sets either.
        let weak = Arc::downgrade(&joined);
        let _ = hearing.set(weak);
        let _ = joined.watching.set(watch(&joined));
        Ok(joined)
    }
}

/// Waits for each upstream to go.
fn watch(joined: &Arc<Joined>) -> Vec<Task> {
    let watch = |(at, member): (usize, &Member)| {
        let (gone, joined) = (member.session.gone().clone(), Arc::downgrade(joined));
        Task::spawn(async move {
            gone.cancelled().await;
            if let Some(joined) = joined.upgrade() {
                joined.lost_one(at).await;
            }
        })
    };
    joined.members.iter().enumerate().map(watch).collect()
}
