//! Changes to a plugin while calls go on.

use std::sync::{Arc, PoisonError};

use super::{Plugin, staged};
use crate::{
    contract::{Configured, Issue},
    sandbox::{Component, Options, error::StartError},
};

impl Plugin {
    /// Puts another configuration into force while calls go on: their state
    /// survives. Returns what the plugin accepted but adjusted.
    ///
    /// # Errors
    /// The plugin refuses the configuration, or breaks over it. Then every
    /// shard works by the old one, as before.
    pub fn reconfigure(&self, config: &str) -> Result<Vec<Issue>, StartError> {
        let mut in_force = self.options.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = Arc::new(Options { config: config.to_owned(), ..(**in_force).clone() });
        let mut configured = None;
        for index in 0..self.shards.len() {
            match self.lock(index).reconfigure(&wanted) {
                Ok(accepted) => configured = Some(accepted),
                Err(error) => {
                    // All shards run the same code, so a refusal is the first
                    // one's; only one that broke can leave others to be set back.
                    for changed in 0..index {
                        if let Err(error) = self.lock(changed).reconfigure(&in_force) {
                            tracing::error!(%error, "the plugin does not take its old configuration back");
                        }
                    }
                    self.retries.forget();
                    return Err(error);
                }
            }
        }
        *in_force = wanted;
        let Configured { notices, .. } = configured.expect("there is at least one shard");
        self.retries.forget();
        Ok(notices)
    }

    /// Puts another component, with a configuration of its own, into the place
    /// of the one at work. It is instantiated, configured and asked who it is
    /// beside the old one; then all shards change at once, so that nobody meets
    /// the new one and later the old one. Calls into the old instances have
    /// ended by then. Returns what the new one accepted but adjusted.
    ///
    /// What the old one remembered of calls that wait for a retry is gone: the
    /// new one may be different code. Such a call goes on by the number of its
    /// attempt. Retry budgets are the gateway's, and stay.
    ///
    /// # Errors
    /// As [`Plugin::start`]. Then the old component stays at work, untouched.
    pub fn replace(&self, component: &Component, config: &str) -> Result<Vec<Issue>, StartError> {
        let mut in_force = self.options.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = Arc::new(Options { config: config.to_owned(), ..(**in_force).clone() });
        let (mut shards, Configured { notices, .. }) = staged(component, &wanted, &self.pace)?;
        {
            // Always in this order, and nobody else holds more than one.
            let mut at_work: Vec<_> =
                (0..self.shards.len()).map(|index| self.lock(index)).collect();
            for (old, new) in at_work.iter_mut().zip(&mut shards) {
                old.change_places(new);
            }
            self.retries.forget();
            *self.component.lock().unwrap_or_else(PoisonError::into_inner) = component.digest();
        }
        *in_force = wanted;
        for old in &mut shards {
            old.shut_down();
        }
        Ok(notices)
    }
}
