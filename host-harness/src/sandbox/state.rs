//! What the host keeps for one instance.

use getrandom::SysRng;
use rand_core::{Rng, SeedableRng, TryRng};
use rand_pcg::Pcg64;

use super::{Limits, error::Exceeded, overdue::Overdue, resources::Resources};
use crate::{
    contract::{OuterAttempts, Part, Scalar, ToolAnnotations, content, context},
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
    pub(super) resources: Resources,
    /// What the guest may ask about the attempt that is being judged; none between calls.
    pub(super) background: Option<Background>,
    /// Whether the guest read anything of the answer's body during this call.
    pub(super) read_content: bool,
    pub(super) overdue: Overdue,
    limits: Limits,
    left: Allowance,
    random: Random,
}

/// What is left of the limits on one call of the guest.
struct Allowance {
    host_calls: u32,
    text_bytes: usize,
    random_bytes: usize,
}

impl Allowance {
    fn full(limits: &Limits) -> Self {
        Self {
            host_calls: limits.host_calls,
            text_bytes: limits.text_bytes_per_call,
            random_bytes: limits.random_bytes_per_call,
        }
    }
}

enum Random {
    Os,
    Seeded(Box<Pcg64>),
}

impl GuestState {
    /// `stream` keeps the instances of one seed apart.
    pub(super) fn new(limits: &Limits, entropy: Entropy, stream: u64) -> Self {
        let random = match entropy {
            Entropy::Os => Random::Os,
            Entropy::Seeded(seed) => {
                let seed = seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                Random::Seeded(Box::new(Pcg64::seed_from_u64(seed)))
            }
        };
        Self {
            resources: Resources::none_yet(limits),
            background: None,
            read_content: false,
            overdue: Overdue::default(),
            limits: *limits,
            left: Allowance::full(limits),
            random,
        }
    }

    /// A call of the guest begins.
    pub(super) fn begin(&mut self) {
        self.left = Allowance::full(&self.limits);
        self.overdue = Overdue::default();
    }

    pub(super) fn random_u64(&mut self) -> wasmtime::Result<u64> {
        self.called()?;
        self.draw(size_of::<u64>() as u64)?;
        match &mut self.random {
            Random::Os => Ok(SysRng.try_next_u64()?),
            Random::Seeded(rng) => Ok(rng.next_u64()),
        }
    }

    pub(super) fn random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.called()?;
        let mut bytes = vec![0; self.draw(len)?];
        match &mut self.random {
            Random::Os => SysRng.try_fill_bytes(&mut bytes)?,
            Random::Seeded(rng) => rng.fill_bytes(&mut bytes),
        }
        Ok(bytes)
    }

    /// Counts a call of a host function, whichever it is.
    fn called(&mut self) -> Result<(), Exceeded> {
        match self.left.host_calls.checked_sub(1) {
            Some(left) => self.left.host_calls = left,
            None => return Err(Exceeded::HostCalls { most: self.limits.host_calls }),
        }
        Ok(())
    }

    fn draw(&mut self, len: u64) -> Result<usize, Exceeded> {
        let most = self.limits.random_bytes_per_call;
        let len = usize::try_from(len).map_err(|_| Exceeded::RandomBytes { most })?;
        match self.left.random_bytes.checked_sub(len) {
            Some(left) => self.left.random_bytes = left,
            None => return Err(Exceeded::RandomBytes { most }),
        }
        Ok(len)
    }

    /// Whether a text of this length may still be read; if so, it is read.
    fn take_text(&mut self, len: usize) -> bool {
        let left = self.left.text_bytes.checked_sub(len);
        match left.filter(|_| len <= self.limits.text_bytes) {
            Some(left) => {
                self.left.text_bytes = left;
                true
            }
            None => false,
        }
    }
}

/// What a guest asks about the attempt in question.
impl GuestState {
    fn content(&self) -> Option<&dyn Content> {
        self.background.as_ref()?.content.as_deref()
    }
}

impl content::Host for GuestState {
    fn text_count(&mut self) -> wasmtime::Result<u32> {
        self.called()?;
        let count = self.content().map_or(0, Content::text_count).min(self.limits.texts);
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    fn text(&mut self, index: u32) -> wasmtime::Result<Option<String>> {
        self.called()?;
        let Some(content) = self.background.as_ref().and_then(|asked| asked.content.clone()) else {
            return Ok(None);
        };
        let index = usize::try_from(index).ok().filter(|index| *index < self.limits.texts);
        let text = index.and_then(|index| content.text(index));
        Ok(text.filter(|text| self.take_text(text.len())).map(|text| {
            self.read_content = true;
            text.to_owned()
        }))
    }

    fn excerpt(&mut self, part: Part, most: u32) -> wasmtime::Result<Option<String>> {
        self.called()?;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let excerpt = self.content().and_then(|content| content.excerpt(part, most));
        let excerpt = excerpt.filter(|excerpt| self.take_text(excerpt.len()));
        self.read_content |= excerpt.is_some();
        Ok(excerpt)
    }

    fn field(&mut self, pointer: String) -> wasmtime::Result<Option<Scalar>> {
        self.called()?;
        let scalar = self.content().and_then(|content| content.field(&pointer));
        let scalar = scalar.filter(|scalar| match scalar {
            Scalar::Text(text) => self.take_text(text.len()),
            _ => true,
        });
        self.read_content |= scalar.is_some();
        Ok(scalar)
    }
}

impl context::Host for GuestState {
    fn upstream(&mut self) -> wasmtime::Result<Option<String>> {
        self.called()?;
        Ok(self.background.as_ref().and_then(|asked| asked.context.upstream.clone()))
    }

    fn annotations(&mut self) -> wasmtime::Result<Option<ToolAnnotations>> {
        self.called()?;
        Ok(self.background.as_ref().and_then(|asked| asked.context.annotations))
    }

    fn trusted(&mut self) -> wasmtime::Result<Option<bool>> {
        self.called()?;
        Ok(self.background.as_ref().and_then(|asked| asked.context.trusted))
    }

    fn took_ms(&mut self) -> wasmtime::Result<u64> {
        self.called()?;
        let took = self.background.as_ref().map_or(0, |asked| asked.took.as_millis());
        Ok(u64::try_from(took).unwrap_or(u64::MAX))
    }

    fn outer(&mut self) -> wasmtime::Result<Option<OuterAttempts>> {
        self.called()?;
        Ok(self.background.as_ref().and_then(|asked| asked.context.outer))
    }
}

impl crate::contract::types::Host for GuestState {}
