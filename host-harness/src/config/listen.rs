//! Where clients are listened to, as people write it.

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};

use serde::{Deserialize, Deserializer, de::Error};

/// `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, `:8080` or `8080`. Without a
/// host it is this machine only.
///
/// # Errors
/// Nothing of the kind, or a name that nobody knows.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    if let Ok(port) = text.strip_prefix(':').unwrap_or(text).parse::<u16>() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    let right = "it must be an address and a port, such as `127.0.0.1:8080`, or a port";
    if !text.contains(':') {
        return Err(format!("`{text}` is not an address to listen at: {right}"));
    }
    let found = text.to_socket_addrs();
    let found = found
        .map_err(|error| format!("`{text}` is not an address to listen at ({error}): {right}"));
    found?.next().ok_or_else(|| format!("`{text}` has no address: {right}"))
}

/// As [`listen_address`], in a file.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<SocketAddr>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Port(u16),
        Text(String),
    }
    match Option::<Written>::deserialize(from)? {
        None => Ok(None),
        Some(Written::Port(port)) => Ok(Some((Ipv4Addr::LOCALHOST, port).into())),
        Some(Written::Text(text)) => listen_address(&text).map(Some).map_err(D::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_people_write_it() {
        for (text, address) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[::1]:80", "[::1]:80"),
            (":8080", "127.0.0.1:8080"),
            ("8080", "127.0.0.1:8080"),
            ("0.0.0.0:0", "0.0.0.0:0"),
        ] {
            assert_eq!(listen_address(text), Ok(address.parse().expect("an address")), "{text}");
        }
        assert_eq!(listen_address("localhost:81").map(|address| address.port()), Ok(81));
        for text in ["", "localhost", "99999", "1.2.3.4:99999", "http://localhost:80"] {
            let refused = listen_address(text).expect_err(text);
            assert!(refused.contains("such as `127.0.0.1:8080`"), "{refused}");
        }
    }
}
