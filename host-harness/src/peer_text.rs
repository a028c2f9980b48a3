//! Texts that a client or a server chose, where people read them.
//!
//! A name with a line break in it would be a line of the log that nobody
//! wrote, one with an escape sequence would move the cursor, and one of a
//! megabyte would fill the disk. So every such text that is to be a part of a
//! log line, of a span or of an error's message goes through [`PeerText`].

use std::{borrow::Cow, fmt};

/// The longest text that is shown, in bytes; of a longer one the beginning.
const MOST_BYTES: usize = 256;

/// A text of a peer, escaped and cut: one line that has no effect on a terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerText<'a>(pub(crate) &'a str);

impl<'a> PeerText<'a> {
    /// The same as a text.
    pub(crate) fn escaped(self) -> Cow<'a, str> {
        let cut = &self.0[..self.0.floor_char_boundary(MOST_BYTES)];
        escaped(cut)
    }
}

impl fmt::Display for PeerText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.escaped())
    }
}

/// A whole text on one line, with nothing in it that a terminal obeys.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if is_obeyed(letter) {
            escaped.extend(letter.escape_default());
        } else {
            escaped.push(letter);
        }
    }
    Cow::Owned(escaped)
}

/// Control characters, line and paragraph separators, and what changes the direction of writing.
fn is_obeyed(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_line_that_a_terminal_only_shows() {
        for (text, shown) in [
            ("find", "find"),
            ("ä b\\n", "ä b\\n"),
            ("x\n ERROR forged", "x\\n ERROR forged"),
            ("\r\t\u{1b}[31m\u{9b}2J\0", "\\r\\t\\u{1b}[31m\\u{9b}2J\\u{0}"),
            ("a\u{2028}b\u{202e}c\u{2066}", "a\\u{2028}b\\u{202e}c\\u{2066}"),
        ] {
            assert_eq!(PeerText(text).to_string(), shown);
        }
        assert_eq!(PeerText(&"é\n".repeat(1_000)).to_string().lines().count(), 1);
        assert!(PeerText(&"\n".repeat(1_000)).to_string().len() <= 2 * MOST_BYTES);
    }
}
