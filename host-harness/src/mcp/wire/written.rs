//! Messages for tests, as they are written.

use super::Message;

impl Message {
    /// The message that is written so.
    pub(crate) fn written(text: &str) -> Self {
        Self::parse(serde_json::from_str(text).expect("JSON")).expect("a message")
    }

    /// How it is written.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).expect("a message is JSON")
    }
}
