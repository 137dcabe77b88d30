//! The store: one ledger, a key-value index over it, and logs beside it.

use crate::device::Device;
use crate::fault::{Fault, What};
use crate::index::Index;
use crate::layout::Layout;
use crate::math::Saturate;
use crate::medium::Medium;
use crate::multilog::{LogSet, LogState};
use crate::report::Hidden;
use crate::segments::{Segment, Table};

/// A change of the index that an abort takes back.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Undo {
    pub(crate) hash: u64,
    pub(crate) prefix: u64,
    /// Locations plus one; zero for none.
    pub(crate) old: u64,
    pub(crate) new: u64,
    pub(crate) primary: bool,
}

/// Memory that the caller lends, with the lengths that [`Layout`] names.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Memory<'a> {
    /// One row a segment.
    pub segments: &'a mut [Segment],
    /// One row a log.
    pub logs: &'a mut [LogState],
    /// From log positions to segments.
    pub ring: &'a mut [u32],
    /// One row for each index change of a transaction (a put or delete makes
    /// one, a list append two, however large the value): its limit.
    pub undo: &'a mut [Undo],
    /// The longest key; at least as long as any key in the store.
    pub scratch: &'a mut [u8],
}

/// Memory for a store of fixed size, for statics.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StaticMemory<
    const SEGMENTS: usize,
    const LOGS: usize,
    const RING: usize,
    const UNDO: usize,
    const KEY: usize,
> {
    segments: [Segment; SEGMENTS],
    logs: [LogState; LOGS],
    ring: [u32; RING],
    undo: [Undo; UNDO],
    scratch: [u8; KEY],
}

impl<
    const SEGMENTS: usize,
    const LOGS: usize,
    const RING: usize,
    const UNDO: usize,
    const KEY: usize,
> StaticMemory<SEGMENTS, LOGS, RING, UNDO, KEY>
{
    /// Empty memory.
    #[must_use]
    pub const fn new() -> Self {
        StaticMemory {
            segments: [Segment::EMPTY; SEGMENTS],
            logs: [LogState::EMPTY; LOGS],
            ring: [0; RING],
            undo: [Undo {
                hash: 0,
                prefix: 0,
                old: 0,
                new: 0,
                primary: false,
            }; UNDO],
            scratch: [0; KEY],
        }
    }

    /// Lends it to a store.
    pub fn lend(&mut self) -> Memory<'_> {
        Memory {
            segments: &mut self.segments,
            logs: &mut self.logs,
            ring: &mut self.ring,
            undo: &mut self.undo,
            scratch: &mut self.scratch,
        }
    }
}

impl<
    const SEGMENTS: usize,
    const LOGS: usize,
    const RING: usize,
    const UNDO: usize,
    const KEY: usize,
> Default for StaticMemory<SEGMENTS, LOGS, RING, UNDO, KEY>
{
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a store may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Mode {
    /// Reads and writes; an image that was not closed is repaired at start.
    ReadWrite,
    /// Never writes; repairs stay in memory.
    ReadOnly,
}

/// A place in a stream of frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub segment: u32,
    pub seq: u32,
    pub at: u32,
}

/// The open group: frames that become durable together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Group {
    pub open: bool,
    /// Frames written so far.
    pub frames: u32,
    pub start: Place,
    /// The segment whose `freed` entry is in the group.
    pub freeing: Option<u32>,
    /// The logs that the group touches.
    pub logs: LogSet,
    /// Changes in the undo memory.
    pub undo: usize,
    /// Live record bytes when it began, and tombstones among them.
    pub live: u64,
    pub tombstones: u64,
    /// The index could not follow: it can only be aborted.
    pub spoiled: bool,
    /// Its last frame is written: only a commit is left, which flushes.
    pub ended: bool,
}

