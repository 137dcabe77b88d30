//! The pool of segments: who owns which, wear, and what is free.

use crate::device::Device;
use crate::fault::{Fault, What};
use crate::format::header::{Header, Stream, encode};
use crate::math::Saturate;
use crate::medium::Medium;

/// Who owns a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Owner {
    /// Nobody; was blank when the store was last open, so it is looked at (or,
    /// on flash, erased anew) before it is used.
    #[default]
    Unverified,
    /// Nobody; known to be blank.
    Blank,
    /// Nobody, durably; to be erased before it is used.
    Dirty,
    /// Nobody; an erase is outstanding.
    Erasing,
    /// Nobody; but a later start may read the medium's last unit otherwise and
    /// see an owner. Taken last until the next root is durable.
    Withheld,
    /// The ledger: commits and records in the order they were made.
    Ledger,
    /// Records that survived a reclaimed segment.
    Cold,
    /// A log.
    Log,
    /// Nobody, but a saved index stands in it that a start may build on. Free
    /// once nothing else is.
    #[cfg(feature = "resume")]
    Saved,
}

/// How many owners there are.
const OWNERS: usize = if cfg!(feature = "resume") { 9 } else { 8 };

/// What the store remembers of one segment; 24 bytes, and 4 more with the
/// feature `resume`.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Segment {
    pub(crate) owner: Owner,
    pub(crate) log: u8,
    /// Damage was met here: not reclaimed until it is accepted.
    pub(crate) damaged: bool,
    /// Free once the root that is being written is durable.
    pub(crate) leaving: bool,
    pub(crate) seq: u32,
    /// A log segment's number in its log; the sequence from which a record
    /// segment holds records.
    pub(crate) n: u32,
    /// Bytes of committed frames, header included.
    pub(crate) used: u32,
    /// Bytes of frames that are still needed.
    pub(crate) live: u32,
    pub(crate) erases: u32,
    /// Tombstones among what is needed.
    #[cfg(feature = "resume")]
    pub(crate) tombstones: u32,
}

impl Segment {
    /// Whether this build's rows are longer than firmware's: with the feature
    /// `resume`.
    pub const LONG: bool = cfg!(feature = "resume");

    pub(crate) const EMPTY: Segment = Segment {
        owner: Owner::Unverified,
        log: 0,
        damaged: false,
        leaving: false,
        seq: 0,
        n: 0,
        used: 0,
        live: 0,
        erases: 0,
        #[cfg(feature = "resume")]
        tombstones: 0,
    };

    pub(crate) fn free(&self) -> bool {
        matches!(
            self.owner,
            Owner::Blank | Owner::Unverified | Owner::Dirty | Owner::Erasing | Owner::Withheld
        )
    }

    pub(crate) fn records(&self) -> bool {
        matches!(self.owner, Owner::Ledger | Owner::Cold)
    }
}

/// The table of all segments, in lent memory.
pub(crate) struct Table<'a> {
    pub rows: &'a mut [Segment],
    pub next_seq: u32,
    /// How many segments each owner has.
    counts: [u32; OWNERS],
    /// The segment whose erase is outstanding.
    erasing: Option<u32>,
    /// Segments that are given up become withheld, not dirty.
    pub withholding: bool,
    /// The saved index that roots name.
    #[cfg(feature = "resume")]
    pub kept: Option<crate::kv::saved::Saved>,
}

impl<'a> Table<'a> {
    pub(crate) fn get(&self, index: u32) -> Segment {
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        self.rows.get(at).copied().unwrap_or_default()
    }

    /// The sequence of a segment.
    #[inline]
    pub(crate) fn seq(&self, index: u32) -> u32 {
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        self.rows.get(at).map_or(0, |row| row.seq)
    }

    pub(crate) fn row(&mut self, index: u32) -> Option<&mut Segment> {
        self.rows
            .get_mut(usize::try_from(index).unwrap_or(usize::MAX))
    }

    /// Takes over rows, as they are.
    pub(crate) fn new(rows: &'a mut [Segment]) -> Self {
        let mut table = Table {
            rows,
            next_seq: 1,
            counts: [0; OWNERS],
            erasing: None,
            withholding: false,
            #[cfg(feature = "resume")]
            kept: None,
        };
        table.recount();
        table
    }

