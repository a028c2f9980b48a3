//! A number is a status only beside something that makes it one.

use crate::{
    list::{among, number, words},
    scan::{Field, Scan},
};

/// Members that hold a status, if they hold a number of that size.
const KEYS: &str = "cod|code|codigo|estado|errcode|errorcode|httpcode|httpstatus|httpstatuscode|responsecode|responsestatus|retcode|status|statuscode|upstreamstatus|statuscd";

/// A status, as sure as what stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) number: u16,
    /// Whether words say that it is one; brackets hold other numbers as well.
    pub(crate) named: bool,
}

/// The first status of the text.
pub(crate) fn status(scan: &Scan) -> Option<Status> {
    let written = (0..scan.tokens.len()).find_map(|index| at(scan, index));
    written.or_else(|| {
        let number = scan.fields.iter().find_map(of_field)?;
        Some(Status { number, named: true })
    })
}

fn of_field(field: &Field) -> Option<u16> {
    if among(&field.key, KEYS) { in_range(number(&field.value)?) } else { None }
}

fn in_range(number: u64) -> Option<u16> {
    u16::try_from(number).ok().filter(|status| (400..600).contains(status))
}

fn at(scan: &Scan, index: usize) -> Option<Status> {
    let number = in_range(scan.number(index)?)?;
    let (before, after) = (scan.byte_before(index), scan.byte_after(index));
    // Part of a longer number or name: 503.7, req-429, K503, 429ms, 503%.
    if before.is_ascii_alphanumeric() || matches!(before, b'.' | b'-' | b'_' | b'$' | b'#' | b'!') {
        return None;
    }
    let next = scan.byte_after_next(index);
    if after.is_ascii_alphanumeric()
        || matches!(after, b'%' | b'_' | b'$')
        || (matches!(after, b'.' | b'-' | b',') && next.is_ascii_alphanumeric())
    {
        return None;
    }
    // "Key (id)=(503) already exists".
    let is_value = scan.byte_before_bracket(index) == b'=';
    let bracketed = matches!((before, after), (b'(', b')') | (b'[', b']')) && !is_value;
    let named = has_reason(scan, index, number) || in_context(scan, index);
    (bracketed || named).then_some(Status { number, named })
}

/// "503 Service Unavailable".
pub(crate) fn has_reason(scan: &Scan, index: usize, status: u16) -> bool {
    let reasons = match status {
        400 => "bad",
        401 => "unauthorized|unauthorised",
        402 => "payment",
        403 => "forbidden",
        404 | 410 => "not found|notfound|gone|page",
        405 => "method",
        408 => "request",
        409 => "conflict",
        413 => "request|payload|content",
        415 => "unsupported",
        422 => "unprocessable|validation",
        423 => "locked",
        425 => "too early",
        429 => "too many|rate|request was|resource",
        500 => "internal|the server",
        501 => "not implemented",
        502 => "bad gateway|proxy",
        503 => "service|server|backend|the service|unavailable|slow",
        504 => "gateway|deadline|timeout|time out",
        529 => "overloaded|site",
        _ => "",
    };
    let next = index + 1;
    const ANY: &str = "error|errors|client error|server error|status|response|http";
    // "page 404 not found" is not a status, "404 page not found" is.
    const COUNTED: &str = "page|order|item|row|line|column|port|issue|ticket|id|number|user";
    let named =
        index > 0 && scan.byte_before(index) == b' ' && among(scan.word(index - 1), COUNTED);
    !named && words(reasons).chain(words(ANY)).any(|reason| scan.stands(next, reason))
}

/// "HTTP 503", "status code: 502", "error (429)", "429 {", and at the very start.
fn in_context(scan: &Scan, index: usize) -> bool {
    let mark = scan.mark_before(index);
    if index == 0 {
        // A list or a table may begin with a number; a sentence seldom does.
        return matches!(scan.mark_after(index), b'{' | b':' | 0)
            || scan.word(1).starts_with("you");
    }
    let last = scan.word(index - 1);
    let before_last = if index > 1 { scan.word(index - 2) } else { "" };
    match last {
        "status" | "http" | "https" | "error" | "statuscode" | "returned" | "received" | "err"
        | "got" => last != "got" || before_last == "server",
        "code" => {
            among(before_last, "status|error|response|http|return|exit|result")
                && !among(before_last, "exit|return")
                || matches!(mark, b':' | b'=')
        }
        "was" | "is" | "of" | "a" | "an" | "with" | "by" => {
            among(before_last, "status|code|response|responded|failed|error|returned|rejected")
        }
        // "HTTP/1.1 503"
        "1" | "0" => before_last == "1" || before_last == "http" || before_last == "2",
        "2" => before_last == "http",
        _ => {
            let begins = matches!(scan.mark_after(index), b'{' | 0)
                || among(scan.word(index + 1), "you|youve");
            mark == b':' && begins
        }
    }
}
