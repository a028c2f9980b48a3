//! What becomes of a request of the client, by its method.

use super::{
    Joined,
    listed::Listed,
    query::{Era, Query},
};
use crate::mcp::{
    codes::{INVALID_PARAMS, METHOD_NOT_FOUND},
    front::{HttpStatus, ToClient},
    methods::{INITIALIZE, SET_LEVEL, SUBSCRIBE, UNSUBSCRIBE},
};

impl Joined {
    /// The answer to a request.
    pub(super) async fn reply(&self, query: &Query) -> ToClient {
        let mut answer = match query.era() {
            Era::Sessions => self.answer_in_session(query).await,
            Era::Stateless if query.introduces_its_client() => self.answer_at_once(query).await,
            Era::Stateless => {
                let text = "Invalid params: `_meta` does not say which version the client speaks, \
                            and what it can do";
                let status = Some(HttpStatus { code: 400, headers: Vec::new() });
                ToClient { status, ..query.error(INVALID_PARAMS, text) }
            }
        };
        if !answer.message.answers(&query.id) {
            // It answers a request of our own.
            answer = ToClient { message: answer.message.with_id(&query.id), ..answer };
        }
        // To a client with a session it would say that the session is over.
        if query.era() == Era::Sessions
            && answer.status.as_ref().is_some_and(|status| status.code == 404)
        {
            answer.status = None;
        }
        answer
    }

    /// Answers a client that has a session, of 2025-11-25 or before.
    async fn answer_in_session(&self, query: &Query) -> ToClient {
        match &*query.method {
            INITIALIZE => self.initialize(query).await,
            "ping" => query.result(&serde_json::json!({})),
            SET_LEVEL => self.set_level(query).await,
            "tools/call" => self.by_name(Listed::Tools, query).await,
            "prompts/get" => self.by_name(Listed::Prompts, query).await,
            "resources/read" | SUBSCRIBE | UNSUBSCRIBE => self.by_uri(query).await,
            "completion/complete" => self.complete(query).await,
            "tasks/get" | "tasks/result" | "tasks/cancel" => self.by_task(query).await,
            method => match Listed::of(method) {
                Some(kind) => self.list(kind, query).await,
                None => self.whoever_knows(query).await,
            },
        }
    }

    /// Answers a client that has none, as it is since 2026-07-28.
    async fn answer_at_once(&self, query: &Query) -> ToClient {
        // Who is called by a name that is known need not wait for the others.
        match &*query.method {
            "tools/call" => return self.by_name(Listed::Tools, query).await,
            "prompts/get" => return self.by_name(Listed::Prompts, query).await,
            "resources/read" => return self.by_uri(query).await,
            "tasks/get" | "tasks/cancel" | "tasks/update" => return self.by_task(query).await,
            _ => {}
        }
        if let Err(refusal) = self.make_acquaintance(query).await {
            return refusal;
        }
        match &*query.method {
            "server/discover" => self.discover(query).await,
            "completion/complete" => self.complete(query).await,
            "subscriptions/listen" => self.subscribe(query).await,
            method => match Listed::of(method).filter(|kind| *kind != Listed::Tasks) {
                Some(kind) => self.list(kind, query).await,
                None => self.whoever_knows(query).await,
            },
        }
    }

    /// Whoever knows a method that is not known here.
    async fn whoever_knows(&self, query: &Query) -> ToClient {
        let era = query.era();
        if era == Era::Stateless && query.method == INITIALIZE {
            // It would begin a session for all clients that have none.
            return query.error(METHOD_NOT_FOUND, "Method not found");
        }
        let asked = (0..self.members.len()).filter(|at| self.members[*at].is_there(era));
        match self.seek(asked.collect(), query, &[METHOD_NOT_FOUND]).await {
            Some((_, answer)) => answer,
            None => self.nobody_there(query),
        }
    }

    /// Asks one upstream after the other, until one answers with anything but
    /// these errors, and who that was; the first answer if there is none. None if there is nobody to ask.
    pub(super) async fn seek(
        &self,
        asked: Vec<usize>,
        query: &Query,
        not_here: &[i64],
    ) -> Option<(usize, ToClient)> {
        let mut first = None;
        for at in asked {
            let said = self.members[at].ask(query.message.clone(), query).await;
            match said.message.error_code() {
                Some(code) if not_here.contains(&code) => first = first.or(Some((at, said))),
                _ => return Some((at, said)),
            }
        }
        first
    }

    /// Tells all upstreams that log how much the client wants to read.
    async fn set_level(&self, query: &Query) -> ToClient {
        let logging = self.members.iter().filter(|one| one.offers(Era::Sessions, "logging"));
        let told = logging.map(async |member| {
            let told = member.ask(query.message.clone(), query);
            tokio::time::timeout(self.group.patience, told).await.ok()
        });
        let told: Vec<_> =
            futures_util::future::join_all(told).await.into_iter().flatten().collect();
        let good = told.iter().position(|said| said.message.get("result").is_some());
        let none = || query.error(METHOD_NOT_FOUND, "Method not found");
        told.into_iter().nth(good.unwrap_or(0)).unwrap_or_else(none)
    }
}
