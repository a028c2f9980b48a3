//! "Did you mean …?" for a key that nobody knows.

use alloc::{string::String, vec::Vec};

/// Typing errors that are forgiven.
const MOST_ERRORS: usize = 2;

/// The known key that `unknown` most likely stands for: the same but for case,
/// underscores and spaces, or at most two typing errors away.
pub fn closest<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    let unknown = fold(unknown);
    let near = known.iter().filter_map(|key| {
        let known = fold(key);
        // Each error changes the length by one at the most; and a key of a
        // megabyte is not to be compared letter by letter.
        let comparable = unknown.len().abs_diff(known.len()) <= MOST_ERRORS;
        let distance = comparable.then(|| distance(&unknown, &known))?;
        (distance <= MOST_ERRORS).then_some((distance, *key))
    });
    near.min().map(|(_, key)| key)
}

fn fold(key: &str) -> String {
    key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Levenshtein distance, a row at a time.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, b) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 3] = ["max_retries", "max_backoff_ms", "jitter"];

    #[test]
    fn another_case_or_a_typing_error_is_recognised() {
        assert_eq!(closest("maxRetries", &KNOWN), Some("max_retries"));
        assert_eq!(closest("max_retries ", &KNOWN), Some("max_retries"));
        assert_eq!(closest("max_retires", &KNOWN), Some("max_retries"));
        assert_eq!(closest("jiter", &KNOWN), Some("jitter"));
    }

    #[test]
    fn a_key_that_is_like_none_gets_no_suggestion() {
        assert_eq!(closest("enabled", &KNOWN), None);
        assert_eq!(closest("", &KNOWN), None);
    }
}
