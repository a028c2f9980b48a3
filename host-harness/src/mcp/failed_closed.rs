//! What the client gets of a call whose plugin failed, where such calls are to fail.

use serde::Serialize;
use serde_json::{
    Map, Value,
    value::{RawValue, to_raw_value},
};

use crate::{
    mcp::{
        front::ToClient,
        own_error::{self, Account, Ended},
        reply::AttemptReply,
        wire::{Id, Message},
    },
    sandbox::HookFailure,
};

/// JSON-RPC: internal error.
pub const PLUGIN_FAILED: i64 = -32603;
/// `error.data.name` of the error.
const NAME: &str = "plugin_failed";

#[derive(Serialize)]
struct Response<'a> {
    jsonrpc: &'static str,
    id: &'a RawValue,
    error: Failure<'a>,
}

#[derive(Serialize)]
struct Failure<'a> {
    code: i64,
    message: String,
    data: Original<'a>,
}

/// What the upstream answered, byte for byte.
#[derive(Serialize)]
struct Original<'a> {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RawValue>,
    /// What became of the call.
    #[serde(flatten)]
    account: Value,
}

/// An error that names the plugin's failure and carries the upstream's own
/// `result` or `error` in its `data`.
pub(super) fn response(
    reply: AttemptReply,
    id: &Id,
    failure: &HookFailure,
    account: &Account,
) -> ToClient {
    let original = reply.into_response(id, account).message;
    let account = own_error::data(Ended::PluginFailed, account, None, Map::new());
    let (result, error) = (original.get("result"), original.get("error"));
    let data = Original { name: NAME, result, error, account };
    let message = format!("the gateway's plugin failed and the call with it: {failure}");
    let error = Failure { code: PLUGIN_FAILED, message, data };
    let response = Response { jsonrpc: "2.0", id: id.raw(), error };
    let told = to_raw_value(&response).ok().and_then(|raw| Message::parse(&raw).ok());
    // Texts and JSON always have a JSON form; if not, the result is still not lost.
    told.unwrap_or(original).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{contract::TransportFailure, mcp::reply::Answer, sandbox::Violation};

    fn told(upstream: &str) -> String {
        let raw: &RawValue = serde_json::from_str(upstream).expect("JSON");
        let reply = AttemptReply::of(Answer::Response(Message::parse(raw).expect("a message")));
        let account = Account::of_one(TransportFailure::AfterDispatch);
        let failure = HookFailure::Rejected(Violation::RetryOfSuccess);
        let response = response(reply, &Id::text("mine"), &failure, &account);
        serde_json::to_string(&response.message).expect("JSON")
    }

    #[test]
    fn the_error_carries_the_upstreams_result_byte_for_byte() {
        let line =
            told(r#"{"jsonrpc":"2.0","id":7,"result":{"n":1.000000000000000000001,"z":1,"a":2}}"#);
        assert!(
            line.starts_with(r#"{"jsonrpc":"2.0","id":"mine","error":{"code":-32603,"#),
            "{line}"
        );
        let data = r#""data":{"name":"plugin_failed","result":{"n":1.000000000000000000001,"z":1,"a":2},"retry-with-backoff":{"outcome":"plugin-failed","executed":"unknown","attempts":1,"reason":"not-judged"}}}}"#;
        assert!(line.ends_with(data), "{line}");
    }

    #[test]
    fn the_error_carries_the_upstreams_error_as_well() {
        let line = told(r#"{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"no"}}"#);
        let data = r#""data":{"name":"plugin_failed","error":{"code":-1,"message":"no"},"retry-with-backoff":{"#;
        assert!(line.contains(data), "{line}");
    }
}
