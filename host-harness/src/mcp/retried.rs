//! A call that may be retried, from the client's request to the response.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;
use tracing::Instrument;

use crate::{
    contract::Verdict,
    gateway::{Attempt, CallContext, Finished, Home, Hook, LogicalCall, marker, span},
    mcp::{
        attempt::{Before, Origin, attempt},
        attempt_marker,
        call::Call,
        ending::{Ending, Shown},
        front::ToClient,
        headers::Headers,
        live::Cancel,
        progress::Progress,
        session::Session,
        trace_context,
        wire::{Id, Message},
    },
};

/// How often a client hears that the gateway still waits.
const REPORTS: Duration = Duration::from_secs(10);

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
            let waiting = |failed: Attempt, verdict: &Verdict| {
                let wait = Duration::from_millis(verdict.retry_delay_ms);
                session.report_wait(&id, progress.as_deref(), failed, wait)
            };
            let settled = || before.settled();
            let finished = session.gateway.run_between(&logical, attempts, waiting, settled).await;
            let Finished::Answered { reply, attempts, stop, past } = finished else { return };
            let (hook, annotations) = (logical.hook, logical.context.annotations);
            let ending = Ending { hook, annotations, reply, attempts, stop, past };
            let response = ending.response(&id, Shown::of(&session.options)).await;
            // The client may use the id again once it has the response.
            drop(entered);
            session.tell_client(response).await;
        };
        calls.spawn(work.instrument(span));
    }

    /// A client that wants to hear of a call's progress hears that the gateway
    /// waits, and again as long as it does: it would give up otherwise.
    async fn report_wait(
        &self,
        id: &Id,
        progress: Option<&Progress>,
        failed: Attempt,
        mut wait: Duration,
    ) {
        let Some(progress) = progress else { return };
        loop {
            let seconds = wait.as_secs_f64();
            let words = format!("attempt {failed} failed; trying again in {seconds:.1} s");
            let about = || Some(id.clone());
            let mut said = None;
            progress.waits(&words, |message| said = Some(message));
            if let Some(message) = said {
                self.tell_client(ToClient { message, about: about(), status: None }).await;
            }
            self.gateway.clock.sleep(REPORTS).await;
            wait = wait.saturating_sub(REPORTS);
        }
    }
}
