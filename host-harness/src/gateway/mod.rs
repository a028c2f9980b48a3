//! The gateway's side of a retry: invoke, ask the plugin, wait, again.
//!
//! [`Gateway::run`] is the loop. Everything that it touches comes from outside:
//! the plugin behind [`RetryHook`], time behind [`Clock`], the upstream as a
//! closure, the watcher behind [`Observer`].

mod budget;
mod call;
mod clock;
mod decision;
mod embedding;
mod event;
mod excerpt;
mod hints;
mod home;
pub(crate) mod label;
mod live;
mod marker;
mod past;
mod pushback;
mod questions;
mod retry_loop;
pub mod sentences;
pub(crate) mod shown;
pub(crate) mod span;
mod target;

pub use budget::{
    Account, BucketLevel, BudgetStore, Foreseen, Foresight, InProcessBudgets, Levels, Price, Terms,
    Whose,
};
pub use call::{Attempt, Background, CallContext, Content, Hook, LogicalCall, Reply};
pub use clock::{Clock, Sleep, SystemClock};
pub use decision::{Decision, Judged, Judgement};
pub use event::{Observer, Step, Stop, Unobserved};
pub use excerpt::{excerpt_of_json, excerpt_of_texts};
pub use hints::Hints;
pub use home::Home;
pub use marker::marker;
pub use past::Past;
pub use pushback::pushback_ms;
pub use questions::{Question, Questions};
pub use retry_loop::{Finished, Gateway, Limits, RetryHook};
pub use target::{Target, TargetTooLong};
