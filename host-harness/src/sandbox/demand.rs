//! What a component needs before it can run, read from its own text.

use super::Limits;

/// The size of a page of linear memory.
const PAGE_BYTES: u64 = 64 << 10;

/// A component needs more, just to start, than [`Limits`] allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Demand {
    /// A memory that starts larger than it may become.
    #[error("it starts with a memory of {bytes} bytes; {most} are the most")]
    Memory {
        /// Its initial size.
        bytes: u64,
        /// [`Limits::memory_bytes`].
        most: usize,
    },
    /// More memories than there may be.
    #[error("it has {count} memories; {most} are the most")]
    Memories {
        /// Their number.
        count: u32,
        /// [`Limits::memories`].
        most: usize,
    },
    /// A table that starts larger than it may become.
    #[error("it starts with a table of {elements} entries; {most} are the most")]
    Table {
        /// Its initial number of entries.
        elements: u64,
        /// [`Limits::table_elements`].
        most: usize,
    },
    /// More tables than there may be.
    #[error("it has {count} tables; {most} are the most")]
    Tables {
        /// Their number.
        count: u32,
        /// [`Limits::tables`].
        most: usize,
    },
}

/// What a component starts with, over all its core instances.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    memories: u32,
    /// The size of the largest.
    memory_bytes: u64,
    tables: u32,
    /// The entries of the largest.
    table_elements: u64,
}

impl Needs {
    /// None if it imports core modules, which no component that passed the
    /// check of its imports does.
    pub(super) fn of(component: &wasmtime::component::Component) -> Option<Self> {
        let needs = component.resources_required()?;
        Some(Self {
            memories: needs.num_memories,
            memory_bytes: needs.max_initial_memory_size.unwrap_or(0).saturating_mul(PAGE_BYTES),
            tables: needs.num_tables,
            table_elements: needs.max_initial_table_size.unwrap_or(0),
        })
    }

    pub(super) fn check(&self, limits: &Limits) -> Result<(), Demand> {
        let over = |need: u64, most: usize| u64::try_from(most).is_ok_and(|most| need > most);
        let (count, most) = (self.memories, limits.memories);
        if over(count.into(), most) {
            return Err(Demand::Memories { count, most });
        }
        let (bytes, most) = (self.memory_bytes, limits.memory_bytes);
        if over(bytes, most) {
            return Err(Demand::Memory { bytes, most });
        }
        let (count, most) = (self.tables, limits.tables);
        if over(count.into(), most) {
            return Err(Demand::Tables { count, most });
        }
        let (elements, most) = (self.table_elements, limits.table_elements);
        if over(elements, most) {
            return Err(Demand::Table { elements, most });
        }
        Ok(())
    }
}
