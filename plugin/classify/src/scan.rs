//! A text as words and as JSON members, in one pass.
//!
//! Servers write the same thing in many ways: `TooManyRequestsException`,
//! `TOO_MANY_REQUESTS`, "too many requests". Here all of them are the words
//! `too many requests`: lower case, split where case or digits change, with
//! accents folded. What is quoted is mostly the caller's own input, so it
//! leaves only a gap behind, unless it stands where an answer quotes itself: as a
//! value in JSON, in parentheses, or behind a word like `returned`. URLs, paths
//! and HTML tags leave a gap as well.

use alloc::{string::String, vec::Vec};

use crate::list::{among, number, spaces};

/// What stands for something that was left out.
pub(crate) const GAP: &str = "~";

/// The farthest that the end of a quoted part is looked for, in bytes.
const LONGEST_QUOTE: usize = 600;

/// A word or a number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    /// Where it stands in [`Scan::words`].
    start: usize,
    end: usize,
    /// Where it stood in [`Scan::text`].
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// A member of a JSON object (or of a Python dictionary) whose value is no container.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// Its letters and digits, in lower case: `retryafterms`.
    pub(crate) key: String,
    /// Its value as it was written, without quotes.
    pub(crate) value: String,
    /// Whether the value was a text.
    pub(crate) quoted: bool,
    /// How many containers are around it.
    pub(crate) depth: usize,
}

/// A text that has been read.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// The text without the backslashes of JSON inside JSON.
    pub(crate) text: String,
    /// All words, each followed by a space.
    words: String,
    pub(crate) tokens: Vec<Token>,
    pub(crate) fields: Vec<Field>,
    /// Keys whose values are containers, with the depth at which they stand.
    pub(crate) containers: Vec<(String, usize)>,
}

impl Scan {
    pub(crate) fn of(text: &str) -> Self {
        let mut scan = Self { text: without_backslashes(text), ..Self::default() };
        let text = core::mem::take(&mut scan.text);
        Reader { bytes: text.as_bytes(), text: &text, at: 0, depth: 0, closes: 0, scan: &mut scan }
            .read();
        scan.text = text;
        scan
    }

    pub(crate) fn word(&self, index: usize) -> &str {
        self.tokens.get(index).map_or("", |token| part(&self.words, token.start, token.end))
    }

    /// The words from this one on.
    pub(crate) fn from(&self, index: usize) -> &str {
        self.tokens.get(index).map_or("", |token| part(&self.words, token.start, self.words.len()))
    }

    /// Whether these words stand here.
    pub(crate) fn stands(&self, index: usize, phrase: &str) -> bool {
        let rest = self.from(index);
        rest.len() > phrase.len()
            && rest.starts_with(phrase)
            && rest.as_bytes()[phrase.len()] == b' '
    }

    /// The byte right before a token; 0 at the start.
    pub(crate) fn byte_before(&self, index: usize) -> u8 {
        let from = self.tokens.get(index).map_or(0, |token| token.from);
        if from == 0 { 0 } else { self.text.as_bytes()[from - 1] }
    }

    /// The byte before the one right before a token; 0 at the start.
    pub(crate) fn byte_before_bracket(&self, index: usize) -> u8 {
        let from = self.tokens.get(index).map_or(0, |token| token.from);
        if from < 2 { 0 } else { self.text.as_bytes()[from - 2] }
    }

    /// The byte right behind a token; 0 at the end.
    pub(crate) fn byte_after(&self, index: usize) -> u8 {
        let to = self.tokens.get(index).map_or(usize::MAX, |token| token.to);
        self.text.as_bytes().get(to).copied().unwrap_or(0)
    }

    /// The last byte before a token that is no space; 0 at the start.
    pub(crate) fn mark_before(&self, index: usize) -> u8 {
        let from = self.tokens.get(index).map_or(0, |token| token.from);
        last_mark(&self.text.as_bytes()[..from])
    }

    /// The number that a token is.
    pub(crate) fn number(&self, index: usize) -> Option<u64> {
        let word = self.word(index);
        if word.len() <= 15 { number(word) } else { None }
    }

