//! Builds components that misbehave, from a few lines of core WebAssembly text.

use host_harness::sandbox::{Component, LoadError};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The flat parameters of `handle`, as the canonical ABI lowers them: target,
/// request-id, attempt, now-ms, time-left-ms, known, outcome.
const HANDLE: &str =
    "(param $target i32) (param $target_len i32) (param $id i32) (param $id_len i32)
    (param $attempt i32) (param i64) (param i32 i64) (param i32)
    (param $outcome i32) (param $is_error i64) (param i32 i64 i32 i32) (result i32)";

/// Answers "succeeded", and in `failures` how many calls this instance has
/// answered: who sees it go on knows that the instance is still the same.
pub const POLITE_ANSWER: &str = "
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (i32.store (i32.const 2068) (global.get $calls))
    (i32.const 2048)";

/// The contract, and what a guest here may want beyond it: randomness as WASI
/// has it, and a resource of its own to play with.
const BEYOND: &str = "
    package wasi:random@0.2.6;
    interface random {
        get-random-bytes: func(len: u64) -> list<u8>;
        get-random-u64: func() -> u64;
    }";
const THINGS: &str = "
    package test:guest;
    interface things { resource thing { constructor(); } }
    world guest {
        include mcp-gateway:hooks/retry-plugin@0.1.0;
        import wasi:random/random@0.2.6;
        export things;
    }";

/// A component of the contract: the bodies of its functions, each polite
/// unless a test sets another.
///
/// Memory is one page. The address 1024 always holds zeros: an empty list, an
/// `ok` of nothing. At 2048 is a good `result<verdict, hook-error>`.
#[derive(Clone)]
pub struct Guest {
    /// What it imports: core imports, by the names that wit-component gives them.
    pub imports: &'static str,
    pub memory: &'static str,
    /// `(param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)`
    pub realloc: String,
    pub handle: String,
    /// `(param $config i32) (param $config_len i32) (param $max_retries i32) (result i32)`
    pub configure: String,
    pub describe: &'static str,
    pub schema: &'static str,
    pub stats: &'static str,
    pub shutdown: &'static str,
    /// The body of `tool-post-invoke.retries`.
    pub retries: &'static str,
    /// The body of `resource-post-fetch.handle`.
    pub read_handle: &'static str,
    /// The body of `resource-post-fetch.retries`.
    pub read_retries: &'static str,
    /// Further functions, data, globals, tables.
    pub rest: String,
}

impl Guest {
    /// It does nothing wrong.
    pub fn polite() -> Self {
        Self {
            imports: "",
            memory: r#"(memory (export "memory") 1)"#,
            realloc: "(i32.const 8192)".to_owned(),
            handle: POLITE_ANSWER.to_owned(),
            configure: "(i32.const 1024)".to_owned(),
            describe: "(i32.const 512)",
            schema: "(i32.const 552)",
            stats: "(i32.const 1024)",
            shutdown: "",
            retries: "(i32.const 1024)",
            read_handle: "unreachable",
            read_retries: "(i32.const 1024)",
            rest: String::new(),
        }
    }

    /// It does this when it judges a call of the target `bad`, or of any other
    /// target with a name of three bytes, and is polite otherwise.
    pub fn bad_at(hostile: &str) -> Self {
        let handle = format!(
            "(if (i32.eq (local.get $target_len) (i32.const 3)) (then {hostile})) {POLITE_ANSWER}"
        );
        Self { handle, ..Self::polite() }
    }

    pub fn component(&self) -> Component {
        Component::from_bytes("hostile.wasm", &self.bytes()).expect("its shape is right")
    }

    pub fn try_component(&self) -> Result<Component, LoadError> {
        Component::from_bytes("hostile.wasm", &self.bytes())
    }

