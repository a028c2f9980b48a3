//! Upstreams that come late or go early: the client hears that lists have changed.

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{
    Joined,
    greeting::Greeted,
    member::{Member, Standing},
    query::{Era, Query},
};
use crate::mcp::{
    front::ToClient,
    headers::Headers,
    methods::INITIALIZED,
    wire::{Id, Message},
};

/// What has lists that change with the upstreams.
const LISTS: [&str; 3] = ["tools", "resources", "prompts"];

/// Says of all lists that they may change: they do when an upstream comes or goes.
pub(super) fn announce(capabilities: &mut Value) {
    for list in LISTS {
        if let Some(list) = capabilities.get_mut(list).and_then(Value::as_object_mut) {
            list.insert("listChanged".to_owned(), true.into());
        }
    }
}

impl Joined {
    /// Asks an upstream in the client's own words, for those are what it is to
    /// agree to. Goes on when nobody waits for it any more: then the upstream
    /// joins the others once it has agreed. None if the client has gone.
    pub(super) async fn ask_for_long(&self, at: usize, query: &Query) -> Option<ToClient> {
        let (mut tell, told) = oneshot::channel();
        let (joined, query) = (self.me.upgrade()?, query.clone());
        tokio::spawn(async move {
            let in_vain = async {
                tell.closed().await;
                tokio::select! {
                    () = joined.closed.cancelled() => {}
                    () = joined.gone.cancelled() => {}
                }
            };
            let said = tokio::select! {
                () = in_vain => return,
                said = joined.members[at].ask(query.message.clone(), &query) => said,
            };
            if let Err(said) = tell.send(said) {
                joined.join_late(at, said).await;
            }
        });
        told.await.ok()
    }

    /// Asks those once more that did not agree to the session a while ago: they
    /// may have been busy. Nobody waits for it; who agrees joins the others.
    pub(super) fn greet_again(&self) {
        for at in 0..self.members.len() {
            if !self.members[at].may_agree_now() {
                continue;
            }
            let (Some(joined), Some(mut query)) = (self.me.upgrade(), self.greeting_query()) else {
                return;
            };
            // The client's own words under an id that it may not have used otherwise.
            query.id = Id::text(&self.unique("initialize"));
            query.message = query.message.with_id(&query.id);
            tokio::spawn(async move {
                let said = tokio::select! {
                    () = joined.closed.cancelled() => return,
                    said = joined.members[at].ask(query.message.clone(), &query) => said,
                };
                joined.join_late(at, said).await;
            });
        }
    }

    async fn join_late(&self, at: usize, said: ToClient) {
        let member = &self.members[at];
        // Whoever is second tells the upstream that the client is ready, once.
        let client_is_ready = {
            let ready = self.client_is_ready();
            let Greeted::In(..) = self.judge(member, said) else { return };
            *ready
        };
        tracing::info!(upstream = member.name, "has joined the others late");
        if client_is_ready {
            let message = Message::notification(INITIALIZED, &json!({}));
            member.tell(message, &Headers::default()).await;
            self.tell_of_changes(member).await;
        }
    }

    /// An upstream is gone.
    pub(super) async fn lost_one(&self, at: usize) {
        if self.members.iter().all(Member::is_lost) {
            self.gone.cancel();
        } else if !self.closed.is_cancelled() {
            self.tell_of_changes(&self.members[at]).await;
        }
    }

    /// The client has a session, and what this upstream has to list came or went.
    async fn tell_of_changes(&self, member: &Member) {
        let Standing::In { capabilities, .. } = member.standing(Era::Sessions) else { return };
        for list in LISTS.into_iter().filter(|list| capabilities.get(list).is_some()) {
            let method = format!("notifications/{list}/list_changed");
            self.client.tell(Message::notification(&method, &json!({})).into()).await;
        }
    }
}