    /// The value of the first member of this name.
    pub(crate) fn field(&self, key: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.key == key)
    }
}

/// A part of a text; nothing where it is none.
fn part(text: &str, from: usize, to: usize) -> &str {
    text.get(from..to).unwrap_or_default()
}

/// The last byte that is neither a space nor a line end; a line end counts as
/// the start of the text.
fn last_mark(bytes: &[u8]) -> u8 {
    for byte in bytes.iter().rev() {
        match byte {
            b' ' | b'\t' => {}
            b'\n' | b'\r' => return 0,
            other => return *other,
        }
    }
    0
}

/// JSON inside a text of JSON, however deep, becomes plain JSON.
fn without_backslashes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    let mut escaped = false;
    for char in &mut chars {
        match (escaped, char) {
            (_, '\\') => escaped = true,
            (true, 'n' | 'r' | 't') => {
                plain.push('\n');
                escaped = false;
            }
            (_, char) => {
                plain.push(char);
                escaped = false;
            }
        }
    }
    plain
}

/// Members whose values are echoes of the request, or names and numbers of no meaning here.
const ECHOES: &str = "arguments|args|field|given|id|input|jobid|name|order|orderid|param|parameter|params|path|query|received|requestid|sql|target|title_|tool|toolname|traceid|uri|url|value";

/// Words behind which an answer quotes itself.
const SAYING: &str =
    "code|error|exception|failed|message|reason|response|returned|said|says|status|with|str|client";

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    /// Where the quoted part ends that is being read.
    closes: usize,
    scan: &'a mut Scan,
}

