//! The subscriptions of one client: what the upstreams have agreed to, and what waits until all have.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::mcp::{
    outgoing::MAX_QUEUED_BYTES,
    wire::{Id, IdKey, Kind, Message},
};
use serde_json::{
    Map, Value,
    value::{RawValue, to_raw_value},
};

const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";
/// What one subscription may be about: the URIs, and whatever else, that
/// upstreams agree to; what is beyond is left out of what the client hears.
const MOST_AGREED: usize = 10_000;
/// And the bytes of all of it.
const MOST_AGREED_BYTES: usize = 8 * 1024 * 1024;
/// Notifications that wait for the acknowledgement of all; more are dropped.
const MOST_HELD: usize = 32;

/// The subscriptions of the client, by the id of its request.
#[derive(Debug, Default)]
pub(super) struct Subscriptions(Mutex<HashMap<IdKey, Subscription>>);

#[derive(Debug, Default)]
struct Subscription {
    /// The upstreams that have not said yet what they agree to.
    unsettled: HashSet<usize>,
    agreed: HashSet<usize>,
    /// What all have agreed to so far, and the words of the first.
    agreement: Agreement,
    acknowledgement: Option<Message>,
    /// What came before all had settled.
    held: Vec<Message>,
    held_bytes: usize,
    /// The client has heard what was agreed to.
    open: bool,
    /// Held while the client is told something, so that it hears all in order.
    telling: Arc<tokio::sync::Mutex<()>>,
}

impl Subscriptions {
    pub(super) fn begin(&self, id: &Id, asked: &[usize]) -> Begun<'_> {
        let unsettled = asked.iter().copied().collect();
        let subscription = Subscription { unsettled, ..Subscription::default() };
        self.all().insert(id.key().clone(), subscription);
        Begun { subscriptions: self, key: id.key().clone() }
    }

    /// A notification of an upstream: gives `send` what the client is to hear now.
    pub(super) fn heard(&self, id: &Id, at: usize, message: Message, send: impl FnMut(Message)) {
        let mut all = self.all();
        let Some(one) = all.get_mut(id.key()) else { return };
        if matches!(message.kind(), Kind::Notification { method } if method == ACKNOWLEDGED) {
            // Each agrees once, and not after the client has heard what all agree to.
            if one.agreed.insert(at) && !one.open {
                if let Some(filter) = message.param("notifications") {
                    one.agreement.add(&filter);
                }
                one.acknowledgement.get_or_insert(message);
            }
            one.settle(at, send);
        } else if one.open {
            let mut send = send;
            send(message);
        } else if one.held.len() < MOST_HELD {
            let bytes = one.held_bytes + message.bytes();
            if bytes <= MAX_QUEUED_BYTES {
                one.held_bytes = bytes;
                one.held.push(message);
            }
        }
    }

    /// An upstream that has not agreed yet will not.
    pub(super) fn settle(&self, id: &Id, at: usize, send: impl FnMut(Message)) {
        if let Some(one) = self.all().get_mut(id.key()) {
            one.settle(at, send);
        }
    }

    /// To be held while the client is told something.
    pub(super) fn telling(&self, id: &Id) -> Option<Arc<tokio::sync::Mutex<()>>> {
        Some(self.all().get(id.key())?.telling.clone())
    }

    pub(super) fn has_agreed(&self, id: &Id, at: usize) -> bool {
        self.all().get(id.key()).is_some_and(|one| one.agreed.contains(&at))
    }

    /// No code that can panic runs under the lock.
    fn all(&self) -> MutexGuard<'_, HashMap<IdKey, Subscription>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    pub(super) fn settle(&mut self, at: usize, mut send: impl FnMut(Message)) {
        self.unsettled.remove(&at);
        if self.open || !self.unsettled.is_empty() {
            return;
        }
        let Some(first) = self.acknowledgement.take() else { return };
        self.open = true;
        let filter =
            to_raw_value(&self.agreement.filter).unwrap_or_else(|_| RawValue::NULL.to_owned());
        send(first.with_param("notifications", filter));
        self.held.drain(..).for_each(send);
    }
}

/// What upstreams have agreed to.
#[derive(Debug, Default)]
struct Agreement {
    filter: Map<String, Value>,
    /// The entries of the lists in it, by the member that they are in.
    known: HashSet<(String, String)>,
    bytes: usize,
}

