//! The way out of a machine that reaches others through a forward proxy only:
//! `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, as curl reads them.
//! What runs on the machine itself is always reached directly.

use std::{
    future::Future,
    io,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::{
        legacy::connect::{Connected, Connection, HttpConnector, proxy::Tunnel},
        proxy::matcher::{Intercept, Matcher},
    },
    rt::TokioIo,
};
use tokio::net::TcpStream;
use tower_service::Service;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Which proxy stands before which servers.
#[derive(Debug, Clone)]
pub(super) struct ForwardProxies(Arc<Matcher>);

impl ForwardProxies {
    pub(super) fn of_environment() -> Self {
        Self(Matcher::from_env().into())
    }

    fn before(&self, server: &Uri) -> Option<Intercept> {
        if server.host().is_some_and(is_this_machine) { None } else { self.0.intercept(server) }
    }

    /// What a proxy is told that sees the request itself, for it to be let through. A
    /// tunnel is told when it is dug.
    pub(super) fn credentials(&self, server: &Uri) -> Option<HeaderValue> {
        let plain = server.scheme_str() == Some("http");
        plain.then(|| self.before(server)?.basic_auth().cloned()).flatten()
    }
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Connects to a server, or to the proxy before it.
#[derive(Debug, Clone)]
pub(super) struct ThroughProxy {
    tcp: HttpConnector,
    proxies: ForwardProxies,
}

impl ThroughProxy {
    pub(super) const fn new(tcp: HttpConnector, proxies: ForwardProxies) -> Self {
        Self { tcp, proxies }
    }

    async fn connect(mut self, server: Uri) -> Result<Stream, Failure> {
        let Some(proxy) = self.proxies.before(&server) else {
            return Ok(Stream { tcp: self.tcp.call(server).await?, proxied: false });
        };
        if proxy.uri().scheme_str() != Some("http") {
            return Err(format!("the proxy {} is none of `http://`", proxy.uri()).into());
        }
        if server.scheme_str() == Some("http") {
            return Ok(Stream { tcp: self.tcp.call(proxy.uri().clone()).await?, proxied: true });
        }
        let mut tunnel = Tunnel::new(proxy.uri().clone(), self.tcp);
        if let Some(credentials) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(credentials.clone());
        }
        Ok(Stream { tcp: tunnel.call(server).await?, proxied: false })
    }
}

impl Service<Uri> for ThroughProxy {
    type Response = Stream;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, Failure>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        Box::pin(self.clone().connect(server))
    }
}

/// A connection, and whether a proxy reads the requests on it: they name the whole
/// URL then.
#[derive(Debug)]
pub(super) struct Stream {
    tcp: TokioIo<TcpStream>,
    proxied: bool,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.tcp.connected().proxy(self.proxied)
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(context, slices)
    }
}
