//! Logs: contiguous byte streams in segments of their own.
//!
//! A log's bytes stand raw in its segments, in blocks that end with their
//! checksum. What commits them is a frame in the ledger. Bytes that do not
//! fill a write unit travel in that frame until the unit is full, so positions
//! are contiguous on every medium and no unit is ever written twice.

mod append;
mod frontier;
mod head;
mod read;
mod set;

pub(crate) use set::LogSet;

use crate::device::Device;
use crate::error::Error;
use crate::fault::{Fault, What};
use crate::format::checkpoint::LogRow;
use crate::format::frame::{Patch, apply};
use crate::format::shape::Shape;
use crate::index::Index;
use crate::math::Saturate;
use crate::medium::Medium;
use crate::mutants::Mutant;
use crate::store::Store;

/// Bytes of a wide log frame's body before the remainder: new tail, running
/// sum of the tail's block, blank words written, bytes appended.
pub(crate) const WIDE: u32 = 20;

/// No segment.
pub(crate) const NONE: u32 = u32::MAX;

/// Head, tail and capacity of a log, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LogSpan {
    /// The first position that can be read.
    pub head: u64,
    /// The position behind the last byte.
    pub tail: u64,
    /// How many bytes fit between head and tail.
    pub capacity: u64,
}

/// What is known of the medium behind a log's tail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Frontier {
    /// It is blank.
    #[default]
    Known,
    /// It is to be looked at before anything is written there.
    Verify,
    /// It cannot be used: the tail's segment is to be copied.
    Copy,
}

/// How far a log reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct Mark {
    pub head: u64,
    pub tail: u64,
    /// The running checksum of the tail's block.
    pub sum: u32,
    /// Only 16 bits of `sum` are known.
    pub short: bool,
    /// A bit of the frame that told `sum` is flipped, outside its checksum.
    pub trailer_flipped: bool,
    /// Where the bytes stand that do not fill a unit: address plus one.
    pub remainder: u64,
    /// The healed bit of the frame that they stand in: offset and mask.
    pub flip: Option<(u32, u8)>,
}

/// What the store remembers of one log.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LogState {
    pub(crate) capacity: u64,
    pub(crate) committed: Mark,
    pub(crate) staged: Mark,
    pub(crate) ring_at: u32,
    pub(crate) ring_len: u32,
    pub(crate) frontier: Frontier,
    /// The segment that a staged copy of the tail's replaces.
    pub(crate) replaced: Option<u32>,
    /// Its last frames do not agree with its bytes.
    pub(crate) broken: bool,
}

impl LogState {
    pub(crate) const EMPTY: LogState = LogState {
        capacity: 0,
        committed: Mark {
            head: 0,
            tail: 0,
            sum: 0,
            short: false,
            trailer_flipped: false,
            remainder: 0,
            flip: None,
        },
        staged: Mark {
            head: 0,
            tail: 0,
            sum: 0,
            short: false,
            trailer_flipped: false,
            remainder: 0,
            flip: None,
        },
        ring_at: 0,
        ring_len: 0,
        frontier: Frontier::Known,
        replaced: None,
        broken: false,
    };

    pub(crate) fn row(&self) -> LogRow {
        LogRow {
            capacity: self.capacity,
            head: self.committed.head,
            tail: self.committed.tail,
            sum: self.committed.sum,
            broken: self.broken,
        }
    }

    /// Where a segment's number is looked up.
    fn slot(&self, n: u32) -> usize {
        let at = self.ring_at.plus(n.modulo(self.ring_len));
        usize::try_from(at).unwrap_or(usize::MAX)
    }
}

/// What damage of a log is.
fn corrupt_log<E>(log: usize) -> What<E> {
    What::CorruptLog(u8::try_from(log).unwrap_or(u8::MAX))
}

/// The segment number and the byte in its payload of a log position.
pub(crate) fn split(shape: &Shape, position: u64) -> (u32, u32) {
    let payload = u64::from(shape.log_payload.max(1));
    (
        u32::try_from(position.over(payload)).unwrap_or(u32::MAX),
        u32::try_from(position.modulo(payload)).unwrap_or(0),
    )
}

/// The last position of a log that an image is believed: its segments have
/// numbers of 32 bits.
pub(crate) fn position_max(shape: &Shape) -> u64 {
    u64::from(shape.log_payload).times(u64::from(u32::MAX >> 1))
}

/// Bytes before a position that do not fill a unit.
pub(crate) fn remainder_len(shape: &Shape, position: u64) -> u32 {
    let (_, within) = split(shape, position);
    shape.log_offset(within) & shape.unit.wrapping_sub(1)
}

/// The segment number and offset behind a log's whole units.
fn whole_units(shape: &Shape, position: u64) -> (u32, u32) {
    let (n, within) = split(shape, position);
    (n, shape.log_offset(within).round_down(shape.unit))
}

/// Where the checksum of a log block starts.
pub(crate) fn block_salt(shape: &Shape, log: u32, n: u32, within: u32) -> u32 {
    let place = log.wrapping_shl(24) ^ within;
    crate::checksum::salt(!shape.nonce, n, place)
}

