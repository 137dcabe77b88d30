//! The memory that a store is lent, from a heap.

use alloc::vec::Vec;
use core::fmt;
use indelible::{
    Error, HashIndex, Layout, LogState, Medium, Memory, Mode, Report, Segment, Store, Undo,
};

/// A store whose memory is in a [`HeapMemory`].
pub type HeapStore<'m, M> = Store<'m, M, HashIndex<'m>>;

/// What a layout does not say of the memory that a store needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    /// Keys that the index has room for, and as many more as there are lists,
    /// list elements and chunks of long values: 8 bytes each, and a seventh.
    pub entries: usize,
    /// Changes in a transaction, 40 bytes each.
    pub changes: usize,
    /// The longest key in bytes.
    pub key_max: usize,
}

/// The heap has no room for a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OutOfMemory {
    /// Which one.
    pub what: &'static str,
    /// Its size in bytes.
    pub bytes: usize,
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no heap for {}: {} bytes", self.what, self.bytes)
    }
}

impl core::error::Error for OutOfMemory {}

/// Memory for one store, allocated once, as large as the store's layout and
/// your limits ask for.
///
/// The store borrows it: declare it first. An index that is full is an error
/// that says so; close the store, make a larger memory, open it again.
///
/// ```
/// use indelible::{Config, Layout, Mode, setup};
/// use indelible_embedded::{HeapMemory, Limits, Nor, RamFlash};
///
/// # let mut bytes = [0xFF; 64 * 1024];
/// # let flash = RamFlash::<1, 4, 1024>::new(&mut bytes);
/// let mut medium = Nor::new(flash)?;
/// setup(&mut medium, &Config { id: 1, nonce: 2, segment_size: None, logs: &[4096] })?;
///
/// let layout = Layout::read(&medium)?;
/// let limits = Limits { entries: 100, changes: 8, key_max: 32 };
/// let mut memory = HeapMemory::new(&layout, &limits)?;
/// let (mut store, _report) = memory.open(medium, Some(1), Mode::ReadWrite)?;
/// store.put(b"key", b"value")?;
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct HeapMemory {
    segments: Vec<Segment>,
    logs: Vec<LogState>,
    ring: Vec<u32>,
    undo: Vec<Undo>,
    scratch: Vec<u8>,
    slots: Vec<u64>,
}

impl HeapMemory {
    /// Memory for a store of this layout.
    ///
    /// # Errors
    /// [`OutOfMemory`]; what was allocated is freed.
    pub fn new(layout: &Layout, limits: &Limits) -> Result<Self, OutOfMemory> {
        let count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        let key_max = limits.key_max.min(count(layout.key_max));
        Ok(HeapMemory {
            segments: table("segments", count(layout.segments))?,
            logs: table("logs", count(layout.logs))?,
            ring: table("ring", count(layout.ring))?,
            undo: table("undo", limits.changes)?,
            scratch: table("scratch", key_max)?,
            slots: table("index", HashIndex::slots_for(limits.entries))?,
        })
    }

    /// Bytes of all tables.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(self.segments.as_slice())
            .saturating_add(size_of_val(self.logs.as_slice()))
            .saturating_add(size_of_val(self.ring.as_slice()))
            .saturating_add(size_of_val(self.undo.as_slice()))
            .saturating_add(self.scratch.len())
            .saturating_add(size_of_val(self.slots.as_slice()))
    }

    /// Lends it to a store.
    pub fn lend(&mut self) -> (Memory<'_>, HashIndex<'_>) {
        let memory = Memory {
            segments: &mut self.segments,
            logs: &mut self.logs,
            ring: &mut self.ring,
            undo: &mut self.undo,
            scratch: &mut self.scratch,
        };
        (memory, HashIndex::new(&mut self.slots))
    }

    /// [`Store::start`] in this memory.
    ///
    /// # Errors
    /// As there.
    pub fn open<M: Medium>(
        &mut self,
        medium: M,
        id: Option<u128>,
        mode: Mode,
    ) -> Result<(HeapStore<'_, M>, Report), Error<M::Error>> {
        let (memory, index) = self.lend();
        Store::start(medium, index, memory, id, mode)
    }
}

fn table<T: Clone + Default>(what: &'static str, len: usize) -> Result<Vec<T>, OutOfMemory> {
    let mut table = Vec::new();
    if table.try_reserve_exact(len).is_err() {
        let bytes = len.saturating_mul(size_of::<T>());
        return Err(OutOfMemory { what, bytes });
    }
    table.resize(len, T::default());
    Ok(table)
}

#[cfg(feature = "defmt")]
impl defmt::Format for HeapMemory {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "HeapMemory of {} bytes", self.bytes());
    }
}
