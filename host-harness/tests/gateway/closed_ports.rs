//! Servers that no connection leads to, or that close it in place of an answer.

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// The URL of a port that was free a moment ago.
pub async fn nobody_listens() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    format!("http://{}/mcp", listener.local_addr().expect("an address"))
}

/// The URL of a server that reads each request to its end and closes the
/// connection, and how many it has read.
pub async fn hangs_up() -> (String, watch::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
    let (read, seen) = watch::channel(0);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            read_request(connection).await;
            read.send_modify(|seen| *seen += 1);
        }
    });
    (url, seen)
}

/// Drops the connection at the end.
async fn read_request(connection: TcpStream) {
    let mut from = BufReader::new(connection);
    let mut length = 0;
    loop {
        let mut line = String::new();
        from.read_line(&mut line).await.expect("a line of the head");
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        if line.is_empty() {
            break;
        }
    }
    from.read_exact(&mut vec![0; length]).await.expect("a body");
}
