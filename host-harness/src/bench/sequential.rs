//! One decision after the other.

use std::{num::NonZeroUsize, sync::Arc};

use host_harness::{
    contract::Invocation,
    gateway::{Background, CallContext, Content, Hook, RetryHook},
    mcp::ResultContent,
    sandbox::Plugin,
};
use serde_json::json;

use super::{
    Effort,
    cases::{REQUEST_ID, classic, config, invocation, plugin, returned},
    figure::{Figure, nanoseconds},
    floor::Floor,
    native::Native,
};

pub fn measure(effort: Effort) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut floor = Floor::start()?;
    floor.call()?;
    figures.push(nanoseconds("empty component call", effort, |_| {
        let _ = std::hint::black_box(floor.call());
    }));
    for (name, outcome) in classic() {
        let sandboxed = plugin(config(false), NonZeroUsize::MIN)?;
        let none = Background::none();
        figures.push(nanoseconds(format!("sandbox/{name}"), effort, |number| {
            let invocation = invocation(REQUEST_ID, 1, number);
            let verdict = sandboxed.judge(Hook::ToolPostInvoke, invocation, &outcome, none.clone());
            assert!(verdict.is_ok(), "{verdict:?}");
        }));
        let mut native = Native::start(&config(false))?;
        figures.push(nanoseconds(format!("native/{name}"), effort, |number| {
            native.judge(REQUEST_ID, 1, number, &outcome);
        }));
    }
    figures.extend(first_and_last(effort)?);
    figures.extend(sizes(effort)?);
    Ok(figures)
}

/// The first failure of a call, whose state is dropped again, and one after
/// which nothing is left to retry.
fn first_and_last(effort: Effort) -> anyhow::Result<Vec<Figure>> {
    let ids: Vec<String> = (0..1024).map(|number| format!("{number:016x}")).collect();
    let id = |number: u64| ids[number as usize % ids.len()].as_str();
    let failed = returned(true, None);
    let sandboxed = plugin(config(false), NonZeroUsize::MIN)?;
    let judge = |id: &str, attempt, number| judge(&sandboxed, id, attempt, number);
    let mut native = Native::start(&config(false))?;
    let first = nanoseconds("sandbox/first failure, then forgotten", effort, |number| {
        judge(id(number), 1, number);
        sandboxed.forget(Hook::ToolPostInvoke, "search", id(number), &CallContext::default());
    });
    let first_native = nanoseconds("native/first failure, then forgotten", effort, |number| {
        native.judge(id(number), 1, number, &failed);
        native.forget(id(number));
    });
    let last = nanoseconds("sandbox/exhausted", effort, |number| judge(id(number), 11, number));
    let last_native = nanoseconds("native/exhausted", effort, |number| {
        native.judge(id(number), 11, number, &failed);
    });
    Ok(vec![first, first_native, last, last_native])
}

fn judge(plugin: &Plugin, id: &str, attempt: u32, now_ms: u64) {
    let invocation = invocation(id, attempt, now_ms);
    let verdict =
        plugin.judge(Hook::ToolPostInvoke, invocation, &returned(true, None), Background::none());
    assert!(verdict.is_ok(), "{verdict:?}");
}

/// Results of three sizes, with their texts left alone and looked into.
fn sizes(effort: Effort) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    // A text is read up to 1 MiB, so the largest is that with all around it.
    for (size, bytes) in [("1 KiB", 1 << 10), ("64 KiB", 64 << 10), ("1 MiB", (1 << 20) - 64)] {
        let text = json!({ "note": "x".repeat(bytes) }).to_string();
        let result = json!({ "content": [{ "type": "text", "text": text }] });
        let result = Arc::new(ResultContent::of(&result));
        for check_text in [false, true] {
            let sandboxed = plugin(config(check_text), NonZeroUsize::MIN)?;
            let mode = if check_text { "texts read" } else { "texts not read" };
            figures.push(nanoseconds(format!("sandbox/{size}, {mode}"), effort, |number| {
                let content: Arc<dyn Content> = result.clone();
                let background = Background { content: Some(content), ..Background::none() };
                let outcome = result.outcome();
                let known = background.known(false);
                let invocation = Invocation { known, ..invocation(REQUEST_ID, 1, number) };
                let verdict =
                    sandboxed.judge(Hook::ToolPostInvoke, invocation, &outcome, background);
                assert!(verdict.is_ok(), "{verdict:?}");
            }));
        }
    }
    Ok(figures)
}
