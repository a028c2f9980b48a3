//! A call that may be retried, from the client's request to the answer.

use std::{sync::Arc, time::Duration};

use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{Session, attempt::Origin};
use crate::{
    contract::Verdict,
    gateway::{Attempt, CallContext, Finished, Home, Hook, LogicalCall, marker, span},
    mcp::{
        attempt_marker,
        ending::{Ending, Shown},
        handler::{Client, Request},
        idempotency_key,
        progress::Progress,
        reply::Answer,
        tool_call::ToolCall,
        trace_context,
    },
};

/// How often a client hears that the gateway still waits.
const REPORTS: Duration = Duration::from_secs(10);

impl Session {
    /// Runs a call through the retry loop.
    pub(super) async fn call(
        self: &Arc<Self>,
        call: ToolCall,
        request: Request,
        client: Arc<dyn Client>,
        cancelled: CancellationToken,
    ) -> Answer {
        let span = span::call(call.hook, &call.target, self.options.upstream_name.as_deref());
        let traced = trace_context::adopt(&span, &call.meta, request.headers.map());
        let running = self.run(call, request, client, cancelled, span.clone(), traced);
        running.instrument(span).await
    }

    async fn run(
        self: &Arc<Self>,
        call: ToolCall,
        request: Request,
        client: Arc<dyn Client>,
        cancel: CancellationToken,
        span: tracing::Span,
        traced: bool,
    ) -> Answer {
        let Request { message, id, headers, cancellation, .. } = request;
        let outer = attempt_marker::read(&call.meta);
        let has_key = call.hook == Hook::ToolPostInvoke && {
            let arguments = message.params().and_then(|params| params.get("arguments"));
            self.options.idempotency_keys.are_in(&call.target, arguments.map(RawValue::get))
        };
        let annotations = match call.hook {
            Hook::ToolPostInvoke if has_key => Some(idempotency_key::HINTS),
            Hook::ToolPostInvoke => self.catalogue.of(&call.target),
            Hook::ResourcePostFetch => None,
        };
        let hints = match (call.hook, annotations) {
            (Hook::ToolPostInvoke, None) => {
                self.hints_to_come(&call.target, &message, &headers).await
            }
            _ => None,
        };
        let context = CallContext {
            upstream: self.options.upstream_name.clone(),
            annotations,
            // Of a key it is the operator himself who says so.
            trusted: if has_key { Some(true) } else { self.options.trusted },
            outer,
            continuation: call.continuation,
            home: Home::default(),
        };
        let logical = LogicalCall {
            hook: call.hook,
            traced,
            target: call.target,
            request_id: self.names.name("call"),
            context: Arc::new(context),
            hints,
            cancel,
            no_more_attempts: self.no_more_attempts.clone(),
            questions: self.asked.questions.clone(),
            span,
        };
        // A marker that came passes on unchanged if none of ours takes its place.
        let retries =
            if self.options.mark_attempts { self.gateway.retries(&logical).await } else { None };
        let progress = call.progress_token.map(|token| Arc::new(Progress::new(token)));
        let cancellation = cancellation.of_attempts();
        let origin = Origin {
            client: client.clone(),
            cancellation: cancellation.clone(),
            progress: progress.clone(),
            like: id.clone(),
        };
        let attempts = |number| {
            let request = match retries.and_then(|retries| marker(outer, number, retries)) {
                Some(marker) => attempt_marker::write(message.clone(), marker),
                None => message.clone(),
            };
            let (request, headers) = trace_context::hand_on(request, headers.clone());
            self.attempt(request, headers, origin.clone())
        };
        let waiting = |failed: Attempt, verdict: &Verdict| {
            let wait = Duration::from_millis(verdict.retry_delay_ms);
            self.report_wait(&*client, progress.as_deref(), failed, wait)
        };
        let settled = || cancellation.settled();
        let finished = self.gateway.run_between(&logical, attempts, waiting, settled).await;
        let Finished::Answered { reply, attempts, stop, past } = finished else {
            return Answer::Cancelled;
        };
        let (hook, annotations) = (logical.hook, logical.context.annotations);
        let ending = Ending { hook, annotations, reply, attempts, stop, past };
        ending.response(&id, Shown::of(&self.options)).await.into()
    }

    /// A client that wants to hear of a call's progress hears that the gateway
    /// waits, and again as long as it does: it would give up otherwise.
    async fn report_wait(
        &self,
        client: &dyn Client,
        progress: Option<&Progress>,
        failed: Attempt,
        mut wait: Duration,
    ) {
        let Some(progress) = progress else { return };
        loop {
            let seconds = wait.as_secs_f64();
            let words = format!("attempt {failed} failed; trying again in {seconds:.1} s");
            if let Some(report) = progress.waits(&words) {
                client.tell(report.into()).await;
            }
            self.gateway.clock.sleep(REPORTS).await;
            wait = wait.saturating_sub(REPORTS);
        }
    }
}
