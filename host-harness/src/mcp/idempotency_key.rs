//! Idempotency keys among the arguments of a tool: who gives one with a call
//! may have it made twice, for the server does the work once for each key.
//!
//! Which argument is one only the operator knows. The plugin hears of such a
//! call as of one of a tool that is idempotent, from a source that is trusted.

use std::{fmt, str::FromStr, sync::Arc};

use retry_with_backoff::config::fits_pattern;

use crate::{
    contract::ToolAnnotations,
    mcp::raw_json::{items, members, text},
};

/// Arguments of more bytes are not looked through, and have no key.
const MOST_BYTES: usize = 1 << 20;

/// What the plugin hears of the tool of a call with a key.
pub(super) const HINTS: ToolAnnotations =
    ToolAnnotations { read_only: None, destructive: None, idempotent: Some(true) };

/// Where the key of a tool is: `/request_id` for all tools, or
/// `create_*:/request_id` for those that the pattern covers. It is a JSON Pointer
/// (RFC 6901) into `arguments`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    tools: Option<String>,
    /// The names of members and the numbers of items, from the outside.
    path: Vec<String>,
}

/// Why it is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAKey {
    /// There is no pointer in it.
    #[error(
        "must be a JSON Pointer into the arguments that begins with `/`, such as `/request_id`, \
         after a pattern of tools and a colon if it is not for all: `create_*:/request_id`"
    )]
    NoPointer,
    /// A `~` in it is part of neither `~0` nor `~1`.
    #[error("in a JSON Pointer a `~` is written `~0`, and a `/` within a name `~1`")]
    Escape,
    /// It begins with a colon.
    #[error("the pattern of tools before the colon is empty; leave out both, or give `*`")]
    NoTools,
}

impl FromStr for IdempotencyKey {
    type Err = NotAKey;

    fn from_str(written: &str) -> Result<Self, NotAKey> {
        let (tools, pointer) = match written.split_once(":/") {
            _ if written.starts_with('/') => (None, &written[1..]),
            Some(("", _)) => return Err(NotAKey::NoTools),
            Some((tools, pointer)) => (Some(tools.to_owned()), pointer),
            None => return Err(NotAKey::NoPointer),
        };
        let path = pointer.split('/').map(unescaped).collect::<Result<_, _>>()?;
        Ok(Self { tools, path })
    }
}

fn unescaped(token: &str) -> Result<String, NotAKey> {
    let mut parts = token.split('~');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (letter, rest) = match (part.strip_prefix('0'), part.strip_prefix('1')) {
            (Some(rest), _) => ('~', rest),
            (_, Some(rest)) => ('/', rest),
            (None, None) => return Err(NotAKey::Escape),
        };
        name.push(letter);
        name.push_str(rest);
    }
    Ok(name)
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tools) = &self.tools {
            write!(f, "{tools}:")?;
        }
        for name in &self.path {
            write!(f, "/{}", name.replace('~', "~0").replace('/', "~1"))?;
        }
        Ok(())
    }
}

impl IdempotencyKey {
    /// Whether a call of this tool with these arguments carries a key here: a
    /// number, or a text with something in it. The last of several members of
    /// one name counts, as elsewhere.
    fn is_in(&self, tool: &str, arguments: &str) -> bool {
        if self.tools.as_ref().is_some_and(|pattern| !fits_pattern(pattern, tool)) {
            return false;
        }
        let found = self.path.iter().try_fold(arguments, |json, name| inside(json, name));
        found.is_some_and(|value| match value.as_bytes().first() {
            Some(b'"') => text(value).is_some_and(|text| !text.trim().is_empty()),
            first => first.is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-'),
        })
    }
}

/// A member of an object or an item of an array.
fn inside<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let json = json.trim_ascii_start();
    let mut found = None;
    members(json, |member, value| {
        if member == name {
            found = Some(value);
        }
    });
    // Array indexes have no leading zeros (RFC 6901, section 4).
    let index = name.parse::<usize>().ok().filter(|index| index.to_string() == name);
    if let Some(wanted) = index {
        let mut index = 0;
        items(json, |item| {
            if index == wanted {
                found = Some(item);
            }
            index += 1;
        });
    }
    found
}

