//! All that the upstreams list, in one list.

use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};
use tokio::time::timeout;

use super::{
    Joined,
    directory::{Place, Places},
    listed::Listed,
    member::Member,
    query::{Era, Query},
    stateless::{self, CacheHint},
};
use crate::{
    gateway::{Hook, shown::shown},
    mcp::{
        front::ToClient,
        members::Members,
        wire::{Id, Kind, Message},
    },
};

/// What is read of one upstream's list, whatever it says.
const MOST_PAGES: usize = 1_000;
const MOST_ENTRIES: usize = 10_000;
/// JSON-RPC: there is no such method.
pub(super) const METHOD_NOT_FOUND: i64 = -32601;

/// All that one upstream lists.
struct Contents {
    entries: Vec<Box<RawValue>>,
    hint: CacheHint,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    next_cursor: Option<Box<RawValue>>,
    ttl_ms: Option<u64>,
    cache_scope: Option<String>,
}

/// Why there is no list of an upstream.
enum NoList {
    /// It has none to give.
    None,
    /// It did not answer, or with this.
    Failed(Option<ToClient>),
}

/// All lists in one.
pub(super) struct Joint {
    entries: Vec<Box<RawValue>>,
    hints: Vec<CacheHint>,
    /// The upstreams whose list is missing.
    pub(super) silent: Vec<usize>,
    /// What the first of them said.
    refusal: Option<ToClient>,
}

impl Joined {
    /// Answers a list request.
    pub(super) async fn list(&self, kind: Listed, query: &Query) -> ToClient {
        if query.message.param("cursor").is_some_and(|cursor| cursor.get() != "null") {
            return query
                .error(super::answer::INVALID_PARAMS, "Invalid cursor: this list is whole");
        }
        let joint = self.gather(kind, query).await;
        if let (true, Some(refusal)) = (joint.hints.is_empty(), joint.refusal) {
            return refusal;
        }
        if !self.members.iter().any(|one| one.is_there(query.era())) {
            return self.nobody_there(query);
        }
        if !self.members.iter().any(|one| one.offers(query.era(), kind.capability())) {
            return query.error(METHOD_NOT_FOUND, "Method not found");
        }
        let mut result = json!({});
        if query.era() == Era::Stateless {
            let missing = joint.silent.iter().map(|_| CacheHint::STALE);
            stateless::complete(&mut result, joint.hints.into_iter().chain(missing));
        }
        let mut members = Members::default();
        members.set(kind.member(), raw(&joint.entries));
        for (name, value) in result.as_object().into_iter().flatten() {
            members.set(name, raw(value));
        }
        query.result(&members)
    }

    /// Asks all upstreams for what they list, and remembers whose it is.
    pub(super) async fn gather(&self, kind: Listed, query: &Query) -> Joint {
        let era = query.era();
        let asked =
            self.members.iter().enumerate().filter(|(_, one)| one.offers(era, kind.capability()));
        let asked = asked.map(async |(at, member)| {
            let listed = timeout(self.group.patience, self.read(member, kind, query)).await;
            (at, listed.unwrap_or(Err(NoList::Failed(None))))
        });
        let mut joint =
            Joint { entries: Vec::new(), hints: Vec::new(), silent: Vec::new(), refusal: None };
        joint.silent.extend((0..self.members.len()).filter(|at| self.members[*at].is_missing(era)));
        let mut heard = Vec::new();
        for (at, listed) in join_all(asked).await {
            match listed {
                Ok(contents) => heard.push((at, contents)),
                Err(NoList::None) => {}
                Err(NoList::Failed(said)) => {
                    let code = said.as_ref().and_then(|said| said.message.error_code());
                    tracing::warn!(
                        upstream = self.members[at].name,
                        code,
                        "{} of this upstream are missing: it did not answer as it should",
                        kind.member()
                    );
                    joint.silent.push(at);
                    joint.refusal = joint.refusal.or(said);
                }
            }
        }
        // What was theirs stays theirs: nobody else is called by their names.
        let mut places = self.directory.places_of(kind, &joint.silent);
        for (at, Contents { entries, hint }) in heard {
            joint.hints.push(hint);
            for entry in entries {
                joint.entries.extend(self.place(kind, at, entry, &mut places));
            }
        }
        self.directory.replace(kind, places);
        joint
    }

