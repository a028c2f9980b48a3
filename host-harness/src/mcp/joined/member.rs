//! One upstream for one client.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use http::HeaderName;
use serde_json::Value;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    query::{Era, Query},
    voice::{About, ByItself, Hearing},
};
use crate::mcp::{
    downstream::Downstream,
    front::ToClient,
    handler::{Handler, Request},
    headers::{self, Headers},
    options::Prefixes,
    reply::Loss,
    service::Service,
    session::Session,
    upstream::Connected,
    wire::Message,
};

/// How long an upstream may take to take a message, and calls to end.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// What is known of an upstream.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Standing {
    /// Nothing yet.
    #[default]
    Unknown,
    /// It has said what it can do, and which versions it speaks where there are
    /// no sessions; it is asked again after that time, if there is one.
    In { capabilities: Value, versions: Vec<String>, until: Option<Instant> },
    /// It has not agreed to the session of this client, and is not asked for
    /// anything in it; it is asked to agree again after that time, unless its
    /// answer is still awaited.
    LeftOut(Option<Instant>),
    /// It seems to be of before 2026-07-28: it is not asked for anything until then.
    Old(Instant),
    /// Nothing is known of it, and it is not asked for anything until then.
    Resting(Instant),
}

impl Standing {
    /// The same, not to be asked for again if it is known.
    pub(super) fn for_good(self) -> Self {
        match self {
            Self::In { capabilities, versions, .. } => {
                Self::In { capabilities, versions, until: None }
            }
            other => other,
        }
    }

    /// Whether it is time to ask again.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Old(until) | Self::Resting(until) => *until <= Instant::now(),
            Self::Unknown => true,
            Self::In { .. } | Self::LeftOut(_) => false,
        }
    }
}

/// One upstream for one client.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) prefixes: Prefixes,
    pub(super) session: Arc<Session>,
    pass_headers: Vec<HeaderName>,
    at: usize,
    hearing: Hearing,
    /// It has taken nothing for a while.
    is_deaf: AtomicBool,
    standings: Mutex<[Standing; 2]>,
}

impl Member {
    pub(super) fn new(
        (at, name): (usize, &str),
        service: &Service,
        upstream: Connected,
        downstream: &Downstream,
        hearing: Hearing,
    ) -> Self {
        let (gateway, relaying) = (service.gateway.clone(), service.relaying.clone());
        let prefixes = relaying.prefixes.clone();
        // What the client still waits for may come until the end.
        let downstream = Downstream { closed: CancellationToken::new(), ..downstream.clone() };
        let said = Arc::new(ByItself { hearing: hearing.clone(), at });
        let session = Session::open(gateway, relaying, upstream, &downstream, said);
        Self {
            name: name.to_owned(),
            prefixes,
            session,
            pass_headers: service.pass_headers.clone(),
            at,
            hearing,
            is_deaf: AtomicBool::new(false),
            standings: Mutex::default(),
        }
    }

    /// Makes a request on behalf of the client's. When the future is dropped
    /// before the response, the upstream is told, in the client's own words if there are any.
    pub(super) async fn ask(&self, request: Message, query: &Query) -> ToClient {
        let Some(mut request) = Request::new(request, self.headers(&query.headers)) else {
            return Loss::NotSent.into_response(&query.id).into();
        };
        request.cancellation = query.cancellation.of_attempts();
        let id = request.id.clone();
        let (hearing, at, client) = (self.hearing.clone(), self.at, query.client.clone());
        let said = Arc::new(About { hearing, at, client });
        let answer = Handler::answer(self.session.clone(), request, said).await;
        answer.into_response(&id).unwrap_or_else(|| Loss::Closed.into_response(&id).into())
    }

    /// Says what has no answer. Waits for room, but not for long, and not
    /// again for an upstream that did not make any: the others are not to wait for it.
    pub(super) async fn tell(&self, message: Message, headers: &Headers) {
        let mut taken = self.session.clone().take(message, self.headers(headers));
        let told = if self.is_deaf.load(Ordering::Relaxed) {
            (&mut taken).now_or_never().is_some()
        } else {
            timeout(GRACE, taken).await.is_ok()
        };
        self.is_deaf.store(!told, Ordering::Relaxed);
        if !told {
            tracing::warn!(upstream = self.name, "the upstream did not get a message in time");
        }
    }

