//! What a gateway says to the layers behind it of its attempts.

use crate::{
    contract::{MostRetries, OuterAttempts},
    gateway::Attempt,
};

/// The marker that goes upstream with an attempt of a call that gets at most
/// `retries` here: this layer's attempts counted on from those of the layers
/// before it. None if there is nothing to say: one attempt, and no outer layer.
///
/// It promises only what will be done, for the layers behind this one rely on
/// it and retry less. `attempt` stays at most `most`, whatever the outer layer
/// claims: the sums saturate.
#[must_use]
pub fn marker(
    outer: Option<OuterAttempts>,
    attempt: Attempt,
    retries: MostRetries,
) -> Option<OuterAttempts> {
    let MostRetries { maybe_executed, not_executed } = retries;
    if outer.is_none() && maybe_executed.max(not_executed) == 0 {
        return None;
    }
    let before = outer.unwrap_or(OuterAttempts { attempt: 1, most: 1, most_not_executed: 1 });
    let with = |most: u32, retries: u32| most.saturating_add(retries.max(attempt.retries()));
    Some(OuterAttempts {
        attempt: before.attempt.saturating_add(attempt.retries()),
        most: with(before.most, maybe_executed),
        most_not_executed: with(before.most_not_executed, not_executed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_counted_on_from_those_of_the_outer_layers() {
        let (first, second) = (Attempt::FIRST, Attempt::FIRST.next());
        let said = |outer: Option<(u32, u32, u32)>, attempt, retries: (u32, u32)| {
            let outer = outer.map(|(attempt, most, most_not_executed)| OuterAttempts {
                attempt,
                most,
                most_not_executed,
            });
            let retries = MostRetries { maybe_executed: retries.0, not_executed: retries.1 };
            marker(outer, attempt, retries)
                .map(|said| (said.attempt, said.most, said.most_not_executed))
        };
        assert_eq!(said(None, first, (0, 0)), None);
        assert_eq!(said(None, first, (2, 2)), Some((1, 3, 3)));
        assert_eq!(said(None, second, (2, 2)), Some((2, 3, 3)));
        assert_eq!(said(Some((1, 3, 3)), first, (0, 0)), Some((1, 3, 3)));
        assert_eq!(said(Some((3, 3, 3)), second, (2, 2)), Some((4, 5, 5)));
        let most = u32::MAX;
        assert_eq!(said(Some((most, most, most)), second, (2, 2)), Some((most, most, most)));
    }

    #[test]
    fn a_layer_that_repeats_only_what_was_not_executed_promises_no_more() {
        let outer = Some(OuterAttempts { attempt: 1, most: 1, most_not_executed: 4 });
        let only = MostRetries { maybe_executed: 0, not_executed: 3 };
        assert_eq!(marker(None, Attempt::FIRST, only), outer);
        let none = MostRetries { maybe_executed: 0, not_executed: 0 };
        assert_eq!(marker(outer, Attempt::FIRST, none), outer);
        let second = marker(None, Attempt::FIRST.next(), only).expect("a marker");
        assert_eq!((second.attempt, second.most, second.most_not_executed), (2, 2, 4));
    }
}