    /// Reads one upstream's list to its end.
    async fn read(&self, member: &Member, kind: Listed, query: &Query) -> Result<Contents, NoList> {
        let mut request = match query.message.kind() {
            Kind::Request { method, .. } if method == kind.method() => {
                query.message.clone().without_meta("progressToken")
            }
            _ => query.aside(&Id::text(&self.unique("list")), kind.method()),
        };
        let mut contents = Contents { entries: Vec::new(), hint: CacheHint::STALE };
        for page in 0..MOST_PAGES {
            let said = member.ask(request.clone(), query).await;
            let Some((entries, told)) = read_page(kind, &said.message) else {
                return Err(match said.message.error_code() {
                    Some(METHOD_NOT_FOUND) if page == 0 => NoList::None,
                    _ => NoList::Failed(Some(said)),
                });
            };
            contents.entries.extend(entries);
            if page == 0 {
                contents.hint = CacheHint::of(told.ttl_ms, told.cache_scope.as_deref());
            }
            let cursor = told.next_cursor.filter(|cursor| cursor.get() != "null");
            let Some(cursor) = cursor else { return Ok(contents) };
            if contents.entries.len() >= MOST_ENTRIES {
                break;
            }
            request = request.with_id(&Id::text(&self.unique("list"))).with_param("cursor", cursor);
        }
        contents.entries.truncate(MOST_ENTRIES);
        tracing::warn!(
            upstream = member.name,
            "{} are too many; the rest is left out",
            kind.member()
        );
        Ok(contents)
    }

    /// One entry as the client is to see it; none if another upstream has the name already.
    fn place(
        &self,
        kind: Listed,
        at: usize,
        entry: Box<RawValue>,
        places: &mut Places,
    ) -> Option<Box<RawValue>> {
        let members = Members::parse(&entry).ok();
        let own = members
            .as_ref()
            .and_then(|all| serde_json::from_str::<String>(all.get(kind.name())?.get()).ok());
        // What has no name cannot be asked for, and is the client's to judge.
        let (Some(mut members), Some(own)) = (members, own) else { return Some(entry) };
        let prefix = kind.prefix(&self.members[at].prefixes);
        let name = prefix.map_or_else(|| own.clone(), |prefix| format!("{prefix}{own}"));
        if let Some(first) = places.get(&name).filter(|first| first.at != at) {
            self.warn_of_collision(kind, &name, first.at, at);
            return None;
        }
        let entry = match prefix {
            Some(_) => {
                members.set(kind.name(), raw(&name));
                raw(&members)
            }
            None => entry,
        };
        places.entry(name).or_insert(Place { at, own });
        Some(entry)
    }

    fn warn_of_collision(&self, kind: Listed, name: &str, first: usize, second: usize) {
        let [first, second] = [first, second].map(|at| &*self.members[at].name);
        if !self.group.warns(format!("{kind:?} {name} {second}")) {
            return;
        }
        let name = match kind {
            Listed::Resources | Listed::Templates => shown(Hook::ResourcePostFetch, name),
            Listed::Tools | Listed::Prompts | Listed::Tasks => shown(Hook::ToolPostInvoke, name),
        };
        let what = kind.member();
        match kind.key() {
            Some(key) => tracing::warn!(
                "`{name}` is in the {what} of both `{first}` and `{second}`: that of `{second}` is \
                 left out; `upstreams.{second}.{key}` would tell them apart"
            ),
            None => tracing::warn!(
                "`{name}` is in the {what} of both `{first}` and `{second}`: that of `{second}` is \
                 left out"
            ),
        }
    }
}

fn read_page(kind: Listed, response: &Message) -> Option<(Vec<Box<RawValue>>, Page)> {
    let result = response.get("result")?;
    let entries = Members::parse(result).ok()?;
    let entries = serde_json::from_str(entries.get(kind.member())?.get()).ok()?;
    Some((entries, serde_json::from_str(result.get()).ok()?))
}

/// Lists and objects of JSON always have a JSON form.
fn raw(value: &(impl serde::Serialize + ?Sized)) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