    /// What the upstream is to see of the client's headers. Those that mirror
    /// the body are left to the link: the body may have changed, and a
    /// session has a version of its own with each upstream.
    fn headers(&self, received: &Headers) -> Headers {
        let passed = headers::passed_on(received.map(), &self.pass_headers);
        let mut passed = passed.map().clone();
        for name in [headers::PROTOCOL_VERSION, headers::METHOD, headers::NAME] {
            passed.remove(name);
        }
        Headers::of_the_gateway(passed)
    }

    /// Whether the upstream is gone.
    pub(super) fn is_lost(&self) -> bool {
        self.session.gone().is_cancelled()
    }

    /// Whether the upstream is to be asked what it is, since there are no sessions.
    pub(super) fn is_unknown(&self) -> bool {
        self.standings()[Era::Stateless as usize].is_over() && !self.is_lost()
    }

    /// Whether it is time to ask it once more to agree to the session. True
    /// once: then its answer is awaited.
    pub(super) fn may_agree_now(&self) -> bool {
        match &mut self.standings()[Era::Sessions as usize] {
            Standing::LeftOut(after @ Some(_)) if after.is_some_and(|at| at <= Instant::now()) => {
                *after = None;
                !self.is_lost()
            }
            _ => false,
        }
    }

    /// Whether it was asked so long ago that it is to be asked again; true once in `every`.
    pub(super) fn is_stale(&self, every: Duration) -> bool {
        match &mut self.standings()[Era::Stateless as usize] {
            Standing::In { until: Some(until), .. } if *until <= Instant::now() => {
                *until = Instant::now() + every;
                !self.is_lost()
            }
            _ => false,
        }
    }

    /// What the gateway's own question has brought. One that is known and does
    /// not answer for the moment stays what it was.
    pub(super) fn learn(&self, said: Standing) {
        let mut standings = self.standings();
        match (&mut standings[Era::Stateless as usize], said) {
            (Standing::In { until: known, .. }, Standing::Resting(until)) => *known = Some(until),
            (known, said) => *known = said,
        }
    }

    pub(super) fn standing(&self, era: Era) -> Standing {
        self.standings()[era as usize].clone()
    }

    pub(super) fn set_standing(&self, era: Era, standing: Standing) {
        self.standings()[era as usize] = standing;
    }

    /// Whether the upstream is not to be told anything in this era.
    pub(super) fn is_left_out(&self, era: Era) -> bool {
        matches!(self.standings()[era as usize], Standing::LeftOut(_) | Standing::Old(_))
    }

    /// Whether the upstream may be asked for something in this era.
    pub(super) fn is_there(&self, era: Era) -> bool {
        match self.standings()[era as usize] {
            _ if self.is_lost() => false,
            Standing::In { .. } => true,
            // Since there are no sessions, one of before might take it for something else.
            Standing::Unknown => era == Era::Sessions,
            Standing::LeftOut(_) | Standing::Old(_) | Standing::Resting(_) => false,
        }
    }

    /// The versions that the upstream speaks without sessions; none if that is not known.
    pub(super) fn versions(&self) -> Option<Vec<String>> {
        match &self.standings()[Era::Stateless as usize] {
            Standing::In { versions, .. } => Some(versions.clone()),
            _ => None,
        }
    }

    /// Whether the upstream may be back the next time.
    pub(super) fn is_missing(&self, era: Era) -> bool {
        !self.is_there(era) && !self.is_left_out(era)
    }

    /// Whether the client is to hear nothing of the upstream.
    pub(super) fn is_silenced(&self) -> bool {
        let standings = self.standings();
        standings.iter().any(|one| matches!(one, Standing::LeftOut(_) | Standing::Old(_)))
            && !standings.iter().any(|standing| matches!(standing, Standing::In { .. }))
    }

    /// Whether the upstream may be asked for what this capability is about.
    pub(super) fn offers(&self, era: Era, capability: &str) -> bool {
        let said = match &self.standings()[era as usize] {
            Standing::In { capabilities, .. } => capabilities.get(capability).is_some(),
            _ => true,
        };
        said && self.is_there(era)
    }

    fn standings(&self) -> MutexGuard<'_, [Standing; 2]> {
        self.standings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
