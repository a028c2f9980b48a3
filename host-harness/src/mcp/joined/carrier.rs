//! Brings to an upstream what is to be said to it, and back what it says.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::member::Member;
use crate::mcp::{
    headers::Headers,
    outgoing::Inbox,
    session::{CANCELLED, Session},
    upstream::{Connected, Link, Outbox},
    wire::{Kind, Message},
};

/// How long calls may take to end once the client, or the upstream, is gone.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// The far ends of a [`Member`].
pub(super) struct Carrier {
    pub(super) speaking: Speaking,
    /// What the upstream says.
    pub(super) inbox: Inbox,
}

/// Brings to the upstream what is to be said to it.
pub(super) struct Speaking {
    pub(super) link: Connected,
    pub(super) outbox: Outbox,
    pub(super) queue: mpsc::Receiver<(Message, Headers)>,
}

/// What an upstream hears of a request that nobody waits for, if the client says nothing.
pub(super) fn given_up() -> Message {
    let reason = serde_json::json!({ "reason": "the gateway gave the request up" });
    Message::notification(CANCELLED, &reason)
}

impl Speaking {
    /// Until `finish` is cancelled and what is under way has ended. Says so
    /// once when the upstream is lost.
    pub(super) async fn run(
        self,
        session: Arc<Session>,
        member: &Member,
        finish: CancellationToken,
        lost: impl Future<Output = ()>,
    ) {
        let Self { link, outbox, mut queue } = self;
        let over = CancellationToken::new();
        let link = link.run(session.clone(), outbox, over.clone());
        let speaking = async {
            let mut calls = JoinSet::new();
            loop {
                let (message, headers) = tokio::select! {
                    biased;
                    Some(said) = queue.recv() => said,
                    Some(call) = calls.join_next() => {
                        if let Err(error) = call {
                            tracing::error!(%error, "a call broke the gateway; its client gets no answer");
                        }
                        continue;
                    }
                    () = finish.cancelled() => break,
                };
                let request = match message.kind() {
                    Kind::Request { id, .. } => Some(id.clone()),
                    _ => None,
                };
                // Given up before it was sent, or while it was.
                let wanted = || request.as_ref().is_none_or(|id| member.is_waiting(id));
                if wanted() {
                    tokio::select! {
                        biased;
                        () = session.client_said(message, headers, &mut calls) => {}
                        () = session.upstream_gone.cancelled() => {}
                        () = finish.cancelled() => {}
                    }
                }
                if let Some(id) = request.as_ref().filter(|_| !wanted()) {
                    session.cancel(id, &given_up());
                }
            }
            session.client_gone.cancel();
            let _ = timeout(GRACE, async { while calls.join_next().await.is_some() {} }).await;
            over.cancel();
        };
        let giving_up = async {
            session.upstream_gone.cancelled().await;
            lost.await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = async { tokio::join!(link, speaking) } => {}
            () = giving_up => {}
        }
    }
}
