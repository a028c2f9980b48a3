//! Texts as the values of headers, in the form that 2026-07-28 gives to what no
//! header can hold.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderValue;

const OPENS: &str = "=?base64?";
const CLOSES: &str = "?=";

/// The value for a text: as it is if it can be, else coded.
pub(crate) fn encoded(text: &str) -> HeaderValue {
    let plain = text.bytes().all(|byte| matches!(byte, 0x20..=0x7e | b'\t'))
        && text.trim() == text
        && !(text.starts_with(OPENS) && text.ends_with(CLOSES));
    let coded = || HeaderValue::from_str(&format!("{OPENS}{}{CLOSES}", STANDARD.encode(text)));
    let value = if plain { HeaderValue::from_str(text) } else { coded() };
    // Neither form holds a byte that a header cannot.
    value.unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The text that a value stands for; none if it stands for no text.
pub(crate) fn decoded(value: &HeaderValue) -> Option<String> {
    let value = value.to_str().ok()?;
    match value.strip_prefix(OPENS).and_then(|rest| rest.strip_suffix(CLOSES)) {
        Some(coded) => String::from_utf8(STANDARD.decode(coded).ok()?).ok(),
        None => Some(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_header_can_hold_is_coded_and_comes_back() {
        for (text, value) in [
            ("us-west1", "us-west1"),
            ("", ""),
            ("in the middle", "in the middle"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("\ttab", "=?base64?CXRhYg==?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ] {
            assert_eq!(encoded(text), value);
            assert_eq!(decoded(&encoded(text)).as_deref(), Some(text));
        }
        assert_eq!(decoded(&HeaderValue::from_static("=?base64?%%?=")), None);
    }
}
