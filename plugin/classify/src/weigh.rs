//! From the marks of a text to what kind of failure it tells of.

use crate::{
    Class, Words,
    list::{among, holds, spaces, words},
    rules::{self, EMPTY, MOST_WORDS, Mark, Marks, PAIRS, SCRIPTS, STEMS, hash},
    scan::{GAP, Scan},
    status::{Status, status},
    wait::wait,
};

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
        let found = rules::marks_of(sum);
        if found.0 != 0 && !excepted(scan, index, more + 1) {
            marks.0 |= found.0;
        }
    }
    for (stem, mark) in STEMS {
        if word.starts_with(stem) {
            marks.add(mark);
        }
    }
}

/// The hash of a whole phrase.
#[cfg(test)]
pub(crate) fn hash_of(phrase: &str) -> u64 {
    phrase.bytes().fold(EMPTY, hash)
}

/// Phrases that do not say behind or before some words what they say elsewhere:
/// the phrase, the words before it, and the words behind it.
static EXCEPTIONS: [(&str, &str, &str); 26] = [
    ("invalid", "", "status|response|server|reply|or"),
    ("unknown", "", "error|host|exception|reason|failure|issue|problem|status|server"),
    ("expired", "timeout|lease|lock|time|deadline|execution", ""),
    ("mismatch", "length", ""),
    ("exceeds", "", "rate"),
    (
        "billing",
        "upstream|service|backend|dependency",
        "service|api|system|server|backend|endpoint|gateway",
    ),
    ("wrong", "went", ""),
    // "... if this limit is too low": what is said to who may pay for more.
    ("is too low", "limit", ""),
    ("read only", "", "mode"),
    ("not found", "", "or"),
    ("too large", "", "data"),
    ("no such", "", "host"),
    ("requests per", "", "day|month|week|year"),
    // "Error executing tool fetch: Failed to fetch https://...".
    ("fetch failed", "", "to"),
    ("not permitted", "request|call", ""),
    ("not find", "", "available|any|healthy|free|enough"),
    ("already closed", "connection|socket|stream|transport|channel|session|was|is", ""),
    ("a day", "in|for|within|least|about", ""),
    ("a month", "in|for|within|least|about", ""),
    ("is required", "second|seconds|minute|minutes|wait", ""),
    ("are required", "second|seconds|minute|minutes|wait", ""),
    ("cannot be", "", "reached"),
    ("can not be", "", "reached"),
    ("run out of", "", "available|connections|workers|brokers|time|hosts|sockets|threads|nodes"),
    ("is closed", "connection|socket|stream|transport|topology|session|channel", ""),
    ("has been closed", "connection|socket|stream|browser|transport|session", ""),
];

