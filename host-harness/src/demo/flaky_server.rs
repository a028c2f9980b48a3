//! An MCP server that fails on purpose, for the demo and for tests.

use std::{
    collections::HashMap,
    process::ExitCode,
    sync::{Mutex, PoisonError},
};

use anyhow::Context;
use rmcp::{
    ErrorData, RoleServer, ServerHandler, ServiceExt,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
        JsonObject, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
        Tool, ToolAnnotations,
    },
    service::RequestContext,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// The tool that fails `fail_times` times for each `key`, then recovers.
pub const FLAKY: &str = "flaky";
/// The same tool under a name that the demo configures to be retried after a long wait.
pub const FLAKY_PATIENT: &str = "flaky_patient";
/// The same tool under the name of one that should not be called twice for one
/// call, and that does not say whether it may be.
pub const SEND: &str = "send";
/// The tool that never fails.
pub const ECHO: &str = "echo";

/// Serves on stdin and stdout until the client ends.
pub async fn run() -> anyhow::Result<ExitCode> {
    let service = FlakyServer::default()
        .serve(rmcp::transport::io::stdio_pipes())
        .await
        .context("the flaky server got no client")?;
    service.waiting().await.context("the flaky server broke")?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, Default)]
struct FlakyServer {
    /// Attempts seen, by key.
    attempts: Mutex<HashMap<String, u32>>,
}

#[derive(Debug, Deserialize)]
struct FlakyArguments {
    key: String,
    fail_times: u32,
    mode: Mode,
}

/// How an attempt fails.
#[derive(Debug, Clone, Copy, Deserialize)]
enum Mode {
    #[serde(rename = "isError")]
    IsError,
    #[serde(rename = "status-503")]
    Status503,
    #[serde(rename = "status-404")]
    Status404,
    #[serde(rename = "rpc-error")]
    RpcError,
    #[serde(rename = "hang")]
    Hang,
}

impl FlakyServer {
    async fn flaky(
        &self,
        arguments: FlakyArguments,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let FlakyArguments { key, fail_times, mode } = arguments;
        let attempt = {
            let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
            let attempt = attempts.entry(key).or_insert(0);
            *attempt = attempt.saturating_add(1);
            *attempt
        };
        if attempt > fail_times {
            return Ok(text_result(format!("flaky recovered after {attempt} attempt(s)")));
        }
        let failure = format!("flaky transient failure (attempt {attempt}/{fail_times})");
        // As an adapter in front of a REST service reports its status.
        let with_status = |status: u16| {
            let mut result = CallToolResult::error(vec![ContentBlock::text(failure.clone())]);
            result.structured_content = Some(json!({ "status_code": status }));
            result
        };
        match mode {
            Mode::IsError => Ok(CallToolResult::error(vec![ContentBlock::text(failure)])),
            Mode::Status503 => Ok(with_status(503)),
            Mode::Status404 => Ok(with_status(404)),
            Mode::RpcError => Err(ErrorData::internal_error(failure, None)),
            Mode::Hang => {
                context.ct.cancelled().await;
                Err(ErrorData::internal_error("cancelled", None))
            }
        }
    }
}

impl ServerHandler for FlakyServer {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("flaky-server", env!("CARGO_PKG_VERSION")))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let flaky = "Fails `fail_times` times for each `key`, in the way of `mode`, then recovers.";
        let tools = vec![
            // Failing changes nothing, so it may be called again.
            Tool::new(FLAKY, flaky, flaky_schema())
                .with_annotations(ToolAnnotations::new().idempotent(true)),
            Tool::new(FLAKY_PATIENT, flaky, flaky_schema()),
            Tool::new(SEND, "Would send a message, and fails as `flaky` does.", flaky_schema()),
            Tool::new(ECHO, "Gives `text` back.", object(json!({ "text": { "type": "string" } }))),
        ];
        Ok(ListToolsResult::with_all_items(tools))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let result = match &*request.name {
            FLAKY | FLAKY_PATIENT | SEND => {
                let arguments = serde_json::from_value(arguments)
                    .map_err(|error| ErrorData::invalid_params(error.to_string(), None))?;
                self.flaky(arguments, &context).await?
            }
            ECHO => text_result(arguments["text"].as_str().unwrap_or_default().to_owned()),
            other => {
                return Err(ErrorData::invalid_params(format!("unknown tool `{other}`"), None));
            }
        };
        Ok(result.into())
    }
}

fn text_result(text: String) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

fn flaky_schema() -> JsonObject {
    object(json!({
        "key": { "type": "string", "description": "attempts are counted for each key" },
        "fail_times": { "type": "integer", "minimum": 0 },
        "mode": { "enum": ["isError", "status-503", "status-404", "rpc-error", "hang"] },
    }))
}

/// The schema of an object that has all of these properties.
fn object(properties: Value) -> JsonObject {
    let required: Vec<_> =
        properties.as_object().into_iter().flat_map(JsonObject::keys).cloned().collect();
    let mut schema = JsonObject::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), properties);
    schema.insert("required".to_owned(), json!(required));
    schema
}
