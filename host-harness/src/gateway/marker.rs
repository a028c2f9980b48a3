//! What a gateway tells the layers behind it about its attempts.

use crate::{contract::OuterAttempts, gateway::Attempt};

/// The marker that goes upstream with an attempt of a call that gets at most
/// `retries` retries here: this layer's attempts counted on from those of the
/// layers before it. None if there is nothing to say: one attempt, and no
/// outer layer.
///
/// `attempt` stays at most `most`, whatever the outer layer claims: the sums saturate.
#[must_use]
pub fn marker(
    outer: Option<OuterAttempts>,
    attempt: Attempt,
    retries: u32,
) -> Option<OuterAttempts> {
    if outer.is_none() && retries == 0 {
        return None;
    }
    let before = outer.unwrap_or(OuterAttempts { attempt: 1, most: 1 });
    Some(OuterAttempts {
        attempt: before.attempt.saturating_add(attempt.retries()),
        most: before.most.saturating_add(retries.max(attempt.retries())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_counted_on_from_those_of_the_outer_layers() {
        let (first, second) = (Attempt::FIRST, Attempt::FIRST.next());
        let told = |outer: Option<(u32, u32)>, attempt, retries| {
            let outer = outer.map(|(attempt, most)| OuterAttempts { attempt, most });
            marker(outer, attempt, retries).map(|told| (told.attempt, told.most))
        };
        assert_eq!(told(None, first, 0), None);
        assert_eq!(told(None, first, 2), Some((1, 3)));
        assert_eq!(told(None, second, 2), Some((2, 3)));
        assert_eq!(told(Some((1, 3)), first, 0), Some((1, 3)));
        assert_eq!(told(Some((3, 3)), second, 2), Some((4, 5)));
        assert_eq!(told(Some((u32::MAX, u32::MAX)), second, 2), Some((u32::MAX, u32::MAX)));
    }
}
