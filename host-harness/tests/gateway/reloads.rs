//! What `/metrics` says of a plugin that is loaded again.

use std::{fs, path::Path};

use host_harness::bundled;
use http::Method;

use crate::{
    http_client::HttpClient,
    http_server::{HttpServer, manners},
    line_client::PATIENCE,
    program::Running,
};

/// The bundled plugin as another file, by a custom section.
fn variant(tag: u8) -> Vec<u8> {
    [bundled::COMPONENT, &[0, 4, 2, b't', b'g', tag]].concat()
}

/// Waits until `/metrics` says so.
async fn says(client: &HttpClient, line: &str) {
    let said = async {
        loop {
            let numbers = client.send(Method::GET, "/metrics", "").await.text();
            if numbers.lines().any(|one| one == line) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, said).await.expect(line);
}

#[tokio::test]
async fn a_component_that_is_loaded_again_is_counted_and_so_is_one_that_is_refused() {
    let server = HttpServer::start(|asked, _| manners(asked, "s")).await;
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("counted.wasm");
    fs::write(&path, variant(1)).expect("writable");
    let plugin = path.to_str().expect("a plain path");
    let url = server.url();
    let arguments =
        ["proxy", "--listen", "127.0.0.1:0", "--plugin", plugin, "--upstream-url", &url];
    let gateway = Running::start(&arguments, &[]).await;
    let client = HttpClient::at(gateway.address, "/mcp");

    // The configuration alone.
    gateway.hang_up();
    says(&client, r#"mcp_gateway_config_reloads_total{ok="true"} 1"#).await;
    fs::write(&path, variant(2)).expect("writable");
    gateway.hang_up();
    let reloads = r#"mcp_gateway_plugin_reloads_total{plugin="retry-with-backoff","#;
    says(&client, &format!(r#"{reloads}ok="true"}} 1"#)).await;
    fs::write(&path, "no plugin").expect("writable");
    gateway.hang_up();
    says(&client, &format!(r#"{reloads}ok="false"}} 1"#)).await;
    says(&client, r#"mcp_gateway_config_reloads_total{ok="false"} 1"#).await;
    says(&client, r#"mcp_gateway_config_reloads_total{ok="true"} 2"#).await;
    gateway.ended().await;
}
