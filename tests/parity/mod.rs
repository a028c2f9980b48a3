//! The recorded behaviour of the plugin that this one replaces.
//!
//! A difference is accepted only where a named divergence explains it: the
//! peer's quirks, switched on in a model of it, must give the recorded answer,
//! and switched off they must give ours.

mod config_cases;
mod divergence;
mod mend;
mod peer_model;
mod replay;
