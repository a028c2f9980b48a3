//! Words in one text, with `|` between them: a table of texts would cost eight
//! bytes for each and code to compare with every one of them.

/// The words of a list.
pub(crate) struct List(&'static str);

/// The words of a list, in its order.
pub(crate) const fn words(list: &'static str) -> List {
    List(list)
}

impl Iterator for List {
    type Item = &'static str;

    #[inline(never)]
    fn next(&mut self) -> Option<&'static str> {
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.bytes().position(|byte| byte == b'|');
        let (word, rest) = match end {
            Some(end) => {
                (self.0.get(..end).unwrap_or_default(), self.0.get(end + 1..).unwrap_or_default())
            }
            None => (self.0, ""),
        };
        self.0 = rest;
        Some(word)
    }
}

/// Whether a word is in a list.
#[inline(never)]
pub(crate) fn among(word: &str, list: &'static str) -> bool {
    words(list).any(|known| known == word)
}

/// Whether a text holds another: a few bytes at each place, without the tables
/// that a search in the library sets up.
#[inline(never)]
pub(crate) fn holds(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    text.windows(part.len()).any(|window| window == part)
}

/// How many spaces a text has.
pub(crate) fn spaces(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b' ').count()
}

/// The number that a text is. Smaller than the library's, which says what is wrong.
pub(crate) fn number(text: &str) -> Option<u64> {
    let digits = (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.bytes().fold(0, |number, byte| number * 10 + u64::from(byte - b'0')))
}