    pub fn bytes(&self) -> Vec<u8> {
        let Self { imports, memory, realloc, handle, configure, describe, .. } = self;
        let Self { schema, stats, shutdown, retries, read_handle, read_retries, rest, .. } = self;
        let module = format!(
            r#"(module
            {imports}
            {memory}
            (global $calls (mut i32) (i32.const 0))
            (data (i32.const 512) "\58\02\00\00\07\00\00\00\6c\02\00\00\05\00\00\00\00\00\00\00\00\00\00\00\30\02\00\00\01\00\00\00")
            (data (i32.const 552) "\94\02\00\00\02\00\00\00")
            (data (i32.const 560) "\80\02\00\00\10\00\00\00")
            (data (i32.const 600) "hostile")
            (data (i32.const 620) "1.0.0")
            (data (i32.const 640) "tool_post_invoke")
            (data (i32.const 660) "{{}}")
            (data (i32.const 2064) "\09")
            (func (export "cabi_realloc")
                (param $old i32) (param $old_size i32) (param $align i32) (param $size i32)
                (result i32) {realloc})
            (func (export "mcp-gateway:hooks/tool-post-invoke@0.1.0#handle") {HANDLE} {handle})
            (func (export "mcp-gateway:hooks/tool-post-invoke@0.1.0#retries")
                (param i32 i32) (result i32) {retries})
            (func (export "mcp-gateway:hooks/tool-post-invoke@0.1.0#forget") (param i32 i32 i32 i32))
            (func (export "mcp-gateway:hooks/resource-post-fetch@0.1.0#handle") {HANDLE} {read_handle})
            (func (export "mcp-gateway:hooks/resource-post-fetch@0.1.0#retries")
                (param i32 i32) (result i32) {read_retries})
            (func (export "mcp-gateway:hooks/resource-post-fetch@0.1.0#forget") (param i32 i32 i32 i32))
            (func (export "mcp-gateway:hooks/resource-post-fetch@0.1.0#policy") (result i32) unreachable)
            (func (export "mcp-gateway:hooks/lifecycle@0.1.0#describe") (result i32) {describe})
            (func (export "mcp-gateway:hooks/lifecycle@0.1.0#config-schema") (result i32) {schema})
            (func (export "mcp-gateway:hooks/lifecycle@0.1.0#configure")
                (param $config i32) (param $config_len i32) (param $max_retries i32) (result i32)
                {configure})
            (func (export "mcp-gateway:hooks/lifecycle@0.1.0#stats") (result i32) {stats})
            (func (export "mcp-gateway:hooks/lifecycle@0.1.0#shutdown") {shutdown})
            (func (export "test:guest/things#[constructor]thing") (result i32) unreachable)
            {rest})"#
        );
        encode(&module)
    }
}

fn encode(module: &str) -> Vec<u8> {
    let mut module = wat::parse_str(module).expect("valid text");
    let mut resolve = Resolve::default();
    resolve.push_dir("../wit").expect("the contract");
    resolve.push_str("random.wit", BEYOND).expect("valid WIT");
    let package = resolve.push_str("things.wit", THINGS).expect("valid WIT");
    let world = resolve.select_world(&[package], Some("guest")).expect("the world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
        .expect("metadata");
    let mut encoder = ComponentEncoder::default();
    encoder.module(&module).expect("a module of the world").encode().expect("a component")
}

/// A `result<verdict, hook-error>`.
#[derive(Clone, Copy)]
pub struct Verdict {
    pub delay_ms: u64,
    pub reason: u8,
    pub failures: u32,
    pub ceiling_ms: u64,
    pub class: u8,
    pub not_executed: bool,
    pub tool_budget: u16,
    pub cost: u32,
    /// `retry-count` and `retry-delay-ms` of the metadata.
    pub metadata: Option<(u32, u64)>,
}

/// `reason` in the order of the contract.
pub const TOOL_ERROR: u8 = 0;
pub const SUCCEEDED: u8 = 9;
/// `class` in the order of the contract.
pub const TRANSIENT: u8 = 1;

impl Verdict {
    /// Asks for a retry after so long.
    pub const fn retry(delay_ms: u64) -> Self {
        Self {
            delay_ms,
            reason: TOOL_ERROR,
            failures: 1,
            ceiling_ms: delay_ms,
            class: TRANSIENT,
            not_executed: false,
            tool_budget: 0,
            cost: 0,
            metadata: None,
        }
    }

    /// The guest that gives this verdict to the target `bad`.
    pub fn guest(&self) -> Guest {
        let mut bytes = [0; 80];
        bytes[8..16].copy_from_slice(&self.delay_ms.to_le_bytes());
        bytes[16] = self.reason;
        bytes[20..24].copy_from_slice(&self.failures.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.ceiling_ms.to_le_bytes());
        bytes[32] = self.class;
        bytes[33] = u8::from(self.not_executed);
        bytes[34..36].copy_from_slice(&self.tool_budget.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.cost.to_le_bytes());
        if let Some((count, delay_ms)) = self.metadata {
            bytes[56] = 1;
            bytes[64..68].copy_from_slice(&count.to_le_bytes());
            bytes[72..80].copy_from_slice(&delay_ms.to_le_bytes());
        }
        let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let rest = format!(r#"(data (i32.const 4096) "{escaped}")"#);
        Guest { rest, ..Guest::bad_at("(return (i32.const 4096))") }
    }
}
