//! Plugins that trap, hang, flood and lie. The caller always gets the
//! upstream's own result, the next call works, and nobody else notices.

mod asked_once;
mod attack;
mod bounds;
mod chain;
mod compile_bombs;
mod conformance;
mod dear_texts;
mod fail_policy;
mod files;
mod floods;
pub mod guest;
mod handles;
mod lies;
mod looked_at;
mod memory;
mod questions;
mod realloc;
mod repeated;
mod replace;
mod results;
mod slow;
mod time;
mod traps;
