//! Answers whose texts take as long to read as texts can, or are as many as
//! there can be. A server sends them; nobody else is to suffer for it.

use std::{num::NonZeroUsize, sync::Arc};

use host_harness::{
    bundled,
    contract::{Invocation, Known, Outcome, Reason, Returned},
    gateway::{Background, Content, Hook, RetryHook},
    mcp::ResultContent,
    sandbox::{Component, Options, Plugin},
};
use serde_json::{Value, json};

/// A plugin that reads texts, under the limits that everybody has.
fn reader() -> Plugin {
    let component = Component::from_bytes(bundled::NAME, bundled::COMPONENT).expect("bundled");
    let mut options = Options {
        config: r#"{"check_text_content": true}"#.to_owned(),
        shards: NonZeroUsize::MIN,
        ..Options::default()
    };
    if cfg!(debug_assertions) {
        // Much of the time is the host's own, which reads texts in code that is
        // not optimized here, beside as many other tests as there are processors.
        options.limits.call_time *= 5;
        options.limits.average_time *= 5;
    }
    Plugin::start(&component, options).expect("a good configuration")
}

/// Why the plugin decides as it does about a result with so many of this text.
fn judged(plugin: &Plugin, text: &str, count: usize) -> Reason {
    let texts: Vec<Value> = (0..count).map(|_| json!({ "type": "text", "text": text })).collect();
    let result = ResultContent::of(&json!({ "content": texts }));
    let content: Arc<dyn Content> = Arc::new(result);
    let invocation = Invocation {
        target: "search",
        request_id: "1",
        attempt: 1,
        now_ms: 0,
        time_left_ms: None,
        known: Known::empty(),
    };
    let outcome = Outcome::Returned(Returned { is_error: false, structured: None });
    let background = Background { content: Some(content), ..Background::none() };
    let verdict = plugin.judge(Hook::ToolPostInvoke, invocation, &outcome, background);
    verdict.expect("a verdict").reason
}

#[test]
fn the_dearest_texts_neither_break_a_plugin_nor_set_it_aside() {
    let plugin = reader();
    for element in ["[]", "2E-7", r#"{"isError":{}}"#, r#""\u00e9\n""#, "[[[[[]]]]]"] {
        for (bytes, count) in [(64 << 10, 100), (512 << 10, 16), (1 << 20, 8)] {
            let most = bytes / (element.len() + 1) - 1;
            let text = format!("[{}]", vec![element; most].join(","));
            for _ in 0..4 {
                assert_eq!(judged(&plugin, &text, count), Reason::Succeeded, "{element}");
            }
        }
    }
    // On a machine that does much else it may be slow for a while, and no more than that.
    let faults = plugin.faults();
    assert!(faults.keys().all(|name| *name == "slow"), "{faults:?}");
}

#[test]
fn any_number_of_texts_breaks_nothing_and_the_first_are_read() {
    let plugin = reader();
    let failed = r#"{"isError": true}"#;
    for (text, reason) in [("x", Reason::Succeeded), (failed, Reason::TextError)] {
        assert_eq!(judged(&plugin, text, 30_000), reason);
    }
    assert!(plugin.faults().is_empty(), "{:?}", plugin.faults());
}
