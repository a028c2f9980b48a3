//! What one upstream says, on its way to the client.

use std::sync::{Arc, Weak};

use futures_util::future::BoxFuture;
use tokio::sync::SetOnce;

use crate::mcp::{
    front::ToClient,
    handler::{Client, unasked},
    wire::Message,
};

/// Hears what upstreams say.
pub(super) trait Hears: Send + Sync {
    /// Handles what the upstream at this place says to a client, the one that its
    /// request is about or else the one that hears what is about none. What the
    /// upstream is to hear if it asked what nobody can be asked.
    fn hear<'a>(
        &'a self,
        at: usize,
        said: ToClient,
        client: Option<&'a dyn Client>,
    ) -> BoxFuture<'a, Option<Message>>;
}

/// Who hears an upstream: there once all upstreams are connected, and never for
/// an upstream that serves nobody.
pub(super) type Hearing = Arc<SetOnce<Weak<dyn Hears>>>;

/// What an upstream says by itself.
pub(super) struct ByItself {
    pub(super) hearing: Hearing,
    pub(super) at: usize,
}

impl Client for ByItself {
    fn tell(&self, said: ToClient) -> BoxFuture<'_, Option<Message>> {
        Box::pin(async {
            let hearing = self.hearing.wait().await.upgrade()?;
            hearing.hear(self.at, said, None).await
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
                Some(hearing) => hearing.hear(self.at, said, Some(&*self.client)).await,
                None => unasked(&said.message),
            }
        })
    }
}