    /// Counts owners anew after rows were changed in place.
    pub(crate) fn recount(&mut self) {
        self.counts = [0; OWNERS];
        for row in self.rows.iter() {
            if let Some(count) = self.counts.get_mut(row.owner as usize) {
                *count = count.plus(1);
            }
        }
    }

    pub(crate) fn count(&self, owner: Owner) -> u32 {
        self.counts.get(owner as usize).copied().unwrap_or(0)
    }

    /// Gives a segment to another owner.
    pub(crate) fn give(&mut self, index: u32, owner: Owner) {
        let Some(row) = self
            .rows
            .get_mut(usize::try_from(index).unwrap_or(usize::MAX))
        else {
            return;
        };
        if let Some(count) = self.counts.get_mut(row.owner as usize) {
            *count = count.minus(1);
        }
        row.owner = owner;
        if let Some(count) = self.counts.get_mut(owner as usize) {
            *count = count.plus(1);
        }
    }

    /// A segment is durably nobody's.
    pub(crate) fn release(&mut self, index: u32) {
        let owner = if self.withholding {
            Owner::Withheld
        } else {
            Owner::Dirty
        };
        self.give(index, owner);
        if let Some(row) = self.row(index) {
            let erases = row.erases;
            *row = Segment {
                owner,
                erases,
                ..Segment::default()
            };
        }
    }

    /// Free segments, in whatever state.
    pub(crate) fn free(&self) -> u32 {
        self.count(Owner::Blank)
            .plus(self.count(Owner::Unverified))
            .plus(self.count(Owner::Dirty))
            .plus(self.count(Owner::Erasing))
            .plus(self.count(Owner::Withheld))
    }

    /// Whatever was withheld is free for good.
    pub(crate) fn yield_withheld(&mut self) {
        if self.count(Owner::Withheld) == 0 {
            return;
        }
        for index in 0..u32::try_from(self.rows.len()).unwrap_or(u32::MAX) {
            if self.get(index).owner == Owner::Withheld {
                self.give(index, Owner::Dirty);
            }
        }
    }

    /// Erases a free segment at once; durable on return.
    pub(crate) fn erase_now<M: Medium>(
        &mut self,
        device: &mut Device<M>,
        index: u32,
    ) -> Result<(), Fault<M::Error>> {
        device.erase(index)?;
        device.flush()?;
        self.flushed();
        self.give(index, Owner::Blank);
        if let Some(row) = self.row(index) {
            row.erases = row.erases.plus(1);
        }
        Ok(())
    }

    /// The least worn segment of an owner.
    pub(crate) fn least_worn(&self, owner: Owner) -> Option<u32> {
        if self.count(owner) == 0 {
            return None;
        }
        let mut best: Option<(u32, u32)> = None;
        for (at, row) in self.rows.iter().enumerate() {
            if row.owner == owner && best.is_none_or(|(_, erases)| row.erases < erases) {
                best = Some((u32::try_from(at).unwrap_or(u32::MAX), row.erases));
                if row.erases == 0 {
                    break;
                }
            }
        }
        best.map(|(at, _)| at)
    }

    /// Which of two owners has the least worn segment.
    fn lesser_worn(&self, one: Owner, other: Owner) -> Owner {
        if self.count(other) == 0 {
            return one;
        }
        let erases = |owner| self.least_worn(owner).map(|index| self.get(index).erases);
        match (erases(one), erases(other)) {
            (Some(a), Some(b)) if b < a => other,
            (None, Some(_)) => other,
            _ => one,
        }
    }

    /// The outstanding erase, if any, is durable.
    pub(crate) fn flushed(&mut self) {
        if let Some(index) = self.erasing.take()
            && self.get(index).owner == Owner::Erasing
        {
            self.give(index, Owner::Blank);
        }
    }

