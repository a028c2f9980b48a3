//! The list of tools where no client has asked for it: the gateway does, so that
//! it knows what the upstream says of a tool when a call of it fails.

use std::{collections::HashSet, sync::Arc, time::Duration};

use serde_json::{json, value::to_raw_value};
use tokio::time::timeout;
use tokio_util::sync::DropGuard;

use super::{Session, attempt::Origin};
use crate::{
    gateway::{Hints, Target},
    mcp::{
        cancellation::Cancellation,
        catalogue::{Asking, next_cursor},
        handler::Nobody,
        headers::{Headers, protocol_meta},
        methods::TOOLS_LIST,
        reply::AttemptReply,
        wire::{Id, Message},
    },
};

/// Pages that are asked for in a row.
const MOST_PAGES: usize = 100;
/// How long all of them may take.
const PATIENCE: Duration = Duration::from_secs(10);

impl Session {
    /// What the upstream may still say of a tool of which nothing is known: asks
    /// for the list of tools on behalf of the client that makes this call, before
    /// the call itself is sent. None if the list is known already, if the upstream
    /// did not give it a moment ago, or if nobody would believe it.
    pub(super) async fn hints_to_come(
        self: &Arc<Self>,
        tool: &Target,
        call: &Message,
        headers: &Headers,
    ) -> Option<Hints> {
        self.gateway.hook.as_ref()?;
        // Hints that nobody can believe are not worth a request.
        match self.options.trusted {
            Some(false) => return None,
            None if self.options.upstream_name.is_none() => return None,
            _ => {}
        }
        let answered = match self.catalogue.asking()? {
            Asking::Begun(answered) => answered,
            Asking::Begin(answered) => {
                self.begin_list(call, headers, answered.clone().drop_guard()).await;
                answered
            }
        };
        let (session, tool) = (self.clone(), tool.clone());
        Some(Hints::new(answered, move || session.catalogue.of(&tool)))
    }

    /// The first request is sent when this returns, unless the upstream takes
    /// nothing at the moment; the rest goes on by itself.
    async fn begin_list(self: &Arc<Self>, call: &Message, headers: &Headers, end: DropGuard) {
        let meta = protocol_meta(call);
        let params = if meta.is_empty() { json!({}) } else { json!({ "_meta": meta }) };
        let question = Message::request(&Id::text("tools"), TOOLS_LIST);
        let Ok(params) = to_raw_value(&params) else { return };
        let question = question.with_member("params", params);
        let headers = Headers::of_the_gateway(headers.of_the_client());
        let session = self.clone();
        let list = async move {
            let _end = end;
            tokio::select! {
                () = session.closed.cancelled() => {}
                listed = timeout(PATIENCE, session.list(question, headers)) => {
                    tracing::debug!(
                        upstream = session.options.upstream_name,
                        listed = listed == Ok(Some(())),
                        "the gateway has asked for the tools, since no client had"
                    );
                }
            }
        };
        let mut list = Box::pin(list);
        tokio::select! {
            biased;
            () = &mut list => return,
            () = std::future::ready(()) => {}
        }
        tokio::spawn(list);
    }

    /// All pages of a list; none if one does not come.
    async fn list(&self, question: Message, headers: Headers) -> Option<()> {
        let (mut page, mut cursors) = (question.clone(), HashSet::new());
        for _ in 0..MOST_PAGES {
            let origin = Origin {
                client: Arc::new(Nobody),
                cancellation: Cancellation::default(),
                progress: None,
                // Servers that read integers only read this one as well.
                like: Id::number_of(0),
            };
            let listed = self.attempt(page, headers.clone(), origin).await;
            let AttemptReply::Result(content) = listed else {
                return None;
            };
            let response = self.learnt(content.response().clone()).await;
            let Some(cursor) = next_cursor(response.get("result")?) else { return Some(()) };
            // A cursor that was there before would lead round in circles.
            if !cursors.insert(cursor.get().to_owned()) {
                return None;
            }
            page = question.clone().with_param("cursor", cursor.to_owned());
        }
        None
    }
}
