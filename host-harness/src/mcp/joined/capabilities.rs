//! What several servers can do together.

use serde_json::{Map, Value};

/// What any of them can.
pub(super) fn union<'a>(all: impl IntoIterator<Item = &'a Value>) -> Value {
    let mut union = Value::Object(Map::new());
    for one in all {
        add(&mut union, one);
    }
    union
}

/// The versions that all of them speak; if there is none, all that any of them speaks.
pub(super) fn versions<'a>(all: impl Iterator<Item = &'a [String]> + Clone) -> Vec<&'a String> {
    let mut any: Vec<_> = all.clone().flatten().collect();
    let by_all = |version: &&String| all.clone().all(|one| one.contains(version));
    let common: Vec<_> = all.clone().next().into_iter().flatten().filter(by_all).collect();
    if !common.is_empty() {
        return common;
    }
    any.sort();
    any.dedup();
    any
}

fn add(to: &mut Value, from: &Value) {
    match (to, from) {
        (Value::Object(to), Value::Object(from)) => {
            for (name, value) in from {
                match to.get_mut(name) {
                    Some(known) => add(known, value),
                    None => drop(to.insert(name.clone(), value.clone())),
                }
            }
        }
        (to @ Value::Bool(false), Value::Bool(true)) => *to = Value::Bool(true),
        // Of what cannot be both, the first server's stays.
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_one_of_them_can_they_can_together() {
        let one = json!({ "tools": { "listChanged": false }, "experimental": { "x": 1 } });
        let other = json!({ "tools": { "listChanged": true }, "experimental": { "x": 2, "y": {} },
            "resources": { "subscribe": true } });
        assert_eq!(
            union([&one, &other]),
            json!({ "tools": { "listChanged": true }, "experimental": { "x": 1, "y": {} },
                "resources": { "subscribe": true } })
        );
        assert_eq!(union([]), json!({}));
    }

    #[test]
    fn they_speak_what_all_speak_or_each_its_own() {
        let speak = |all: &[&[&str]]| {
            let all: Vec<Vec<String>> =
                all.iter().map(|one| one.iter().map(|v| (*v).to_owned()).collect()).collect();
            versions(all.iter().map(Vec::as_slice)).into_iter().cloned().collect::<Vec<_>>()
        };
        assert_eq!(speak(&[&["3", "2"], &["1", "2", "3"]]), ["3", "2"]);
        assert_eq!(speak(&[&["3"], &["2", "1"]]), ["1", "2", "3"]);
        assert!(speak(&[]).is_empty());
    }
}
