//! Texts of a guest on their way to terminals and logs.

use crate::contract::Issue;

/// Characters that do something to a terminal or to the order of what is read,
/// instead of being read: controls (line ends included), and Unicode's line
/// separators, directional marks, embeddings, overrides and isolates.
pub(super) fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// One line without active characters.
pub(in crate::sandbox) fn clean(text: &str) -> String {
    text.replace(is_active, "\u{fffd}")
}

/// Issues go to terminals and logs, a line each. They may quote what somebody
/// wrote into a configuration, so active characters are replaced, not refused.
pub(in crate::sandbox) fn issues(issues: Vec<Issue>) -> Vec<Issue> {
    let issue =
        |Issue { path, message }: Issue| Issue { path: clean(&path), message: clean(&message) };
    issues.into_iter().map(issue).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_replaced_and_the_rest_stays() {
        let text = "a\u{1b}[31mb\r\nc\u{7f}\u{9b}d\u{202e}e\u{2028}f — żółw 🐢";
        let expected =
            "a\u{fffd}[31mb\u{fffd}\u{fffd}c\u{fffd}\u{fffd}d\u{fffd}e\u{fffd}f — żółw 🐢";
        assert_eq!(clean(text), expected);
    }
}
