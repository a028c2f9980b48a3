//! How a client gets to know the upstreams: `initialize`, and
//! `server/discover` since 2026-07-28.

use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout};

use super::{
    Joined, capabilities, changes,
    member::{Member, Standing},
    query::{Era, Query},
    stateless::{self, CacheHint},
};
use crate::mcp::{
    codes::{INVALID_REQUEST, NO_ANSWER},
    front::ToClient,
    introduction::implementation,
    wire::Message,
};

/// What an upstream made of a greeting.
pub(super) enum Greeted<'a> {
    In(&'a Member, Greeting),
    /// Its words, if there are any.
    Not(Option<ToClient>),
}

/// What a server answers to `initialize`, or to `server/discover`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Greeting {
    protocol_version: Option<String>,
    supported_versions: Option<Vec<String>>,
    #[serde(default)]
    capabilities: Map<String, Value>,
    instructions: Option<String>,
    ttl_ms: Option<u64>,
    cache_scope: Option<String>,
}

impl Greeting {
    /// None if it does not say which version the server speaks.
    pub(super) fn read(response: &Message, era: Era) -> Option<Self> {
        let greeting: Self = serde_json::from_str(response.get("result")?.get()).ok()?;
        let version = match era {
            Era::Sessions => greeting.protocol_version.is_some(),
            Era::Stateless => greeting.supported_versions.is_some(),
        };
        version.then_some(greeting)
    }

    /// What it makes of the upstream, `until` then if it is to be asked again.
    pub(super) fn standing(&self, until: Option<Instant>) -> Standing {
        Standing::In {
            capabilities: Value::Object(self.capabilities.clone()),
            versions: self.supported_versions.clone().unwrap_or_default(),
            until,
        }
    }
}

impl Joined {
    /// Begins a session with every upstream.
    pub(super) async fn initialize(&self, query: &Query) -> ToClient {
        self.remember_greeting(query);
        let asked = self.members.iter().enumerate().map(|(at, one)| self.greet(at, one, query));
        let (greetings, refusal) = sorted(join_all(asked).await);
        let lowest = greetings.iter().filter_map(|(_, one)| one.protocol_version.as_ref()).min();
        let Some(lowest) = lowest else {
            let nobody = || query.error(NO_ANSWER, "no upstream server has answered `initialize`");
            return refusal.unwrap_or_else(nobody);
        };
        let mut capabilities = together(&greetings);
        changes::announce(&mut capabilities);
        let mut result = json!({
            "protocolVersion": lowest,
            "capabilities": capabilities,
            "serverInfo": implementation(),
        });
        add_instructions(&mut result, &greetings);
        query.result(&result)
    }

    /// Asks every upstream again what it can do.
    pub(super) async fn discover(&self, query: &Query) -> ToClient {
        let asked = self.members.iter().filter(|one| one.is_there(Era::Stateless));
        let asked = asked.map(async |member| {
            let asking = member.ask(query.message.clone(), query);
            match timeout(self.group.patience, asking).await {
                // For this client only: what the upstream can do is learnt from
                // the gateway's own questions.
                Ok(said) => match Greeting::read(&said.message, Era::Stateless) {
                    Some(greeting) => Greeted::In(member, greeting),
                    None => Greeted::Not(Some(said)),
                },
                Err(_) => Greeted::Not(None),
            }
        });
        let (greetings, refusal) = sorted(join_all(asked).await);
        if greetings.is_empty() {
            return refusal.unwrap_or_else(|| self.nobody_there(query));
        }
        let versions = greetings.iter().map(|(_, one)| one.supported_versions.as_deref());
        let versions = capabilities::versions(versions.flatten());
        let mut result = json!({
            "supportedVersions": versions,
            "capabilities": together(&greetings),
        });
        add_instructions(&mut result, &greetings);
        let hint = |one: &Greeting| CacheHint::of(one.ttl_ms, one.cache_scope.as_deref());
        stateless::complete(&mut result, greetings.iter().map(|(_, one)| hint(one)));
        query.result(&result)
    }

    /// There is no upstream to ask.
    pub(super) fn nobody_there(&self, query: &Query) -> ToClient {
        match query.era() {
            Era::Sessions => query.error(NO_ANSWER, "no upstream server is left"),
            Era::Stateless => {
                let text = "no upstream server answers without a session; try `initialize`";
                query.error(INVALID_REQUEST, text)
            }
        }
    }

    /// Begins a session with one upstream. One that does not agree is left out
    /// of it, and one that is late until it answers.
    async fn greet<'a>(&self, at: usize, member: &'a Member, query: &Query) -> Greeted<'a> {
        let told = timeout(self.group.patience, self.ask_for_long(at, query)).await;
        let Ok(Some(said)) = told else {
            tracing::warn!(upstream = member.name, "left out until it answers `initialize`");
            member.set_standing(Era::Sessions, Standing::LeftOut(None));
            return Greeted::Not(None);
        };
        self.judge(member, said)
    }

    /// Remembers what an upstream can do in this session that has answered
    /// `initialize`. One that does not agree is asked again in a while.
    pub(super) fn judge<'a>(&self, member: &'a Member, said: ToClient) -> Greeted<'a> {
        if let Some(greeting) = Greeting::read(&said.message, Era::Sessions) {
            member.set_standing(Era::Sessions, greeting.standing(None));
            return Greeted::In(member, greeting);
        }
        let code = said.message.error_code();
        let status = said.status.as_ref().map(|status| status.code);
        tracing::warn!(
            upstream = member.name,
            code,
            status,
            "left out: it did not agree to `initialize`"
        );
        let again = Instant::now() + self.group.patience;
        member.set_standing(Era::Sessions, Standing::LeftOut(Some(again)));
        Greeted::Not(Some(said))
    }
}

/// Who is in, and the first refusal of the others.
fn sorted(all: Vec<Greeted<'_>>) -> (Vec<(&Member, Greeting)>, Option<ToClient>) {
    let (mut greetings, mut refusal) = (Vec::new(), None);
    for one in all {
        match one {
            Greeted::In(member, greeting) => greetings.push((member, greeting)),
            Greeted::Not(said) => refusal = refusal.or(said),
        }
    }
    (greetings, refusal)
}

fn together(greetings: &[(&Member, Greeting)]) -> Value {
    let all: Vec<_> =
        greetings.iter().map(|(_, one)| Value::Object(one.capabilities.clone())).collect();
    capabilities::union(&all)
}

/// What each upstream has to say to a model, one after the other.
fn add_instructions(result: &mut Value, greetings: &[(&Member, Greeting)]) {
    let all: Vec<_> = greetings
        .iter()
        .filter_map(|(member, one)| {
            Some(format!("# {}\n\n{}", member.name, one.instructions.as_ref()?))
        })
        .collect();
    if !all.is_empty() {
        result["instructions"] = all.join("\n\n").into();
    }
}
