//! What logs and spans call a target.

use std::borrow::Cow;

use crate::{
    gateway::{Hook, LogicalCall},
    peer_text::PeerText,
};

impl LogicalCall {
    /// Its target as logs and spans tell it: the start of the tool's name, or of
    /// the resource's URI without what tends to hold secrets, on one line.
    #[must_use]
    pub fn shown(&self) -> Cow<'_, str> {
        shown(self.hook, &self.target)
    }
}

/// See [`LogicalCall::shown`].
pub(crate) fn shown(hook: Hook, target: &str) -> Cow<'_, str> {
    match hook {
        Hook::ToolPostInvoke => start(target),
        Hook::ResourcePostFetch => without_secrets(target),
    }
}

/// A URI without user, password, query and fragment. Its path is what it is about.
fn without_secrets(uri: &str) -> Cow<'_, str> {
    let uri = uri.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = uri.split_once("://") else { return start(uri) };
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rfind('@') {
        Some(at) => Cow::Owned(start(&format!("{scheme}://{}", &rest[at + 1..])).into_owned()),
        None => start(uri),
    }
}

fn start(text: &str) -> Cow<'_, str> {
    PeerText(text).escaped()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_shown_without_what_tends_to_hold_secrets() {
        for (uri, told) in [
            ("file:///a/b", "file:///a/b"),
            ("https://example.com/a?key=k#f", "https://example.com/a"),
            ("postgres://me:pass@db:5432/t", "postgres://db:5432/t"),
            ("x://a@b@c/d@e", "x://c/d@e"),
            ("memo:note?x", "memo:note"),
            ("", ""),
        ] {
            assert_eq!(shown(Hook::ResourcePostFetch, uri), told);
        }
        assert_eq!(shown(Hook::ToolPostInvoke, "a?b"), "a?b", "it is a name");
        assert_eq!(shown(Hook::ToolPostInvoke, "a\nb"), "a\\nb");
        assert_eq!(shown(Hook::ResourcePostFetch, "x://u@h/\u{1b}[0m?k"), "x://h/\\u{1b}[0m");
        assert_eq!(shown(Hook::ToolPostInvoke, &"é".repeat(200)).len(), 256);
        assert_eq!(shown(Hook::ToolPostInvoke, &format!("x{}", "é".repeat(200))).len(), 255);
    }
}
