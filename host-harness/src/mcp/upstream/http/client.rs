//! One HTTP request to the server.

use std::error::Error as _;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::Full;

use crate::{
    https::{self, HttpsClient},
    mcp::reply::Loss,
    redacted::Redacted,
};

/// Redirects of one request that are followed.
const MOST_REDIRECTS: usize = 5;

/// What the server answers with.
pub(super) type Body = hyper::body::Incoming;

/// A URL that no upstream can have.
#[derive(Debug, thiserror::Error)]
#[error("`{url}` is no URL of an MCP server: {problem}")]
pub struct BadUrl {
    /// What may be shown of it.
    pub url: Redacted,
    /// What is wrong with it.
    pub problem: String,
}

/// Sends requests to one URL, and keeps the connections.
#[derive(Debug)]
pub(super) struct Client {
    http: HttpsClient,
    url: Uri,
    /// The operator's own headers.
    headers: HeaderMap,
}

impl Client {
    pub(super) fn new(url: &str, headers: HeaderMap) -> Result<Self, BadUrl> {
        let uri =
            https::absolute(url).map_err(|problem| BadUrl { url: Redacted::of(url), problem })?;
        Ok(Self { http: https::client(), url: uri, headers })
    }

    /// Sends one request. `headers` give way to the operator's own. Redirects that
    /// keep the method (307, 308) are followed within the server's own origin; the
    /// others are answers.
    pub(super) async fn send(
        &self,
        method: Method,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Response<Body>, Loss> {
        let (body, mut url) = (Bytes::from(body), self.url.clone());
        for _ in 0..MOST_REDIRECTS {
            let response = self.once(&method, &url, headers.clone(), body.clone()).await?;
            match self.elsewhere(&url, &response) {
                Some(next) => url = next,
                None => return Ok(response),
            }
        }
        self.once(&method, &url, headers, body).await
    }

    async fn once(
        &self,
        method: &Method,
        url: &Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Body>, Loss> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method.clone();
        *request.uri_mut() = url.clone();
        *request.headers_mut() = headers;
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        self.http.request(request).await.map_err(|error| {
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            tracing::debug!(%error, cause, "no HTTP answer from the upstream");
            if error.is_connect() { Loss::Unreachable } else { Loss::Interrupted }
        })
    }

    /// Where a redirect leads, if that is within the origin of the operator's URL:
    /// nobody else is to see what is meant for that.
    fn elsewhere(&self, from: &Uri, response: &Response<Body>) -> Option<Uri> {
        let kept = [StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT];
        if !kept.contains(&response.status()) {
            return None;
        }
        let place = response.headers().get(header::LOCATION)?.to_str().ok()?;
        let next = if place.starts_with('/') && !place.starts_with("//") {
            let mut parts = from.clone().into_parts();
            parts.path_and_query = Some(place.parse().ok()?);
            Uri::from_parts(parts).ok()?
        } else {
            place.parse::<Uri>().ok()?
        };
        let origin = |uri: &Uri| (uri.scheme().cloned(), uri.authority().cloned());
        (origin(&next) == origin(&self.url)).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_cannot_be_is_refused_with_the_reason() {
        let refusal = |url| Client::new(url, HeaderMap::new()).expect_err("a bad URL").to_string();
        for (url, problem) in [
            ("localhost:1/mcp", "it must begin with `http://` or `https://`"),
            ("ftp://localhost/", "it must begin with `http://` or `https://`"),
            ("/mcp", "it must begin with `http://` or `https://`"),
            ("http://a:b@localhost/", "a name and a password belong into a header"),
            ("localhost/?key=secret", "it must begin with `http://` or `https://`"),
        ] {
            let url_shown = url.replace("a:b@", "").replace("?key=secret", "");
            let expected = format!("`{url_shown}` is no URL of an MCP server: {problem}");
            assert_eq!(refusal(url), expected);
        }
        assert!(refusal("http://a b/").starts_with("`http://a b/` is no URL of an MCP server: "));
        assert!(Client::new("https://localhost/mcp", HeaderMap::new()).is_ok());
    }
}
