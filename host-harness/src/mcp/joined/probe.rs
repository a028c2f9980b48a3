//! A connection to an upstream that serves no client.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{carrier::Carrier, member::Member};
use crate::mcp::{
    downstream::{Downstream, Shutdown},
    service::Service,
    task::Task,
    upstream::Connected,
    wire::Kind,
};

/// Ends, with its process, when it is dropped.
pub(super) struct Probe {
    pub(super) member: Arc<Member>,
    _tasks: [Task; 2],
}

impl Probe {
    pub(super) fn new(name: &str, service: &Service, link: Connected) -> Self {
        let nobody = Downstream::one(&Shutdown::default());
        let (member, Carrier { speaking, mut inbox }) = Member::new(name, service, link, &nobody);
        let member = Arc::new(member);
        let one = member.clone();
        let speaking = Task::spawn(async move {
            let session = one.session.clone();
            speaking.run(session, &one, CancellationToken::new(), async {}).await;
        });
        let one = member.clone();
        let hearing = Task::spawn(async move {
            while let Some(said) = inbox.recv().await {
                if let Kind::Response { id: Some(id) } = said.message.kind() {
                    let id = id.clone();
                    one.answered(&id, said);
                }
            }
        });
        Self { member, _tasks: [speaking, hearing] }
    }
}
