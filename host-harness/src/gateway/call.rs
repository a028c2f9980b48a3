//! What the retry loop needs to know of a call and of the answers to it.

use std::{fmt, num::NonZeroU32, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::{Hints, Home, Questions, Target, excerpt_of_texts};
use crate::contract::{Known, Outcome, OuterAttempts, Part, Scalar, ToolAnnotations};

/// Which hook of the contract judges a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hook {
    /// `tool-post-invoke`, for `tools/call`.
    ToolPostInvoke,
    /// `resource-post-fetch`, for `resources/read`.
    ResourcePostFetch,
}

/// One logical call: what the client sees, however many attempts it takes.
#[derive(Debug, Clone)]
pub struct LogicalCall {
    /// Who judges it.
    pub hook: Hook,
    /// The tool's name, or the resource's URI.
    pub target: Target,
    /// Unique among the calls to this target that are alive.
    pub request_id: String,
    /// Whether the call carries a trace id.
    pub traced: bool,
    /// What the plugin may ask about it.
    pub context: Arc<CallContext>,
    /// Annotations that the context lacks but that may still come; none if
    /// nobody has asked for them.
    pub hints: Option<Hints>,
    /// Ends the call, in the middle of an attempt or of a wait: nobody wants its reply.
    pub cancel: CancellationToken,
    /// Ends the call with the reply of its last attempt, at once if it waits:
    /// there will be no other attempt, since the gateway stops or the upstream
    /// is gone for good.
    pub no_more_attempts: CancellationToken,
    /// What the client may be asked meanwhile: the clock of an attempt stands until
    /// it has answered.
    pub questions: Questions,
    /// What those who trace see of it; its attempts and decisions go into it.
    pub span: Span,
}

impl LogicalCall {
    /// A call of a tool that is not traced, of which nothing more is known, and
    /// that nobody has cancelled.
    #[must_use]
    pub fn new(target: impl Into<Target>, request_id: impl Into<String>) -> Self {
        Self {
            hook: Hook::ToolPostInvoke,
            target: target.into(),
            request_id: request_id.into(),
            traced: false,
            context: Arc::default(),
            hints: None,
            cancel: CancellationToken::new(),
            no_more_attempts: CancellationToken::new(),
            questions: Questions::default(),
            span: Span::none(),
        }
    }
}

/// The number of an attempt within its call; the first is 1.
///
/// Attempts = 1 + retries: attempt `n` follows `n - 1` retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt(NonZeroU32);

impl Attempt {
    /// The attempt that is no retry.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The attempt after this one. Saturates.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Its number, from 1.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0.get()
    }

    /// How many retries were made up to and including this attempt.
    #[must_use]
    pub const fn retries(self) -> u32 {
        self.0.get() - 1
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The body of an answer, read only if the plugin asks.
pub trait Content: Send + Sync {
    /// How many texts there are: of a result its text items, else the message
    /// of an error or the body of an HTTP error.
    fn text_count(&self) -> usize;
    /// The text with this index.
    fn text(&self, index: usize) -> Option<&str>;
    /// At most `most` bytes of a part; none if there is nothing of it. The
    /// contract says how it is cut.
    fn excerpt(&self, part: Part, most: usize) -> Option<String> {
        match part {
            Part::Texts => {
                let texts: Vec<_> = (0..self.text_count()).filter_map(|i| self.text(i)).collect();
                excerpt_of_texts(texts.into_iter(), most)
            }
            Part::Data => None,
        }
    }
    /// Whether there is anything for [`field`](Self::field) to find beside
    /// `isError` and `status_code`, which the outcome tells already.
    fn has_fields(&self) -> bool;
    /// The scalar at a JSON Pointer into the structured content, or into the
    /// data of an error.
    fn field(&self, pointer: &str) -> Option<Scalar>;
}

/// What the gateway knows around a call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallContext {
    /// The operator's name for the upstream.
    pub upstream: Option<String>,
    /// What the upstream says of its tool.
    pub annotations: Option<ToolAnnotations>,
    /// What layers before this gateway do about the same call.
    pub outer: Option<OuterAttempts>,
    /// Whether the operator trusts the annotations; none if he leaves that to the plugins.
    pub trusted: Option<bool>,
    /// Whether the call continues one that asked for input.
    pub continuation: bool,
    /// Where plugins remember the call.
    pub home: Home,
}

/// What a plugin may ask about an attempt, beyond what it is told.
#[derive(Clone)]
pub struct Background {
    /// The answer's body, if it has one.
    pub content: Option<Arc<dyn Content>>,
    /// What is known of the call.
    pub context: Arc<CallContext>,
    /// How long the attempt took.
    pub took: Duration,
}

impl Background {
    /// What there is for a plugin to ask.
    #[must_use]
    pub fn known(&self, traced: bool) -> Known {
        let CallContext { upstream, annotations, outer, trusted, continuation, home: _ } =
            &*self.context;
        let fields = self.content.as_ref().is_some_and(|content| content.has_fields());
        let mut known = Known::default();
        for (flag, is_known) in [
            (Known::TRACE, traced),
            (Known::UPSTREAM, upstream.is_some()),
            (Known::ANNOTATIONS, annotations.is_some()),
            (Known::OUTER, outer.is_some()),
            (Known::FIELDS, fields),
            (Known::CONTINUATION, *continuation),
            (Known::TRUSTED, *trusted == Some(true)),
            (Known::DISTRUSTED, *trusted == Some(false)),
        ] {
            if is_known {
                known |= flag;
            }
        }
        known
    }

    /// Of an attempt without a body, of which nothing is known.
    #[must_use]
    pub fn none() -> Self {
        Self { content: None, context: Arc::default(), took: Duration::ZERO }
    }
}

/// What an attempt brought back, whole: the loop returns the last one to the client unchanged.
pub trait Reply: Send {
    /// The facts that the plugin judges.
    fn outcome(&self) -> Outcome;

    /// The body that the plugin may ask for; none if there is no answer.
    fn content(&self) -> Option<Arc<dyn Content>>;

    /// What the client is told of an attempt that the gateway gave up after `after`.
    fn timed_out(after: Duration) -> Self;
}
