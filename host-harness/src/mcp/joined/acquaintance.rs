//! Which upstreams speak without a session, as the protocol has it since 2026-07-28.

use std::time::Duration;

use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::{
    Joined, capabilities,
    greeting::Greeting,
    member::{Member, Standing},
    query::{Era, Query},
    stateless::{CLIENT_CAPABILITIES, CLIENT_INFO, server_info},
};
use crate::mcp::{
    front::ToClient,
    headers::{UNSUPPORTED_VERSION, VERSION, version_of},
    reply::NO_ANSWER,
    wire::{Id, Message},
};

/// The first version that has no sessions.
const STATELESS: &str = "2026-07-28";
/// How long an upstream that did not answer in time is left alone.
const REST: Duration = Duration::from_secs(60);
/// And one that ended when it was asked.
const LONG_REST: Duration = Duration::from_secs(5 * 60);

impl Joined {
    /// Asks the upstreams that nothing is known of what they are. Those of
    /// before 2026-07-28 are left out: they might take a request for something else.
    ///
    /// # Errors
    /// None of them speaks the client's version: what the client is to hear.
    pub(super) async fn make_acquaintance(&self, query: &Query) -> Result<(), ToClient> {
        if self.members.iter().any(Member::is_unknown) {
            // Whoever comes meanwhile waits for the same answers.
            let _meeting = self.meeting.lock().await;
            let asked = self.members.iter().filter(|member| member.is_unknown());
            let asked = asked.map(async |member| {
                let standing = match self.group.known(&member.name) {
                    Some(known) => known,
                    None => self.meet(member, query).await,
                };
                member.set_standing(Era::Stateless, standing);
            });
            join_all(asked).await;
        }
        let all: Vec<_> = self.members.iter().filter_map(Member::versions).collect();
        let wanted = version_of(&query.message).unwrap_or_default();
        if all.is_empty() || all.iter().any(|versions| versions.contains(&wanted)) {
            return Ok(());
        }
        let versions = capabilities::versions(all.iter().map(Vec::as_slice));
        let data = json!({ "supported": versions, "requested": wanted });
        Err(query.error_with(UNSUPPORTED_VERSION, "Unsupported protocol version", data))
    }

    async fn meet(&self, member: &Member, query: &Query) -> Standing {
        let meeting = async {
            match self.group.another(&member.name) {
                // A process of before 2026-07-28 may not survive the question, so
                // it is for one that serves nobody; what it says is true of all.
                Some(probe) => {
                    match self.probe(&probe.member, query).await {
                        // It has ended at the question: most likely that is its answer.
                        Standing::Unknown => Standing::Resting(Instant::now() + LONG_REST),
                        standing => {
                            self.group.remember(&member.name, &standing);
                            standing
                        }
                    }
                }
                None => self.probe(member, query).await,
            }
        };
        match timeout(self.group.patience, meeting).await {
            Ok(standing) => standing,
            Err(_) => {
                tracing::warn!(upstream = member.name, "left out for a minute: no answer in time");
                Standing::Resting(Instant::now() + REST)
            }
        }
    }

    /// Asks in words of our own: what a client got wrong is no word on the server.
    async fn probe(&self, member: &Member, query: &Query) -> Standing {
        let mut said = member.ask(self.question(STATELESS), query).await;
        if let Some(version) = supported(&said.message) {
            said = member.ask(self.question(&version), query).await;
        }
        match Greeting::read(&said.message, Era::Stateless) {
            Some(greeting) => (&greeting).into(),
            None => judge(member, &said),
        }
    }

    fn question(&self, version: &str) -> Message {
        let request = Message::request(&Id::text(&self.unique("discover")), "server/discover");
        request
            .with_meta(VERSION, version)
            .with_meta(CLIENT_INFO, &server_info())
            .with_meta(CLIENT_CAPABILITIES, &json!({}))
    }
}

/// What to think of an upstream that does not say what it can do.
fn judge(member: &Member, said: &ToClient) -> Standing {
    let code = said.message.error_code();
    let status = said.status.as_ref().map(|status| status.code);
    let passing = match status {
        // Credentials are another client's matter.
        Some(status) => status >= 500 || [401, 403, 429].contains(&status),
        None => code == Some(NO_ANSWER),
    };
    if passing {
        tracing::warn!(
            upstream = member.name,
            code,
            status,
            "left out for now: it cannot be asked"
        );
        return Standing::Unknown;
    }
    tracing::warn!(
        upstream = member.name,
        code,
        status,
        "left out for clients without a session: it is of before 2026-07-28, and wants `initialize`"
    );
    Standing::LeftOut
}

/// Of an error that names the versions that a server of today speaks, the first of those without sessions.
fn supported(response: &Message) -> Option<String> {
    #[derive(Deserialize)]
    struct Error {
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        supported: Vec<String>,
    }
    (response.error_code() == Some(UNSUPPORTED_VERSION)).then_some(())?;
    let error: Error = serde_json::from_str(response.get("error")?.get()).ok()?;
    error.data.supported.into_iter().find(|version| &**version >= STATELESS)
}
