//! What the client gets at the end of a call that may have been repeated.

use std::{ops::Range, time::Duration};

use serde::Serialize;
use serde_json::{
    Map, Value, json,
    value::{RawValue, to_raw_value},
};

use crate::{
    contract::{Class, Outcome, Reason, Returned, Structured, ToolAnnotations},
    gateway::{Attempt, Hook, Past, Reply, Stop, label},
    mcp::{
        codes::NO_ANSWER,
        failed_closed,
        front::ToClient,
        large::work_on,
        members::Members,
        options::RelayOptions,
        own_error::{Account, Ended, Executed, data},
        raw_json::{members, place},
        reply::AttemptReply,
        wire::{Id, Message},
    },
};

/// The member of a result's `_meta` that says what its call came to.
pub(super) const META: &str = "retry-with-backoff/outcome";

/// What is said of an answer that does not count, in bytes.
const MOST_WORDS: usize = 256;

/// What the client may see of the retries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    /// See [`RelayOptions::outcome_meta`].
    meta: bool,
    /// See [`RelayOptions::exhausted_text`].
    exhausted_text: bool,
}

impl Shown {
    pub(super) fn of(options: &RelayOptions) -> Self {
        Self { meta: options.outcome_meta, exhausted_text: options.exhausted_text }
    }
}

/// A call that has ended.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) hook: Hook,
    /// What the upstream says of the tool.
    pub(super) annotations: Option<ToolAnnotations>,
    pub(super) reply: AttemptReply,
    pub(super) attempts: Attempt,
    pub(super) stop: Stop,
    pub(super) past: Past<AttemptReply>,
}

impl Ending {
    /// What the client gets under the id of its request.
    pub(super) async fn response(self, id: &Id, shown: Shown) -> ToClient {
        let succeeded = self.succeeded();
        let account = self.account(succeeded);
        let Self { reply, stop, past, attempts, .. } = self;
        if let Stop::FailedClosed(failure) = &stop {
            return failed_closed::response(reply, id, failure, &account);
        }
        let permanent = stop.verdict().is_some_and(|verdict| verdict.class == Class::Permanent);
        let safe = surely_safe(self.hook, self.annotations);
        if let (Some(unanswered), true, false) = (past.unanswered, permanent, safe) {
            return superseded(unanswered, reply, id, &account);
        }
        let repeated = attempts > Attempt::FIRST;
        if !matches!(reply, AttemptReply::Result(_)) || (succeeded && !repeated) {
            return reply.into_response(id, &account);
        }
        let note = Note {
            attempts: account.attempts,
            reason: &account.reason,
            executed: account.executed,
            waited_ms: millis(past.waited),
        };
        let note = shown.meta.then(|| to_raw_value(&note).ok()).flatten();
        let exhausted = !succeeded && repeated && shown.exhausted_text && is_exhausted(&stop);
        let text = exhausted.then(|| {
            let (times, seconds) = (account.attempts, past.took.as_secs_f64());
            format!("tried {times} times over {seconds:.1} s; trying again now will not help")
        });
        let id = id.clone();
        work_on(reply.bytes(), move || {
            let mut said = reply.into_response(&id, &account);
            said.message = annotated(said.message, note, text, repeated);
            said
        })
        .await
    }

    fn succeeded(&self) -> bool {
        if let Some(verdict) = self.stop.verdict() {
            return verdict.class == Class::Succeeded;
        }
        !matches!(
            self.reply.outcome(),
            Outcome::Returned(
                Returned { is_error: true, .. }
                    | Returned { structured: Some(Structured { is_error: true, .. }), .. }
            )
        )
    }

    fn account(&self, succeeded: bool) -> Account {
        let answered = matches!(self.reply, AttemptReply::Result(_));
        let executed = match self.past.not_executed {
            _ if succeeded && answered => Executed::Yes,
            true => Executed::No,
            false => Executed::Unknown,
        };
        Account {
            attempts: self.attempts.number(),
            reason: label::end(&self.stop).replace('_', "-"),
            executed,
            retry_after_ms: self.stop.verdict().and_then(|verdict| verdict.pushback_ms),
        }
    }
}

/// What `_meta` says.
#[derive(Serialize)]
struct Note<'a> {
    attempts: u32,
    reason: &'a str,
    executed: Executed,
    waited_ms: u64,
}

/// Whether the work of a call is the same however often it is done, and so the
/// answer to it: then the last answer is as good as the first one would have been.
fn surely_safe(hook: Hook, annotations: Option<ToolAnnotations>) -> bool {
    hook == Hook::ResourcePostFetch
        || annotations.is_some_and(|hints| hints.read_only == Some(true))
}

fn is_exhausted(stop: &Stop) -> bool {
    match stop {
        Stop::Ceiling(_) => true,
        Stop::Plugin(verdict) => verdict.reason == Reason::RetriesExhausted,
        _ => false,
    }
}

/// An attempt may have been executed but brought no answer, and the next one is
/// refused for good, perhaps because the work is done ("already exists"). That
/// answer alone would hide that, so the client gets it within the error that
/// tells of the attempt before.
fn superseded(
    unanswered: AttemptReply,
    later: AttemptReply,
    id: &Id,
    account: &Account,
) -> ToClient {
    let ended = match unanswered {
        AttemptReply::TimedOut { .. } => Ended::TimedOut,
        _ => Ended::Lost,
    };
    let what = match ended {
        Ended::TimedOut => "an earlier attempt of the call timed out",
        _ => "the connection was lost during an earlier attempt of the call",
    };
    let words = later.words(MOST_WORDS).map(|words| format!(": {words}")).unwrap_or_default();
    let text = format!(
        "{what} and may have been executed; the last attempt was refused, perhaps for that \
         reason{words}"
    );
    let later = later.into_message(id);
    let mut more = Map::new();
    for name in ["result", "error"] {
        // A tree of an answer that is large would take too much room.
        let small = later.get(name).filter(|raw| raw.get().len() <= 64 << 10);
        if let Some(value) = small.and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok()) {
            more.insert("lastAnswer".to_owned(), json!({ name: value }));
        }
    }
    let data = data(ended, &Account { executed: Executed::Unknown, ..account.clone() }, None, more);
    let message = Message::error(Some(id), NO_ANSWER, &text, Some(data));
    message.into()
}

