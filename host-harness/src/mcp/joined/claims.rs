//! Which upstream has which names of one kind.
//!
//! A name stays with the upstream that had it first, also when that one is
//! gone, or lists it no more: otherwise another one that lists it would get
//! what the client means for the first.

use std::collections::HashMap;

use super::directory::Place;

/// Names that an upstream lists no more and that are kept for it, beside those
/// that it lists; the oldest are given up first.
const MOST_UNLISTED: usize = 10_000;

/// By what the client calls it.
#[derive(Debug, Default)]
pub(super) struct Claims {
    claims: HashMap<String, Claim>,
    /// Rounds of lists so far.
    rounds: u64,
    /// Names so far.
    made: u64,
}

#[derive(Debug)]
struct Claim {
    at: usize,
    /// What the upstream calls it, if that is not the same.
    own: Option<Box<str>>,
    /// Claims in the order in which they were made.
    number: u64,
    /// The last round in which it was listed.
    round: u64,
    listed: bool,
}

/// The name is another upstream's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) by: usize,
}

impl Claims {
    /// What upstreams list follows.
    pub(super) fn begin(&mut self) {
        self.rounds += 1;
    }

    /// An upstream lists a name.
    ///
    /// # Errors
    /// It was another one's first.
    pub(super) fn claim(&mut self, name: &str, at: usize, own: &str) -> Result<(), Taken> {
        if let Some(claim) = self.claims.get_mut(name) {
            if claim.at != at {
                return Err(Taken { by: claim.at });
            }
            (claim.round, claim.listed) = (self.rounds, true);
            return Ok(());
        }
        self.made += 1;
        let own = (own != name).then(|| own.into());
        let claim = Claim { at, own, number: self.made, round: self.rounds, listed: true };
        self.claims.insert(name.to_owned(), claim);
        Ok(())
    }

    /// These upstreams have listed all that they have: what they did not list
    /// cannot be asked for, but stays theirs.
    pub(super) fn end(&mut self, heard: &[usize]) {
        let mut unlisted: HashMap<usize, Vec<u64>> = HashMap::new();
        for claim in self.claims.values_mut().filter(|claim| heard.contains(&claim.at)) {
            if claim.round < self.rounds {
                claim.listed = false;
                unlisted.entry(claim.at).or_default().push(claim.number);
            }
        }
        for (at, mut numbers) in unlisted {
            let Some(beyond) = numbers.len().checked_sub(MOST_UNLISTED + 1) else { continue };
            let (_, last, _) = numbers.select_nth_unstable(beyond);
            let last = *last;
            self.claims.retain(|_, claim| claim.at != at || claim.listed || claim.number > last);
        }
    }

    /// None if it is not listed.
    pub(super) fn find(&self, name: &str) -> Option<Place> {
        let claim = self.claims.get(name).filter(|claim| claim.listed)?;
        Some(Place { at: claim.at, own: claim.own.as_deref().unwrap_or(name).to_owned() })
    }

    /// Whose a name was first.
    pub(super) fn owner_of(&self, name: &str) -> Option<usize> {
        Some(self.claims.get(name)?.at)
    }

    /// The upstreams with a name that `fits`, whoever had one first before the
    /// others, whether it is listed by now or not.
    pub(super) fn fitting(&self, fits: impl Fn(&str) -> bool) -> Vec<usize> {
        let fitting = self.claims.iter().filter(|(name, _)| fits(name));
        let mut first: HashMap<usize, u64> = HashMap::new();
        for (_, claim) in fitting {
            let number = first.entry(claim.at).or_insert(claim.number);
            *number = claim.number.min(*number);
        }
        let mut found: Vec<_> = first.into_iter().collect();
        found.sort_unstable_by_key(|(_, number)| *number);
        found.into_iter().map(|(at, _)| at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A round in which these upstreams list these names; who got them.
    fn round(claims: &mut Claims, lists: &[(usize, &[&str])]) -> Vec<bool> {
        claims.begin();
        let mut got = Vec::new();
        for (at, names) in lists {
            got.extend(names.iter().map(|name| claims.claim(name, *at, name).is_ok()));
        }
        claims.end(&lists.iter().map(|(at, _)| *at).collect::<Vec<_>>());
        got
    }

    #[test]
    fn a_name_stays_with_whom_it_was_first_listed_or_not() {
        let mut claims = Claims::default();
        assert_eq!(round(&mut claims, &[(0, &["turn"]), (1, &["pay"])]), [true, true]);
        assert_eq!(
            round(&mut claims, &[(0, &["turn", "pay"]), (1, &["pay"])]),
            [true, false, true]
        );
        assert_eq!(claims.find("pay").map(|place| place.at), Some(1));
        // The first one is silent, then lists it no more, then lists it again.
        assert_eq!(round(&mut claims, &[(0, &["pay"])]), [false]);
        assert_eq!(claims.find("pay").map(|place| place.at), Some(1));
        assert_eq!(round(&mut claims, &[(0, &["pay"]), (1, &[])]), [false]);
        assert_eq!(claims.find("pay"), None, "nobody is called by it");
        assert_eq!(claims.owner_of("pay"), Some(1));
        assert_eq!(round(&mut claims, &[(0, &["pay"]), (1, &["pay"])]), [false, true]);
    }

    #[test]
    fn templates_are_tried_in_the_order_in_which_they_came() {
        let mut claims = Claims::default();
        round(&mut claims, &[(1, &["bank:{x}"])]);
        round(&mut claims, &[(0, &["{+any}"]), (1, &["bank:{x}", "{+all}"])]);
        assert_eq!(claims.fitting(|_| true), [1, 0]);
        round(&mut claims, &[(0, &["{+any}"]), (1, &[])]);
        assert_eq!(claims.fitting(|_| true), [1, 0], "also when the first one lists it no more");
    }

    #[test]
    fn names_that_change_all_the_time_are_given_up_and_never_those_of_another_upstream() {
        let mut claims = Claims::default();
        round(&mut claims, &[(1, &["steady"])]);
        for turn in 0..5 {
            let names: Vec<_> = (0..MOST_UNLISTED).map(|n| format!("{turn}-{n}")).collect();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            round(&mut claims, &[(0, &names), (1, &[])]);
        }
        assert_eq!(claims.claims.len(), 2 * MOST_UNLISTED + 1);
        assert_eq!(claims.owner_of("steady"), Some(1));
        assert_eq!(claims.owner_of("3-0"), Some(0));
        assert_eq!(claims.owner_of("2-0"), None);
    }
}
