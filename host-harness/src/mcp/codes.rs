//! The codes of JSON-RPC errors, in one place.

/// JSON-RPC: what came is not JSON.
pub(crate) const PARSE_ERROR: i64 = -32700;
/// JSON-RPC: well-formed JSON that is no request, or a request that cannot be right.
pub(crate) const INVALID_REQUEST: i64 = -32600;
/// JSON-RPC: there is no such method.
pub(crate) const METHOD_NOT_FOUND: i64 = -32601;
/// JSON-RPC: what is asked for does not exist, or cannot be asked for so.
pub(crate) const INVALID_PARAMS: i64 = -32602;
/// MCP of 2025-11-25 and before: there is no such resource.
pub(crate) const RESOURCE_NOT_FOUND: i64 = -32002;
/// MCP since 2026-07-28: the headers do not say what the body says.
pub(crate) const HEADER_MISMATCH: i64 = -32020;
/// The last of the errors that 2026-07-28 has defined: the version is not supported.
pub(crate) const UNSUPPORTED_VERSION: i64 = -32022;
/// The code of the error that a client gets when the upstream is gone, or the proxy refuses a call.
pub const NO_ANSWER: i64 = -32000;
/// The code of the error that a client gets when the last attempt timed out.
pub const TIMED_OUT: i64 = -32001;
