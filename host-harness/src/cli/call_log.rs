//! Log lines about calls: who, how often, why. Never what was asked or answered.

use std::{path::Path, sync::Arc, time::SystemTime};

use anyhow::Context;
use host_harness::{
    advise::{Recorder, RotatingFile, Rotation},
    contract::{HookError, TraceMetadata, Verdict},
    gateway::{Clock, LogicalCall, Observer, Step, Stop},
    sandbox::HookFailure,
};

use host_harness::gateway::sentences;

/// Logs waits and ends of calls, and records whole calls if there is a file for them.
pub struct CallLog {
    recorder: Option<Recorder>,
}

impl CallLog {
    /// With a file that gets a line for every call that ends, after those that it has.
    pub fn new(trace: Option<(&Path, Rotation)>, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let recorder = trace.map(|(path, rotation)| {
            let file = RotatingFile::open(path, rotation);
            let file = file.with_context(|| format!("{}: cannot be written", path.display()))?;
            anyhow::Ok(Recorder::new(clock, Box::new(file)).since_1970(SystemTime::now()))
        });
        Ok(Self { recorder: recorder.transpose()? })
    }
}

impl Observer for CallLog {
    fn observe(&self, call: &LogicalCall, step: &Step<'_>) {
        if let Some(recorder) = &self.recorder {
            recorder.observe(call, step);
        }
        let tool = &*call.shown();
        match step {
            Step::AttemptStarted(attempt) => tracing::debug!(tool, %attempt, "attempt"),
            Step::AttemptEnded { attempt, outcome, took } => {
                tracing::debug!(tool, %attempt, outcome = sentences::outcome(outcome), took_ms = took.as_millis(), "attempt ended");
            }
            Step::Waiting { after, verdict } => {
                tracing::info!(
                    tool,
                    retry_attempt = after.number(),
                    // Retries made for this call, the next one included.
                    retry_count = after.number(),
                    reason = sentences::reason(verdict.reason),
                    retry_delay_ms = verdict.retry_delay_ms,
                    at_most_ms = verdict.delay_ceiling_ms,
                    "waits, then tries again"
                );
                trace_metadata(tool, verdict);
            }
            Step::Finished { attempts, stop, took } => {
                let (reason, took_ms) = (sentences::stop(stop), took.as_millis());
                if let Stop::Plugin(verdict) = stop {
                    trace_metadata(tool, verdict);
                }
                match stop {
                    // It judges tools and not resources, or the other way round.
                    Stop::PluginFailed(HookFailure::Refused(HookError::Unsupported)) => {
                        tracing::debug!(tool, %attempts, reason, took_ms, "call ended");
                    }
                    Stop::PluginFailed(_) | Stop::FailedClosed(_) => {
                        tracing::warn!(tool, %attempts, reason, took_ms, "call ended without a verdict");
                    }
                    // Most calls: nothing to see.
                    Stop::Plugin(verdict) if attempts.retries() == 0 && verdict.failures == 0 => {
                        tracing::debug!(tool, %attempts, reason, took_ms, "call ended");
                    }
                    Stop::NoPlugin => {
                        tracing::debug!(tool, %attempts, reason, took_ms, "call ended")
                    }
                    _ => tracing::info!(tool, %attempts, reason, took_ms, "call ended"),
                }
            }
        }
    }
}

/// The numbers of a traced call, under the names that observers of the
/// original plugin look for.
fn trace_metadata(tool: &str, verdict: &Verdict) {
    if let Some(TraceMetadata { retry_count, retry_delay_ms }) = verdict.metadata {
        tracing::info!(tool, retry_count, retry_delay_ms, "retry_with_backoff");
    }
}
