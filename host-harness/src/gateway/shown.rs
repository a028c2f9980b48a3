//! What logs and spans call a target.

use std::borrow::Cow;

use crate::{
    gateway::{Hook, LogicalCall},
    peer_text::PeerText,
    redacted,
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
        Hook::ToolPostInvoke => PeerText(target).escaped(),
        Hook::ResourcePostFetch => match redacted::shown(target) {
            Cow::Borrowed(uri) => PeerText(uri).escaped(),
            Cow::Owned(uri) => Cow::Owned(PeerText(&uri).escaped().into_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_shown_without_what_tends_to_hold_secrets() {
        let told = |uri| shown(Hook::ResourcePostFetch, uri).into_owned();
        assert_eq!(told("https://me:pass@example.com/a?key=k"), "https://example.com/a");
        assert_eq!(told(&format!("https://me@a/{}", "x".repeat(300))).len(), 256);
        assert_eq!(shown(Hook::ToolPostInvoke, "a?b"), "a?b", "it is a name");
        assert_eq!(shown(Hook::ToolPostInvoke, "a\nb"), "a\\nb");
        assert_eq!(shown(Hook::ResourcePostFetch, "x://u@h/\u{1b}[0m?k"), "x://h/\\u{1b}[0m");
        assert_eq!(shown(Hook::ToolPostInvoke, &"é".repeat(200)).len(), 256);
        assert_eq!(shown(Hook::ToolPostInvoke, &format!("x{}", "é".repeat(200))).len(), 255);
    }
}
