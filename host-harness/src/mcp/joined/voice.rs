//! What one upstream says, on its way to the client.

use std::sync::{Arc, Weak};

use futures_util::future::BoxFuture;
use tokio::sync::SetOnce;

use super::Joined;
use crate::mcp::{
    front::ToClient,
    handler::{Client, unasked},
    wire::Message,
};

/// Who hears an upstream: there once all upstreams are connected, and never for
/// an upstream that serves nobody.
pub(super) type Hearing = Arc<SetOnce<Weak<Joined>>>;

/// What an upstream says by itself.
pub(super) struct ByItself {
    pub(super) hearing: Hearing,
    pub(super) at: usize,
}

impl Client for ByItself {
    fn tell(&self, said: ToClient) -> BoxFuture<'_, Option<Message>> {
        Box::pin(async {
            let joined = self.hearing.wait().await.upgrade()?;
            joined.upstream_said(self.at, said, &*joined.client).await
        })
    }
}

/// What an upstream says about a request of the client.
pub(super) struct About {
    pub(super) hearing: Hearing,
    pub(super) at: usize,
    pub(super) client: Arc<dyn Client>,
}

impl Client for About {
    fn tell(&self, said: ToClient) -> BoxFuture<'_, Option<Message>> {
        Box::pin(async {
            match self.hearing.get().and_then(Weak::upgrade) {
                Some(joined) => joined.upstream_said(self.at, said, &*self.client).await,
                None => unasked(&said.message),
            }
        })
    }
}
