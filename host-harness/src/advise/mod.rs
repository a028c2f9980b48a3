//! What other policies would have made of calls that a gateway has logged, and
//! which of them to take.
//!
//! * [`trace`]: the log, one line of JSON for each call.
//! * [`outcome`]: how an attempt ended, as the log has it.
//! * [`recorder`]: writes it.
//! * [`crate::rotating`]: the file that it is written to.
//! * [`learned`]: what its retries say.
//! * [`mod@replay`]: plays it again under another configuration, through the real
//!   component and the real loop.
//! * [`recommend`]: tries configurations and picks one, with its reasons.

mod answer;
pub mod learned;
pub mod outcome;
pub mod recommend;
pub mod recorder;
pub mod replay;
pub mod trace;

pub use crate::rotating::{RotatingFile, Rotation};
pub use learned::{Learned, Recovery};
pub use recommend::{Advice, Candidate, ToolAdvice, advise};
pub use recorder::Recorder;
pub use replay::{Replayed, replay};
pub use trace::{Trace, TraceError};
