//! Whether a call may be sent again of which the upstream may have done the work.

use crate::{
    config::ReplaySafety,
    context::{Annotations, Context, Known},
    decide::Rules,
};

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsafe {
    /// The operator says so.
    Marked,
    /// No hints of the tool were seen.
    NotSeen,
    /// The hints are those of an upstream that is not trusted.
    NotTrusted,
    /// The hints do not speak of it.
    Silent,
    /// The hints speak against it.
    Forbidden,
}

/// Why an ambiguous failure is not retried; none if it may be. The operator's
/// mark outranks what the upstream says, and an upstream that is not trusted
/// says nothing.
pub(crate) fn forbids(rules: &Rules<'_>, known: Known, context: &impl Context) -> Option<Unsafe> {
    let policy = rules.policy;
    match (policy.replay_safety, policy.idempotent) {
        (ReplaySafety::Never, _) | (_, Some(false)) => return Some(Unsafe::Marked),
        (ReplaySafety::Always, _) | (ReplaySafety::Annotated, Some(true)) => return None,
        (ReplaySafety::Annotated, None) => {}
    }
    let hints = if known.annotations { context.annotations() } else { None };
    let Some(hints) = hints else { return Some(Unsafe::NotSeen) };
    let trusted = known.trusted.unwrap_or_else(|| {
        let upstream = if known.upstream { context.upstream() } else { None };
        rules.trusted.contains(upstream.as_deref())
    });
    if !trusted {
        return Some(Unsafe::NotTrusted);
    }
    speak(hints)
}

/// The table of the specification: what is read-only is safe to repeat whatever
/// else is said, for the other hints are "meaningful only when `readOnlyHint ==
/// false`" (MCP, `ToolAnnotations`); else idempotent is.
const fn speak(hints: Annotations) -> Option<Unsafe> {
    match hints {
        Annotations { read_only: Some(true), .. } | Annotations { idempotent: Some(true), .. } => {
            None
        }
        Annotations { idempotent: Some(false), .. }
        | Annotations { destructive: Some(true), .. } => Some(Unsafe::Forbidden),
        _ => Some(Unsafe::Silent),
    }
}
