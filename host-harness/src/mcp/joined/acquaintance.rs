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
};
use crate::mcp::{
    codes::{METHOD_NOT_FOUND, UNSUPPORTED_VERSION},
    front::ToClient,
    headers::version_of,
    introduction::{self, STATELESS},
    wire::{Id, Message},
};

/// How long it is believed of an upstream that it is of before. Another may run
/// in its place by then.
const REST: Duration = Duration::from_secs(10);
/// How long that is believed of a command, for which each question starts a
/// process; and how long one is not asked that did not answer in time.
const LONG_REST: Duration = Duration::from_secs(60);
/// How long an upstream is not asked again that has answered with an error of another kind.
const SHORT_REST: Duration = Duration::from_secs(1);
/// How long it is believed what an upstream can do: it may have been replaced since.
const FRESH: Duration = Duration::from_secs(5 * 60);

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
                member.learn(standing);
            });
            join_all(asked).await;
        }
        self.look_again(query);
        let all: Vec<_> = self.members.iter().filter_map(Member::versions).collect();
        let wanted = version_of(&query.message).unwrap_or_default();
        if all.is_empty() || all.iter().any(|versions| versions.contains(&wanted)) {
            return Ok(());
        }
        let versions = capabilities::versions(all.iter().map(Vec::as_slice));
        let data = json!({ "supported": versions, "requested": wanted });
        Err(query.error_with(UNSUPPORTED_VERSION, "Unsupported protocol version", data))
    }

    /// Asks those again that were asked long ago. Nobody waits for it.
    fn look_again(&self, query: &Query) {
        for at in (0..self.members.len()).filter(|at| self.members[*at].is_stale(FRESH)) {
            let Some(joined) = self.me.upgrade() else { return };
            let query = query.clone();
            tokio::spawn(async move {
                let member = &joined.members[at];
                let standing = tokio::select! {
                    () = joined.closed.cancelled() => return,
                    standing = joined.meet(member, &query) => standing,
                };
                member.learn(standing);
            });
        }
    }

    async fn meet(&self, member: &Member, query: &Query) -> Standing {
        let meeting = async {
            match self.group.another(&member.name) {
                // A process of before 2026-07-28 may not survive the question, so
                // it is for one that serves nobody; what it says is true of all.
                Some(probe) => {
                    let standing = match self.probe(&probe.member, query).await {
                        // Most likely it has ended at the question, which is an answer as well.
                        Standing::Old(_) | Standing::Resting(_) => {
                            Standing::Old(Instant::now() + LONG_REST)
                        }
                        // Another process of the same command can do the same.
                        standing => standing.for_good(),
                    };
                    self.group.remember(&member.name, &standing);
                    standing
                }
                None => self.probe(member, query).await,
            }
        };
        match timeout(self.group.patience, meeting).await {
            Ok(standing) => standing,
            Err(_) => {
                tracing::warn!(upstream = member.name, "left out for a while: no answer in time");
                Standing::Resting(Instant::now() + LONG_REST)
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
            Some(greeting) => greeting.standing(Some(Instant::now() + FRESH)),
            None => self.conclude(member, &said),
        }
    }

    fn question(&self, version: &str) -> Message {
        introduction::discover(&Id::text(&self.unique("discover")), version)
    }

    /// What to think of an upstream that does not say what it can do.
    fn conclude(&self, member: &Member, said: &ToClient) -> Standing {
        let code = said.message.error_code();
        let status = said.status.as_ref().map(|status| status.code);
        // Of before is who knows nothing of the question. Whatever else it says
        // is about the moment, or about the credentials of this client.
        let old = match status {
            Some(status) => [400, 404, 405].contains(&status),
            None => code == Some(METHOD_NOT_FOUND) || said.message.get("result").is_some(),
        };
        let (why, rest) = if old {
            ("it is of before 2026-07-28, and wants `initialize`", REST)
        } else {
            ("it cannot be asked for now", SHORT_REST)
        };
        if self.group.warns(&member.name, &(old, code, status)) {
            tracing::warn!(
                upstream = member.name,
                code,
                status,
                "left out for clients without a session: {why}"
            );
        }
        let until = Instant::now() + rest;
        if old { Standing::Old(until) } else { Standing::Resting(until) }
    }
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
