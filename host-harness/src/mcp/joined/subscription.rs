//! `subscriptions/listen` of 2026-07-28: one stream of what all upstreams
//! have to tell, which begins with what all of them have agreed to.

use futures_util::{StreamExt, stream::FuturesUnordered};
use serde_json::json;
use tokio::time::sleep;

use super::{
    Joined,
    query::{Era, Query},
};
use crate::mcp::{
    front::ToClient,
    handler::Client,
    subscription_id::NAME as SUBSCRIPTION,
    wire::{Id, Message},
};

impl Joined {
    /// Subscribes to what all upstreams have to tell.
    ///
    /// It ends when it ends at one that had agreed to it: a client that then
    /// subscribes anew misses nothing of an upstream that has come back.
    pub(super) async fn subscribe(&self, query: &Query) -> ToClient {
        let there = |at: &usize| self.members[*at].is_there(Era::Stateless);
        let asked: Vec<_> = (0..self.members.len()).filter(there).collect();
        if asked.is_empty() {
            return self.nobody_there(query);
        }
        let _begun = self.subscriptions.begin(&query.id, &asked);
        let mut under_way: FuturesUnordered<_> = asked
            .iter()
            .map(async |at| (*at, self.members[*at].ask(query.message.clone(), query).await))
            .collect();
        let late = async {
            sleep(self.group.patience).await;
            for at in &asked {
                self.settle(query, *at).await;
            }
            std::future::pending().await
        };
        let mut late = std::pin::pin!(late);
        let mut refusal = None;
        loop {
            let ended = tokio::select! {
                ended = under_way.next() => ended,
                () = &mut late => continue,
            };
            match ended {
                Some((at, _)) if self.subscriptions.has_agreed(&query.id, at) => break,
                Some((at, said)) => {
                    self.settle(query, at).await;
                    refusal = refusal.or(Some(said));
                }
                None => break,
            }
        }
        let agreed = asked.iter().any(|at| self.subscriptions.has_agreed(&query.id, *at));
        match refusal.filter(|_| !agreed) {
            Some(refusal) => refusal,
            None => query.result(&json!({
                "resultType": "complete", "_meta": { SUBSCRIPTION: query.id.raw() },
            })),
        }
    }

    async fn settle(&self, query: &Query, at: usize) {
        let Some(telling) = self.subscriptions.telling(&query.id) else { return };
        let _in_order = telling.lock().await;
        let mut said = Vec::new();
        self.subscriptions.settle(&query.id, at, |message| said.push(message));
        for message in said {
            query.client.tell(message.into()).await;
        }
    }

    /// Passes on what belongs to a subscription, when it is time.
    pub(super) async fn subscription_said(
        &self,
        id: &Id,
        at: usize,
        message: Message,
        client: &dyn Client,
    ) {
        let Some(telling) = self.subscriptions.telling(id) else { return };
        let _in_order = telling.lock().await;
        let mut said = Vec::new();
        self.subscriptions.heard(id, at, message, |message| said.push(message));
        for message in said {
            client.tell(message.into()).await;
        }
    }
}
