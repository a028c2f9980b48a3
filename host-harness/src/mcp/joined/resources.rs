//! What has a URI.

use serde_json::json;

use super::{
    Joined,
    listed::Listed,
    named,
    query::{Era, Query},
    template,
};
use crate::mcp::{
    codes::{INVALID_PARAMS, METHOD_NOT_FOUND, RESOURCE_NOT_FOUND},
    front::ToClient,
};

/// What servers answer that know no such resource; 0 is what the Python SDK makes of any exception.
const NOT_HERE: [i64; 4] = [RESOURCE_NOT_FOUND, INVALID_PARAMS, METHOD_NOT_FOUND, 0];

impl Joined {
    /// Reads a resource, or subscribes to it, where it is.
    pub(super) async fn by_uri(&self, query: &Query) -> ToClient {
        let Some(uri) = query.message.text_in_params("uri") else {
            return query.error(INVALID_PARAMS, "`uri` is missing, or no text");
        };
        if let Some(at) = self.directory.owner_of_uri(&uri) {
            return self.members[at].ask(query.message.clone(), query).await;
        }
        let asked = match self.who_may_have(&uri, query).await {
            Ok(asked) => asked,
            Err(refusal) => return refusal,
        };
        match self.seek(asked, query, &NOT_HERE).await {
            Some((at, answer)) => {
                if answer.message.get("result").is_some() {
                    self.directory.remember_found(&uri, at);
                }
                answer
            }
            None => {
                let code = match query.era() {
                    Era::Sessions => RESOURCE_NOT_FOUND,
                    Era::Stateless => INVALID_PARAMS,
                };
                query.error_with(code, "Resource not found", json!({ "uri": uri }))
            }
        }
    }

    /// The upstreams that may know a URI, the likeliest first: whoever lists
    /// it, then those with a template for it, then all others with resources.
    async fn who_may_have(&self, uri: &str, query: &Query) -> Result<Vec<usize>, ToClient> {
        if query.era() == Era::Stateless {
            self.make_acquaintance(query).await?;
        }
        for kind in [Listed::Resources, Listed::Templates] {
            if !self.directory.has(kind) {
                self.gather(kind, query).await;
            }
        }
        if let Some(at) = self.directory.owner_of_uri(uri) {
            return Ok(vec![at]);
        }
        let mut asked = self.directory.fitting(Listed::Templates, |one| template::fits(one, uri));
        asked.retain(|at| !self.members[*at].is_lost());
        for (at, member) in self.members.iter().enumerate() {
            if member.offers(query.era(), "resources") && !asked.contains(&at) {
                asked.push(at);
            }
        }
        Ok(asked)
    }

    /// Completes an argument of a prompt or of a template where that is.
    pub(super) async fn complete(&self, query: &Query) -> ToClient {
        let reference = query
            .message
            .param("ref")
            .and_then(|raw| serde_json::from_str::<serde_json::Value>(raw.get()).ok());
        let text = |name: &str| reference.as_ref()?.get(name)?.as_str().map(str::to_owned);
        if let Some(name) = text("name") {
            let place = match self.whose(Listed::Prompts, &name, query).await {
                Ok(place) => place,
                Err(unknown) => return unknown,
            };
            let request = named::renamed_reference(query.message.clone(), &name, &place.own);
            return self.members[place.at].ask(request, query).await;
        }
        let Some(uri) = text("uri") else {
            return query.error(INVALID_PARAMS, "`ref` has neither a `name` nor a `uri`");
        };
        let asked = match self.who_may_have(&uri, query).await {
            Ok(asked) => asked,
            Err(refusal) => return refusal,
        };
        let owner = self.directory.owner_of_template(&uri);
        let asked = owner.map_or(asked, |at| vec![at]);
        match self.seek(asked, query, &NOT_HERE).await {
            Some((_, answer)) => answer,
            None => query.error(INVALID_PARAMS, "Unknown reference"),
        }
    }
}