/// The same response with something more in its result; every byte that came
/// stays. What is no object, or has a `_meta` that is none, stays as it is.
fn annotated(
    response: Message,
    note: Option<Box<RawValue>>,
    text: Option<String>,
    repeated: bool,
) -> Message {
    let changed = || {
        let result = response.get("result")?.get();
        let (mut meta, mut content, mut is_empty) = (None, None, true);
        members(result, |name, value| {
            is_empty = false;
            match name {
                "_meta" => meta = Some(value),
                "content" => content = Some(value),
                _ => {}
            }
        });
        // Where something is cut out, and what comes in its place.
        let mut edits = Vec::new();
        if let Some(note) = note {
            edits.extend(with_note(result, meta, is_empty, note, repeated));
        }
        if let (Some(text), Some(content)) = (text, content) {
            edits.extend(with_text(result, content, &text));
        }
        edits.sort_by_key(|(place, _)| place.start);
        let (last, _) = edits.last()?;
        let more: usize = edits.iter().map(|(_, text)| text.len()).sum();
        let (end, mut at) = (&result[last.end..], 0);
        let mut whole = String::with_capacity(result.len() + more);
        for (place, text) in &edits {
            whole.push_str(&result[at..place.start]);
            whole.push_str(text);
            at = place.end;
        }
        whole.push_str(end);
        RawValue::from_string(whole).ok()
    };
    match changed() {
        Some(result) => response.with_member("result", result),
        None => response,
    }
}

type Edit = (Range<usize>, String);

fn with_note(
    result: &str,
    meta: Option<&str>,
    is_empty: bool,
    note: Box<RawValue>,
    repeated: bool,
) -> Option<Edit> {
    let Some(meta) = meta else {
        let end = result.strip_suffix('}')?.len();
        let comma = if is_empty { "" } else { "," };
        return Some((end..end, format!(r#"{comma}"_meta":{{"{META}":{note}}}"#)));
    };
    let mut members = Members::parse(serde_json::from_str(meta).ok()?).ok()?;
    // A gateway behind this one says more of a call that was made once here.
    if !repeated && members.get(META).is_some() {
        return None;
    }
    members.set(META, note);
    Some((place(result, meta), serde_json::to_string(&members).ok()?))
}

/// A text item at the end of an array.
fn with_text(result: &str, content: &str, text: &str) -> Option<Edit> {
    let items = content.strip_prefix('[')?.strip_suffix(']')?;
    let end = place(result, content).end - 1;
    let comma = if items.trim().is_empty() { "" } else { "," };
    let item = json!({ "type": "text", "text": text });
    Some((end..end, format!("{comma}{item}")))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotated(result: &str, text: Option<&str>, repeated: bool) -> String {
        let response = Message::written(&format!(r#"{{"id":1,"result":{result}}}"#));
        let note = RawValue::from_string("7".to_owned()).expect("JSON");
        let text = text.map(ToOwned::to_owned);
        let changed = super::annotated(response, Some(note), text, repeated);
        changed.get("result").expect("a result").get().to_owned()
    }

    #[test]
    fn what_is_said_of_a_call_changes_no_other_byte_of_its_result() {
        let meta = r#""retry-with-backoff/outcome":7"#;
        for (before, after) in [
            (r#"{}"#, format!(r#"{{"_meta":{{{meta}}}}}"#)),
            (r#"{ "a" : 1e2 }"#, format!(r#"{{ "a" : 1e2 ,"_meta":{{{meta}}}}}"#)),
            (
                r#"{"a":1,"a":2,"_meta":{"k":1.0},"z":[]}"#,
                format!(r#"{{"a":1,"a":2,"_meta":{{"k":1.0,{meta}}},"z":[]}}"#),
            ),
            (
                r#"{"_meta":{"retry-with-backoff/outcome":{}}}"#,
                format!(r#"{{"_meta":{{{meta}}}}}"#),
            ),
        ] {
            assert_eq!(annotated(before, None, true), after);
        }
        for untouched in [r#"{"_meta":3}"#, "[]", "null", r#""text""#] {
            assert_eq!(annotated(untouched, None, true), untouched);
        }
        let by_another = r#"{"_meta":{"retry-with-backoff/outcome":{"attempts":4}}}"#;
        assert_eq!(annotated(by_another, None, false), by_another);
    }

    #[test]
    fn a_text_comes_after_those_of_the_server() {
        let item = r#"{"type":"text","text":"no more"}"#;
        let meta = r#""_meta":{"retry-with-backoff/outcome":7}"#;
        for (content, expected) in [("[]", format!("[{item}]")), ("[ 1 ]", format!("[ 1 ,{item}]"))]
        {
            let said = annotated(&format!(r#"{{"content":{content}}}"#), Some("no more"), true);
            assert_eq!(said, format!(r#"{{"content":{expected},{meta}}}"#));
        }
        let said = annotated(r#"{"content":{}}"#, Some("no more"), true);
        assert_eq!(said, format!(r#"{{"content":{{}},{meta}}}"#));
    }
}
