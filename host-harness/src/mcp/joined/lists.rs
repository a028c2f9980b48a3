//! All that the upstreams list, in one list.

use std::collections::HashSet;

use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};
use tokio::time::{Instant, timeout};

use super::{
    Joined,
    claims::{Claims, Taken},
    listed::Listed,
    member::Member,
    query::{Era, Query},
    stateless::{self, CacheHint},
};
use crate::mcp::{
    codes::{INVALID_PARAMS, METHOD_NOT_FOUND},
    front::ToClient,
    listing::{self, Allowance, Beyond},
    members::Members,
    wire::{Id, Kind, Message},
};

/// What is read of one upstream's list, whatever it says.
const MOST_PAGES: usize = 1_000;
const MOST_CURSOR_BYTES: usize = 64 * 1024;

/// All that one upstream lists.
struct Contents {
    entries: Vec<Box<RawValue>>,
    hint: CacheHint,
}

impl Contents {
    /// Pages that come again bring what was there already.
    fn keep_the_first_of_each(&mut self, kind: Listed) {
        let mut names = HashSet::new();
        self.entries.retain(|entry| {
            listing::member(entry, kind.name())
                .is_none_or(|name| names.insert(name.get().to_owned()))
        });
    }
}

/// What a page says beside its entries.
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
    Failed(Option<Box<ToClient>>),
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
            return query.error(INVALID_PARAMS, "Invalid cursor: this list is whole");
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
        if era == Era::Sessions {
            self.greet_again();
        }
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
                    joint.refusal = joint.refusal.or(said.map(|said| *said));
                }
            }
        }
        let heard_of: Vec<_> = heard.iter().map(|(at, _)| *at).collect();
        // In the order of the upstreams, and as one step: what is new in two
        // lists is the first one's.
        self.directory.update(kind, |claims| {
            claims.begin();
            for (at, Contents { entries, hint }) in heard {
                joint.hints.push(hint);
                for entry in entries {
                    joint.entries.extend(self.place(kind, at, entry, claims));
                }
            }
            claims.end(&heard_of);
        });
        self.directory.relisting(kind).done(Instant::now());
        joint
    }

    /// Looks for what is unknown: it may be new. Not all the time, and once for
    /// all who look at the same moment. The upstreams that were asked and did not answer.
    pub(super) async fn look_for(&self, kind: Listed, query: &Query) -> Vec<usize> {
        let relisting = self.directory.relisting(kind);
        let before = relisting.rounds();
        let _listing = relisting.listing.lock().await;
        if relisting.rounds() == before && relisting.is_allowed(Instant::now()) {
            let silent = self.gather(kind, query).await.silent;
            self.directory.set_silent(kind, &silent);
        }
        self.directory.silent(kind)
    }

    /// Reads one upstream's list to its end, or as far as it is kept.
    async fn read(&self, member: &Member, kind: Listed, query: &Query) -> Result<Contents, NoList> {
        let mut request = match query.message.kind() {
            Kind::Request { method, .. } if method == kind.method() => {
                query.message.clone().without_meta("progressToken")
            }
            _ => query.aside(&Id::text(&self.unique("list")), kind.method()),
        };
        let mut contents = Contents { entries: Vec::new(), hint: CacheHint::STALE };
        let mut left = member.session.options.lists.into();
        let mut cursors = HashSet::new();
        for page in 0..MOST_PAGES {
            let said = member.ask(request.clone(), query).await;
            let Some((told, whole)) =
                read_page(kind, &said.message, &mut left, &mut contents.entries)
            else {
                return Err(match said.message.error_code() {
                    Some(METHOD_NOT_FOUND) if page == 0 => NoList::None,
                    _ => NoList::Failed(Some(Box::new(said))),
                });
            };
            if page == 0 {
                contents.hint = CacheHint::of(told.ttl_ms, told.cache_scope.as_deref());
            }
            if let Err(Beyond(key)) = whole {
                self.warn_of_end(kind, member, &format!("it is beyond `{key}`"));
                return Ok(contents);
            }
            let cursor = told.next_cursor.filter(|cursor| cursor.get() != "null");
            let Some(cursor) = cursor else { return Ok(contents) };
            if cursor.get().len() > MOST_CURSOR_BYTES {
                let why = format!("its cursor is longer than {MOST_CURSOR_BYTES} bytes");
                self.warn_of_end(kind, member, &why);
                return Ok(contents);
            }
            if !cursors.insert(self.group.hash(cursor.get())) {
                self.warn_of_end(kind, member, "its cursors lead round in circles");
                contents.keep_the_first_of_each(kind);
                return Ok(contents);
            }
            request = request.with_id(&Id::text(&self.unique("list"))).with_param("cursor", cursor);
        }
        self.warn_of_end(kind, member, &format!("it has more than {MOST_PAGES} pages"));
        Ok(contents)
    }

    fn warn_of_end(&self, kind: Listed, member: &Member, why: &str) {
        if self.group.warns(&member.name, &(kind, why)) {
            tracing::warn!(
                upstream = member.name,
                "the end of the list of {} is left out: {why}",
                kind.member()
            );
        }
    }

    /// One entry as the client is to see it; none if another upstream has the name already.
    fn place(
        &self,
        kind: Listed,
        at: usize,
        entry: Box<RawValue>,
        claims: &mut Claims,
    ) -> Option<Box<RawValue>> {
        let own = listing::member(&entry, kind.name())
            .and_then(|name| serde_json::from_str::<String>(name.get()).ok());
        // What has no name cannot be asked for, and is the client's to judge.
        let Some(own) = own else { return Some(entry) };
        let member = &self.members[at];
        if own.len() > kind.longest_name() {
            self.warn_of_name(kind, at, &own, &format!("is longer than {}", kind.longest_name()));
            return None;
        }
        let prefix = kind.prefix(&member.prefixes);
        let name = prefix.map_or_else(|| own.clone(), |prefix| format!("{prefix}{own}"));
        if let Some(other) = self.group.whose_prefix(kind, &name).filter(|one| *one != member.name)
        {
            self.warn_of_name(kind, at, &name, &format!("begins as those of `{other}` do"));
            return None;
        }
        if let Err(Taken { by }) = claims.claim(&name, at, &own) {
            self.warn_of_collision(kind, &name, by, at);
            return None;
        }
        if prefix.is_none() {
            return Some(entry);
        }
        let mut members = Members::parse(&entry).ok()?;
        members.set(kind.name(), raw(&name));
        Some(raw(&members))
    }

    fn warn_of_name(&self, kind: Listed, at: usize, name: &str, why: &str) {
        let upstream = &self.members[at].name;
        if self.group.warns(upstream, &(kind, name)) {
            tracing::warn!(
                upstream,
                "`{}` is left out of the {}: its name {why}",
                kind.shown(name),
                kind.member()
            );
        }
    }

    fn warn_of_collision(&self, kind: Listed, name: &str, first: usize, second: usize) {
        let [first, second] = [first, second].map(|at| &*self.members[at].name);
        if !self.group.warns(second, &(kind, name)) {
            return;
        }
        let (name, what) = (kind.shown(name), kind.member());
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

/// Adds what a page lists to `entries`, as much of it as is `left`. None if it is no page.
fn read_page(
    kind: Listed,
    response: &Message,
    left: &mut Allowance,
    entries: &mut Vec<Box<RawValue>>,
) -> Option<(Page, Result<(), Beyond>)> {
    let result = response.get("result")?;
    let page = serde_json::from_str(result.get()).ok()?;
    let whole = listing::each_entry(listing::member(result, kind.member())?, |entry| {
        left.take(entry.get().len())?;
        entries.push(entry.to_owned());
        Ok(())
    })?;
    Some((page, whole))
}

/// Lists and objects of JSON always have a JSON form.
fn raw(value: &(impl serde::Serialize + ?Sized)) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
