//! Builds components that misbehave, from a few lines of core WebAssembly text.

use host_harness::sandbox::Component;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The flat parameters of `handle`, as the canonical ABI lowers them: target,
/// request-id, attempt, now-ms, time-left-ms, known, outcome.
const HANDLE: &str =
    "(param $target i32) (param $target_len i32) (param i32 i32) (param $attempt i32)
    (param i64) (param i32 i64) (param i32) (param i32 i64 i32 i64 i32 i32) (result i32)";

/// A component of the contract that is polite but for the body of its
/// `tool-post-invoke.handle`, which returns the address of a
/// `result<verdict, hook-error>`. Memory is one page and all zeros but for
/// what `data` puts there; the address 1024 always holds zeros.
pub fn with_handle(body: &str, data: &str) -> Vec<u8> {
    build(&format!(
        r#"(func (export "mcp-gateway:hooks/tool-post-invoke@0.1.0#handle") {HANDLE} {body})
           (func (export "mcp-gateway:hooks/lifecycle@0.1.0#configure")
               (param i32 i32 i32) (result i32) (i32.const 1024))
           {data}"#
    ))
}

/// The same with a body for `lifecycle.configure`.
pub fn with_configure(body: &str) -> Vec<u8> {
    build(&format!(
        r#"(func (export "mcp-gateway:hooks/tool-post-invoke@0.1.0#handle") {HANDLE} unreachable)
           (func (export "mcp-gateway:hooks/lifecycle@0.1.0#configure")
               (param i32 i32 i32) (result i32) {body})"#
    ))
}

fn build(functions: &str) -> Vec<u8> {
    // Of `describe`, `stats` and a good `configure`, zeros are a valid result:
    // empty texts and empty lists.
    let mut module = wat::parse_str(format!(
        r#"(module
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8192))
            (func (export "mcp-gateway:hooks/tool-post-invoke@0.1.0#retries") (param i32 i32) (result i32) (i32.const 1024))
            (func (export "mcp-gateway:hooks/tool-post-invoke@0.1.0#forget") (param i32 i32 i32 i32))
            (func (export "mcp-gateway:hooks/resource-post-fetch@0.1.0#handle") {HANDLE} unreachable)
            (func (export "mcp-gateway:hooks/resource-post-fetch@0.1.0#retries") (param i32 i32) (result i32) (i32.const 1024))
            (func (export "mcp-gateway:hooks/resource-post-fetch@0.1.0#forget") (param i32 i32 i32 i32))
            (func (export "mcp-gateway:hooks/resource-post-fetch@0.1.0#policy") (result i32) unreachable)
            (func (export "mcp-gateway:hooks/lifecycle@0.1.0#describe") (result i32) (i32.const 1024))
            (func (export "mcp-gateway:hooks/lifecycle@0.1.0#config-schema") (result i32) (i32.const 1024))
            (func (export "mcp-gateway:hooks/lifecycle@0.1.0#stats") (result i32) (i32.const 1024))
            (func (export "mcp-gateway:hooks/lifecycle@0.1.0#shutdown"))
            {functions})"#
    ))
    .expect("valid text");
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir("../wit").expect("the contract");
    let world = resolve.select_world(&[package], Some("retry-plugin")).expect("the world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
        .expect("metadata");
    let mut encoder = ComponentEncoder::default();
    encoder.module(&module).expect("a module of the world").encode().expect("a component")
}

/// Loads what was built.
pub fn load(bytes: &[u8]) -> Component {
    Component::from_bytes("hostile.wasm", bytes).expect("its shape is right")
}

/// A `result<verdict, hook-error>` at address 2048, for `with_handle`.
pub struct Verdict {
    pub delay_ms: u64,
    pub reason: u8,
    pub ceiling_ms: u64,
    /// `retry-count` and `retry-delay-ms` of the metadata.
    pub metadata: Option<(u32, u64)>,
}

/// `reason` in the order of the contract.
pub const TOOL_ERROR: u8 = 0;
pub const SUCCEEDED: u8 = 7;

impl Verdict {
    /// The component that always gives this verdict.
    pub fn component(&self) -> Component {
        let mut bytes = [0; 56];
        bytes[8..16].copy_from_slice(&self.delay_ms.to_le_bytes());
        bytes[16] = self.reason;
        bytes[20..24].copy_from_slice(&1_u32.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.ceiling_ms.to_le_bytes());
        if let Some((count, delay_ms)) = self.metadata {
            bytes[32] = 1;
            bytes[40..44].copy_from_slice(&count.to_le_bytes());
            bytes[48..56].copy_from_slice(&delay_ms.to_le_bytes());
        }
        let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let data = format!(r#"(data (i32.const 2048) "{escaped}")"#);
        load(&with_handle("(i32.const 2048)", &data))
    }
}
