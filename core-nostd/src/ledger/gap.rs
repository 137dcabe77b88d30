//! Recovery: what a place of the ledger means where no whole frame stands.
//!
//! The cases and their reasons are the recovery table of ARCHITECTURE.md.

use super::walk::{Next, Walk};
use crate::device::Device;
use crate::fault::Fault;
use crate::format::frame::{Control, Frame, Kind, Seen};
use crate::format::shape::Shape;
use crate::index::Index;
use crate::math::{Saturate, u32_at, u64_at};
use crate::medium::Medium;
use crate::multilog::{LogSet, Mark, WIDE};
use crate::report::{Damage, Hidden, Hit, Report, Torn};
use crate::store::{Place, Store};

/// How many words that look like frames but are none one segment may cost
/// before the rest of it counts as damaged: bounds the work on hostile images.
const FALSE_FRAMES_MAX: u32 = 256;

/// Whether what stands before a frame was durable before it was written.
fn seals(frame: &Frame) -> bool {
    frame.kind == Kind::Control && Control::of(frame.a) == Some(Control::CommitFlushed)
}

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// Decides what a place without a whole frame means.
    pub(crate) fn judge_gap(
        &mut self,
        walk: &mut Walk,
        seen: Seen,
        report: &mut Report,
    ) -> Result<Next, Fault<M::Error>> {
        let shape = self.device.shape;
        let at = self.tail;
        let (bits, end) = self.device.programmed(at.segment, at.at, shape.link_at)?;
        if bits == 0 {
            return Ok(Next::SegmentEnds);
        }
        if let Some(proof) = self.proof_behind(walk)? {
            walk.closed = false;
            return Ok(Next::At(proof));
        }
        let later = self.device.resync_in(at, at.at.plus(shape.unit))?;
        if bits == 1 && later.is_none() {
            // One flipped bit in blank space: no frame is that close to blank.
            report.healed_bits = report.healed_bits.plus(1);
            return Ok(Next::SegmentEnds);
        }
        let next = self.successor()?;
        if next.as_ref().is_some_and(|next| next.begins_behind(at.at)) {
            // What a power cut left, which the next session left out.
            return Ok(Next::SegmentEnds);
        }
        let sealed = later.is_some_and(|(_, first)| first) || walk.sealed_root || next.is_some();
        if let Seen::Torn(frame) = seen
            && self.short_log_holds(&frame, sealed)?
        {
            report.healed_bits = report.healed_bits.plus(1);
            self.tail.at = frame.end();
            self.walk_frame(walk, &frame, report)?;
            return Ok(Next::At(frame.end()));
        }
        if !sealed && self.is_torn(seen, end)? {
            let bytes = u64::from(end.minus(at.at));
            report.torn = Some(Torn { bytes });
            walk.closed = false;
            walk.open = true;
            walk.damaged = false;
            return Ok(Next::Stop);
        }
        let to = later.map_or(end.round_up(shape.unit), |(at, _)| at);
        self.damage(Hit::Ledger, at, to.minus(at.at), to, report);
        walk.damaged = true;
        walk.root_end = None;
        walk.closed = false;
        if !walk.open {
            walk.open = later.is_none();
            walk.start = at;
            walk.logs = LogSet::default();
        }
        Ok(match later {
            Some((at, _)) => Next::At(at),
            None => {
                self.tail.at = to;
                Next::SegmentEnds
            }
        })
    }

    /// Whether a short log frame is whole but for a flipped bit of its count:
    /// its sum agrees, and the log's bytes with the sum that it keeps.
    fn short_log_holds(&self, frame: &Frame, sealed: bool) -> Result<bool, Fault<M::Error>> {
        if frame.kind != Kind::Log || !self.device.sum_agrees(frame)? {
            return Ok(false);
        }
        let log = usize::from(frame.a);
        let (false, Some(state)) = (sealed, self.logs.get(log)) else {
            return Ok(sealed);
        };
        let shape = self.device.shape;
        let remainder = shape.address(frame.segment, frame.body_at()).plus(1);
        let mut state = *state;
        state.committed = Mark {
            tail: state.staged.tail.plus(frame.appended.into()),
            remainder,
            ..state.staged
        };
        let sum = self.tail_sum(log, &state)?;
        Ok((sum ^ self.device.log_sum(frame)?) & 0xFFFF == 0)
    }

    /// Whether the unsealed bytes from the tail to `end` are what a power cut
    /// leaves.
    fn is_torn(&self, seen: Seen, end: u32) -> Result<bool, Fault<M::Error>> {
        let shape = self.device.shape;
        let at = self.tail;
        if shape.ordered() {
            return Ok(match seen {
                Seen::Torn(frame) => end <= frame.end(),
                // Of the first unit any subset may be there, its word or not;
                // a long header may end in a later one.
                Seen::Noise | Seen::Blank => {
                    let header = self.device.long_header_at(at.segment, at.at)?;
                    let header = header.map_or(at.at, |(end, _)| end.round_up(shape.unit));
                    end <= at.at.plus(shape.unit.max(4)).max(header)
                }
                Seen::Damaged(..) | Seen::Whole(_) => false,
            });
        }
        let mut pos = at.at;
        while pos < end {
            match self
                .device
                .examine(at.segment, at.seq, pos, shape.link_at)?
            {
                Seen::Torn(_) => return Ok(true),
                Seen::Whole(frame) | Seen::Damaged(frame, _) => pos = frame.end(),
                // A first word is inside one crash word: all of it is old.
                Seen::Blank => {
                    let (bits, _) = self.device.programmed(at.segment, pos, pos.plus(8))?;
                    return Ok(bits == 0);
                }
                // Or it is new, and only a long header can lack its rest.
                Seen::Noise => {
                    let header = self.device.long_header_at(at.segment, pos)?;
                    return Ok(header.is_some_and(|(_, cut)| cut));
                }
            }
        }
        Ok(false)
    }

    /// Whether the bytes of the newest group's appends are there; `false` is
    /// a torn transaction.
    pub(crate) fn newest_data_whole(&self, walk: &Walk) -> Result<bool, Fault<M::Error>> {
        if self.device.shape.ordered() || walk.flushed {
            return Ok(true);
        }
        let Some((start, end)) = walk.newest else {
            return Ok(true);
        };
        let mut at = if start.segment == end.segment {
            start.at
        } else {
            self.device.shape.start
        };
        while at < end.at {
            let seen = self.device.examine(end.segment, end.seq, at, end.at)?;
            let Seen::Whole(frame) = seen else { break };
            at = frame.end();
            if frame.kind == Kind::LogWide && !self.append_whole(&frame)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Counts the blank words of one append of the newest group.
    fn append_whole(&self, frame: &Frame) -> Result<bool, Fault<M::Error>> {
        let mut bytes = [0u8; WIDE as usize];
        self.device.read_in(frame, frame.body_at(), &mut bytes)?;
        let log = usize::from(frame.a);
        let Some(state) = self.logs.get(log).copied() else {
            return Ok(true);
        };
        let to = u64_at(&bytes, 0);
        let appended = u64::from(u32_at(&bytes, 16));
        let from = to.minus(appended.min(state.capacity));
        let missing = self
            .log_blank_words(&state, from, to)?
            .minus(u32_at(&bytes, 12));
        Ok(missing == 0 || (missing == 1 && self.log_run_sound(log, &state, from, to)?))
    }

    pub(crate) fn damage(&mut self, hit: Hit, at: Place, len: u32, to: u32, report: &mut Report) {
        let until = Shape::rank(at.seq, to);
        self.add_damage(hit, at.segment, at.at, len, until, report);
    }

    /// Remembers damage; past eight runs they are joined.
    pub(crate) fn add_damage(
        &mut self,
        hit: Hit,
        segment: u32,
        offset: u32,
        len: u32,
        until: u64,
        report: &mut Report,
    ) {
        let at = self.device.shape.address(segment, offset);
        let damage = Damage {
            hit,
            at,
            len: len.into(),
            until,
        };
        self.device.meet_damage();
        report.damaged = report.damaged.plus(1);
        let _ = report.damages.push(damage);
        if until == 0 {
            return;
        }
        if let Some(row) = self.table.row(segment) {
            row.damaged = true;
        }
        if self.damages.push(Hidden { at, until }).is_err()
            && let Some(last) = self.damages.last_mut()
        {
            last.until = last.until.max(until);
        }
    }
}

impl<M: Medium> Device<M> {
    /// The first whole frame at or after an offset of a segment, and whether a
    /// group starts there or behind it.
    pub(crate) fn resync_in(
        &self,
        at: Place,
        from: u32,
    ) -> Result<Option<(u32, bool)>, Fault<M::Error>> {
        let shape = self.shape;
        let mut pos = from.round_up(shape.unit);
        let mut found = None;
        let mut budget = FALSE_FRAMES_MAX;
        while pos < shape.link_at && budget > 0 {
            let parsed = self.parse(at.segment, at.seq, pos, shape.link_at)?;
            let Some(frame) = parsed else {
                pos = pos.plus(shape.unit);
                continue;
            };
            budget = budget.minus(1);
            if let Seen::Whole(frame) = self.judge(frame)? {
                if found.is_none() {
                    found = Some(pos);
                }
                if frame.first || seals(&frame) {
                    return Ok(found.map(|at| (at, true)));
                }
                pos = frame.end();
                budget = budget.plus(1);
            } else {
                pos = pos.plus(shape.unit);
            }
        }
        Ok(found.map(|at| (at, false)))
    }
}
