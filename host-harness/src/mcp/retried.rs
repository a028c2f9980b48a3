//! A call that may be retried, from the client's request to the response.

use std::sync::Arc;

use tokio::task::JoinSet;
use tracing::Instrument;

use crate::{
    gateway::{CallContext, Finished, Home, Hook, LogicalCall, Stop, marker, span},
    mcp::{
        attempt::{Before, Origin, attempt},
        attempt_marker,
        call::Call,
        failed_closed,
        headers::Headers,
        live::Cancel,
        progress::Progress,
        session::Session,
        trace_context,
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
        let span = span::call(call.hook, &call.target, session.options.upstream_name.as_deref());
        let traced = trace_context::adopt(&span, &call.meta, headers.map());
        let called = span.clone();
        let work = async move {
            let outer = attempt_marker::read(&call.meta);
            let annotations = match call.hook {
                Hook::ToolPostInvoke => session.catalogue.of(&call.target),
                Hook::ResourcePostFetch => None,
            };
            let hints = match (call.hook, annotations) {
                (Hook::ToolPostInvoke, None) => {
                    session.hints_to_come(&call.target, &request, &headers).await
                }
                _ => None,
            };
            let context = CallContext {
                upstream: session.options.upstream_name.clone(),
                annotations,
                trusted: session.options.trusted,
                outer,
                continuation: call.continuation,
                home: Home::default(),
            };
            let logical = LogicalCall {
                hook: call.hook,
                traced,
                target: call.target,
                request_id: session.upstream.pending.unique("call"),
                context: Arc::new(context),
                hints,
                cancel: cancel.token,
                no_more_attempts: session.no_more_attempts.clone(),
                span: called,
            };
            // A marker that came passes on unchanged if none of ours takes its place.
            let retries = if session.options.mark_attempts {
                session.gateway.retries(&logical).await
            } else {
                None
            };
            let progress = call.progress_token.map(|token| Arc::new(Progress::new(token)));
            let before = Before::default();
            let attempts = |number| {
                let request = match retries.and_then(|retries| marker(outer, number, retries)) {
                    Some(marker) => attempt_marker::write(request.clone(), marker),
                    None => request.clone(),
                };
                let (request, headers) = trace_context::hand_on(request, headers.clone());
                let origin = Origin {
                    client: &id,
                    notice: &cancel.notice,
                    headers,
                    progress: progress.as_ref(),
                    before: &before,
                };
                attempt(&session.upstream, request, origin)
            };
            let settled = || before.settled();
            let finished = session.gateway.run_settled(&logical, attempts, settled).await;
            let response = match finished {
                Finished::Answered { reply, stop: Stop::FailedClosed(failure), .. } => {
                    failed_closed::response(reply, &id, &failure)
                }
                Finished::Answered { reply, .. } => reply.into_response(&id),
                Finished::Cancelled { .. } => return,
            };
            // The client may use the id again once it has the response.
            drop(entered);
            session.tell_client(response).await;
        };
        calls.spawn(work.instrument(span));
    }
}
