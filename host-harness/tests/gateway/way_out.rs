//! The way to a server that is not open: an authority of the company's own, and a
//! forward proxy before everything.

use std::{
    net::SocketAddr,
    process::Stdio,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy_bidirectional},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use crate::{
    http_server::{HttpServer, initialize, manners},
    line_client::PATIENCE,
    program::{PROGRAM, file},
};

/// What the gateway answers to `initialize`, started with an upstream and an
/// environment, and what it logs.
async fn greeted(url: &str, variables: &[(&str, &str)]) -> (Value, String) {
    let mut program = tokio::process::Command::new(PROGRAM);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        program.env_remove(name).env_remove(name.to_lowercase());
    }
    let mut gateway = program
        .args(["proxy", "--upstream-url", url])
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program starts");
    let mut input = gateway.stdin.take().expect("a pipe");
    let mut output = BufReader::new(gateway.stdout.take().expect("a pipe")).lines();
    input.write_all(format!("{}\n", initialize()).as_bytes()).await.expect("it reads");
    let line = timeout(PATIENCE, output.next_line()).await.expect("an answer in time");
    let answer = serde_json::from_str(&line.expect("text").expect("a line")).expect("JSON");
    drop(input);
    let ended = timeout(PATIENCE, gateway.wait_with_output()).await.expect("an end in time");
    (answer, String::from_utf8(ended.expect("it was ours").stderr).expect("text"))
}

async fn server() -> HttpServer {
    HttpServer::start(|asked, _| manners(asked, "inner")).await
}

/// TLS before a server, as `name`; where it is, and who has signed that it is.
async fn behind_tls(server: &HttpServer, name: &str) -> (SocketAddr, String) {
    let authority = rcgen::CertifiedIssuer::self_signed(
        {
            let mut parameters = rcgen::CertificateParams::default();
            parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            parameters
        },
        rcgen::KeyPair::generate().expect("a key"),
    )
    .expect("an authority");
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = rcgen::CertificateParams::new([name.to_owned()])
        .and_then(|parameters| parameters.signed_by(&key, &authority))
        .expect("a certificate");
    let tls = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .expect("a certificate and its key");
    let (tls, inner) = (TlsAcceptor::from(Arc::new(tls)), server.address());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((outside, _)) = listener.accept().await {
            let tls = tls.clone();
            tokio::spawn(async move {
                let mut outside = tls.accept(outside).await?;
                let mut inside = TcpStream::connect(inner).await?;
                copy_bidirectional(&mut outside, &mut inside).await
            });
        }
    });
    (address, authority.pem())
}

/// A proxy whose tunnels all end at `server`; where it is, and what it is asked for.
async fn tunnels_to(server: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let heads = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut outside, _)) = listener.accept().await {
            let heads = Arc::clone(&heads);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(outside.read_u8().await?);
                }
                heads.lock().expect("a lock").push(String::from_utf8(head).expect("text"));
                outside.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
                let mut inside = TcpStream::connect(server).await?;
                copy_bidirectional(&mut outside, &mut inside).await
            });
        }
    });
    (address, asked)
}

#[tokio::test]
async fn an_authority_that_ssl_cert_file_names_is_believed_and_no_other() {
    let server = server().await;
    let (address, authority) = behind_tls(&server, "localhost").await;
    let authority = file("authority.pem", &authority);
    let url = format!("https://localhost:{}/mcp", address.port());
    let (answer, log) = greeted(&url, &[("SSL_CERT_FILE", &authority)]).await;
    assert_eq!(answer["result"]["serverInfo"]["name"], "played", "{answer} {log}");
    let (answer, log) = greeted(&url, &[]).await;
    assert!(answer["error"].is_object(), "{answer} {log}");
    let nothing = file("nobody.pem", "");
    let (answer, log) = greeted(&url, &[("SSL_CERT_FILE", &nothing)]).await;
    assert!(answer["error"].is_object(), "{answer} {log}");
}

#[tokio::test]
async fn a_server_of_tls_is_reached_through_a_tunnel_of_the_proxy() {
    let server = server().await;
    let (tls, authority) = behind_tls(&server, "mcp.example").await;
    let authority = file("authority_behind_proxy.pem", &authority);
    let (proxy, asked) = tunnels_to(tls).await;
    let proxy = format!("http://user:word@{proxy}");
    let variables = [("HTTPS_PROXY", &*proxy), ("SSL_CERT_FILE", &authority)];
    let (answer, log) = greeted("https://mcp.example/mcp", &variables).await;
    assert_eq!(answer["result"]["serverInfo"]["name"], "played", "{answer} {log}");
    assert!(!log.contains("word"), "{log}");
    let asked = asked.lock().expect("a lock")[0].to_lowercase();
    assert!(asked.starts_with("connect mcp.example:443 http/1.1\r\n"), "{asked}");
    assert!(asked.contains("\r\nproxy-authorization: basic dxnlcjp3b3jk\r\n"), "{asked}");
    let request = &server.asked()[0];
    assert_eq!(request.header("proxy-authorization"), None, "the server is not told");
}

#[tokio::test]
async fn a_server_without_tls_is_asked_through_the_proxy_and_not_if_no_proxy_names_it() {
    let proxy = server().await;
    let url = format!("http://user:word@{}", proxy.address());
    let variables = [("http_proxy", &*url)];
    let (answer, log) = greeted("http://mcp.example/mcp", &variables).await;
    assert_eq!(answer["result"]["serverInfo"]["name"], "played", "{answer} {log}");
    let asked = proxy.asked();
    assert_eq!(asked[0].header("host"), Some("mcp.example"));
    assert_eq!(asked[0].header("proxy-authorization"), Some("Basic dXNlcjp3b3Jk"));

    let variables = [("http_proxy", &*url), ("no_proxy", "127.0.0.2,.invalid")];
    let (answer, _) = greeted("http://mcp.invalid/mcp", &variables).await;
    assert!(answer["error"].is_object(), "{answer}");
    assert_eq!(proxy.asked().len(), asked.len());
}

#[tokio::test]
async fn what_runs_on_the_machine_itself_is_reached_without_the_proxy() {
    let (server, proxy) = (server().await, server().await);
    let elsewhere = format!("http://{}", proxy.address());
    let variables = [("ALL_PROXY", &*elsewhere)];
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{}/mcp", server.address().port());
        let (answer, log) = greeted(&url, &variables).await;
        assert!(answer["result"].is_object(), "{answer} {log}");
    }
    assert!(proxy.asked().is_empty());
}