impl<M: Medium, I: Index> Store<'_, M, I> {
    pub(crate) fn log(&self, log: usize) -> Result<&LogState, Fault<M::Error>> {
        match self.logs.get(log) {
            Some(state) => Ok(state),
            None => Err(Fault::of(What::InvalidLog, log)),
        }
    }

    pub(crate) fn log_segment(&self, log: &LogState, n: u32) -> u32 {
        self.ring.get(log.slot(n)).copied().unwrap_or(NONE)
    }

    pub(crate) fn map_log(&mut self, log: usize, n: u32, segment: u32) {
        let Some(state) = self.logs.get(log) else {
            return;
        };
        if let Some(slot) = self.ring.get_mut(state.slot(n)) {
            *slot = segment;
        }
    }

    /// Head, tail and capacity of a log, as the open transaction sees them.
    ///
    /// # Errors
    /// [`Error::InvalidLog`].
    pub fn get_head_tail_and_capacity(&self, log: usize) -> Result<LogSpan, Error<M::Error>> {
        let state = self.told(self.log(log))?;
        Ok(LogSpan {
            head: state.staged.head,
            tail: state.staged.tail,
            capacity: state.capacity,
        })
    }

    /// How many logs there are.
    #[must_use]
    pub fn log_count(&self) -> usize {
        self.logs.len()
    }

    pub(crate) fn touch(&mut self, log: usize) {
        self.group.logs.insert(log);
    }

    /// What logs did in the group is durable.
    pub(crate) fn logs_committed(&mut self, touched: &LogSet) {
        for log in 0..self.logs.len() {
            let Some(state) = self.logs.get_mut(log).filter(|_| touched.has(log)) else {
                continue;
            };
            let before = state.committed.head;
            state.committed = state.staged;
            if let Some(replaced) = state.replaced.take() {
                self.table.release(replaced);
            }
            self.release_log(log, before);
        }
    }

    /// Frees the segments wholly before a log's head.
    pub(crate) fn release_log(&mut self, log: usize, before: u64) {
        let shape = self.device.shape;
        let Some(state) = self.logs.get(log).copied() else {
            return;
        };
        if state.committed.head == before {
            return;
        }
        let (n, _) = split(&shape, before);
        let (end, _) = split(&shape, state.committed.head);
        // The ring knows no more of them, whatever an image says.
        for n in n.max(end.minus(state.ring_len))..end {
            let segment = self.log_segment(&state, n);
            if segment != NONE {
                self.table.release(segment);
                self.map_log(log, n, NONE);
            }
        }
    }

    /// What logs did in the group is taken back.
    pub(crate) fn logs_rolled_back(&mut self, touched: &LogSet) {
        for log in 0..self.logs.len() {
            if touched.has(log) {
                self.log_rolled_back(log);
            }
        }
    }

    fn log_rolled_back(&mut self, log: usize) {
        let shape = self.device.shape;
        let Some(state) = self.logs.get_mut(log) else {
            return;
        };
        let staged = core::mem::replace(&mut state.staged, state.committed);
        let replaced = state.replaced.take();
        let written = replaced.is_some()
            || whole_units(&shape, staged.tail) != whole_units(&shape, state.committed.tail);
        if written && !Mutant::ResumeTornLog.on() {
            state.frontier = Frontier::Copy;
        }
        let state = *state;
        let (tail_n, within) = split(&shape, state.committed.tail);
        if let Some(replaced) = replaced {
            let copy = self.log_segment(&state, tail_n);
            self.table.release(copy);
            self.map_log(log, tail_n, replaced);
        }
        let n = if within == 0 { tail_n } else { tail_n.plus(1) };
        let (end, _) = split(&shape, staged.tail.plus(1));
        for n in n..=end.min(n.plus(state.ring_len)) {
            let segment = self.log_segment(&state, n);
            let row = self.table.get(segment);
            if segment != NONE && row.owner == crate::segments::Owner::Log && row.n == n {
                self.table.release(segment);
                self.map_log(log, n, NONE);
            }
        }
    }
}

impl<M: Medium> Device<M> {
    /// Reads the bytes of a log that do not fill a unit, healed.
    pub(crate) fn read_remainder(
        &self,
        mark: &Mark,
        buf: &mut [u8],
    ) -> Result<(), Fault<M::Error>> {
        let (segment, at) = self.shape.place(mark.remainder.minus(1));
        self.read(segment, at, buf)?;
        let patch = mark.flip.map(|(at, mask)| Patch { at, mask });
        apply(patch, at, buf);
        Ok(())
    }

    /// The checksum at the end of a full log block.
    pub(crate) fn block_sum_at(
        &self,
        segment: u32,
        first: u32,
        len: u32,
    ) -> Result<u32, Fault<M::Error>> {
        let at = self.shape.log_offset(first).plus(len);
        let mut bytes = [0u8; 4];
        self.read(segment, at, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }
}
