//! A call that may be retried, from the client's request to the response.

use std::sync::Arc;

use tokio::task::JoinSet;
use tracing::Instrument;

use crate::{
    gateway::{CallContext, Finished, Home, Hook, LogicalCall, Stop, marker},
    mcp::{
        attempt::{Origin, attempt},
        attempt_marker,
        call::Call,
        failed_closed,
        headers::Headers,
        live::Cancel,
        progress::Progress,
        reply::{AttemptReply, Loss},
        session::Session,
        wire::{Id, Message},
    },
};

impl Session {
    /// Runs a call through the retry loop, as one of `calls`.
    pub(super) fn start_call(
        self: &Arc<Self>,
        request: Message,
        headers: Headers,
        id: Id,
        call: Call,
        calls: &mut JoinSet<()>,
    ) {
        let cancel = Cancel { token: self.client_gone.child_token(), ..Cancel::default() };
        let entered = self.live.enter(&id, cancel.clone());
        let session = self.clone();
        let span = tracing::debug_span!(
            "call",
            target = call.target,
            upstream = session.options.upstream_name,
            traced = call.traced(),
        );
        let work = async move {
            let outer = attempt_marker::read(&call.meta);
            let context = CallContext {
                upstream: session.options.upstream_name.clone(),
                annotations: match call.hook {
                    Hook::ToolPostInvoke => session.catalogue.of(&call.target),
                    Hook::ResourcePostFetch => None,
                },
                outer,
                home: Home::default(),
            };
            let logical = LogicalCall {
                hook: call.hook,
                traced: call.traced(),
                target: call.target,
                request_id: session.upstream.pending.unique("call"),
                context: Arc::new(context),
                cancel: cancel.token,
            };
            // A marker that came passes on unchanged if none of ours takes its place.
            let retries = if session.options.mark_attempts {
                session.gateway.retries(&logical)
            } else {
                None
            };
            let progress = call.progress_token.map(|token| Arc::new(Progress::new(token)));
            let attempts = |number| {
                let request = match retries.and_then(|retries| marker(outer, number, retries)) {
                    Some(marker) => attempt_marker::write(request.clone(), marker),
                    None => request.clone(),
                };
                let origin = Origin {
                    client: &id,
                    notice: &cancel.notice,
                    headers: &headers,
                    progress: progress.as_ref(),
                };
                let span = tracing::debug_span!("attempt", retry_attempt = number.number());
                attempt(&session.upstream, request, origin).instrument(span)
            };
            let response = tokio::select! {
                biased;
                finished = session.gateway.run(&logical, attempts) => match finished {
                    Finished::Answered { reply, stop: Stop::FailedClosed(failure), .. } => {
                        failed_closed::response(reply, &id, &failure)
                    }
                    Finished::Answered { reply, .. } => reply.into_response(&id),
                    Finished::Cancelled { .. } => return,
                },
                () = session.given_up.cancelled() => {
                    AttemptReply::Lost(Loss::Closed).into_response(&id)
                }
            };
            // The client may use the id again once it has the response.
            drop(entered);
            session.tell_client(response).await;
        };
        calls.spawn(work.instrument(span));
    }
}
