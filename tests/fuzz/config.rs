//! The component's parser of configurations.

use host_harness::{contract::Issue, sandbox::StartError};
use serde_json::Value;

use super::run;
use crate::plugin_under_test::{FAILED, invocation, judge_outcome, start};

#[test]
fn a_configuration_is_taken_or_refused_with_reasons_and_nothing_breaks() {
    let plugin = start("null");
    run("config", |input| {
        let text = String::from_utf8_lossy(input);
        match plugin.reconfigure(&text) {
            Ok(_) => {
                let value: Value = serde_json::from_str(&text).expect("only JSON is taken");
                assert!(value.is_object() || value.is_null(), "{text}");
            }
            Err(StartError::Config(issues)) => {
                for Issue { path, message } in issues {
                    assert!(!message.is_empty() && !message.contains(char::is_control), "{path}");
                }
            }
            Err(other) => panic!("{other}: {text}"),
        }
        // Whatever is in force now, it judges.
        judge_outcome(&plugin, invocation("fuzzed", "1"), &FAILED);
    });
    assert!(plugin.faults().is_empty(), "{:?}", plugin.faults());
}
