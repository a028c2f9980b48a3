//! What an instance takes of the host, within its limits.

use wasmtime::{ResourceLimiter, Result, StoreLimits, StoreLimitsBuilder};

use super::Limits;

/// Bounds memories, tables and instances, and remembers what was granted.
pub(super) struct Resources {
    limits: StoreLimits,
    memory_bytes: usize,
}

impl Resources {
    pub(super) fn none_yet(limits: &Limits) -> Self {
        let limits = StoreLimitsBuilder::new()
            .memory_size(limits.memory_bytes)
            .table_elements(limits.table_elements)
            .memories(limits.memories)
            .tables(limits.tables)
            .instances(limits.instances)
            .build();
        Self { limits, memory_bytes: 0 }
    }

    /// The size of its linear memories together. They never shrink.
    pub(super) const fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }
}

impl ResourceLimiter for Resources {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        let granted = self.limits.memory_growing(current, desired, maximum)?;
        if granted {
            self.memory_bytes += desired - current;
        }
        Ok(granted)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        self.limits.table_growing(current, desired, maximum)
    }

    fn instances(&self) -> usize {
        self.limits.instances()
    }

    fn tables(&self) -> usize {
        self.limits.tables()
    }

    fn memories(&self) -> usize {
        self.limits.memories()
    }
}