impl Agreement {
    /// Adds what one more upstream agrees to.
    fn add(&mut self, filter: &RawValue) {
        let Ok(Value::Object(filter)) = serde_json::from_str(filter.get()) else { return };
        for (name, value) in filter {
            match value {
                Value::Array(entries) => {
                    let before = self.filter.get(&name);
                    if before.is_some_and(|before| !before.is_array()) || !self.takes(&name) {
                        continue;
                    }
                    let new: Vec<_> =
                        entries.into_iter().filter(|entry| self.is_new(&name, entry)).collect();
                    let list = self.filter.entry(name).or_insert_with(|| Value::Array(Vec::new()));
                    if let Value::Array(list) = list {
                        list.extend(new);
                    }
                }
                value => {
                    if let Some(known) = self.filter.get_mut(&name) {
                        if *known == Value::Bool(false) && value == Value::Bool(true) {
                            *known = value;
                        }
                    } else if self.takes(&name) && self.counts(value.to_string().len()) {
                        self.filter.insert(name, value);
                    }
                }
            }
        }
    }

    /// Whether there is room for a member.
    fn takes(&mut self, name: &str) -> bool {
        self.filter.contains_key(name)
            || (self.filter.len() < MOST_AGREED && self.counts(name.len()))
    }

    fn is_new(&mut self, member: &str, entry: &Value) -> bool {
        let key = (member.to_owned(), entry.to_string());
        !self.known.contains(&key)
            && self.known.len() < MOST_AGREED
            && self.counts(key.0.len() + key.1.len())
            && self.known.insert(key)
    }

    fn counts(&mut self, bytes: usize) -> bool {
        let fits = bytes <= MOST_AGREED_BYTES - self.bytes;
        if fits {
            self.bytes += bytes;
        }
        fits
    }
}

/// A subscription is there while this is.
pub(super) struct Begun<'a> {
    subscriptions: &'a Subscriptions,
    key: IdKey,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.subscriptions.all().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_client_first_hears_what_all_have_agreed_to_and_then_what_came_meanwhile() {
        let subscriptions = Subscriptions::default();
        let id = Id::text("s");
        let begun = subscriptions.begin(&id, &[0, 1, 2]);
        let heard = |at, text: &str| {
            let mut told = Vec::new();
            subscriptions.heard(&id, at, Message::written(text), |one| {
                told.push(serde_json::to_string(&one).expect("JSON"));
            });
            told
        };
        let acknowledged = |filter: &str| {
            format!(r#"{{"method":"{ACKNOWLEDGED}","params":{{"notifications":{filter}}}}}"#)
        };
        let news = r#"{"method":"notifications/tools/list_changed"}"#;
        let first = acknowledged(r#"{"toolsListChanged":false,"resourceSubscriptions":["u:1"]}"#);
        assert!(heard(0, &first).is_empty());
        assert!(heard(0, news).is_empty());
        let second =
            acknowledged(r#"{"toolsListChanged":true,"resourceSubscriptions":["u:1","u:2"]}"#);
        assert!(heard(1, &second).is_empty());
        let mut told = Vec::new();
        subscriptions.settle(&id, 2, |one| told.push(serde_json::to_string(&one).expect("JSON")));
        assert_eq!(told, [second, news.to_owned()]);
        assert_eq!(heard(1, news), [news]);
        drop(begun);
        assert!(heard(1, news).is_empty());
    }

    #[test]
    fn an_agreement_has_a_bound_and_takes_time_in_proportion_to_what_is_agreed_to() {
        let uris = |from: usize, to: usize| {
            let uris: Vec<_> = (from..to).map(|n| format!("u:{n}")).collect();
            let raw = to_raw_value(&json!({ "resourceSubscriptions": uris, "x": true }));
            raw.expect("JSON")
        };
        let agreed = |agreement: &Agreement| {
            agreement.filter["resourceSubscriptions"].as_array().expect("a list").len()
        };
        let took = |count: usize| {
            let (first, second) = (uris(0, count), uris(count / 2, count));
            let begin = std::time::Instant::now();
            let mut agreement = Agreement::default();
            agreement.add(&first);
            agreement.add(&second);
            assert_eq!(agreed(&agreement), count);
            begin.elapsed()
        };
        let best = |count| (0..5).map(|_| took(count)).min().expect("five");
        let (few, many) = (best(MOST_AGREED / 4), best(MOST_AGREED));
        assert!(many < 12 * few, "four times as many: {few:?}, then {many:?}");
        let mut agreement = Agreement::default();
        agreement.add(&uris(0, 3 * MOST_AGREED));
        agreement.add(&to_raw_value(&json!({ "y": "z".repeat(MOST_AGREED_BYTES) })).expect("JSON"));
        assert_eq!(agreed(&agreement), MOST_AGREED);
        assert!(!agreement.filter.contains_key("y"));
    }
}
