//! From one ledger segment to the next.
//!
//! The last frame slot of a ledger segment is reserved for the link that
//! names the successor. A link, with the successor's header, is durable before
//! anything else is written to the successor.

use crate::fault::Fault;
use crate::format::frame::{Kind, LINK_BODY, Part, Spec};
use crate::format::header::Stream;
use crate::index::Index;
use crate::math::Saturate;
use crate::medium::Medium;
use crate::mutants::Mutant;
use crate::segments::Owner;
use crate::store::{Place, Store};

/// Free segments that stay for relocation and for recovery.
pub(crate) const HARD_RESERVE: u32 = 2;
/// How far roots may move apart where little is live: checkpoints are then
/// less than 1 % of what is written.
const INTERVAL_GROWTH: u32 = 4;

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// Goes on in a new ledger segment, inside a group or between groups.
    pub(crate) fn succeed(&mut self) -> Result<(), Fault<M::Error>> {
        let between = !self.group.open || self.group.frames == 0;
        self.may_take(if self.pressing { 1 } else { HARD_RESERVE })?;
        if between && self.since_root.plus(1) >= self.interval_now() {
            self.write_root(None)?;
            return Ok(());
        }
        let chain = self.chain.plus(1);
        let segment = self
            .table
            .open(&mut self.device, Stream::Ledger, 0, chain)?;
        let old = self.tail;
        let seq = self.table.get(segment).seq;
        // A link seals what is before it and vouches for the header that it
        // leads to, so both have to be durable first.
        if !self.device.shape.ordered() {
            self.flush()?;
        }
        self.write_link(old, segment, seq)?;
        if !Mutant::NoLinkFlush.on() {
            self.flush()?;
        }
        self.mark_used(old);
        self.chain = chain;
        self.since_root = self.since_root.plus(1);
        self.tail = Place {
            segment,
            seq,
            at: self.device.shape.start,
        };
        Ok(())
    }

    /// Ledger segments from one root to the next: the less is live, the more
    /// may stand behind a root, where nothing can be reclaimed.
    fn interval_now(&self) -> u32 {
        let payload = u64::from(self.device.shape.payload().max(1));
        let live = u32::try_from(self.live.over(payload)).unwrap_or(u32::MAX);
        let spare = self.record_segments().minus(live).minus(HARD_RESERVE);
        (spare >> 1).within(self.interval, self.interval.times(INTERVAL_GROWTH))
    }

    /// Whether a root should be written before the next group: few groups of
    /// many frames end where a segment does, so what little is left of this one
    /// is given up.
    pub(crate) fn root_wanted(&self) -> bool {
        if self.unlinked {
            // This one cannot be missed where it is lost; the next one is linked.
            return self.free_for_records() > HARD_RESERVE;
        }
        let behind = self.since_root.plus(1);
        if behind < self.interval {
            return false;
        }
        let left = self.device.shape.link_at.minus(self.tail.at);
        let little = left <= self.device.shape.payload() >> 3;
        if !little && behind < self.interval.times(2) {
            // Whatever the interval now is, which takes longer to say.
            return false;
        }
        let wanted = self.interval_now();
        (behind >= wanted && little || behind >= wanted.times(2))
            && self.free_for_records() > HARD_RESERVE
    }

    /// Refuses where fewer than `reserve` free segments would stay.
    pub(crate) fn may_take(&mut self, reserve: u32) -> Result<(), Fault<M::Error>> {
        let free = self.free_for_records();
        if free > reserve || self.table.yield_kept() && self.free_for_records() > reserve {
            return Ok(());
        }
        let size = u64::from(self.device.shape.payload());
        Err(self.device.full(size, 0))
    }

    /// Writes the link of an old ledger segment.
    pub(crate) fn write_link(
        &mut self,
        old: Place,
        segment: u32,
        seq: u32,
    ) -> Result<(), Fault<M::Error>> {
        let mut body = [0u8; LINK_BODY];
        crate::math::place(&mut body, 0, &segment.to_le_bytes());
        crate::math::place(&mut body, 4, &seq.to_le_bytes());
        crate::math::place(&mut body, 8, &old.at.to_le_bytes());
        let spec = Spec::new(Kind::Link);
        let at = self.device.shape.link_at;
        self.device
            .write_frame(old.segment, old.seq, at, &spec, &[], &[Part::Bytes(&body)])?;
        Ok(())
    }

    /// With the first frame behind a root: closes the ledger segment that the
    /// root superseded, durable with the first commit, so that losing the root
    /// from then on shows as corruption.
    pub(crate) fn close_predecessor(&mut self) -> Result<(), Fault<M::Error>> {
        let Some(old) = self.link_due.take() else {
            return Ok(());
        };
        let row = self.table.get(old.segment);
        let stands = match row.owner {
            Owner::Ledger => row.seq == old.seq,
            // It left with the root, but a start that cannot find that one may
            // go by what is still there.
            Owner::Dirty => {
                let header = self.device.header(old.segment)?;
                header.is_some_and(|(header, _)| header.seq == old.seq)
            }
            _ => false,
        };
        if !stands {
            return Ok(());
        }
        self.write_link(old, self.tail.segment, self.tail.seq)
    }

    /// Whether the link of an old tail's segment can be written: an earlier
    /// session may have been cut in it.
    pub(crate) fn may_link(&mut self, old: Place) -> Result<bool, Fault<M::Error>> {
        let begun = core::mem::take(&mut self.link_begun);
        let shape = self.device.shape;
        let (bits, _) = self
            .device
            .programmed(old.segment, shape.link_at, shape.segment_size)?;
        Ok(!begun && bits == 0)
    }

    /// A group that spans segments was aborted: its frames in the segments
    /// before the tail's are no part of the store.
    pub(crate) fn abandon_from(&mut self, start: Place) {
        if let Some(row) = self.table.row(start.segment) {
            row.used = start.at;
        }
        let empty = self.device.shape.start;
        let tail = self.tail;
        for row in self.table.rows.iter_mut() {
            if row.owner == Owner::Ledger && row.seq > start.seq && row.seq < tail.seq {
                row.used = empty;
            }
        }
    }
}