/// All that the operator named.
#[derive(Debug, Clone, Default)]
pub struct IdempotencyKeys(Arc<[IdempotencyKey]>);

impl FromIterator<IdempotencyKey> for IdempotencyKeys {
    fn from_iter<I: IntoIterator<Item = IdempotencyKey>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

impl IdempotencyKeys {
    /// Whether a call of this tool with these arguments (JSON) carries a key.
    #[must_use]
    pub fn are_in(&self, tool: &str, arguments: Option<&str>) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let arguments = arguments.filter(|json| json.len() <= MOST_BYTES);
        arguments.is_some_and(|json| self.0.iter().any(|key| key.is_in(tool, json)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(keys: &[&str], tool: &str, arguments: &str) -> bool {
        let keys: IdempotencyKeys =
            keys.iter().map(|key| key.parse().expect("a good key")).collect();
        keys.are_in(tool, Some(arguments))
    }

    #[test]
    fn a_key_is_a_number_or_a_text_with_something_in_it() {
        for (value, is_key) in [
            (r#""a1""#, true),
            ("17", true),
            ("-1", true),
            ("null", false),
            (r#""""#, false),
            (r#"" \t""#, false),
            ("true", false),
            ("{}", false),
            ("[]", false),
            (r#"["a"]"#, false),
        ] {
            let arguments = format!(r#" {{"x": 1, "key" : {value} }}"#);
            assert_eq!(found(&["/key"], "pay", &arguments), is_key, "{value}");
        }
        assert!(!found(&["/key"], "pay", "{}"));
        assert!(!found(&["/key"], "pay", r#"["key"]"#));
        assert!(!found(&["/key"], "pay", "null"));
        assert!(!found(&["/key"], "pay", r#"{"key":"a","key":null}"#), "the last one counts");
        assert!(!found(&[], "pay", r#"{"key":"a"}"#));
        let padded = format!(r#"{{"key":"a","pad":"{}"}}"#, "x".repeat(MOST_BYTES));
        assert!(!found(&["/key"], "pay", &padded));
    }

    #[test]
    fn pointers_lead_into_objects_and_arrays() {
        let arguments = r#"{"params":{"request/Id":"a"},"~":[{"k":""},{"k":"b"}],"":"c"}"#;
        for (pointer, is_key) in [
            ("/params/request~1Id", true),
            ("/params/request", false),
            ("/params", false),
            ("/~0/1/k", true),
            ("/~0/0/k", false),
            ("/~0/01/k", false),
            ("/~0/2/k", false),
            ("/", true),
        ] {
            assert_eq!(found(&[pointer], "pay", arguments), is_key, "{pointer}");
        }
        assert!(found(&["/nothing", "/params/request~1Id"], "pay", arguments));
    }

    #[test]
    fn a_pattern_of_tools_bounds_where_it_counts() {
        let arguments = r#"{"key":"a"}"#;
        assert!(found(&["create_*:/key"], "create_issue", arguments));
        assert!(!found(&["create_*:/key"], "delete_issue", arguments));
        assert!(found(&["ns:create:/key"], "ns:create", arguments));
        assert!(found(&["*:/key"], "pay", arguments));
    }

    #[test]
    fn what_is_not_a_pointer_says_what_would_be() {
        let wrong = |written: &str| written.parse::<IdempotencyKey>().expect_err("wrong");
        for written in ["", "key", "pay:key", "pay"] {
            assert_eq!(wrong(written), NotAKey::NoPointer, "{written}");
        }
        assert_eq!(wrong(":/key"), NotAKey::NoTools);
        assert_eq!(wrong("/a~2"), NotAKey::Escape);
        assert_eq!(wrong("/a~"), NotAKey::Escape);
        for written in ["/a~0b~1c/0", "create_*:/a:/b", "/"] {
            let key: IdempotencyKey = written.parse().expect("a good key");
            assert_eq!(key.to_string(), written);
        }
    }
}
