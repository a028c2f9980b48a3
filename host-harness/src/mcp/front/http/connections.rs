//! Connections of clients: accepted, bounded in how slowly they may ask, and
//! closed in order.

use std::{
    io::{self, ErrorKind},
    time::Duration,
};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long connections may take to close once all requests have ended.
const GRACE: Duration = Duration::from_secs(2);
/// The rest after the operating system had no connection to give, such as for
/// want of file descriptors.
const REST: Duration = Duration::from_secs(1);

/// Serves until `closed`; then connections end with the response that they are
/// at, or 2 s later. The head of a request may take `head`; a connection that
/// is asked nothing for so long is closed as well.
pub(super) async fn serve(
    listener: TcpListener,
    app: Router,
    head: Duration,
    closed: &CancellationToken,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            biased;
            () = closed.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            stream = accept(&listener) => stream,
        };
        // An answer in small pieces is not to wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(app.clone());
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection of a client broke off");
            }
        });
    }
    drop(listener);
    // A client that does not read its answer must not keep us for ever.
    let _ = timeout(GRACE, graceful.shutdown()).await;
}

/// The next connection.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted");
                sleep(REST).await;
            }
        }
    }
}

/// The client was gone before its connection was accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    )
}
