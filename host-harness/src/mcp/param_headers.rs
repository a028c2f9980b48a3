//! Parameters of a tool that travel in headers as well: `x-mcp-header` in its
//! schema, since 2026-07-28.

use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value};

use crate::mcp::{
    header_value::{decoded, encoded},
    large::work_on,
    wire::Message,
};

const ANNOTATION: &str = "x-mcp-header";
/// Parameters of one tool that have a header; a request has no room for more.
const MOST_PARAMETERS: usize = 64;
/// The longest way to one of them: the bytes of all names on it.
const LONGEST_WAY: usize = 4 * 1024;
/// The largest integer that every JSON parser reads exactly.
const LARGEST: i64 = (1 << 53) - 1;

/// The parameters of one tool that have a header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ParamHeaders(Vec<ParamHeader>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct ParamHeader {
    name: HeaderName,
    /// The names of properties that lead to it, from the arguments on.
    path: Vec<String>,
}

/// An annotation that breaks the rules, and with it its tool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadAnnotation {
    #[error("{ANNOTATION} is {0}, which is no part of a header's name")]
    Name(Value),
    #[error("two parameters want the header {0}")]
    Twice(HeaderName),
    #[error("the header {0} is for something else than a string, an integer or a boolean")]
    Type(HeaderName),
    #[error("more than {MOST_PARAMETERS} parameters want a header, or one lies too deep")]
    TooMany,
    #[error("{ANNOTATION} is where no chain of `properties` leads")]
    Place,
}

impl ParamHeaders {
    /// Whether no parameter is in a header.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The arguments of a call; `null` if there are none that can be read.
    pub(crate) async fn arguments_of(call: &Message) -> Value {
        let Some(raw) = call.param("arguments") else { return Value::Null };
        work_on(raw.get().len(), move || serde_json::from_str(raw.get()).unwrap_or_default()).await
    }

    /// What a tool's `inputSchema` asks for.
    pub(crate) fn of(schema: &Value) -> Result<Self, BadAnnotation> {
        let mut found = Self::default();
        found.look(schema, &mut Vec::new())?;
        Ok(found)
    }

