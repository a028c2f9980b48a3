//! Whether a call may be sent again of which the upstream may have done the work.

use crate::{
    config::ReplaySafety,
    context::{Annotations, Context, Known},
    decide::Rules,
};

/// Whether an ambiguous failure may be retried. The operator's mark outranks
/// what the upstream says, and an upstream that is not trusted says nothing.
pub(crate) fn is_safe(rules: &Rules<'_>, known: Known, context: &impl Context) -> bool {
    let policy = rules.policy;
    match (policy.replay_safety, policy.idempotent) {
        (ReplaySafety::Never, _) | (_, Some(false)) => false,
        (ReplaySafety::Always, _) | (ReplaySafety::Annotated, Some(true)) => true,
        (ReplaySafety::Annotated, None) => {
            known.upstream
                && known.annotations
                && rules.trusted.contains(context.upstream().as_deref())
                && context.annotations().is_some_and(promise_safety)
        }
    }
}

fn promise_safety(annotations: Annotations) -> bool {
    let Annotations { read_only, destructive, idempotent } = annotations;
    match (idempotent, destructive) {
        (Some(true), _) => true,
        // Whatever else it says of itself.
        (_, Some(true)) => false,
        _ => read_only == Some(true),
    }
}
