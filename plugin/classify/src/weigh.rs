//! From the marks of a text to what kind of failure it tells of.

use crate::{
    Class, Words,
    list::{among, holds, words},
    rules::{EMPTY, MOST_WORDS, Mark, SCRIPTS, STEMS, hash, mark_of},
    scan::{GAP, Scan},
    status::status,
    wait::wait,
};

/// Which marks a text bears.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Marks(u16);

impl Marks {
    pub(crate) fn add(&mut self, mark: Mark) {
        self.0 |= 1 << mark as u16;
    }

    pub(crate) fn has(self, mark: Mark) -> bool {
        self.0 & (1 << mark as u16) != 0
    }
}

/// The marks that begin at a word.
pub(crate) fn marks_at(scan: &Scan, index: usize, marks: &mut Marks) {
    let word = scan.word(index);
    if word == GAP {
        return;
    }
    let mut sum = EMPTY;
    for more in 0..MOST_WORDS {
        let word = scan.word(index + more);
        if word.is_empty() {
            break;
        }
        if more > 0 {
            sum = hash(sum, b' ');
        }
        sum = word.bytes().fold(sum, hash);
        if let Some(mark) = mark_of(sum)
            && !excepted(scan, index, more + 1)
        {
            marks.add(mark);
        }
    }
    for (stem, mark) in STEMS {
        if word.starts_with(stem) {
            marks.add(mark);
        }
    }
}

/// Phrases of one to three words that do not say here what they say elsewhere.
fn excepted(scan: &Scan, index: usize, words: usize) -> bool {
    let next = |list: &'static str| among(scan.word(index + words), list);
    let last = |list: &'static str| index > 0 && among(scan.word(index - 1), list);
    let is = |phrase: &str| scan.stands(index, phrase);
    match words {
        1 if is("invalid") => next("status|response|server|reply|or"),
        1 if is("unknown") => {
            next("error|host|exception|reason|failure|issue|problem|status|server")
        }
        1 if is("expired") => last("timeout|lease|lock|time|deadline|execution"),
        1 if is("exceeds") => next("rate"),
        1 if is("null") || is("undefined") => last("of") && next(""),
        2 if is("a day") || is("a month") => last("in|for|within|least|about"),
        2 if is("is required") || is("are required") => last("second|seconds|minute|minutes|wait"),
        2 if is("cannot be") => next("reached"),
        3 if is("can not be") => next("reached"),
        // "Error executing tool fetch: Failed to fetch https://...".
        2 if is("fetch failed") => next("to"),
        2 if is("is closed") => last("connection|socket|stream|transport|topology|session|channel"),
        3 if is("has been closed") => last("connection|socket|stream|browser|transport|session"),
        _ => false,
    }
}

/// "No pipeline was found": what was found, and a few words in between.
fn no_such_thing(scan: &Scan, index: usize) -> bool {
    scan.word(index) == "no"
        && (2..7).any(|ahead| among(scan.word(index + ahead), "found|match|matches|matched|exists"))
}

/// What the members of JSON say outright.
fn explicit(scan: &Scan, marks: &mut Marks) {
    const KEYS: &str = "retryable|isretryable|retriable|canretry|shouldretry|transient|istransient|temporary|istemporary|retry";
    for field in &scan.fields {
        if !field.quoted && among(&field.key, KEYS) {
            match &*field.value {
                "true" | "True" => marks.add(Mark::Retryable),
                "false" | "False" => marks.add(Mark::Never),
                _ => {}
            }
        }
        // What JSON-RPC says of a request that is wrong in itself.
        if field.key == "code" && among(&field.value, "-32602|-32601|-32700|-32002") {
            marks.add(Mark::Permanent);
        }
    }
}

fn marks_of(scan: &Scan) -> Marks {
    let mut marks = Marks::default();
    for index in 0..scan.tokens.len() {
        marks_at(scan, index, &mut marks);
        if no_such_thing(scan, index) {
            marks.add(Mark::Permanent);
        }
        if scan.byte_before(index) == b'-'
            && matches!(scan.number(index), Some(32_602 | 32_601 | 32_700 | 32_002))
        {
            marks.add(Mark::Permanent);
        }
    }
    if !scan.text.is_ascii() {
        // Between spaces, so that words are told from their endings.
        for (mark, phrases) in SCRIPTS {
            if words(phrases).any(|phrase| holds(&scan.text, phrase) || holds(scan.from(0), phrase))
            {
                marks.add(mark);
            }
        }
    }
    // Also in what was left out as quoted: `limit 'Queries per minute per user'`.
    if has_ignoring_case(&scan.text, "per minute|perminute|per second|persecond|per user per") {
        marks.add(Mark::PerWindow);
    }
    explicit(scan, &mut marks);
    marks
}

fn has_ignoring_case(text: &str, phrases: &'static str) -> bool {
    let bytes = text.as_bytes();
    (0..bytes.len()).any(|at| {
        matches!(bytes[at], b'p' | b'P')
            && words(phrases).any(|phrase| {
                bytes
                    .get(at..at + phrase.len())
                    .is_some_and(|part| part.eq_ignore_ascii_case(phrase.as_bytes()))
            })
    })
}

/// What the text says, given that it tells of a failure.
pub(crate) fn weigh(scan: &Scan) -> Words {
    let marks = marks_of(scan);
    let status = status(scan);
    let (class, strong) = class(marks, status);
    let wait = match class {
        Some(Class::Permanent | Class::Spent) => None,
        _ => wait(scan),
    };
    // Who names a time for the next attempt expects one.
    let class = class.or(wait.map(|_| Class::Throttled));
    Words { class, status, strong, wait_ms: wait }
}

/// Explicit words, spent quotas, permanent marks, a status, throttling,
/// transient families, and last what might be meant.
fn class(marks: Marks, status: Option<u16>) -> (Option<Class>, bool) {
    let has = |mark| marks.has(mark);
    let throttled = has(Mark::Throttled) || status == Some(429);
    if has(Mark::Never) {
        return (Some(Class::Permanent), true);
    }
    if has(Mark::Spent) && !has(Mark::PerWindow) {
        return (Some(Class::Spent), true);
    }
    if has(Mark::Quota) && !has(Mark::PerWindow) && !has(Mark::Throttled) {
        return (Some(Class::Spent), true);
    }
    if has(Mark::Retryable) {
        let class = if throttled { Class::Throttled } else { Class::Transient };
        return (Some(class), true);
    }
    if has(Mark::Permanent) {
        return (Some(Class::Permanent), true);
    }
    if throttled || (has(Mark::Quota) && has(Mark::PerWindow)) {
        return (Some(Class::Throttled), true);
    }
    let fault = has(Mark::Fault) || has(Mark::Forbidden);
    match status {
        Some(408 | 425 | 502..=504 | 520..=525 | 527 | 529 | 530) => {
            return (Some(Class::Transient), true);
        }
        Some(500) if !fault => return (Some(Class::Transient), true),
        _ if has(Mark::Transient) => return (Some(Class::Transient), true),
        // A conflict that says so itself.
        Some(409) if has(Mark::Wanting) => return (Some(Class::Transient), false),
        Some(_) => return (Some(Class::Permanent), true),
        None => {}
    }
    if fault {
        (Some(Class::Permanent), false)
    } else if has(Mark::Throttling) {
        (Some(Class::Throttled), false)
    } else if has(Mark::Wanting) {
        (Some(Class::Transient), false)
    } else {
        (None, false)
    }
}