    /// Looks through a schema that only `properties` led to.
    fn look(&mut self, schema: &Value, path: &mut Vec<String>) -> Result<(), BadAnnotation> {
        let Value::Object(members) = schema else { return Ok(()) };
        if let Some(annotation) = members.get(ANNOTATION) {
            self.add(annotation, members, path)?;
        }
        for (keyword, value) in members {
            match (&**keyword, value) {
                ("properties", Value::Object(properties)) => {
                    for (name, property) in properties {
                        path.push(name.clone());
                        self.look(property, path)?;
                        path.pop();
                    }
                }
                _ => nothing_within(keyword, value)?,
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        annotation: &Value,
        property: &Map<String, Value>,
        path: &[String],
    ) -> Result<(), BadAnnotation> {
        if path.is_empty() {
            return Err(BadAnnotation::Place);
        }
        let way: usize = path.iter().map(String::len).sum();
        if self.0.len() >= MOST_PARAMETERS || way > LONGEST_WAY {
            return Err(BadAnnotation::TooMany);
        }
        let name = annotation.as_str().filter(|name| !name.is_empty());
        let name = name.and_then(|name| format!("mcp-param-{name}").parse::<HeaderName>().ok());
        let Some(name) = name else { return Err(BadAnnotation::Name(annotation.clone())) };
        // Header names are compared without their case, so this is one as well.
        if self.0.iter().any(|known| known.name == name) {
            return Err(BadAnnotation::Twice(name));
        }
        if !property.get("type").is_some_and(is_primitive) {
            return Err(BadAnnotation::Type(name));
        }
        self.0.push(ParamHeader { name, path: path.to_vec() });
        Ok(())
    }

    /// The headers of a call with these arguments.
    pub(crate) fn mirror(&self, arguments: &Value, headers: &mut HeaderMap) {
        for (name, value) in self.told(arguments) {
            if let Some(text) = value.and_then(text) {
                headers.insert(name.clone(), encoded(&text));
            }
        }
    }

    /// The first header that does not say what the arguments say.
    pub(crate) fn mismatch(&self, arguments: &Value, headers: &HeaderMap) -> Option<HeaderName> {
        let differs = |name: &HeaderName, value: Option<&Value>| match (headers.get(name), value) {
            (None, None) => false,
            (Some(header), Some(value)) => !decoded(header).is_some_and(|told| says(&told, value)),
            (Some(_), None) => true,
            // What has no text cannot be in a header; the server judges it.
            (None, Some(value)) => text(value).is_some(),
        };
        self.told(arguments)
            .find(|(name, value)| differs(name, *value))
            .map(|(name, _)| name.clone())
    }

    /// Each header with its value in the arguments, if it is there and not null.
    fn told<'a>(
        &'a self,
        arguments: &'a Value,
    ) -> impl Iterator<Item = (&'a HeaderName, Option<&'a Value>)> {
        self.0.iter().map(move |ParamHeader { name, path }| {
            let value = path.iter().try_fold(arguments, |value, step| value.get(step));
            (name, value.filter(|value| !value.is_null()))
        })
    }
}

/// Whether a `type` is that of a text, an integer or a boolean, which may be null as well.
fn is_primitive(kind: &Value) -> bool {
    let primitive = |kind: &Value| {
        kind.as_str().is_some_and(|kind| ["string", "integer", "boolean"].contains(&kind))
    };
    match kind {
        Value::Array(kinds) => {
            let mut others = kinds.iter().filter(|kind| *kind != "null");
            others.next().is_some_and(primitive) && others.next().is_none()
        }
        kind => primitive(kind),
    }
}

/// No schema in the value of this keyword has an annotation.
fn nothing_within(keyword: &str, value: &Value) -> Result<(), BadAnnotation> {
    match (keyword, value) {
        // No schemas.
        (ANNOTATION | "default" | "const" | "enum" | "examples", _) => Ok(()),
        // The keys are names, not keywords.
        (
            "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas",
            Value::Object(schemas),
        ) => schemas.values().try_for_each(|schema| nothing_within("", schema)),
        (_, Value::Object(members)) if members.contains_key(ANNOTATION) => {
            Err(BadAnnotation::Place)
        }
        (_, Value::Object(members)) => {
            members.iter().try_for_each(|(keyword, value)| nothing_within(keyword, value))
        }
        (_, Value::Array(items)) => items.iter().try_for_each(|item| nothing_within("", item)),
        _ => Ok(()),
    }
}

/// A value as a header has it; none if it has none.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(_) => integer(value).map(|value| value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether a header's text is the value; integers are compared as numbers.
fn says(told: &str, value: &Value) -> bool {
    match integer(value) {
        Some(value) => {
            serde_json::from_str(told).ok().and_then(|told| integer(&told)) == Some(value)
        }
        None => text(value).as_deref() == Some(told),
    }
}

/// An integer, however it is written: `42`, `42.0`, `4.2e1`.
fn integer(value: &Value) -> Option<i64> {
    let safe = |value: &i64| (-LARGEST..=LARGEST).contains(value);
    #[expect(clippy::cast_possible_truncation, reason = "whole, and checked right after")]
    let whole = |value: f64| (value.fract() == 0.0).then_some(value as i64);
    value.as_i64().or_else(|| whole(value.as_f64()?)).filter(safe)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(properties: Value) -> Value {
        json!({ "type": "object", "properties": properties })
    }

    fn param(kind: &str, name: &str) -> Value {
        json!({ "type": kind, "x-mcp-header": name })
    }

    #[test]
    fn values_are_mirrored_from_their_exact_place() {
        let found = ParamHeaders::of(&schema(json!({
            "region": param("string", "Region"),
            "n": param("integer", "N"),
            "on": param("boolean", "On"),
            "maybe": { "type": ["string", "null"], "x-mcp-header": "Maybe" },
            // Properties that only look like something else.
            "x-mcp-header": param("string", "Odd"),
            "properties": schema(json!({ "deep": param("string", "Deep") })),
            "query": { "type": "string", "default": { "x-mcp-header": "no schema" } },
        })))
        .expect("good annotations");
        let mirrored = |arguments: Value| {
            let mut headers = HeaderMap::new();
            found.mirror(&arguments, &mut headers);
            assert_eq!(found.mismatch(&arguments, &headers), None);
            let mut told: Vec<_> = headers
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.to_str().expect("text")))
                .collect();
            told.sort();
            told
        };
        let all = mirrored(json!({
            "region": "ü", "n": -7.0, "on": false, "maybe": "", "x-mcp-header": "o",
            "properties": { "deep": "d" }, "query": "q", "deep": "not this one",
        }));
        assert_eq!(
            all,
            [
                "mcp-param-deep: d",
                "mcp-param-maybe: ",
                "mcp-param-n: -7",
                "mcp-param-odd: o",
                "mcp-param-on: false",
                "mcp-param-region: =?base64?w7w=?=",
            ]
        );
        let none = mirrored(json!({ "region": null, "n": 0.5, "on": [], "properties": "deep" }));
        assert_eq!(none, [""; 0]);
        assert_eq!(mirrored(json!({ "n": 9_007_199_254_740_992_u64 })), [""; 0]);
        assert_eq!(mirrored(json!(null)), [""; 0]);
    }

    #[test]
    fn a_header_has_to_say_what_the_argument_says() {
        let found = ParamHeaders::of(&schema(json!({
            "n": param("integer", "N"), "s": param("string", "S"),
        })))
        .expect("good annotations");
        let wrong = |arguments: Value, told: &[(&'static str, &'static str)]| {
            let headers = told.iter().map(|(name, value)| {
                (HeaderName::from_static(name), http::HeaderValue::from_static(value))
            });
            found.mismatch(&arguments, &headers.collect()).map(|name| name.to_string())
        };
        let (n, s) = ("mcp-param-n", "mcp-param-s");
        assert_eq!(wrong(json!({ "n": 42, "s": "x" }), &[(n, "42.0"), (s, "x")]), None);
        assert_eq!(wrong(json!({ "s": "42.0" }), &[(s, "42")]), Some(s.to_owned()));
        assert_eq!(wrong(json!({ "n": 42 }), &[]), Some(n.to_owned()));
        assert_eq!(wrong(json!({}), &[(n, "42")]), Some(n.to_owned()));
        assert_eq!(wrong(json!({ "n": null }), &[]), None);
        assert_eq!(wrong(json!({ "s": "x" }), &[(s, "=?base64?%?=")]), Some(s.to_owned()));
    }

    #[test]
    fn an_annotation_that_breaks_the_rules_is_told_from_a_good_one() {
        let name = |value: Value| BadAnnotation::Name(value);
        let header = |name: &'static str| HeaderName::from_static(name);
        for (properties, problem) in [
            (json!({ "a": param("string", "") }), name(json!(""))),
            (json!({ "a": param("string", "a b") }), name(json!("a b"))),
            (json!({ "a": param("string", "a:b") }), name(json!("a:b"))),
            (json!({ "a": param("string", "ä") }), name(json!("ä"))),
            (json!({ "a": param("string", "a\r\nb") }), name(json!("a\r\nb"))),
            (json!({ "a": { "type": "string", "x-mcp-header": 7 } }), name(json!(7))),
            (
                json!({ "a": param("string", "Same"), "b": param("string", "sAME") }),
                BadAnnotation::Twice(header("mcp-param-same")),
            ),
            (json!({ "a": param("number", "N") }), BadAnnotation::Type(header("mcp-param-n"))),
            (json!({ "a": param("object", "O") }), BadAnnotation::Type(header("mcp-param-o"))),
            (json!({ "a": { "x-mcp-header": "T" } }), BadAnnotation::Type(header("mcp-param-t"))),
            (
                json!({ "a": { "type": "array", "items": param("string", "I") } }),
                BadAnnotation::Place,
            ),
            (json!({ "a": { "anyOf": [param("string", "A")] } }), BadAnnotation::Place),
            (json!({ "a": { "$defs": { "d": param("string", "D") } } }), BadAnnotation::Place),
        ] {
            assert_eq!(ParamHeaders::of(&schema(properties.clone())), Err(problem), "{properties}");
        }
        assert_eq!(ParamHeaders::of(&param("object", "Root")), Err(BadAnnotation::Place));
        for without in [json!(true), json!(null), schema(json!({ "a": {} })), json!({ "if": {} })] {
            assert_eq!(ParamHeaders::of(&without), Ok(ParamHeaders::default()));
        }
    }
}
