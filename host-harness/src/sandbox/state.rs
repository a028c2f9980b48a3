//! What the host keeps for one instance.

use getrandom::SysRng;
use rand_core::{Rng, SeedableRng, TryRng};
use rand_pcg::Pcg64;
use wasmtime::{StoreLimits, StoreLimitsBuilder};

use super::Limits;
use crate::{
    contract::{OuterAttempts, Scalar, ToolAnnotations, content, context},
    gateway::{Background, Content},
};

/// Where a plugin's randomness comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entropy {
    /// The operating system.
    Os,
    /// A seed: the same seed gives the same jitter, for tests and simulations.
    Seeded(u64),
}

/// The data of a store.
pub(super) struct GuestState {
    pub(super) resources: StoreLimits,
    /// What the guest may ask about the attempt that is being judged; none between calls.
    pub(super) background: Option<Background>,
    /// Whether the guest read anything of the answer's body during this call.
    pub(super) read_content: bool,
    text_bytes: usize,
    random: Random,
}

enum Random {
    Os,
    Seeded(Box<Pcg64>),
}

impl GuestState {
    /// `stream` keeps the instances of one seed apart.
    pub(super) fn new(limits: &Limits, entropy: Entropy, stream: u64) -> Self {
        let resources = StoreLimitsBuilder::new()
            .memory_size(limits.memory_bytes)
            .table_elements(limits.table_elements)
            .memories(1)
            .tables(8)
            .instances(16)
            .build();
        let random = match entropy {
            Entropy::Os => Random::Os,
            Entropy::Seeded(seed) => {
                let seed = seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                Random::Seeded(Box::new(Pcg64::seed_from_u64(seed)))
            }
        };
        let text_bytes = limits.text_bytes;
        Self { resources, background: None, read_content: false, text_bytes, random }
    }

    pub(super) fn random_u64(&mut self) -> wasmtime::Result<u64> {
        match &mut self.random {
            Random::Os => Ok(SysRng.try_next_u64()?),
            Random::Seeded(rng) => Ok(rng.next_u64()),
        }
    }

    pub(super) fn random_bytes(&mut self, len: usize) -> wasmtime::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        match &mut self.random {
            Random::Os => SysRng.try_fill_bytes(&mut bytes)?,
            Random::Seeded(rng) => rng.fill_bytes(&mut bytes),
        }
        Ok(bytes)
    }
}

impl GuestState {
    fn content(&self) -> Option<&dyn Content> {
        self.background.as_ref()?.content.as_deref()
    }
}

impl content::Host for GuestState {
    fn text_count(&mut self) -> u32 {
        let count = self.content().map_or(0, Content::text_count);
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    fn text(&mut self, index: u32) -> Option<String> {
        let text = self.content()?.text(usize::try_from(index).ok()?)?;
        if text.len() > self.text_bytes {
            return None;
        }
        let text = text.to_owned();
        self.read_content = true;
        Some(text)
    }

    fn field(&mut self, pointer: String) -> Option<Scalar> {
        let scalar = self.content()?.field(&pointer)?;
        if matches!(&scalar, Scalar::Text(text) if text.len() > self.text_bytes) {
            return None;
        }
        self.read_content = true;
        Some(scalar)
    }
}

impl context::Host for GuestState {
    fn upstream(&mut self) -> Option<String> {
        self.background.as_ref()?.context.upstream.clone()
    }

    fn annotations(&mut self) -> Option<ToolAnnotations> {
        self.background.as_ref()?.context.annotations
    }

    fn took_ms(&mut self) -> u64 {
        let took = self.background.as_ref().map_or(0, |asked| asked.took.as_millis());
        u64::try_from(took).unwrap_or(u64::MAX)
    }

    fn outer(&mut self) -> Option<OuterAttempts> {
        self.background.as_ref()?.context.outer
    }
}

impl crate::contract::types::Host for GuestState {}
