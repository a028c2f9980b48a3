//! One client in front of one upstream: the layer that retries.
//!
//! * `call`: a call that may be retried, from the request to the answer; `attempt`, one attempt at it.
//! * `asked`: which questions of the upstream the client has not answered.
//! * `said`: what happens to what the upstream says.
//! * `unasked`: the list of tools where no client asks for it.

mod asked;
mod attempt;
mod call;
mod said;
mod unasked;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::time::{Duration, timeout};
use tokio_util::sync::CancellationToken;

use self::{asked::Asked, said::Said};
use crate::{
    gateway::Gateway,
    mcp::{
        catalogue::Catalogue,
        downstream::Downstream,
        handler::{Client, Handler, Request},
        headers::Headers,
        large::work_on,
        live::LiveCalls,
        methods::{CANCELLED, TOOLS_LIST},
        options::RelayOptions,
        param_headers::ParamHeaders,
        reply::Answer,
        tool_call::ToolCall,
        unique::Unique,
        upstream::{Connect, Surroundings},
        wire::{Kind, Message},
    },
};

/// How long calls may take to end once they are cancelled.
const GRACE: Duration = Duration::from_secs(2);

/// One client in front of one upstream.
pub(crate) struct Session {
    pub(super) gateway: Arc<Gateway>,
    pub(super) options: RelayOptions,
    pub(super) upstream: Arc<dyn Handler>,
    pub(super) catalogue: Arc<Catalogue>,
    names: Arc<Unique>,
    asked: Arc<Asked>,
    live: Arc<LiveCalls>,
    /// Cancels every call that may be retried.
    closed: CancellationToken,
    /// Calls that wait for another attempt end with the reply that they have.
    no_more_attempts: CancellationToken,
}

impl Session {
    /// Connects a downstream side to an upstream. `client` hears what that says by itself.
    pub(crate) fn open(
        gateway: Arc<Gateway>,
        options: RelayOptions,
        upstream: impl Connect,
        downstream: &Downstream,
        client: Arc<dyn Client>,
    ) -> Arc<Self> {
        let catalogue = Arc::new(Catalogue::new(options.upstream_name.clone(), options.lists));
        let names = Arc::new(Unique::default());
        let no_more_attempts = downstream.drain.child_token();
        let asked = Arc::<Asked>::default();
        let said = Said {
            catalogue: catalogue.clone(),
            names: names.clone(),
            asked: asked.clone(),
            client,
        };
        let upstream = upstream.connect(Surroundings {
            client: Arc::new(said),
            clients: downstream.clients,
            catalogue: catalogue.clone(),
            names: names.clone(),
            max_message_bytes: options.max_message_bytes,
            no_more_attempts: no_more_attempts.clone(),
        });
        Arc::new(Self {
            gateway,
            options,
            upstream,
            catalogue,
            names,
            asked,
            live: Arc::default(),
            closed: downstream.closed.clone(),
            no_more_attempts,
        })
    }

    async fn answer(self: Arc<Self>, request: Request, client: Arc<dyn Client>) -> Answer {
        let call = ToolCall::of(&request.method, &request.message);
        let cancelled = match &call {
            Some(_) => self.closed.child_token(),
            // A client that goes may still read what it has asked for.
            None => CancellationToken::new(),
        };
        let live = self.live.enter(&request.id, &cancelled, &request.cancellation);
        let _live = match live {
            Ok(live) => live,
            Err(too_many) => return Answer::Response(too_many.refusal(&request.id)),
        };
        match call {
            Some(call) => self.call(call, request, client, cancelled).await,
            None => self.pass(request, client, cancelled).await,
        }
    }

    /// Answers what is not retried.
    async fn pass(
        &self,
        request: Request,
        client: Arc<dyn Client>,
        cancelled: CancellationToken,
    ) -> Answer {
        let lists_tools = request.method == TOOLS_LIST;
        let client = Arc::new(self.said_to(client));
        let answer = tokio::select! {
            biased;
            () = cancelled.cancelled() => return Answer::Cancelled,
            answer = self.upstream.clone().answer(request, client) => answer,
        };
        match answer {
            Answer::Response(list) if lists_tools => Answer::Response(self.learnt(list).await),
            answer => answer,
        }
    }

    /// The same list of tools, after what it says was picked up.
    async fn learnt(&self, list: Message) -> Message {
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

    /// What the upstream says to this client.
    fn said_to(&self, client: Arc<dyn Client>) -> Said {
        Said {
            catalogue: self.catalogue.clone(),
            names: self.names.clone(),
            asked: self.asked.clone(),
            client,
        }
    }
}

impl Handler for Session {
    fn answer(
        self: Arc<Self>,
        request: Request,
        client: Arc<dyn Client>,
    ) -> BoxFuture<'static, Answer> {
        Box::pin(Self::answer(self, request, client))
    }

    fn take(self: Arc<Self>, message: Message, headers: Headers) -> BoxFuture<'static, ()> {
        if let Kind::Notification { method } = message.kind()
            && method == CANCELLED
            && message.id_in_params("requestId").is_some_and(|id| self.live.cancel(&id, &message))
        {
            // The attempt in flight tells the upstream under its own id.
            return Box::pin(std::future::ready(()));
        }
        self.asked.answered(&message);
        self.upstream.clone().take(message, headers)
    }

    fn end(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.closed.cancel();
            let _ = timeout(GRACE, self.live.cancelled_have_ended()).await;
            self.upstream.end().await;
        })
    }

    fn gone(&self) -> &CancellationToken {
        self.upstream.gone()
    }

    fn params_in_headers(&self, tool: &str) -> Option<Arc<ParamHeaders>> {
        self.catalogue.params(tool)
    }
}
