//! What the gateway knows around an attempt, asked for only where a policy needs it.

use alloc::string::String;

use crate::{
    Millis,
    detect::{Content, Part, Scalar},
};

/// What the gateway can tell of an attempt if it is asked. To ask in vain costs
/// as much as to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// The name of the upstream.
    pub upstream: bool,
    /// The annotations of the tool.
    pub annotations: bool,
    /// What outer layers do.
    pub outer: bool,
    /// Something that stands in the body, beside what the outcome says.
    pub fields: bool,
    /// Whether the call continues one that asked for input.
    pub continuation: bool,
    /// Whether the operator trusts the annotations; none if he leaves that to
    /// the configuration.
    pub trusted: Option<bool>,
}

/// The gateway's side of the `context` interface.
pub trait Context {
    /// The operator's name for the upstream.
    fn upstream(&self) -> Option<String>;
    /// What the upstream says of its tool.
    fn annotations(&self) -> Option<Annotations>;
    /// Whether the operator trusts the annotations, as [`Known::trusted`].
    fn trusted(&self) -> Option<bool>;
    /// How long the attempt took.
    fn took(&self) -> Millis;
    /// What layers before the gateway do about the same call.
    fn outer(&self) -> Option<OuterAttempts>;
}

/// Hints about a tool; none where the upstream is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Annotations {
    /// It changes nothing.
    pub read_only: Option<bool>,
    /// It may destroy something.
    pub destructive: Option<bool>,
    /// Twice is as good as once.
    pub idempotent: Option<bool>,
}

/// The attempts of outer layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OuterAttempts {
    /// Which attempt of theirs this call is, from 1.
    pub attempt: u32,
    /// How many they make at the most, if the upstream may have executed the call.
    pub most: u32,
    /// How many they make at the most, if it surely executed nothing.
    pub most_not_executed: u32,
}

/// A gateway that has nothing to tell beyond the call itself: for those who
/// run the policy natively.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Content for Silent {
    fn text_count(&self) -> u32 {
        0
    }

    fn text(&self, _: u32) -> Option<String> {
        None
    }

    fn excerpt(&self, _: Part, _: u32) -> Option<String> {
        None
    }

    fn field(&self, _: &str) -> Option<Scalar> {
        None
    }
}

impl Context for Silent {
    fn upstream(&self) -> Option<String> {
        None
    }

    fn annotations(&self) -> Option<Annotations> {
        None
    }

    fn trusted(&self) -> Option<bool> {
        None
    }

    fn took(&self) -> Millis {
        Millis(0)
    }

    fn outer(&self) -> Option<OuterAttempts> {
        None
    }
}
