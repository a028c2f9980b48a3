//! The JSON Schema of the configuration, written from the keys themselves.

use alloc::{format, string::String, vec::Vec};

use super::{
    Profile,
    issue::member,
    json::{joined, quoted},
    keys::{PolicyKeys, RootKeys},
    parse::OVERRIDES,
    setting::{Group, Setting, names},
};

const OVERRIDES_DOC: &str = "Policies of tools, by exact name or by pattern (`*` stands for any run \
    of characters, `?` for one), with the name of an upstream and a slash before it or without. A \
    tool has one of them: that of its exact name, else that of the pattern with the most literal \
    characters. A pattern says what differs from the rest of the configuration, a name what \
    differs from the pattern that covers it.";

/// The JSON Schema (draft 2020-12) of a configuration, as JSON text. The
/// defaults are those of the `compatible` profile; the description of
/// `profile` names what `safe` changes.
#[must_use]
pub fn schema() -> String {
    let compatible = PolicyKeys::of(Profile::Compatible);
    let mut changed = Vec::new();
    let mut root_of_safe = RootKeys::of(Profile::Safe);
    // It is the key that makes the difference.
    root_of_safe.profile = Profile::Compatible;
    differences(&RootKeys::default(), &root_of_safe, "", &mut changed);
    differences(&compatible, &PolicyKeys::of(Profile::Safe), "", &mut changed);
    let safe = format!(" `safe` sets {}.", joined(&changed, ", "));

    let mut properties = Vec::new();
    for (name, doc, setting) in RootKeys::default().keys() {
        let doc = if name == "profile" { [doc, &safe].concat() } else { doc.into() };
        properties.push(property(name, &doc, setting));
    }
    properties.extend(compatible.keys().into_iter().map(|key| property(key.0, key.1, key.2)));
    let of_a_tool: Vec<_> = names(&compatible)
        .into_iter()
        .map(|name| format!(r##""{name}":{{"$ref":"#/properties/{name}"}}"##))
        .collect();
    let overrides = format!(
        r#""{OVERRIDES}":{{"type":"object","additionalProperties":{{{}}},"default":{{}},"description":{}}}"#,
        object(&of_a_tool),
        quoted(OVERRIDES_DOC),
    );
    properties.push(overrides);
    let nullable = object_of_type(r#"["object","null"]"#, &properties);
    format!(
        r#"{{"$schema":"https://json-schema.org/draft/2020-12/schema","title":"retry-with-backoff",{nullable}}}"#
    )
}

/// What the schema of an object says that has these properties and no others.
fn object(properties: &[String]) -> String {
    object_of_type(r#""object""#, properties)
}

fn object_of_type(kind: &str, properties: &[String]) -> String {
    let properties = joined(properties, ",");
    format!(r#""type":{kind},"additionalProperties":false,"properties":{{{properties}}}"#)
}

/// What the schema of a group says.
pub(super) fn group_schema(group: &dyn Group) -> String {
    let properties: Vec<_> =
        group.keys().into_iter().map(|(name, doc, setting)| property(name, doc, setting)).collect();
    object(&properties)
}

fn property(name: &str, doc: &str, setting: &dyn Setting) -> String {
    let default = setting.written().map_or(String::new(), |value| format!(r#","default":{value}"#));
    // A doc comment begins with the space behind its slashes.
    let doc = quoted(doc.strip_prefix(' ').unwrap_or(doc));
    format!(r#""{name}":{{{}{default},"description":{doc}}}"#, setting.schema())
}

/// Keys whose values differ, as `path = value` of `to`.
fn differences(from: &dyn Group, to: &dyn Group, path: &str, found: &mut Vec<String>) {
    for ((name, _, from), (_, _, to)) in from.keys().into_iter().zip(to.keys()) {
        let path = member(path, name);
        match (from.group(), to.group(), to.written()) {
            (Some(from), Some(to), _) => differences(from, to, &path, found),
            (_, _, Some(value)) if from.written().as_ref() != Some(&value) => {
                found.push(format!("{path} = {value}"));
            }
            _ => {}
        }
    }
}
