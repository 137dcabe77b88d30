//! Roots: ledger segments that start with a checkpoint.

use crate::fault::Fault;
use crate::format::checkpoint::{Fixed, LOG_ROW, SEGMENT_ROW, encode_segment, second_sum};
use crate::format::frame::{Control, Kind, Part, Spec, frame_len};
use crate::format::header::Stream;
use crate::format::shape::Shape;
use crate::index::Index;
use crate::layout::{checkpoint_len, remainders_len};
use crate::math::Saturate;
use crate::medium::Medium;
use crate::multilog::LogSet;
use crate::mutants::Mutant;
use crate::store::{Group, Place, Store};

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// Starts a new root: a ledger segment with the state of the store, and
    /// the records of an unsealed newest group copied on. Durable on return.
    /// `false`: what was to be copied has changed, and there is no root.
    pub(crate) fn write_root(&mut self, newest: Option<Newest>) -> Result<bool, Fault<M::Error>> {
        if self.device.outstanding && !self.device.shape.ordered() {
            self.flush()?;
        }
        self.link_due = None;
        // An open group has no frame yet: it begins behind the root.
        let outer = self.group;
        let newest = newest.filter(|_| !Mutant::NoCopyOn.on());
        let inside = match &newest {
            Some(newest) => self.fits_in_root(newest)?,
            None => true,
        };
        if !inside && self.device.shape.ordered() {
            return Ok(false);
        }
        let newest = match newest {
            Some(newest) if !inside && !self.copy_cold(&newest)? => None,
            any => any,
        };
        let old = self.open_root()?;
        if let Some(newest) = &newest {
            self.leave_behind(newest);
        }
        self.write_checkpoint()?;
        self.write_remainders()?;
        self.name_kept()?;
        if let Some(newest) = newest
            && inside
            && !self.take_over(&newest)?
        {
            return Ok(false);
        }
        self.end_root(old, outer)?;
        Ok(true)
    }

    /// Ends the group of a root that stands at the tail, and makes it durable;
    /// `old` is the tail before it, and `outer` the open group.
    pub(crate) fn end_root(&mut self, old: Place, outer: Group) -> Result<(), Fault<M::Error>> {
        self.write_control(Control::Commit, false, &[])?;
        self.confirm()?;
        if !Mutant::NoRootFlush.on() {
            self.flush()?;
        }
        self.prove_root()?;
        self.group = Group {
            start: self.tail,
            frames: 0,
            ..outer
        };
        self.root_is_durable();
        let linked = Mutant::LinkBeforeRoot.on();
        self.unlinked = !linked && !self.may_link(old)?;
        self.link_due = (!linked && !self.unlinked).then_some(old);
        Ok(())
    }

    /// Opens a segment for a root and makes it the tail; returns the old one.
    pub(crate) fn open_root(&mut self) -> Result<Place, Fault<M::Error>> {
        self.erase_cut_roots()?;
        self.may_take(0)?;
        let chain = self.chain.plus(1);
        let segment = self.table.open(&mut self.device, Stream::Root, 0, chain)?;
        let old = self.tail;
        self.mark_used(old);
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
        Ok(old)
    }

    /// Whether the records of the newest group fit behind the checkpoint.
    fn fits_in_root(&self, newest: &Newest) -> Result<bool, Fault<M::Error>> {
        let shape = &self.device.shape;
        let logs = u32::try_from(self.logs.len()).unwrap_or(0);
        let own = checkpoint_len(shape, logs).plus(remainders_len(shape, logs));
        let own = own.plus(self.kept_len());
        let bytes = self.records_between(newest.from, newest.to)?;
        // With the frame that ends the root and the one that proves it.
        let controls = self.control_len().times(2);
        Ok(shape.start.plus(own).plus(bytes).plus(controls) <= shape.link_at)
    }

    /// All of the newest group will be in the root, so nothing of it, which may
    /// be marginal, is ever read again.
    fn leave_behind(&mut self, newest: &Newest) {
        if let Some(row) = self.table.row(newest.from.segment)
            && !row.damaged
        {
            row.used = newest.from.at;
        }
    }

    /// Copies the newest group's records into the root's group. `false`: they
    /// have changed.
    fn take_over(&mut self, newest: &Newest) -> Result<bool, Fault<M::Error>> {
        let copy = self.tail;
        self.copy_records(newest.from, newest.to)?;
        Ok(!self.device.shape.ordered() || self.copy_holds(newest, copy)?)
    }

    /// What follows from a durable root, which ends at the tail.
    fn root_is_durable(&mut self) {
        self.mark_used(self.tail);
        self.release_leaving();
        self.table.yield_withheld();
        self.root_seq = self.tail.seq;
        self.since_root = 0;
        self.root_due = false;
    }

    /// Whether what was taken over from the newest frame, whose last unit may
    /// read differently from one look to the next, is what its checksum says.
    fn copy_holds(&self, newest: &Newest, copy: Place) -> Result<bool, Fault<M::Error>> {
        let from = newest.from;
        for log in 0..self.logs.len() {
            let state = *self.log(log)?;
            if newest.logs.has(log)
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
    fn confirm(&mut self) -> Result<(), Fault<M::Error>> {
        if !self.device.shape.ordered() {
            return Ok(());
        }
        self.write_control(Control::Commit, true, &[])
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

    pub(crate) fn write_checkpoint(&mut self) -> Result<(), Fault<M::Error>> {
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

    /// Copies the newest group to the cold segments, durably: where it is too
    /// long for the root's group. `false`: it stays as it is.
    fn copy_cold(&mut self, newest: &Newest) -> Result<bool, Fault<M::Error>> {
        if !I::KEYS {
            return Ok(true);
        }
        let copied = match self.copy_all_cold(newest.from, newest.to) {
            Err(fault) if fault.is_full() => false,
            other => other?,
        };
        self.flush()?;
        Ok(copied)
    }

    /// `false`: a part of it cannot be read.
    fn copy_all_cold(&mut self, from: Place, to: Place) -> Result<bool, Fault<M::Error>> {
        let rank = Shape::rank(self.tail.seq, self.tail.at);
        let mut at = from.at;
        while at < to.at {
            let found = self.device.accepted(from.segment, from.seq, at, to.at)?;
            let Some(frame) = found else {
                return Ok(false);
            };
            at = frame.end();
            if frame.kind.keyed() {
                self.copy_if_live(&frame, rank, None)?;
            }
        }
        Ok(true)
    }

    /// Copies the records of a run of the ledger to the tail.
    fn copy_records(&mut self, from: Place, to: Place) -> Result<(), Fault<M::Error>> {
        let mut at = from.at;
        while at < to.at {
            let found = self.device.accepted(from.segment, from.seq, at, to.at)?;
            let Some(frame) = found else { break };
            at = frame.end();
            if frame.kind.keyed() {
                self.copy_record(&frame)?;
            }
        }
        Ok(())
    }

    /// Bytes of the records in a run of the ledger; everything if a part of it
    /// cannot be read.
    fn records_between(&self, from: Place, to: Place) -> Result<u32, Fault<M::Error>> {
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
    /// The logs that it touched.
    pub logs: LogSet,
}