impl Reader<'_> {
    fn read(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | 0x80.. => self.words(),
                b'"' | b'\'' | b'`' => self.quote(byte),
                b'{' | b'[' => {
                    self.depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.at += 1;
                }
                b'/' if self.starts_path() => self.gap_up_to_space(),
                b'<' => self.tag(),
                _ => self.at += 1,
            }
        }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn before(&self) -> u8 {
        if self.at == 0 { 0 } else { self.bytes[self.at - 1] }
    }

    fn push(&mut self, from: usize, to: usize, start: usize) {
        let end = self.scan.words.len();
        if end > start {
            self.scan.tokens.push(Token { start, end, from, to });
            self.scan.words.push(' ');
        }
    }

    fn gap(&mut self, from: usize) {
        let start = self.scan.words.len();
        self.scan.words.push_str(GAP);
        self.push(from, self.at, start);
    }

    /// A run of letters and digits: one word or more.
    fn words(&mut self) {
        let run = self.at;
        let mut from = self.at;
        let mut start = self.scan.words.len();
        let mut last = b' ';
        while let Some(&byte) = self.bytes.get(self.at) {
            let next = self.peek(1);
            match byte {
                // As in "doesn't": it goes, and the word goes on.
                b'\''
                    if last.is_ascii_alphabetic()
                        && next.is_ascii_lowercase()
                        && self.at != self.closes =>
                {
                    self.at += 1;
                    continue;
                }
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                    let apart = (last.is_ascii_digit() != byte.is_ascii_digit() && last != b' ')
                        || (byte.is_ascii_uppercase()
                            && (last.is_ascii_lowercase()
                                || (last.is_ascii_uppercase() && next.is_ascii_lowercase())));
                    if apart && self.at > from {
                        self.push(from, self.at, start);
                        (from, start) = (self.at, self.scan.words.len());
                    }
                    self.scan.words.push(char::from(byte.to_ascii_lowercase()));
                    last = byte;
                    self.at += 1;
                }
                0x80.. => {
                    let Some(char) = part(self.text, self.at, self.text.len()).chars().next()
                    else {
                        break;
                    };
                    match folded(char) {
                        Some(plain) => {
                            self.scan.words.push_str(plain);
                            last = b'a';
                        }
                        None if char == '\u{2019}' => {}
                        None if is_letter(char) => {
                            if last.is_ascii_alphanumeric() && self.at > from {
                                self.push(from, self.at, start);
                                (from, start) = (self.at, self.scan.words.len());
                            }
                            self.scan.words.push(lower(char));
                            last = 0x80;
                        }
                        None => {
                            if self.at == run {
                                self.at += char.len_utf8();
                            }
                            break;
                        }
                    }
                    self.at += char.len_utf8();
                }
                _ => break,
            }
        }
        self.push(from, self.at, start);
        // `https://...`: the scheme is no word.
        if self.bytes[self.at..].starts_with(b"://") {
            while self.scan.tokens.last().is_some_and(|token| token.from >= run) {
                if let Some(token) = self.scan.tokens.pop() {
                    self.scan.words.truncate(token.start);
                }
            }
            self.gap_up_to_space();
        }
    }

    /// A path is only one at the start of what is between spaces.
    fn starts_path(&self) -> bool {
        matches!(self.before(), 0 | b' ' | b'\n' | b'(' | b'"' | b'\'' | b'[' | b'=')
            && (self.peek(1).is_ascii_alphanumeric() || self.peek(1) == b'_')
    }

    fn gap_up_to_space(&mut self) {
        let from = self.at;
        while let Some(byte) = self.bytes.get(self.at) {
            if byte.is_ascii_whitespace()
                || matches!(byte, b'"' | b'\'' | b')' | b'>' | b']' | b',' | b'`')
            {
                break;
            }
            self.at += 1;
        }
        // A colon at its end belongs to the sentence.
        if self.at > from && self.bytes[self.at - 1] == b':' {
            self.at -= 1;
        }
        self.gap(from);
        if self.at == from {
            self.at += 1;
        }
    }

    /// `<title>`, `</b>`, `<!DOCTYPE ...>`; not `<HttpError ...>`.
    fn tag(&mut self) {
        let is_tag = matches!(self.peek(1), b'a'..=b'z' | b'/' | b'!');
        let end = self.bytes[self.at..].iter().take(LONGEST_QUOTE).position(|byte| *byte == b'>');
        self.at += match end {
            Some(end) if is_tag => end + 1,
            _ => 1,
        };
    }

    fn quote(&mut self, quote: u8) {
        let at = self.at;
        let (before, next) = (self.before(), self.peek(1));
        if at == self.closes && at > 0 {
            self.at += 1;
            return;
        }
        // Around JSON inside of JSON.
        let around = matches!(next, b'{' | b'[') || matches!(before, b'}' | b']');
        if (quote == b'"' && around) || (quote == b'\'' && before.is_ascii_alphanumeric()) {
            self.at += 1;
            return;
        }
        let Some(end) = self.end_of_quote(quote) else {
            self.at += 1;
            return;
        };
        let inside = part(self.text, at + 1, end);
        let mark = last_mark(&self.bytes[..at]);
        let rest = &self.bytes[end + 1..];
        let follows = rest.iter().copied().find(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
        if follows == b':' && matches!(mark, b'{' | b',' | 0) && quote != b'`' {
            let colon = rest.iter().position(|byte| *byte == b':').unwrap_or(0);
            self.at = end + 1 + colon + 1;
            self.member(key_of(inside));
        } else if self.speaks(quote, mark, inside, rest.is_empty() || follows == 0) {
            self.closes = end;
            self.at += 1;
        } else {
            self.at = end + 1;
            self.gap(at);
        }
    }

    fn end_of_quote(&self, quote: u8) -> Option<usize> {
        let inside = &self.bytes[self.at + 1..];
        let mut from = 0;
        for (place, byte) in inside.iter().enumerate().take(LONGEST_QUOTE) {
            from = place;
            if *byte == quote {
                let next = inside.get(place + 1).copied().unwrap_or(0);
                // In the middle of a word it is an apostrophe.
                if quote == b'\'' && next.is_ascii_alphanumeric() {
                    continue;
                }
                return Some(self.at + 1 + place);
            }
        }
        let _ = from;
        None
    }

    /// Whether a quoted part is what the answer itself says.
    fn speaks(&self, quote: u8, mark: u8, inside: &str, ends: bool) -> bool {
        if quote == b'`' {
            return false;
        }
        // How Python shows a key that is missing.
        let one_word = spaces(inside) == 0;
        if quote == b'\'' && mark == b':' && one_word && ends {
            return false;
        }
        // A whole sentence is nobody's identifier.
        if inside.as_bytes().ends_with(b".") && spaces(inside) > 2 {
            return true;
        }
        match mark {
            0 | b':' | b'{' | b'[' | b'(' | b'=' | b',' => true,
            _ => {
                let said = self.scan.tokens.last();
                let word = said.map_or("", |token| part(&self.scan.words, token.start, token.end));
                among(word, SAYING) && !one_word
            }
        }
    }

    /// Behind the colon of a member.
    fn member(&mut self, key: String) {
        while self.peek(0).is_ascii_whitespace() {
            self.at += 1;
        }
        let at = self.at;
        let depth = self.depth;
        match self.peek(0) {
            quote @ (b'"' | b'\'') if !matches!(self.peek(1), b'{' | b'[') => {
                let Some(end) = self.end_of_quote(quote) else {
                    self.at += 1;
                    return;
                };
                let value = String::from(part(self.text, at + 1, end));
                let echo = among(&key, ECHOES);
                self.scan.fields.push(Field { key, value, quoted: true, depth });
                if echo {
                    self.at = end + 1;
                    self.gap(at);
                } else {
                    self.closes = end;
                    self.at += 1;
                }
            }
            b'{' | b'[' | b'"' | b'\'' => self.scan.containers.push((key, depth)),
            _ => {
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b'\n' | b' ');
                let rest = &self.bytes[at..];
                let len = rest.iter().position(ends).unwrap_or(rest.len()).min(64);
                let mut end = at + len;
                while !self.text.is_char_boundary(end) {
                    end -= 1;
                }
                let value = String::from(part(self.text, at, end));
                self.scan.fields.push(Field { key, value, quoted: false, depth });
                self.at = end;
            }
        }
    }
}

