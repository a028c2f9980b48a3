//! Whether a result that is not marked as an error tells of one all the same.

use crate::{
    list::{among, holds, number, spaces, words},
    rules::{Mark, Marks},
    scan::{Field, Scan},
    status::has_reason,
    weigh::marks_at,
};

/// The longest text without JSON that is taken for a message as a whole.
const SHORT: usize = 300;

pub(crate) fn is_failure(scan: &Scan) -> bool {
    let start = scan.text.as_bytes().trim_ascii_start();
    match start.first() {
        Some(b'{') => json_says_so(scan),
        // Rows, hits, lists: data.
        Some(b'[') if !start.starts_with(b"[TIMEOUT]") && !start.starts_with(b"[ERROR]") => false,
        _ => begins_as_error(scan),
    }
}

/// Depth of the members of the outermost object.
const TOP: usize = 1;

pub(crate) fn says_success(scan: &Scan) -> bool {
    scan.fields
        .iter()
        .filter(|field| field.depth == TOP)
        .any(|field| among(&field.key, "success|ok") && among(&field.value, "true|True"))
}

fn json_says_so(scan: &Scan) -> bool {
    let top = |key: &str| scan.fields.iter().find(|field| field.depth == TOP && field.key == key);
    let is =
        |key: &str, values: &'static str| top(key).is_some_and(|field| among(&field.value, values));
    let has =
        |key: &str| scan.containers.iter().any(|(known, depth)| known == key && *depth == TOP);
    let yes = "true|True";
    let no = "false|False";
    if is("iserror", yes) || is("success", no) || is("ok", no) || is("succeeded", no) {
        return true;
    }
    if is("success", yes) || is("ok", yes) || is("status", "ok|success|succeeded|OK") {
        return false;
    }
    let failed = "error|fail|failed|failure|ERROR|FAILED|FAIL|Error|Failed";
    if is("status", failed)
        || is("object", "error")
        || (is("type", "error|Error|ErrorResponse")
            && (top("message").is_some() || top("error").is_some() || has("error")))
        || is("result", failed)
        || is("kind", "error|Error")
    {
        return true;
    }
    if words("error|err|errormessage|exception|fault|faultstring")
        .any(|key| top(key).is_some_and(says_something))
    {
        return true;
    }
    if has("error") || has("fault") || has("exception") {
        return true;
    }
    // One level deeper, where a result is wrapped: {"result":{"type":"error",...}}.
    if has("result") || has("response") {
        let inner = scan.fields.iter().filter(|field| field.depth == TOP + 1);
        if inner.clone().any(|field| field.key == "type" && among(&field.value, failed)) {
            return true;
        }
    }
    // `errors` and nothing beside it that would be a result.
    if has("errors")
        && scan.containers.iter().filter(|(_, depth)| *depth == TOP).count() == 1
        && errors_stand_alone(scan)
    {
        return true;
    }
    is_envelope(scan)
}

fn says_something(field: &Field) -> bool {
    !among(&field.value, "|null|None|false|False|0|[]|{}")
}

fn errors_stand_alone(scan: &Scan) -> bool {
    let rest = scan.fields.iter().filter(|field| field.depth == TOP);
    let empty = holds(&scan.text, "\"errors\":[]") || holds(&scan.text, "\"errors\": []");
    !empty && rest.clone().all(|field| is_of_envelope(&field.key))
}