    /// Starts an erase of one dirty segment; whether there was one.
    pub(crate) fn erase_one<M: Medium>(
        &mut self,
        device: &mut Device<M>,
    ) -> Result<bool, Fault<M::Error>> {
        if self.erasing.is_some() || self.count(Owner::Dirty) == 0 {
            return Ok(false);
        }
        let mut owner = Owner::Dirty;
        if device.shape.ordered() {
            owner = self.lesser_worn(Owner::Dirty, Owner::Unverified);
        }
        let Some(index) = self.least_worn(owner) else {
            return Ok(false);
        };
        device.erase(index)?;
        self.give(index, Owner::Erasing);
        self.erasing = Some(index);
        if let Some(row) = self.row(index) {
            row.erases = row.erases.plus(1);
        }
        Ok(true)
    }

    /// Takes a blank segment for a stream and writes its header. The caller
    /// has made sure that one may be taken, and names it durably before it
    /// acknowledges anything in it.
    pub(crate) fn open<M: Medium>(
        &mut self,
        device: &mut Device<M>,
        stream: Stream,
        log: u8,
        n: u32,
    ) -> Result<u32, Fault<M::Error>> {
        if self.next_seq == u32::MAX {
            return Err(Fault::plain(What::SequenceExhausted));
        }
        let index = self.blank(device)?;
        let seq = self.next_seq;
        self.next_seq = seq.plus(1);
        let erases = self.get(index).erases;
        let header = Header {
            stream,
            log,
            seq,
            n,
            erases,
            index,
        };
        let bytes = encode(&header, &device.shape);
        let mut writer = crate::format::frame::Writer::new(index, 0);
        writer.push(device, &bytes)?;
        let blank = [device.shape.geometry.blank; 512];
        let pad = usize::try_from(device.shape.start)
            .unwrap_or(0)
            .minus(bytes.len());
        writer.push(device, blank.get(..pad).unwrap_or(&[]))?;
        writer.drain(device)?;
        let owner = match stream {
            Stream::Root | Stream::Ledger => Owner::Ledger,
            Stream::Cold => Owner::Cold,
            Stream::Log => Owner::Log,
        };
        self.give(index, owner);
        if let Some(row) = self.row(index) {
            *row = Segment {
                owner,
                log,
                seq,
                n: if stream == Stream::Log { n } else { seq },
                used: device.shape.start,
                erases,
                ..Segment::default()
            };
        }
        Ok(index)
    }

    /// A segment that is durably blank.
    fn blank<M: Medium>(&mut self, device: &mut Device<M>) -> Result<u32, Fault<M::Error>> {
        let owner = self.lesser_worn(Owner::Blank, Owner::Unverified);
        if let Some(index) = self.least_worn(Owner::Blank)
            && (owner == Owner::Blank || device.shape.ordered())
        {
            return Ok(index);
        }
        if !device.shape.ordered()
            && let Some(index) = self.verified(device)?
        {
            return Ok(index);
        }
        if let Some(index) = self.least_worn(Owner::Blank) {
            return Ok(index);
        }
        if self.erasing.is_none()
            && self.count(Owner::Dirty).plus(self.count(Owner::Unverified)) == 0
        {
            self.yield_kept();
        }
        for owner in [Owner::Unverified, Owner::Withheld] {
            let none = self.erasing.is_none() && self.count(Owner::Dirty) == 0;
            if let Some(index) = self.least_worn(owner)
                && (none || owner == Owner::Unverified)
            {
                self.give(index, Owner::Dirty);
            }
        }
        if self.erasing.is_none() && !self.erase_one(device)? {
            return Err(device.full(1, 0));
        }
        device.flush()?;
        self.flushed();
        self.least_worn(Owner::Blank)
            .ok_or_else(|| device.full(1, 0))
    }

    /// An inherited blank segment that still reads as blank; those that do
    /// not become dirty.
    fn verified<M: Medium>(
        &mut self,
        device: &mut Device<M>,
    ) -> Result<Option<u32>, Fault<M::Error>> {
        while let Some(index) = self.least_worn(Owner::Unverified) {
            let size = device.shape.segment_size;
            let (bits, _) = device.programmed(index, 0, size)?;
            if bits == 0 {
                self.give(index, Owner::Blank);
                return Ok(Some(index));
            }
            self.give(index, Owner::Dirty);
        }
        Ok(None)
    }
}
