//! Connections of clients: accepted, bounded in number and in how slowly they may
//! ask and listen, and closed in order.

use std::{
    io::{self, ErrorKind},
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body};
use http::Request;
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    FrontLimits,
    clients::Clients,
    refused::NO_ROOM,
    stream::{Owed, Stream},
};

/// How long connections may take to close once all requests have ended.
const GRACE: Duration = Duration::from_secs(2);
/// The rest after the operating system had no connection to give, such as for
/// want of file descriptors.
const REST: Duration = Duration::from_secs(1);
/// Clients that are refused at the same time and told why; others just are.
const MOST_REFUSALS: usize = 64;
/// How long a client has to hear that it is refused.
const REFUSAL: Duration = Duration::from_secs(1);

/// Serves until `closed`; then connections end with the response that they are
/// at, or 2 s later. The head of a request may take `read_timeout`; a connection
/// that is asked nothing for so long is closed as well, and so is one that takes
/// nothing of its answer for `write_timeout`.
pub(super) async fn serve(
    listener: TcpListener,
    app: Router,
    limits: &FrontLimits,
    closed: &CancellationToken,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.read_timeout)
        .max_header_size(limits.max_header_bytes);
    let clients = Clients::new(most_connections(limits.max_connections), limits.max_unread_bytes);
    let refusals = Arc::new(Semaphore::new(MOST_REFUSALS));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            biased;
            () = closed.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            stream = accept(&listener, &clients) => stream,
        };
        let Some(client) = clients.enter().map(Arc::new) else {
            if let Ok(permit) = refusals.clone().try_acquire_owned() {
                connections.spawn(async move {
                    let _permit = permit;
                    let _ = timeout(REFUSAL, refuse(stream)).await;
                });
            }
            continue;
        };
        // An answer in small pieces is not to wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        let stream = Stream::new(stream, client.clone(), limits.write_timeout);
        let app = TowerToHyperService::new(app.clone());
        let asked = client.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let (one, answer) = (asked.asks(), app.call(request));
            async move {
                Ok::<_, std::convert::Infallible>(
                    answer.await?.map(|body: Body| Owed::new(body, one)),
                )
            }
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        connections.spawn(async move {
            tokio::select! {
                biased;
                () = client.cut().cancelled() => {}
                ended = connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "the connection of a client broke off");
                    }
                }
            }
        });
    }
    drop(listener);
    // A client that does not read its answer must not keep us for ever.
    let _ = timeout(GRACE, graceful.shutdown()).await;
}

/// As many as were asked for, but no more than three of four file descriptors:
/// the others are for upstreams.
fn most_connections(asked_for: usize) -> usize {
    #[cfg(unix)]
    {
        let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let files = files.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
        let most = (files / 4 * 3).max(1);
        if most < asked_for {
            tracing::info!(
                "at most {most} connections at a time: the operating system allows {files} open files"
            );
            return most;
        }
    }
    asked_for
}

/// Says why there is no room, and waits for the client to have heard it.
async fn refuse(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(NO_ROOM.as_bytes()).await?;
    stream.shutdown().await?;
    // Closed with something unread, the connection would be reset, and the answer lost.
    let mut unread = [0; 1024];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

/// The next connection.
async fn accept(listener: &TcpListener, clients: &Clients) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                let made_room = clients.make_room();
                tracing::error!(%error, made_room, "no connection can be accepted");
                sleep(if made_room { REST / 10 } else { REST }).await;
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