#[inline(never)]
fn excepted(scan: &Scan, index: usize, words: usize) -> bool {
    let next = scan.word(index + words);
    let last = if index > 0 { scan.word(index - 1) } else { "" };
    if last == "of" && next.is_empty() {
        // "properties of undefined" and "of null" are marks of their own.
        return words == 1 && among(scan.word(index), "null|undefined");
    }
    // "... to the remote server: Error POSTing".
    if words == 2 && scan.byte_after(index) == b':' && among(scan.word(index + 1), "error|failed") {
        return true;
    }
    EXCEPTIONS.iter().any(|(phrase, before, behind)| {
        spaces(phrase) + 1 == words
            && scan.stands(index, phrase)
            && ((!last.is_empty() && among(last, before))
                || (!next.is_empty() && among(next, behind)))
    })
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

/// For how many words on the first words of [`PAIRS`] still count.
#[derive(Default)]
struct Sentence([u32; 8]);

impl Sentence {
    /// Goes on by the word at this place, which bears these marks.
    fn go_on(&mut self, scan: &Scan, index: usize, here: Marks, marks: &mut Marks) {
        for (&(first, second, within, together), left) in PAIRS.iter().zip(&mut self.0) {
            if here.has(second) && *left > 0 {
                marks.add(together);
            }
            *left = if here.has(first) { within } else { left.saturating_sub(1) };
        }
        let ends = match scan.byte_after(index) {
            b'.' => !scan.byte_after_next(index).is_ascii_alphanumeric(),
            after => matches!(after, b';' | b'\n' | b'?' | b'|'),
        };
        if ends {
            *self = Self::default();
        }
    }
}

fn marks_of(scan: &Scan) -> Marks {
    let mut marks = Marks::default();
    let mut sentence = Sentence::default();
    for index in 0..scan.tokens.len() {
        let mut here = Marks::default();
        marks_at(scan, index, &mut here);
        sentence.go_on(scan, index, here, &mut marks);
        marks.0 |= here.0;
        // "Still building", "still downloading".
        if scan.word(index) == "still" && scan.word(index + 1).ends_with("ing") {
            marks.add(Mark::Paired);
        }
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
    if breaks_off(scan) {
        marks.add(Mark::Wanting);
    }
    marks
}

/// "HTTP request failed: ", and no word why: so it is with exceptions that have
/// no message, which are mostly timeouts.
fn breaks_off(scan: &Scan) -> bool {
    let Some(last) = scan.tokens.len().checked_sub(1) else { return false };
    scan.text.as_bytes().trim_ascii_end().ends_with(b":")
        && among(scan.word(last), "failed|error")
        && last > 0
        && among(scan.word(last - 1), "request|http|fetch|connect|connection|network")
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

/// A wait for which nobody would pay, in milliseconds.
const ANY_MOMENT: u64 = 600_000;

/// What the text says, given that it tells of a failure.
pub(crate) fn weigh(scan: &Scan) -> Words {
    let mut marks = marks_of(scan);
    let status = status(scan);
    // What somebody could pay for is not used up if it comes back in a moment.
    if marks.has(Mark::Upsell)
        && !(marks.has(Mark::Throttled) && wait(scan).is_some_and(|wait| wait < ANY_MOMENT))
    {
        marks.add(Mark::Spent);
    }
    let (class, strong) = class(marks, status);
    let wait = match class {
        Some(Class::Permanent | Class::Spent) => None,
        _ => wait(scan),
    };
    // Who names a time for the next attempt expects one.
    let class = class.or(wait.map(|_| Class::Throttled));
    Words { class, status: status.map(|status| status.number), strong, wait_ms: wait }
}

/// Explicit words, spent quotas, permanent marks, a status, throttling,
/// transient families, and last what might be meant.
fn class(marks: Marks, status: Option<Status>) -> (Option<Class>, bool) {
    let has = |mark| marks.has(mark);
    let named = status.is_some_and(|status| status.named);
    let status = status.map(|status| status.number);
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
    // What a proxy or a cluster says of itself, whatever it says is missing.
    if named && matches!(status, Some(502..=504 | 520..=525 | 529)) && !throttled {
        return (Some(Class::Transient), true);
    }
    if has(Mark::Permanent) {
        return (Some(Class::Permanent), true);
    }
    if throttled || (has(Mark::Quota) && has(Mark::PerWindow)) {
        return (Some(Class::Throttled), true);
    }
    let fault = has(Mark::Fault) || has(Mark::Forbidden);
    match status {
        // Whatever is said beside it.
        Some(401) if named => return (Some(Class::Permanent), true),
        // A number in brackets may be a value.
        Some(_) if fault && !named && !has(Mark::Transient) => {
            return (Some(Class::Permanent), false);
        }
        Some(408 | 425 | 502..=504 | 520..=525 | 527 | 529 | 530) => {
            return (Some(Class::Transient), true);
        }
        Some(500) if !fault => return (Some(Class::Transient), true),
        _ if has(Mark::Transient) => return (Some(Class::Transient), true),
        None if has(Mark::Paired) && !fault => return (Some(Class::Transient), true),
        Some(500..) if has(Mark::Paired) => return (Some(Class::Transient), true),
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
