//! Where the collector is.

use std::str::FromStr;

use crate::{https, redacted::Redacted};

/// Where a collector takes spans, below its URL.
const TRACES: &str = "/v1/traces";

/// The URL of a collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

/// A URL that no collector can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{url}` is no URL of a collector: {problem}; give one such as `http://localhost:4318`")]
pub struct BadEndpoint {
    url: Redacted,
    problem: String,
}

impl FromStr for Endpoint {
    type Err = BadEndpoint;

    fn from_str(url: &str) -> Result<Self, BadEndpoint> {
        let bad =
            |problem: &str| BadEndpoint { url: Redacted::of(url), problem: problem.to_owned() };
        let uri = https::absolute(url).map_err(|problem| bad(&problem))?;
        if uri.query().is_some() {
            return Err(bad("it must not have a query"));
        }
        Ok(Self(url.to_owned()))
    }
}

impl Endpoint {
    /// Where it takes spans: below the URL, unless that says so already.
    pub(super) fn of_traces(&self) -> String {
        let base = self.0.trim_end_matches('/');
        if base.ends_with(TRACES) { base.to_owned() } else { format!("{base}{TRACES}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_go_below_the_url_of_the_collector() {
        for (url, traces) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces"),
            ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
            ("https://example.com/otlp/v1/traces", "https://example.com/otlp/v1/traces"),
        ] {
            assert_eq!(url.parse::<Endpoint>().expect("a good URL").of_traces(), traces);
        }
    }

    #[test]
    fn a_url_that_cannot_be_is_refused_with_the_reason() {
        for (url, problem) in [
            ("localhost:4318", "it must begin with `http://` or `https://`"),
            ("http://me:secret@localhost/", "a name and a password belong into a header"),
            ("http://localhost/?key=1", "it must not have a query"),
        ] {
            let told = url.parse::<Endpoint>().expect_err("a bad URL").to_string();
            assert!(told.contains(problem), "{told}");
            assert!(!told.contains("secret") && !told.contains("key"), "{told}");
        }
    }
}
