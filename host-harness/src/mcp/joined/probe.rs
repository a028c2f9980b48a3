//! A connection to an upstream that serves no client.

use super::member::Member;
use crate::mcp::{
    downstream::{Downstream, Shutdown},
    service::Service,
    upstream::Connected,
};

/// Ends, with its process, when it is dropped.
pub(super) struct Probe {
    pub(super) member: Member,
}

impl Probe {
    pub(super) fn new(name: &str, service: &Service, upstream: Connected) -> Self {
        let nobody = Downstream::one(&Shutdown::default());
        Self { member: Member::new((0, name), service, upstream, &nobody, Default::default()) }
    }
}