/// An object that is nothing but the envelope of an error: a message, and a code
/// or a status that is none of success.
fn is_envelope(scan: &Scan) -> bool {
    let fields = || scan.fields.iter().filter(|field| field.depth == TOP);
    let says = fields().any(|field| {
        among(&field.key, "message|msg|errmsg|errormsg|detail|title|errormessage|information")
    });
    let coded = fields().any(|field| match &*field.key {
        "status" | "statuscode" | "code" | "cod" | "errcode" | "errorcode" | "ecode"
        | "errortype" | "error_code" | "httpstatus" => {
            match number(field.value.trim_start_matches('-')) {
                Some(number) => number != 0 && !(200..400).contains(&number),
                None => {
                    field.quoted && !among(&field.value, "OK|ok|success|SUCCESS|active|open|done")
                }
            }
        }
        _ => false,
    });
    let only = fields().all(|field| is_of_envelope(&field.key));
    let nothing_inside = scan.containers.iter().all(|(key, depth)| {
        *depth != TOP || among(key, "details|detail|errors|fault|headers|meta|responsemetadata")
    });
    if !says || !only || !nothing_inside {
        return false;
    }
    coded || fields().count() == 1 && speaks(scan, 0)
}

fn is_of_envelope(key: &str) -> bool {
    among(
        key,
        "code|cod|errcode|errorcode|ecode|errortype|type|message|msg|errmsg|errormsg|errormessage|status|statuscode|httpstatus|requestid|logid|traceid|detail|details|title|instance|object|documentationurl|helpurl|retryafter|retryafterms|timestamp|data|category|policyname|correlationid|global|displaymessage|suggestion|hint|retryable|statustext|period|accountid|productname|information|note|name|reason|description|path",
    )
}

fn begins_as_error(scan: &Scan) -> bool {
    // A title is not the text.
    let first = scan.text.as_bytes().trim_ascii_start();
    if first.starts_with(b"#")
        && !first.starts_with(b"# Error\n")
        && !first.starts_with(b"### Error")
    {
        return false;
    }
    let end = first.iter().position(|byte| *byte == b'\n').unwrap_or(first.len());
    let line = first.get(..end).unwrap_or_default();
    let colon = line.ends_with(b":") || line.windows(2).any(|two| two == b": ");
    let start = if among(scan.word(0), "sorry|oops|uh|mcp|~") { 1 } else { 0 };
    let word = scan.word(start);
    let next = scan.word(start + 1);
    let error =
        among(word, "error|erreur|fehler|erro|errore|exception|fatal|failure|blad|fout|ошибка")
            || words("错误|エラー|오류|失败").any(|start| word.starts_with(start));
    // "执行查询时出错: ...", "取得に失敗: ...": what failed comes first.
    let fails = words("出错|失败|失敗|错误|エラー|오류|실패").any(|end| word.ends_with(end))
        && matches!(scan.mark_after(start), b':' | 0xef);
    if fails {
        return true;
    }
    if error {
        // "Error: ...", "Error 429", "Error getting field 'a': ...", "Error while ...".
        // Not "Error codes:", "Error handling".
        let mark = scan.mark_after(start);
        return matches!(mark, b':' | b'-' | b'(' | b'!' | b'[' | 0xef)
            || colon && !among(word, "error|exception|fatal|failure")
            || scan.number(start + 1).is_some_and(|number| {
                // "Error 500: the story of our outage", and what there is to know of it.
                let lines = first.trim_ascii_end().iter().filter(|byte| **byte == b'\n').count();
                lines < 2
                    || u16::try_from(number).is_ok_and(|status| has_reason(scan, start + 1, status))
            })
            || among(
                next,
                "occurred|in|while|during|when|from|at|code|executing|calling|response|message",
            ) && colon
                && !among(scan.word(start + 2), "reference|list")
            || next.ends_with("ing")
                && colon
                && !among(next, "handling|logging|reporting|tracking|monitoring");
    }
    let starts = |phrases: &'static str| words(phrases).any(|phrase| scan.stands(start, phrase));
    if starts(
        "an error occurred|an error has occurred|an unexpected error|an exception|unexpected error|unhandled exception|caught exception|traceback|no such|request failed|search failed|query failed|fetch failed|call failed|tool failed|operation failed|connection failed|connection error|api error|api call failed|http error|network error|server error|internal server error|internal error|timeout error|tool execution failed|tool call failed|execution failed|something went wrong|echec|impossible de|nao foi possivel|no se pudo|konnte nicht|upstream error|database error|runtime error|validation error|failed calling|failed fetching|failed getting",
    ) {
        // "Failed to load resource" may be a line of a log; a message is short.
        return first.len() <= 4 * SHORT;
    }
    for phrase in words("failed to|unable to|could not|couldnt|cannot|cant|can not") {
        if scan.stands(start, phrase) {
            let verb = scan.word(start + spaces(phrase) + 1);
            return among(verb, VERBS)
                && first.len() <= 4 * SHORT
                && !holds(&scan.text, "succeeded");
        }
    }
    // "Neo4j Error: ...", "GitLab API error: ...", "TimeoutError: ...".
    let named = (1..5).any(|ahead| {
        among(scan.word(start + ahead), "error|exception")
            && scan.mark_after(start + ahead) == b':'
            && (0..=ahead).all(|index| scan.byte_after(start + index) != b'\n')
            && starts_line(scan, start + ahead)
    });
    if named && first.len() <= 4 * SHORT && line.len() < 2 * SHORT {
        return true;
    }
    let timeout = ["[TIMEOUT]", "[ERROR]", "**Error", "❌", "⚠"]
        .iter()
        .any(|mark| first.starts_with(mark.as_bytes()));
    timeout || (first.len() <= SHORT && speaks(scan, start))
}

