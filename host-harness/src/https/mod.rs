//! The HTTP client of everything that the gateway calls: directly, or through the
//! forward proxy of the machine; over TLS with whom the machine trusts.

mod forward_proxy;
mod trust;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri, header::PROXY_AUTHORIZATION};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, ResponseFuture, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

use forward_proxy::{ForwardProxies, ThroughProxy};

/// How long it may take to reach a server.
const CONNECT: Duration = Duration::from_secs(10);

/// Keeps connections; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct HttpsClient {
    connections: Client<HttpsConnector<ThroughProxy>, Full<Bytes>>,
    proxies: ForwardProxies,
}

impl HttpsClient {
    /// Sends a request to an absolute URL.
    pub(crate) fn request(&self, mut request: Request<Full<Bytes>>) -> ResponseFuture {
        if let Some(credentials) = self.proxies.credentials(request.uri()) {
            request.headers_mut().insert(PROXY_AUTHORIZATION, credentials);
        }
        self.connections.request(request)
    }
}

/// A client without connections.
pub(crate) fn client() -> HttpsClient {
    through(ForwardProxies::of_environment())
}

fn through(proxies: ForwardProxies) -> HttpsClient {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(trust::tls())
        .https_or_http()
        .enable_http1()
        .wrap_connector(ThroughProxy::new(tcp, proxies.clone()));
    let connections =
        Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
    HttpsClient { connections, proxies }
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
