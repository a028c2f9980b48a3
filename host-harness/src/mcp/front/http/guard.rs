//! Who may speak at all: requests to names that are ours, from pages that are ours.
//!
//! A web page can have a browser send requests to a server on the same machine
//! (DNS rebinding). Such a request names the page's own host in `Host`, and the
//! page in `Origin`.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};

use super::{Shared, answer};
use crate::mcp::headers::SESSION_ID;

/// The names under which clients may reach the front.
#[derive(Debug, Clone, Default)]
pub struct Admission {
    /// Hosts, without a port, beside `localhost` and loopback addresses.
    /// `*` allows all; that says nothing about whose pages may speak.
    pub hosts: Vec<String>,
    /// Whole origins, such as `https://app.example.com`, beside those of hosts
    /// that are allowed by name.
    pub origins: Vec<String>,
}

/// Why a request is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Objection {
    /// It is not what RFC 9112 lets a client send.
    Malformed(&'static str),
    /// It comes from where, or to where, nobody may speak.
    Forbidden(&'static str),
}

/// Headers that decide who speaks, and to which session. Of two of them, one
/// reader would see the first and another the last.
const ONE_OF_EACH: [(HeaderName, &str); 3] = [
    (header::HOST, "a request may have one `Host` only"),
    (header::ORIGIN, "a request may have one `Origin` only"),
    (SESSION_ID, "a request may have one `Mcp-Session-Id` only"),
];

impl Admission {
    /// Whether the host is one of those that are allowed by name.
    fn knows_host(&self, host: &str) -> bool {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host.eq_ignore_ascii_case("localhost")
            || address.is_ok_and(|address| address.is_loopback())
            || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
    }

    fn allows_host(&self, host: &str) -> bool {
        self.hosts.iter().any(|known| known == "*") || self.knows_host(host)
    }

    fn allows_origin(&self, origin: &str) -> bool {
        if self.origins.iter().any(|known| known == origin) {
            return true;
        }
        // An origin of `null` is a URI without a host.
        let uri: Option<Uri> = origin.parse().ok();
        uri.as_ref().and_then(Uri::scheme).is_some()
            && uri.as_ref().and_then(Uri::host).is_some_and(|host| self.knows_host(host))
    }

    /// Why a request is refused.
    fn objection(&self, target: &Uri, headers: &HeaderMap) -> Option<Objection> {
        for (name, why) in &ONE_OF_EACH {
            if headers.get_all(name).iter().nth(1).is_some() {
                return Some(Objection::Malformed(why));
            }
        }
        let named = headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
        let named: Option<Uri> = named.map(str::parse).transpose().ok().flatten();
        // A whole URL as the target says once more which host is meant.
        let hosts = [named.as_ref().and_then(Uri::host), target.host()];
        let mut hosts = hosts.into_iter().flatten().peekable();
        let allowed = hosts.peek().is_some() && hosts.all(|host| self.allows_host(host));
        if !allowed || (headers.contains_key(header::HOST) && named.is_none()) {
            return Some(Objection::Forbidden("this `Host` is not served here"));
        }
        let origin = headers.get(header::ORIGIN)?;
        let allowed = origin.to_str().is_ok_and(|origin| self.allows_origin(origin));
        if allowed { None } else { Some(Objection::Forbidden("this `Origin` may not speak here")) }
    }
}

/// Lets a request through, or answers 403, or 400 if it is ambiguous.
pub(super) async fn check(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    match shared.admission.objection(request.uri(), request.headers()) {
        Some(Objection::Malformed(why)) => answer::refusal(StatusCode::BAD_REQUEST, why),
        Some(Objection::Forbidden(why)) => answer::refusal(StatusCode::FORBIDDEN, why),
        None => match request.headers().get(header::ORIGIN).cloned() {
            Some(origin) if request.method() == Method::OPTIONS => {
                cors(preflight(&request), origin)
            }
            Some(origin) => cors(next.run(request).await, origin),
            None => next.run(request).await,
        },
    }
}

/// What a browser asks before a page may speak (Fetch, "CORS-preflight request").
fn preflight(request: &Request) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    let methods = HeaderValue::from_static("POST, GET, DELETE");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    let asked = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS);
    headers.extend(asked.map(|asked| (header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone())));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

/// Lets the page of an origin that may speak read the answer.
fn cors(mut response: Response, origin: HeaderValue) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let exposed = HeaderValue::from_static("Mcp-Session-Id, WWW-Authenticate, Retry-After");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    response
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

    /// What a request with these headers is refused for.
    fn objection(admission: &Admission, target: &str, named: &[(&str, &str)]) -> Option<Objection> {
        let mut headers = HeaderMap::new();
        for (name, value) in named {
            let name: HeaderName = name.parse().expect("a name");
            headers.append(name, value.parse().expect("a value"));
        }
        admission.objection(&target.parse().expect("a target"), &headers)
    }

    #[test]
    fn every_host_is_not_every_page() {
        let admission = Admission {
            hosts: vec!["*".to_owned(), "mcp.example.com".to_owned()],
            origins: vec!["https://app.example.com".to_owned()],
        };
        let host = ("host", "whatever.example");
        assert_eq!(objection(&admission, "/mcp", &[host]), None);
        for origin in ["http://localhost:1", "https://mcp.example.com", "https://app.example.com"] {
            assert_eq!(
                objection(&admission, "/mcp", &[host, ("origin", origin)]),
                None,
                "{origin}"
            );
        }
        // The last is the page that a rebound name belongs to.
        for origin in ["https://evil.example", "null", "*", "http://whatever.example"] {
            let told = objection(&admission, "/mcp", &[host, ("origin", origin)]);
            assert!(matches!(told, Some(Objection::Forbidden(_))), "{origin}: {told:?}");
        }
    }

    #[test]
    fn a_request_that_names_two_hosts_is_not_served() {
        let admission = Admission::default();
        let (own, evil) = (("host", "localhost"), ("host", "evil.example"));
        let origin = ("origin", "http://localhost");
        for twice in [
            vec![own, own],
            vec![own, evil],
            vec![evil, own],
            vec![own, origin, origin],
            vec![own, ("mcp-session-id", "a"), ("mcp-session-id", "b")],
        ] {
            let told = objection(&admission, "/mcp", &twice);
            assert!(matches!(told, Some(Objection::Malformed(_))), "{twice:?}: {told:?}");
        }
        assert_eq!(objection(&admission, "http://localhost/mcp", &[own]), None);
        for (target, host) in [("http://evil.example/mcp", own), ("http://localhost/mcp", evil)] {
            let told = objection(&admission, target, &[host]);
            assert!(matches!(told, Some(Objection::Forbidden(_))), "{target}: {told:?}");
        }
    }
}