/// A store over a medium, with its index. See the [crate](crate) documentation.
pub struct Store<'a, M: Medium, I> {
    pub(crate) device: Device<M>,
    pub(crate) index: I,
    pub(crate) table: Table<'a>,
    pub(crate) logs: &'a mut [LogState],
    pub(crate) ring: &'a mut [u32],
    pub(crate) undo: &'a mut [Undo],
    pub(crate) scratch: &'a mut [u8],
    pub(crate) id: u128,
    pub(crate) mode: Mode,
    /// Where the ledger goes on.
    pub(crate) tail: Place,
    /// The number of the ledger's segment in the chain.
    pub(crate) chain: u32,
    pub(crate) root_seq: u32,
    /// Of the start: no ledger segment's header had a higher sequence.
    pub(crate) newest_header: u32,
    pub(crate) since_root: u32,
    pub(crate) interval: u32,
    /// A root was written; this older ledger segment is still to be closed.
    pub(crate) link_due: Option<Place>,
    /// What is under way frees room in the end: it may use more of the reserve.
    pub(crate) pressing: bool,
    /// The index could not be taken back: nothing is read through it.
    pub(crate) astray: bool,
    /// The index is the one that the last close saved.
    pub(crate) loaded: bool,
    /// Commits flush their data before their mark.
    pub(crate) two_flushes: bool,
    /// Newer roots that were cut, the newest first: erased before anything
    /// else is, for they may read as whole the next time.
    pub(crate) cut_roots: crate::ledger::roots::Unreadable,
    /// A root must be written before anything else.
    pub(crate) root_due: bool,
    /// The link of the tail's segment, which an earlier session wrote, may have
    /// been begun.
    pub(crate) link_begun: bool,
    /// No link leads to the root, so another one is wanted.
    pub(crate) unlinked: bool,
    pub(crate) group: Group,
    pub(crate) cold: Option<Place>,
    pub(crate) reclaim: crate::kv::reclaim::Reclaim,
    /// The longest frame of a record so far.
    pub(crate) frame_max: u32,
    /// Bytes of frames still needed, tombstones included.
    pub(crate) live: u64,
    pub(crate) tombstones: u64,
    pub(crate) lists: bool,
    pub(crate) dependents: bool,
    /// Keys present.
    pub(crate) keys: u64,
    pub(crate) damages: heapless::Vec<Hidden, 8>,
    pub(crate) healed_bits: u32,
}

/// A store with logs alone: Microsoft's multilog and more.
pub type MultiLog<'a, M> = Store<'a, M, crate::index::NoIndex>;

/// A key-value store; it can hold logs too.
pub type Kv<'a, M, I> = Store<'a, M, I>;

impl<M: Medium, I: Index> Store<'_, M, I> {
    pub(crate) fn writable(&self) -> Result<(), Fault<M::Error>> {
        if self.mode == Mode::ReadOnly {
            return Err(Fault::plain(What::ReadOnly));
        }
        if self.device.poisoned {
            return Err(Fault::plain(What::Poisoned));
        }
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> Result<(), Fault<M::Error>> {
        self.device.flush()?;
        self.table.flushed();
        Ok(())
    }

    /// The layout of this store.
    #[must_use]
    pub fn layout(&self) -> Layout {
        let logs = u32::try_from(self.logs.len()).unwrap_or(u32::MAX);
        let ring = u32::try_from(self.ring.len()).unwrap_or(u32::MAX);
        Layout {
            kv_capacity: self.record_capacity(),
            key_max: u32::try_from(self.key_max()).unwrap_or(0),
            ..Layout::of(&self.device.shape, logs, ring)
        }
    }

    /// The id given at setup.
    #[must_use]
    pub fn id(&self) -> u128 {
        self.id
    }

    /// The medium, for looking at.
    #[must_use]
    pub fn medium(&self) -> &M {
        &self.device.medium
    }

    /// The medium, for what an adapter keeps beside the bytes. Whoever writes
    /// to the medium itself destroys the store.
    #[must_use]
    pub fn medium_mut(&mut self) -> &mut M {
        &mut self.device.medium
    }

    /// Gives the medium back without a close, as if power had failed now: what
    /// was acknowledged is there, an open transaction is not.
    #[must_use]
    pub fn into_medium(self) -> M {
        self.device.medium
    }

    /// The longest key in bytes.
    #[must_use]
    pub fn key_max(&self) -> usize {
        let format = usize::try_from(crate::layout::key_max(&self.device.shape)).unwrap_or(0);
        format.min(self.scratch.len())
    }

    /// Segments that do not belong to a log's guaranteed capacity.
    pub(crate) fn record_segments(&self) -> u32 {
        let ring = u32::try_from(self.ring.len()).unwrap_or(u32::MAX);
        self.device.shape.segments.minus(ring)
    }

    pub(crate) fn record_capacity(&self) -> u64 {
        crate::layout::record_capacity(
            &self.device.shape,
            self.record_segments(),
            self.interval,
            self.frame_max,
        )
    }

    /// Free segments that records may take: those that logs do not have and
    /// are not promised.
    pub(crate) fn free_for_records(&self) -> u32 {
        let ring = u32::try_from(self.ring.len()).unwrap_or(u32::MAX);
        let used = self.table.count(crate::segments::Owner::Log);
        self.table.free().minus(ring.minus(used))
    }

    /// Whether a transaction is open.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        self.group.open
    }
}
