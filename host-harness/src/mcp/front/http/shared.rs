//! What keeps requests of different clients apart in one session.
//!
//! Clients without a session choose ids and progress tokens as they like, and
//! all go to one upstream. So each request gets an id and a token of its own
//! there, and what comes back is about the client's again.

use serde_json::value::RawValue;

use crate::mcp::{
    members::Members,
    subscription_id::NAME as SUBSCRIPTION,
    wire::{Id, Message},
};

/// A client's own names for its request.
#[derive(Debug)]
pub(super) struct Own {
    id: Id,
    token: Option<Box<RawValue>>,
}

/// The same request under `id`, and what the client called it.
pub(super) fn rename(request: Message, own: &Id, id: &Id) -> (Message, Own) {
    let token = request.meta().and_then(|meta| meta.get("progressToken")).map(ToOwned::to_owned);
    let request =
        if token.is_some() { request.with_meta("progressToken", id.raw()) } else { request };
    (request.with_id(id), Own { id: own.clone(), token })
}

impl Own {
    /// A message about the request, in the client's names.
    pub(super) fn restore(&self, id: &Id, message: Message) -> Message {
        let message = match message.kind() {
            crate::mcp::wire::Kind::Response { .. } => {
                let message = message.with_id(&self.id);
                match restored_meta(message.get("result"), &self.id) {
                    Some(result) => message.with_member("result", result),
                    None => message,
                }
            }
            _ => match restored_meta(message.get("params"), &self.id) {
                Some(params) => message.with_member("params", params),
                None => message,
            },
        };
        match &self.token {
            Some(token) if token_of(&message).is_some_and(|found| found.key() == id.key()) => {
                message.with_param("progressToken", token.clone())
            }
            _ => message,
        }
    }
}

fn token_of(message: &Message) -> Option<Id> {
    message.id_in_params("progressToken")
}

/// A `result` or `params` whose `_meta` names a subscription, with another name for it.
fn restored_meta(raw: Option<&RawValue>, own: &Id) -> Option<Box<RawValue>> {
    // Most results say nothing of the kind; do not take them apart.
    let raw = raw.filter(|raw| raw.get().contains(SUBSCRIPTION))?;
    let mut object = Members::parse(raw).ok()?;
    let mut meta = Members::parse(object.get("_meta")?).ok()?;
    meta.get(SUBSCRIPTION)?;
    meta.set(SUBSCRIPTION, own.raw().to_owned());
    object.set("_meta", serde_json::value::to_raw_value(&meta).ok()?);
    serde_json::value::to_raw_value(&object).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_renamed_and_what_comes_back_is_about_the_clients() {
        let (own, id) = (Id::new(serde_json::from_str("1").expect("JSON")), Id::text("x-9"));
        let request = Message::written(
            r#"{"id":1,"method":"m","params":{"a":1e1,"_meta":{"progressToken":1,"k":2}}}"#,
        );
        let (renamed, names) = rename(request, &own, &id);
        assert_eq!(
            renamed.text(),
            r#"{"id":"x-9","method":"m","params":{"a":1e1,"_meta":{"progressToken":"x-9","k":2}}}"#
        );
        for (came, goes) in [
            (r#"{"id":"x-9","result":{"z":1.0}}"#, r#"{"id":1,"result":{"z":1.0}}"#),
            (
                r#"{"id":"x-9","result":{"_meta":{"io.modelcontextprotocol/subscriptionId":"x-9","z":1.0}}}"#,
                r#"{"id":1,"result":{"_meta":{"io.modelcontextprotocol/subscriptionId":1,"z":1.0}}}"#,
            ),
            (
                r#"{"method":"notifications/progress","params":{"progressToken":"x-9","progress":1}}"#,
                r#"{"method":"notifications/progress","params":{"progressToken":1,"progress":1}}"#,
            ),
            (
                r#"{"method":"n","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"x-9"}}}"#,
                r#"{"method":"n","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}"#,
            ),
        ] {
            let came = Message::written(came);
            assert_eq!(names.restore(&id, came).text(), goes);
        }
    }
}
