//! Annotations that are still on their way when their call begins.

use std::{fmt, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::contract::ToolAnnotations;

/// How long the first failure of a call waits for the annotations of its tool.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// The annotations of a tool that the upstream has been asked for. Cheap to clone.
#[derive(Clone)]
pub struct Hints {
    look: Arc<dyn Fn() -> Option<ToolAnnotations> + Send + Sync>,
    answered: CancellationToken,
}

impl Hints {
    /// `look` finds them if they are there; `answered` is cancelled once they
    /// are, or will not come.
    pub fn new(
        answered: CancellationToken,
        look: impl Fn() -> Option<ToolAnnotations> + Send + Sync + 'static,
    ) -> Self {
        Self { look: Arc::new(look), answered }
    }

    /// What is there now.
    #[must_use]
    pub fn now(&self) -> Option<ToolAnnotations> {
        (self.look)()
    }

    /// Waits until they are there, or will not come.
    pub async fn answered(&self) {
        self.answered.cancelled().await;
    }
}

impl fmt::Debug for Hints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hints").field("now", &self.now()).finish_non_exhaustive()
    }
}
