//! The server that the gateway stands in front of, as the operator gave it.

use http::{HeaderName, HeaderValue};

/// A header, written as `Name: value`.
pub(super) fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("there is no `:` between name and value")?;
    let name = name.trim().parse().map_err(|_| format!("`{name}` is no name of a header"))?;
    // Not the value: it may be a secret.
    let mut value: HeaderValue =
        value.trim().parse().map_err(|_| "its value holds what no header can")?;
    value.set_sensitive(true);
    Ok((name, value))
}
