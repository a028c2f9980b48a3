//! Which headers an operator may have passed on to a server, or sent to it.

use http::{HeaderName, header};

/// Those of one connection, which are not for whoever is behind it: RFC 9110,
/// section 7.6.1, and what frames a message (RFC 9112, section 6).
const OF_THE_CONNECTION: [HeaderName; 11] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::CONTENT_LENGTH,
    header::EXPECT,
];

/// Those that the gateway says for itself, since it is the server's client.
const OF_THE_GATEWAY: [HeaderName; 7] = [
    header::HOST,
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    HeaderName::from_static("mcp-session-id"),
    HeaderName::from_static("last-event-id"),
];

/// The name of a header that every request to a server may carry.
///
/// # Errors
/// It is not the name of a header, or that of one that belongs to the connection.
pub fn header_to_send(name: &str) -> Result<HeaderName, String> {
    let known: HeaderName =
        name.parse().map_err(|_| format!("`{name}` is not the name of a header"))?;
    if OF_THE_CONNECTION.contains(&known) {
        return Err(format!(
            "`{name}` is about the connection itself and ends with it; leave it out"
        ));
    }
    Ok(known)
}

/// The name of a header of clients that a server may get as well.
///
/// # Errors
/// As [`header_to_send`], or it is one that the gateway says for itself.
pub fn header_to_pass(name: &str) -> Result<HeaderName, String> {
    let known = header_to_send(name)?;
    if OF_THE_GATEWAY.contains(&known) {
        return Err(format!("`{name}` is for the gateway itself to say; leave it out"));
    }
    Ok(known)
}

/// Whether a header of a client is one that never passes, whatever else is said of it.
pub(super) fn stays(name: &HeaderName) -> bool {
    OF_THE_CONNECTION.contains(name) || OF_THE_GATEWAY.contains(name)
}
