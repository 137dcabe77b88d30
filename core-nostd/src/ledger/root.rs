//! Roots: ledger segments that start with a checkpoint.

use crate::device::Device;
use crate::error::Error;
use crate::format::checkpoint::{
    FIXED, Fixed, LOG_ROW, LOGS_MAX, LogRow, SEGMENT_ROW, SUM, Second, body_len, decode_segment,
    encode_segment, second_sum,
};
use crate::format::frame::{Control, Frame, Kind, Part, Seen, Spec, frame_len};
use crate::format::header::{Parsed, Stream};
use crate::index::Index;
use crate::math::Saturate;
use crate::medium::Medium;
use crate::mutants::Mutant;
use crate::segments::Segment;
use crate::store::{Group, Place, Store};

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// Starts a new root: a ledger segment with the state of the store, and
    /// the records of an unsealed newest group copied on. Durable on return.
    /// `false`: what was to be copied has changed, and there is no root.
    pub(crate) fn write_root(&mut self, newest: Option<Newest>) -> Result<bool, Error<M::Error>> {
        if self.device.outstanding && !self.device.shape.ordered() {
            self.flush()?;
        }
        self.link_due = None;
        // The link slot of an inherited segment may have been begun.
        let inherited = self.root_due && self.device.shape.ordered();
        // An open group has no frame yet: it begins behind the root.
        let outer = self.group;
        self.erase_cut_roots()?;
        self.may_take(0)?;
        let old = self.tail;
        self.mark_used(old);
        let chain = self.chain.plus(1);
        let segment = self.table.open(&mut self.device, Stream::Root, 0, chain)?;
        let seq = self.table.get(segment).seq;
        self.leave_dead(seq);
        self.chain = chain;
        self.tail = Place {
            segment,
            seq,
            at: self.device.shape.start,
        };
        self.group = Group {
            start: self.tail,
            ..Group::default()
        };
        if Mutant::LinkBeforeRoot.on() {
            self.write_link(old, segment, seq)?;
            self.flush()?;
        }
        let newest = match newest {
            Some(newest) if !Mutant::NoCopyOn.on() => Some(newest),
            _ => None,
        };
        let bytes = match newest {
            Some(Newest { from, to, .. }) => self.records_between(from, to)?,
            None => 0,
        };
        let logs = u32::try_from(self.logs.len()).unwrap_or(0);
        let own = crate::layout::checkpoint_len(&self.device.shape, logs)
            .plus(crate::layout::remainders_len(&self.device.shape, logs));
        let inside = self.fits(own.plus(bytes));
        if newest.is_some() && !inside && self.device.shape.ordered() {
            return Ok(false);
        }
        if let Some(Newest { from, .. }) = newest
            && inside
        {
            // All of the newest group is in the root, so nothing of it, which
            // may be marginal, is ever read again.
            if let Some(row) = self.table.row(from.segment)
                && !row.damaged
            {
                row.used = from.at;
            }
        }
        self.write_checkpoint()?;
        self.write_remainders()?;
        if let Some(newest) = newest
            && inside
        {
            let copy = self.tail;
            self.copy_records(newest.from, newest.to)?;
            if self.device.shape.ordered() && !self.copy_holds(&newest, copy)? {
                return Ok(false);
            }
        }
        let spec = Spec {
            last: true,
            ..Spec::with(Kind::Control, Control::Commit.code())
        };
        self.write_at_tail(&spec, &[], &[])?;
        self.confirm()?;
        if let Some(Newest { from, to, .. }) = newest
            && !inside
        {
            self.copy_on(from, to)?;
        }
        if !Mutant::NoRootFlush.on() {
            self.flush()?;
        }
        self.group = Group {
            start: self.tail,
            frames: 0,
            ..outer
        };
        self.mark_used(self.tail);
        self.release_leaving();
        self.table.yield_withheld();
        self.root_seq = seq;
        self.since_root = 0;
        self.root_due = false;
        let due = !inherited && !Mutant::LinkBeforeRoot.on();
        self.link_due = due.then_some(old);
        Ok(true)
    }

    /// Whether what was taken over from the newest frame, whose last unit may
    /// read differently from one look to the next, is what its checksum says.
    fn copy_holds(&self, newest: &Newest, copy: Place) -> Result<bool, Error<M::Error>> {
        let from = newest.from;
        for log in 0..self.logs.len() {
            let state = *self.log(log)?;
            if super::walk::has(newest.logs, log)
                && !state.broken
                && self.tail_sum(log, &state)? != state.committed.sum
            {
                return Ok(false);
            }
        }
        let end = self.device.shape.link_at;
        let found = self.device.accepted(from.segment, from.seq, from.at, end)?;
        let Some(frame) = found else {
            return Ok(false);
        };
        if !frame.kind.keyed() {
            return Ok(copy == self.tail);
        }
        match self.frame_at(copy)? {
            Some(copy) if copy.kind == frame.kind => self.device.same_content(&frame, &copy),
            _ => Ok(false),
        }
    }

    /// On ordered media one more frame proves, for ever, that the root before
    /// it was whole: its own last unit may read as whole once and decay.
    fn confirm(&mut self) -> Result<(), Error<M::Error>> {
        if !self.device.shape.ordered() {
            return Ok(());
        }
        let control = Spec::with(Kind::Control, Control::Commit.code());
        let spec = Spec {
            first: true,
            last: true,
            ..control
        };
        self.write_at_tail(&spec, &[], &[])?;
        Ok(())
    }

    /// What holds nothing live is free in the root that is being written.
    fn leave_dead(&mut self, seq: u32) {
        let cold = self.cold.map(|cold| cold.segment);
        for (number, row) in self.table.rows.iter_mut().enumerate() {
            let open = u32::try_from(number).ok() == cold;
            row.leaving |= row.records() && row.live == 0 && !row.damaged && row.seq < seq && !open;
        }
    }

    /// The root is durable: what left with it can be erased.
    fn release_leaving(&mut self) {
        for segment in 0..self.device.shape.segments {
            if self.table.get(segment).leaving {
                self.forget_victim(segment);
                self.table.release(segment);
            }
        }
    }

    fn write_checkpoint(&mut self) -> Result<(), Error<M::Error>> {
        let segments = self.device.shape.segments;
        let logs = u32::try_from(self.logs.len()).unwrap_or(0);
        let fixed = Fixed {
            id: self.id,
            segments,
            frame_max: self.frame_max,
            next_seq: self.table.next_seq,
            chain: self.chain,
            logs,
        }
        .encode();
        let log_rows = &*self.logs;
        let log_row = |number: u32| {
            let at = usize::try_from(number).unwrap_or(usize::MAX);
            log_rows.get(at).map_or([0; 32], |log| log.row().encode())
        };
        let rows = &*self.table.rows;
        let segment_row = |number: u32| {
            let at = usize::try_from(number).unwrap_or(usize::MAX);
            rows.get(at).map_or([0; 32], encode_segment)
        };
        let sum = second_sum(&fixed, logs, &log_row, segments, &segment_row).to_le_bytes();
        let body = [
            Part::Bytes(&fixed),
            Part::Rows {
                count: logs,
                size: LOG_ROW,
                row: &log_row,
            },
            Part::Rows {
                count: segments,
                size: SEGMENT_ROW,
                row: &segment_row,
            },
            Part::Bytes(&sum),
        ];
        let at = self.tail;
        let spec = Spec {
            first: true,
            ..Spec::new(Kind::Checkpoint)
        };
        let len = self
            .device
            .write_frame(at.segment, at.seq, at.at, &spec, &[], &body)?;
        self.tail.at = at.at.plus(len);
        self.group.frames = 1;
        Ok(())
    }

    /// Copies the newest group to the tail as a group of its own: where it is
    /// too long for the root's. Its records are the newest of their keys, so
    /// nothing changes.
    fn copy_on(&mut self, from: Place, to: Place) -> Result<(), Error<M::Error>> {
        self.group = Group {
            open: true,
            start: self.tail,
            live: self.live,
            tombstones: self.tombstones,
            ..Group::default()
        };
        if self.copy_records(from, to)? {
            let spec = Spec {
                last: true,
                ..Spec::with(Kind::Control, Control::Commit.code())
            };
            self.write_at_tail(&spec, &[], &[])?;
        }
        Ok(())
    }

    /// Copies the records of a run of the ledger; whether there were any.
    fn copy_records(&mut self, from: Place, to: Place) -> Result<bool, Error<M::Error>> {
        let mut copied = false;
        let mut at = from.at;
        while at < to.at {
            let found = self.device.accepted(from.segment, from.seq, at, to.at)?;
            let Some(frame) = found else { break };
            at = frame.end();
            if frame.kind.keyed() {
                copied |= self.copy_record(&frame)?;
            }
        }
        Ok(copied)
    }

    /// Bytes of the records in a run of the ledger; everything if a part of it
    /// cannot be read.
    fn records_between(&self, from: Place, to: Place) -> Result<u32, Error<M::Error>> {
        let mut bytes = 0u32;
        let mut at = from.at;
        while at < to.at {
            let found = self.device.accepted(from.segment, from.seq, at, to.at)?;
            let Some(frame) = found else {
                return Ok(self.device.shape.segment_size);
            };
            at = frame.end();
            if frame.kind.keyed() {
                // A delete may leave an empty list behind.
                let list = frame_len(&self.device.shape, Kind::List, frame.key_len, 24);
                bytes = bytes.plus(if frame.kind == Kind::Delete {
                    frame.len.max(list)
                } else {
                    frame.len
                });
            }
        }
        Ok(bytes)
    }
}

