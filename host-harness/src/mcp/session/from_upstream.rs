//! What the upstream says.

use super::{CANCELLED, PROGRESS, Session};
use crate::mcp::{
    front::ToClient,
    headers::Headers,
    large::work_on,
    pending::{Recipient, Reporter},
    reply::Answer,
    wire::{INVALID_REQUEST, Id, Kind, Message, TooMuch, Unreadable, Was},
};

const TOOLS_CHANGED: &str = "notifications/tools/list_changed";

impl Session {
    /// Handles a message of the upstream. `about` is the request in whose
    /// answer it came, by the id that the upstream knows, if the transport tells.
    pub(in crate::mcp) async fn upstream_said(
        &self,
        line: Result<Message, Unreadable>,
        about: Option<&Id>,
    ) {
        let message = match line {
            Ok(message) => message,
            Err(Unreadable::NotAMessage(error)) => {
                // An error in return could start an endless exchange of errors.
                return tracing::warn!(%error, "skipped JSON of the upstream");
            }
            Err(Unreadable::TooMuch(too_much)) => {
                return self.upstream_said_too_much(too_much).await;
            }
        };
        let about = about.map(|id| self.upstream.pending.client_id(id).unwrap_or(id.clone()));
        let message = match message.kind().clone() {
            Kind::Response { id: Some(id) } => return self.answered(&id, message).await,
            Kind::Notification { method } if method == PROGRESS => {
                return self.progressed(message, about).await;
            }
            Kind::Notification { method } if method == CANCELLED => {
                let client_id = message
                    .id_in_params("requestId")
                    .and_then(|id| self.upstream.pending.client_id(&id));
                match client_id {
                    Some(id) => message.with_param("requestId", id.raw().to_owned()),
                    None => message,
                }
            }
            Kind::Notification { method } => {
                if method == TOOLS_CHANGED {
                    self.catalogue.forget_all();
                }
                message
            }
            Kind::Request { .. } | Kind::Response { .. } => message,
        };
        self.tell_client(ToClient { message, about, status: None }).await;
    }

    /// The upstream has answered a request.
    async fn answered(&self, id: &Id, response: Message) {
        match self.upstream.pending.answered(id) {
            // The attempt may have ended this very moment; then nobody wants it.
            Recipient::Attempt(answer) => drop(answer.send(Answer::Response(response))),
            Recipient::Client { lists_tools } => {
                let response = if lists_tools { self.learnt(response).await } else { response };
                self.respond(id, response).await;
            }
            Recipient::Nobody if id.raw().get() == "null" => {
                self.tell_client(response.into()).await;
            }
            Recipient::Nobody => tracing::debug!("dropped a response that nobody waits for"),
        }
    }

    /// The same list of tools, after what it says was picked up.
    pub(in crate::mcp) async fn learnt(&self, list: Message) -> Message {
        let catalogue = self.catalogue.clone();
        let (list, is_last) = work_on(list.bytes(), move || {
            let is_last = list.get("result").is_some_and(|result| catalogue.learn(result));
            (list, is_last)
        })
        .await;
        if let (true, Some(listener)) = (is_last, &self.options.listed) {
            listener.listed(&|| self.catalogue.tools());
        }
        list
    }

    /// There will be no response to this request.
    pub(in crate::mcp) async fn unanswered(&self, id: &Id, answer: Answer) {
        match self.upstream.pending.answered(id) {
            Recipient::Attempt(attempt) => drop(attempt.send(answer)),
            Recipient::Client { .. } => match answer {
                Answer::Response(response) => self.respond(id, response).await,
                Answer::Http(failure) => self.tell_client(failure.into_response(id)).await,
                Answer::Lost(loss) => self.respond(id, loss.into_response(id)).await,
            },
            Recipient::Nobody => {}
        }
    }

    /// The upstream reports progress.
    async fn progressed(&self, report: Message, about: Option<Id>) {
        let Some(token) = report.id_in_params("progressToken") else {
            return self.tell_client(ToClient { message: report, about, status: None }).await;
        };
        match self.upstream.pending.reporter(&token) {
            Reporter::Client => {
                self.tell_client(ToClient { message: report, about, status: None }).await;
            }
            Reporter::Nobody => tracing::debug!("dropped the progress of an attempt that is over"),
            Reporter::Attempt(progress) => {
                // First the room, then the question whether the attempt lives:
                // nothing can come between the answer and the report.
                let Ok(mut room) = self.front.reserve(&report, 0).await else { return };
                let about = self.upstream.pending.client_id(&token);
                progress.report(&token, report, |message| {
                    room.fill(ToClient { message, about, status: None });
                });
            }
        }
    }

    /// A message of the upstream was too long to be read: who waits gets an error.
    async fn upstream_said_too_much(&self, too_much: TooMuch) {
        tracing::warn!(%too_much, "dropped a message of the upstream");
        match &too_much.was {
            Was::Request(id) => {
                let error = too_much.error(id, INVALID_REQUEST, "the request");
                self.tell_upstream(error, Headers::default()).await;
            }
            Was::Response(id) => self.unanswered(id, Answer::too_much(&too_much, id)).await,
            Was::Unknown => {}
        }
    }
}