fn key_of(text: &str) -> String {
    let plain = text.bytes().filter(u8::is_ascii_alphanumeric).take(40);
    plain.map(|byte| char::from(byte.to_ascii_lowercase())).collect()
}

/// A letter of another script: punctuation and signs are not.
const fn is_letter(char: char) -> bool {
    !matches!(
        char,
        '\u{80}'..='\u{bf}' | '\u{2000}'..='\u{2bff}' | '\u{3000}'..='\u{3004}'
            | '\u{3008}'..='\u{3020}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff0f}'
            | '\u{ff1a}'..='\u{ff20}' | '\u{1f000}'..
    )
}

/// Latin letters without their accents.
fn folded(char: char) -> Option<&'static str> {
    Some(match char {
        'à'..='å' | 'À'..='Å' | 'ą' => "a",
        'ç' | 'Ç' | 'ć' | 'č' => "c",
        'è'..='ë' | 'È'..='Ë' | 'ę' | 'ě' => "e",
        'ì'..='ï' | 'Ì'..='Ï' => "i",
        'ñ' | 'Ñ' | 'ń' => "n",
        'ò'..='ö' | 'Ò'..='Ö' | 'ø' | 'Ø' => "o",
        'ù'..='ü' | 'Ù'..='Ü' => "u",
        'ß' | 'ś' | 'š' => "s",
        'ż' | 'ź' | 'ž' => "z",
        'ł' => "l",
        _ => return None,
    })
}

/// Cyrillic in lower case; other letters as they are.
fn lower(char: char) -> char {
    match char {
        'А'..='Я' => char::from_u32(char as u32 + 0x20).unwrap_or(char),
        other => other,
    }
}

impl Scan {
    /// The second byte behind a token; 0 at the end.
    pub(crate) fn byte_after_next(&self, index: usize) -> u8 {
        let to = self.tokens.get(index).map_or(usize::MAX - 1, |token| token.to);
        self.text.as_bytes().get(to + 1).copied().unwrap_or(0)
    }

    /// The first byte behind a token that is no space; 0 at the end of the line.
    pub(crate) fn mark_after(&self, index: usize) -> u8 {
        let to = self.tokens.get(index).map_or(self.text.len(), |token| token.to);
        for byte in &self.text.as_bytes()[to..] {
            match byte {
                b' ' | b'\t' => {}
                b'\n' | b'\r' => return 0,
                other => return *other,
            }
        }
        0
    }
}
