//! The HTTP client of everything that the gateway calls.

use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

/// How long it may take to reach a server.
const CONNECT: Duration = Duration::from_secs(10);

/// Keeps connections; clones share them.
pub(crate) type HttpsClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client without connections.
pub(crate) fn client() -> HttpsClient {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    let connector = HttpsConnectorBuilder::new()
        .with_webpki_roots()
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector)
}

/// An absolute URL of `http` or `https`, or what is wrong with it.
pub(crate) fn absolute(url: &str) -> Result<Uri, String> {
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err("it must begin with `http://` or `https://`".to_owned());
    }
    let uri: Uri = url.parse().map_err(|error| format!("{error}"))?;
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("a name and a password belong into a header".to_owned());
    }
    Ok(uri)
}
