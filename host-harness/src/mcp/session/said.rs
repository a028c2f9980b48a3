//! What happens to what the upstream says.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::asked::Asked;
use crate::mcp::{
    catalogue::Catalogue,
    front::ToClient,
    handler::Client,
    methods::{PROGRESS, TOOLS_CHANGED},
    progress::Progress,
    unique::Unique,
    wire::{Id, Kind, Message},
};

/// How the ids of attempts begin.
pub(super) const ATTEMPT: &str = "attempt";

/// Passes on to a client what the upstream says.
pub(super) struct Said {
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) names: Arc<Unique>,
    pub(super) asked: Arc<Asked>,
    pub(super) client: Arc<dyn Client>,
}

impl Said {
    /// What is to be passed on of it.
    fn passes(&self, said: ToClient) -> Option<ToClient> {
        let Kind::Notification { method } = said.message.kind() else { return Some(said) };
        if method == TOOLS_CHANGED {
            self.catalogue.forget_all();
        }
        if method == PROGRESS
            && let Some(token) = said.message.id_in_params("progressToken")
            && self.names.made(ATTEMPT, token.raw())
        {
            tracing::debug!("dropped the progress of an attempt that is over");
            return None;
        }
        Some(said)
    }
}

impl Client for Said {
    fn tell(&self, said: ToClient) -> BoxFuture<'_, Option<Message>> {
        match self.passes(said) {
            Some(said) => {
                self.asked.hear(&said.message);
                let asks = matches!(said.message.kind(), Kind::Request { .. });
                let telling = self.client.tell(said);
                if !asks {
                    return telling;
                }
                Box::pin(async move {
                    let answer = telling.await;
                    if let Some(answer) = &answer {
                        self.asked.answered(answer);
                    }
                    answer
                })
            }
            None => Box::pin(std::future::ready(None)),
        }
    }
}

/// Passes on what the upstream says of an attempt.
pub(super) struct SaidOfAttempt {
    pub(super) said: Said,
    /// What its progress is reported under upstream, if it is.
    pub(super) token: Option<Id>,
    /// Where its progress goes, if the client wants to hear of it.
    pub(super) progress: Option<Arc<Progress>>,
}

impl Client for SaidOfAttempt {
    fn tell(&self, said: ToClient) -> BoxFuture<'_, Option<Message>> {
        if let Some(progress) = &self.progress
            && let Kind::Notification { method } = said.message.kind()
            && method == PROGRESS
            && let Some(token) = said.message.id_in_params("progressToken")
            && let Some(own) = &self.token
            && token.is_like(own)
        {
            return match progress.report(own, said.message) {
                Some(report) => self.said.client.tell(report.into()),
                None => Box::pin(std::future::ready(None)),
            };
        }
        self.said.tell(said)
    }
}
