//! What is served at one path.

use std::sync::Arc;

use http::HeaderName;

use crate::mcp::{
    child::StartError,
    downstream::Downstream,
    handler::{Client, Handler},
    joined::Group,
    service::Service,
    session::Session,
    upstream::Target,
};

/// One server, or several as one.
pub(super) enum Served {
    One(Box<Service>),
    Joined(Arc<Group>),
}

impl Served {
    /// Connects its downstream side to it; `client` hears what it says by itself.
    pub(super) fn connect(
        &self,
        downstream: &Downstream,
        client: Arc<dyn Client>,
    ) -> Result<Arc<dyn Handler>, StartError> {
        Ok(match self {
            Self::One(service) => {
                let upstream = service.target.start()?;
                let (gateway, relaying) = (service.gateway.clone(), service.relaying.clone());
                Session::open(gateway, relaying, upstream, downstream, client)
            }
            Self::Joined(group) => group.connect(downstream, client)?,
        })
    }

    /// Headers of a client's request that are wanted beside those of MCP and of traces.
    pub(super) fn pass_headers(&self) -> &[HeaderName] {
        match self {
            Self::One(service) => &service.pass_headers,
            Self::Joined(group) => group.pass_headers(),
        }
    }

    /// Whether the server itself compares the headers of a request with its
    /// body. One on lines never sees them, and several see others than the client sent.
    pub(super) fn compares_headers(&self) -> bool {
        matches!(self, Self::One(service) if matches!(service.target, Target::Url(_)))
    }

    /// Whether it is one server in a command.
    pub(super) fn is_a_command(&self) -> bool {
        matches!(self, Self::One(service) if matches!(service.target, Target::Command(_)))
    }

    /// Whether each session starts processes.
    pub(super) fn starts_children(&self) -> bool {
        match self {
            Self::One(service) => matches!(service.target, Target::Command(_)),
            Self::Joined(group) => group.starts_children(),
        }
    }
}