/// The part of the newest group that may not be on the medium for good.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newest {
    pub from: Place,
    pub to: Place,
    /// One bit for each log that it touched.
    pub logs: u128,
}

/// Root segments that cannot be read, the newest first.
pub(crate) type Unreadable = heapless::Vec<Place, 4>;

/// Above every root.
pub(crate) const NEWEST: (u32, u32) = (u32::MAX, u32::MAX);

/// A root that can be read: its checkpoint frame and fixed part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Root {
    pub frame: Frame,
    pub fixed: Fixed,
}

impl<M: Medium> Device<M> {
    /// The checkpoint of a root segment, if its whole group is there.
    pub(crate) fn root_at(&self, segment: u32, seq: u32) -> Result<Option<Root>, Error<M::Error>> {
        let shape = self.shape;
        let Seen::Whole(frame) = self.examine(segment, seq, shape.start, shape.link_at)? else {
            return Ok(None);
        };
        if frame.kind != Kind::Checkpoint {
            return Ok(None);
        }
        let mut bytes = [0u8; FIXED as usize];
        self.read_in(&frame, frame.body_at(), &mut bytes)?;
        let fixed = Fixed::decode(&bytes);
        let logs = usize::try_from(fixed.logs).unwrap_or(usize::MAX);
        if logs > LOGS_MAX || frame.body_len != body_len(fixed.segments, fixed.logs) {
            return Ok(None);
        }
        if frame.patch.is_some() && !self.second_sum_holds(&frame)? {
            return Ok(None);
        }
        Ok(Some(Root { frame, fixed }))
    }

