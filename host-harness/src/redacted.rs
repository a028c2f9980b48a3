//! URLs as messages show them.

use std::{borrow::Cow, fmt};

/// A URL or URI without what tends to hold secrets: user, password, query and
/// fragment. Its path is what it is about. Every URL that gets into an error, a
/// log or a span passes here; what is not a URL at all is shown by the same rules.
#[derive(Clone, PartialEq, Eq)]
pub struct Redacted(String);

impl Redacted {
    /// What may be shown of it.
    #[must_use]
    pub fn of(url: &str) -> Self {
        Self(shown(url).into_owned())
    }
}

impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// As [`Redacted`], borrowed where nothing is left out in the middle.
pub(crate) fn shown(url: &str) -> Cow<'_, str> {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    // Where the authority begins; without `//` there may still be one, in what
    // was meant to be a URL.
    let begins = url.find("//").map_or(0, |slashes| slashes + 2);
    let authority = url[begins..].split(['/', '\\']).next().unwrap_or_default();
    match authority.rfind('@') {
        Some(at) => Cow::Owned(format!("{}{}", &url[..begins], &url[begins + at + 1..])),
        None => Cow::Borrowed(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_tends_to_hold_secrets() {
        for (url, told) in [
            ("file:///a/b", "file:///a/b"),
            ("https://example.com/a?key=k#f", "https://example.com/a"),
            ("https://example.com#token", "https://example.com"),
            ("postgres://me:pass@db:5432/t", "postgres://db:5432/t"),
            ("x://a@b@c/d@e", "x://c/d@e"),
            ("memo:note?x", "memo:note"),
            ("//me:pass@host/p", "//host/p"),
            // Nearly a URL, and still not shown.
            ("me:pass@host/p", "host/p"),
            ("http:me:pass@host", "host"),
            ("http://me:pass@host\\p", "http://host\\p"),
            ("?key=k", ""),
            ("", ""),
        ] {
            assert_eq!(Redacted::of(url).to_string(), told);
            assert_eq!(format!("{:?}", Redacted::of(url)), format!("{told:?}"));
        }
    }
}