/// What a tool fails to do, not what a text tells of.
const VERBS: &str = "access|acquire|add|authenticate|call|check|complete|connect|convert|crawl|create|delete|describe|download|establish|execute|export|extract|fetch|find|generate|get|import|initialize|insert|invoke|list|load|navigate|obtain|open|parse|perform|post|process|publish|query|reach|read|render|request|resolve|retrieve|run|save|scrape|search|send|set|start|store|submit|sync|translate|update|upload|write|be";

/// Only words stand before it, no data: "foo: bar error:" is a log line.
fn starts_line(scan: &Scan, index: usize) -> bool {
    (0..index).all(|word| {
        // "S3", "Neo4j": a number in a name.
        let counts = scan.number(word).is_some() && !scan.byte_before(word).is_ascii_alphabetic();
        let after = scan.byte_after(word);
        let ends = after == b'.' && scan.byte_after_next(word) == b' ';
        !counts && !ends && !matches!(after, b':' | b'\n' | b'|')
    })
}

/// A short message that begins with what cannot mean anything but a failure.
fn speaks(scan: &Scan, start: usize) -> bool {
    // "Rate limit exceeded.", "Service temporarily unavailable.", "Request timed out".
    let few = scan.tokens.len().min(start + 5);
    let text = scan.text.as_bytes().trim_ascii();
    if text.iter().filter(|byte| **byte == b'\n').count() > 1 {
        return false;
    }
    (start..few).any(|index| {
        let plain = (start..index).all(|word| {
            scan.number(word).is_none() && !matches!(scan.byte_after(word), b':' | b'.' | b',' | b'|' | b'\n' | b'=')
                && among(scan.word(word), "the|your|api|request|requests|you|have|has|we|are|is|this|our|server|service|connection|tool|search|query|system|call|operation|too|currently|being|been|user|was|upstream|database|model|temporarily")
        });
        let mut marks = Marks::default();
        marks_at(scan, index, &mut marks);
        plain && (marks.has(Mark::Throttled) || marks.has(Mark::Transient) || marks.has(Mark::Spent)) && !names_a_thing(scan, index)
    })
}

/// "Rate limit settings updated", "Too many requests: how to handle them".
fn names_a_thing(scan: &Scan, index: usize) -> bool {
    (index..index + 7).any(|word| {
        among(scan.word(word), "remaining|plan|settings|updated|saved|created|policy|set|guide|how|means|explained|configured|enabled|disabled|successfully|succeeded|errors|usually|caused|occurs|happens|responses")
    })
}
