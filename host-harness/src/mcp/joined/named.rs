//! What has a name: tools, prompts and tasks.

use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{
    Joined,
    directory::Place,
    listed::Listed,
    query::{Era, Query},
};
use crate::{
    mcp::{codes::INVALID_PARAMS, front::ToClient, members::Members, wire::Message},
    peer_text::PeerText,
};

impl Joined {
    /// Calls a tool, or gets a prompt, of the upstream that has it.
    pub(super) async fn by_name(&self, kind: Listed, query: &Query) -> ToClient {
        let Some(name) = query.message.text_in_params("name") else {
            return query.error(INVALID_PARAMS, "`name` is missing, or no text");
        };
        let Place { at, own } = match self.whose(kind, &name, query).await {
            Ok(place) => place,
            Err(unknown) => return unknown,
        };
        let said = self.members[at].ask(renamed(query.message.clone(), &name, &own), query).await;
        if let Some(task) = said.message.get("result").and_then(task_in) {
            self.directory.remember_task(&task, at);
        }
        said
    }

    /// Whose a name is. One that is unknown may be new: the upstreams are asked once more.
    pub(super) async fn whose(
        &self,
        kind: Listed,
        name: &str,
        query: &Query,
    ) -> Result<Place, ToClient> {
        if let Some(place) = self.directory.find(kind, name) {
            return Ok(place);
        }
        if query.era() == Era::Stateless {
            self.make_acquaintance(query).await?;
        }
        let silent = self.look_for(kind, query).await;
        if let Some(place) = self.directory.find(kind, name) {
            return Ok(place);
        }
        let what = if kind == Listed::Tools { "tool" } else { "prompt" };
        let silent: Vec<_> =
            silent.iter().map(|at| format!("`{}`", self.members[*at].name)).collect();
        let doubt = match &*silent {
            [] => String::new(),
            names => format!(" (no answer from {})", names.join(", ")),
        };
        let name = PeerText(name);
        Err(query.error(INVALID_PARAMS, &format!("Unknown {what}: {name}{doubt}")))
    }

    /// What is about a task goes to who made it.
    pub(super) async fn by_task(&self, query: &Query) -> ToClient {
        let Some(task) = query.message.text_in_params("taskId") else {
            return query.error(INVALID_PARAMS, "`taskId` is missing, or no text");
        };
        let listed_there = query.era() == Era::Sessions;
        if listed_there && self.directory.owner_of_task(&task).is_none() {
            self.look_for(Listed::Tasks, query).await;
        }
        match self.directory.owner_of_task(&task) {
            Some(at) => self.members[at].ask(query.message.clone(), query).await,
            None => query.error(INVALID_PARAMS, &format!("Task not found: {}", PeerText(&task))),
        }
    }
}

/// The same request for the name that the upstream knows.
fn renamed(request: Message, name: &str, own: &str) -> Message {
    if name == own {
        return request;
    }
    match to_raw_value(own) {
        Ok(own) => request.with_param("name", own),
        // A text always has a JSON form.
        Err(_) => request,
    }
}

/// As [`renamed`], for the prompt that a `completion/complete` is about.
pub(super) fn renamed_reference(request: Message, name: &str, own: &str) -> Message {
    if name == own {
        return request;
    }
    let renamed = || {
        let mut reference = Members::parse(&request.param("ref")?).ok()?;
        reference.set("name", to_raw_value(own).ok()?);
        to_raw_value(&reference).ok()
    };
    match renamed() {
        Some(reference) => request.with_param("ref", reference),
        None => request,
    }
}

/// The task that a result is about, in the form of 2025-11-25 or of the extension after it.
fn task_in(result: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Made {
        task_id: Option<String>,
        task: Option<Task>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Task {
        task_id: String,
    }
    // Most results say nothing of the kind; do not take them apart.
    if !result.get().contains(r#""taskId""#) {
        return None;
    }
    let made: Made = serde_json::from_str(result.get()).ok()?;
    made.task.map(|task| task.task_id).or(made.task_id)
}
