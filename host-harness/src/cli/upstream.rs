//! The server that the gateway stands in front of, as the operator gave it.

use host_harness::mcp::header_to_send;
use http::{HeaderName, HeaderValue};

/// A header, written as `Name: value`.
pub(super) fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("there is no `:` between name and value")?;
    let name = header_to_send(name.trim())?;
    // Not the value: it may be a secret.
    let mut value: HeaderValue =
        value.trim().parse().map_err(|_| "its value holds what no header can")?;
    value.set_sensitive(true);
    Ok((name, value))
}
