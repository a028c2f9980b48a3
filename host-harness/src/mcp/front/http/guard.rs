//! Who may speak at all: requests to names that are ours, from pages that are ours.
//!
//! A web page can have a browser send requests to a server on the same machine
//! (DNS rebinding). Such a request names the page's own host in `Host`, and the
//! page in `Origin`.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, StatusCode, Uri, header};

use super::{Shared, answer};

/// The names under which clients may reach the front.
#[derive(Debug, Clone, Default)]
pub struct Admission {
    /// Hosts, without a port, beside `localhost` and loopback addresses.
    /// `*` allows all.
    pub hosts: Vec<String>,
    /// Whole origins, such as `https://app.example.com`, beside those of allowed hosts.
    pub origins: Vec<String>,
}

impl Admission {
    fn allows_host(&self, host: &str) -> bool {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host.eq_ignore_ascii_case("localhost")
            || address.is_ok_and(|address| address.is_loopback())
            || self.hosts.iter().any(|known| known == "*" || known.eq_ignore_ascii_case(host))
    }

    fn allows_origin(&self, origin: &str) -> bool {
        if self.origins.iter().any(|known| known == origin) {
            return true;
        }
        // An origin of `null` is a URI without a host.
        let uri: Option<Uri> = origin.parse().ok();
        uri.as_ref().and_then(Uri::scheme).is_some()
            && uri.as_ref().and_then(Uri::host).is_some_and(|host| self.allows_host(host))
    }

    /// Why a request is refused.
    fn objection(&self, target: &Uri, headers: &HeaderMap) -> Option<&'static str> {
        let named = headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
        let host: Option<Uri> = match named {
            Some(host) => host.parse().ok(),
            None => Some(target.clone()),
        };
        if !host.as_ref().and_then(Uri::host).is_some_and(|host| self.allows_host(host)) {
            return Some("this `Host` is not served here");
        }
        let origin = headers.get(header::ORIGIN)?;
        let allowed = origin.to_str().is_ok_and(|origin| self.allows_origin(origin));
        if allowed { None } else { Some("this `Origin` may not speak here") }
    }
}

/// Lets a request through, or answers 403.
pub(super) async fn check(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    match shared.admission.objection(request.uri(), request.headers()) {
        Some(objection) => answer::refusal(StatusCode::FORBIDDEN, objection),
        None => next.run(request).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_hosts_and_their_pages_may_speak() {
        let admission = Admission {
            hosts: vec!["mcp.example.com".to_owned()],
            origins: vec!["https://app.example.com".to_owned()],
        };
        let allowed = |host: Option<&str>, origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            for (name, value) in [(header::HOST, host), (header::ORIGIN, origin)] {
                if let Some(value) = value {
                    headers.insert(name, value.parse().expect("a value"));
                }
            }
            admission.objection(&Uri::from_static("/mcp"), &headers).is_none()
        };
        for host in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1:8080",
            "[::1]:8080",
            "127.9.9.9",
            "mcp.example.com:443",
        ] {
            assert!(allowed(Some(host), None), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "10.0.0.1", "", "app.example.com"] {
            assert!(!allowed(Some(host), None), "{host}");
        }
        assert!(!allowed(None, None));
        for origin in ["http://localhost:6274", "https://app.example.com", "http://mcp.example.com"]
        {
            assert!(allowed(Some("localhost"), Some(origin)), "{origin}");
        }
        for origin in ["http://evil.example", "null", "", "localhost", "https://app.example.com:1"]
        {
            assert!(!allowed(Some("localhost"), Some(origin)), "{origin}");
        }
    }
}
