//! Patterns of names: `*` stands for any run of characters, `?` for one.

use core::cmp::Reverse;

/// Whether the text holds anything that is not literal.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether a name or a pattern may name the upstream of a tool as well: `upstream/tool`.
pub(super) fn speaks_of_an_upstream(text: &str) -> bool {
    text.contains('/')
}

/// Whether a pattern covers a tool, by its name or, if the pattern has a slash,
/// by its `full` name with its upstream's before it.
pub(super) fn covers(pattern: &str, tool: &str, full: &str) -> bool {
    fits(pattern, tool) || (speaks_of_an_upstream(pattern) && fits(pattern, full))
}

/// Whether `name` as a whole fits `pattern`. Takes time in the product of
/// their lengths at the worst: one star is tried again, never two.
pub fn fits(pattern: &str, name: &str) -> bool {
    let (mut rest_of_pattern, mut rest) = (pattern.chars(), name.chars());
    // After the last star: the pattern behind it, and where its run ends so far.
    let mut retry = None;
    loop {
        let mut next = rest_of_pattern.clone();
        match (next.next(), rest.clone().next()) {
            (Some('*'), _) => {
                retry = Some((next.clone(), rest.clone()));
                rest_of_pattern = next;
            }
            (None, None) => return true,
            (Some(want), Some(have)) if want == '?' || want == have => {
                rest_of_pattern = next;
                rest.next();
            }
            _ => {
                let Some((behind, run)) = &mut retry else { return false };
                if run.next().is_none() {
                    return false;
                }
                rest_of_pattern = behind.clone();
                rest = run.clone();
            }
        }
    }
}

/// Orders patterns, the most specific first: more literal characters, then
/// fewer stars; equals by their text, so that there is always one winner.
pub(super) fn specificity(pattern: &str) -> impl Ord + use<'_> {
    let literals = pattern.chars().filter(|char| !matches!(char, '*' | '?')).count();
    let stars = pattern.chars().filter(|char| *char == '*').count();
    (Reverse(literals), stars, pattern)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same by the definition, in exponential time.
    fn by_definition(pattern: &[char], name: &[char]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            (['*', behind @ ..], _) => {
                (0..=name.len()).any(|run| by_definition(behind, &name[run..]))
            }
            ([want, behind @ ..], [have, rest @ ..]) => {
                (*want == '?' || want == have) && by_definition(behind, rest)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn a_pattern_fits_what_its_definition_says(pattern in "[ab*?]{0,8}", name in "[ab]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(fits(&pattern, &name), by_definition(&chars(&pattern), &chars(&name)));
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "*a".repeat(200);
        assert!(!fits(&pattern, &"b".repeat(5_000)));
    }

    #[test]
    fn more_literal_characters_come_first() {
        let mut patterns = ["*", "db_*", "db_read_*", "?b_read_*", "*_*"];
        patterns.sort_by(|a, b| specificity(a).cmp(&specificity(b)));
        assert_eq!(patterns, ["db_read_*", "?b_read_*", "db_*", "*_*", "*"]);
    }
}