    /// Whether a healed checkpoint passes its other checksum: so long a frame
    /// could pass the first by chance.
    fn second_sum_holds(&self, frame: &Frame) -> Result<bool, Error<M::Error>> {
        let mut second = Second::new();
        let end = frame.body_at().plus(frame.body_len).minus(SUM);
        let mut at = frame.body_at();
        let mut chunk = [0u8; 64];
        while at < end {
            let count = usize::try_from(end.minus(at)).unwrap_or(0).min(chunk.len());
            let bytes = chunk.get_mut(..count).unwrap_or_default();
            self.read_in(frame, at, bytes)?;
            second.add(bytes);
            at = at.plus(u32::try_from(count).unwrap_or(1));
        }
        let mut kept = [0u8; SUM as usize];
        self.read_in(frame, end, &mut kept)?;
        Ok(second.sum() == u32::from_le_bytes(kept))
    }

    /// Where the group that a checkpoint starts ends, if it is complete.
    pub(crate) fn root_end(&self, root: &Root) -> Result<Option<u32>, Error<M::Error>> {
        let mut at = root.frame.end();
        let end = self.shape.link_at;
        while at < end {
            match self.examine(root.frame.segment, root.frame.seq, at, end)? {
                Seen::Whole(frame) if frame.last => return Ok(Some(frame.end())),
                Seen::Whole(frame) => at = frame.end(),
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Whether a root that ends at `end` is known to be whole for good: on
    /// ordered media the confirming frame behind it was begun.
    fn confirmed(&self, root: &Root, end: u32) -> Result<bool, Error<M::Error>> {
        if !self.shape.ordered() {
            return Ok(true);
        }
        let (bits, _) = self.programmed(root.frame.segment, end, self.shape.link_at)?;
        Ok(bits > 0)
    }

    pub(crate) fn log_row(&self, root: &Root, log: u32) -> Result<LogRow, Error<M::Error>> {
        let mut bytes = [0u8; LOG_ROW as usize];
        let at = root.frame.body_at().plus(FIXED).plus(LOG_ROW.times(log));
        self.read_in(&root.frame, at, &mut bytes)?;
        Ok(LogRow::decode(&bytes))
    }

    pub(crate) fn segment_row(&self, root: &Root, index: u32) -> Result<Segment, Error<M::Error>> {
        let mut bytes = [0u8; SEGMENT_ROW as usize];
        let at = root
            .frame
            .body_at()
            .plus(FIXED)
            .plus(LOG_ROW.times(root.fixed.logs))
            .plus(SEGMENT_ROW.times(index));
        self.read_in(&root.frame, at, &mut bytes)?;
        Ok(decode_segment(&bytes))
    }

    /// The newest root, and the newer ones that cannot be read.
    pub(crate) fn require_root(&self) -> Result<(Root, Unreadable), Error<M::Error>> {
        let (root, unreadable) = self.newest_root(NEWEST)?;
        let newest = unreadable.first();
        let at = newest.map_or(0, |place| self.shape.address(place.segment, 0));
        Ok((root.ok_or(Error::LedgerLost { at })?, unreadable))
    }

    /// The root of highest sequence below `below`, and how many segments of
    /// roots that cannot be read are newer.
    pub(crate) fn newest_root(
        &self,
        mut below: (u32, u32),
    ) -> Result<(Option<Root>, Unreadable), Error<M::Error>> {
        let mut unreadable = Unreadable::new();
        let mut doubtful: Option<(Root, Unreadable)> = None;
        for _ in 0..self.shape.segments {
            let Some(place) = self.root_header(below)? else {
                break;
            };
            if let Some(root) = self.root_at(place.segment, place.seq)?
                && let Some(end) = self.root_end(&root)?
            {
                if self.confirmed(&root, end)? || doubtful.is_some() {
                    return Ok((Some(root), unreadable));
                }
                // It may have been cut in its last unit: then nothing was
                // committed behind it, and the one before is as good.
                doubtful = Some((root, unreadable.clone()));
            }
            let _ = unreadable.push(place);
            below = (place.seq, place.segment);
        }
        Ok(match doubtful {
            Some((root, unreadable)) => (Some(root), unreadable),
            None => (None, unreadable),
        })
    }

    /// The root header of highest sequence and index below `below`. Two can
    /// share a sequence: a torn header may read as none once and be whole the
    /// next time.
    fn root_header(&self, below: (u32, u32)) -> Result<Option<Place>, Error<M::Error>> {
        let mut best: Option<(u32, u32)> = None;
        for segment in 0..self.shape.segments {
            let Some((header, _)) = self.header(segment)? else {
                continue;
            };
            let key = (header.seq, segment);
            let newer = best.is_none_or(|best| key > best);
            if header.stream == Stream::Root && key < below && newer {
                best = Some(key);
            }
        }
        let at = self.shape.start;
        Ok(best.map(|(seq, segment)| Place { segment, seq, at }))
    }

    /// A segment's header if it is this store's, and whether it was healed.
    pub(crate) fn header(
        &self,
        segment: u32,
    ) -> Result<Option<(crate::format::header::Header, bool)>, Error<M::Error>> {
        let at = self.shape.address(segment, 0);
        match crate::layout::peek(&self.medium, at)? {
            Parsed::Header {
                header,
                origin,
                healed,
            } if origin.nonce == self.shape.nonce
                && origin.segment_size == self.shape.segment_size
                && header.index == segment =>
            {
                Ok(Some((header, healed)))
            }
            _ => Ok(None),
        }
    }
}

/// Whether anything was ever committed in a store of which no root can be read:
/// else power failed in its setup.
pub(crate) fn ever_used<M: Medium>(device: &Device<M>) -> Result<bool, Error<M::Error>> {
    let at = device.shape.start;
    for segment in 0..device.shape.segments {
        let Some((header, _)) = device.header(segment)? else {
            continue;
        };
        let seq = header.seq;
        let used = match header.stream {
            Stream::Cold | Stream::Log => true,
            stream => device.was_used(Place { segment, seq, at }, stream)?,
        };
        if used {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What a root says of the store's size.
pub(crate) struct Survey {
    pub segments: u32,
    pub logs: u32,
    pub ring: u32,
}

/// The size of the store on a device, if a root can be read.
pub(crate) fn survey<M: Medium>(device: &Device<M>) -> Result<Option<Survey>, Error<M::Error>> {
    let (Some(root), _) = device.newest_root(NEWEST)? else {
        return Ok(None);
    };
    let mut ring = 0u32;
    for log in 0..root.fixed.logs {
        let row = device.log_row(&root, log)?;
        ring = ring.plus(crate::layout::log_segments(&device.shape, row.capacity));
    }
    let segments = root.fixed.segments;
    if ring > segments {
        return Ok(None);
    }
    Ok(Some(Survey {
        segments,
        logs: root.fixed.logs,
        ring,
    }))
}
