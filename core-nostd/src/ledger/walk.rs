//! Recovery, first part: the ledger from its newest root to its end.
//!
//! Takes in what each frame says: groups, appends, changes of segments.

use crate::fault::Fault;
use crate::format::frame::{Control, Frame, Kind, Meta, Seen};
use crate::index::Index;
use crate::kv::saved::{SAVED, Saved};
use crate::math::{Saturate, u16_at, u32_at, u64_at};
use crate::medium::Medium;
use crate::multilog::{Frontier, LogSet, LogState, Mark, NONE, WIDE, position_max};
use crate::report::{Hit, Report, Torn};
use crate::segments::Owner;
use crate::store::{Place, Store};

use super::group::KNOWN;

/// The groups of a root on ordered media: its own and the confirming one.
const ROOT_GROUPS: u32 = 2;

/// What the walk found out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Walk {
    /// The group being read.
    pub open: bool,
    pub start: Place,
    pub damaged: bool,
    pub freeing: Option<u32>,
    pub logs: LogSet,
    /// The last committed group.
    pub newest: Option<(Place, Place)>,
    pub newest_logs: LogSet,
    /// Its last frame.
    pub newest_last: Place,
    /// Its bytes were durable before its mark.
    pub flushed: bool,
    /// It was a close, and nothing follows.
    pub closed: bool,
    /// Of a close: the logs that can be written on behind their tails.
    pub known: LogSet,
    /// Of a close: the index that it saved.
    pub saved: Option<Saved>,
    /// The saved index that the root names.
    #[cfg(feature = "resume")]
    pub base: Option<Saved>,
    /// How many groups have ended since the root's beginning.
    pub groups: u32,
    /// On unordered media: where the root's own group ended, as long as nothing
    /// but its proofs stands behind it.
    pub root_end: Option<Place>,
    /// Where the aborted groups behind the newest one start.
    pub aborted: Option<Place>,
    /// A damaged record was met whose key is known.
    pub named: bool,
    /// The segment was reached by a link to a root: what is in it was durable.
    pub sealed_root: bool,
}

/// How the walk goes on after a place without a whole frame.
pub(crate) enum Next {
    At(u32),
    SegmentEnds,
    Stop,
}

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// Walks the ledger from the root at the tail; leaves the tail behind the
    /// last committed group.
    pub(crate) fn walk(&mut self, report: &mut Report) -> Result<Walk, Fault<M::Error>> {
        self.walk_until(report, None)
    }

    /// Walks the ledger as far as a place where a group starts.
    pub(crate) fn walk_until(
        &mut self,
        report: &mut Report,
        until: Option<Place>,
    ) -> Result<Walk, Fault<M::Error>> {
        let mut walk = Walk::default();
        // On ordered media the unit that was being programmed when power failed
        // may read otherwise the next time. What only the newest group freed,
        // or a root with nothing behind its confirming frame, is free in one
        // reading and not in the other.
        self.table.withholding = self.device.shape.ordered();
        let link_at = self.device.shape.link_at;
        let mut steps = u64::from(self.device.shape.segments).times(u64::from(link_at));
        let mut committed = self.tail;
        while steps > 0 {
            steps = steps.minus(1);
            let at = self.tail;
            if until == Some(at) {
                break;
            }
            let seen = self.device.examine(at.segment, at.seq, at.at, link_at)?;
            if let Seen::Damaged(frame, true) = seen
                && matches!(frame.kind, Kind::Put | Kind::Big)
            {
                // Its key is known, so the damage is that key's alone; it is
                // reported when the index is built.
                self.tail.at = frame.end();
                walk.named = true;
                walk.root_end = None;
                self.walk_frame(&mut walk, &frame, report)?;
                if !walk.open {
                    committed = self.tail;
                }
                continue;
            }
            if let Seen::Whole(frame) = seen {
                self.note_patch(&frame, report);
                self.tail.at = frame.end();
                walk.sealed_root = false;
                self.walk_frame(&mut walk, &frame, report)?;
                if !walk.open {
                    committed = self.tail;
                }
                continue;
            }
            let saved = I::SAVED && walk.closed && walk.saved.is_some();
            let gap = if saved && !walk.open && seen == Seen::Blank {
                // Nothing is ever written behind a close but a link: noise there
                // hits nothing, and looking for it is most of a quick start.
                Next::SegmentEnds
            } else {
                self.judge_gap(&mut walk, seen, report)?
            };
            match gap {
                Next::At(at) => self.tail.at = at,
                Next::SegmentEnds => {
                    if !self.follow_link(&mut walk, report)? {
                        break;
                    }
                    if !walk.open {
                        committed = self.tail;
                    }
                }
                Next::Stop => break,
            }
        }
        if walk.open {
            self.drop_open_group(&mut walk, committed, report);
        }
        if !walk.damaged
            && let Some(start) = walk.aborted
        {
            self.leave_out(start);
        }
        if let Some(end) = walk.root_end {
            // Its proofs, which may be torn, are no part of the store.
            self.tail = end;
        }
        self.mark_used(self.tail);
        self.table.withholding = false;
        if !self.device.shape.ordered() {
            self.table.yield_withheld();
        }
        Ok(walk)
    }

    /// Groups that were aborted at the ledger's end are no part of it: their
    /// last unit may read as torn the next time, or, where a flush failed, be
    /// gone, which comes to the same.
    fn leave_out(&mut self, start: Place) {
        if start.segment == self.tail.segment {
            self.tail.at = start.at;
        } else {
            self.tail.at = self.device.shape.start;
        }
    }

    pub(crate) fn note_patch(&mut self, frame: &Frame, report: &mut Report) {
        if frame.patch.is_some() {
            report.healed_bits = report.healed_bits.plus(1);
            self.healed_bits = self.healed_bits.plus(1);
        }
    }

    /// The newest group has no end: it was cut, or its end is damaged.
    fn drop_open_group(&mut self, walk: &mut Walk, committed: Place, report: &mut Report) {
        walk.closed = false;
        self.logs_rolled_back(&walk.logs);
        if walk.damaged {
            self.break_logs(&walk.logs);
            // The damage stays inside what is used, to be met at every start.
            return;
        }
        let bytes = if self.tail.segment == committed.segment {
            self.tail.at.minus(committed.at)
        } else {
            self.tail.at
        };
        let before = report.torn.map_or(0, |torn| torn.bytes);
        report.torn = Some(Torn {
            bytes: before.plus(u64::from(bytes)),
        });
        if committed.segment != self.tail.segment {
            self.abandon_from(committed);
            if let Some(row) = self.table.row(self.tail.segment) {
                row.used = self.device.shape.start;
            }
            self.tail.at = self.device.shape.start;
        } else {
            self.tail = committed;
        }
    }

    fn break_logs(&mut self, logs: &LogSet) {
        for (number, log) in self.logs.iter_mut().enumerate() {
            if logs.has(number) {
                log.broken = true;
            }
        }
    }

    /// Takes in one whole frame.
    pub(crate) fn walk_frame(
        &mut self,
        walk: &mut Walk,
        frame: &Frame,
        report: &mut Report,
    ) -> Result<(), Fault<M::Error>> {
        let place = frame.place();
        if frame.first || !walk.open {
            if walk.open {
                // The end of the group before was lost; so its logs are unsure.
                self.logs_rolled_back(&walk.logs);
                self.break_logs(&walk.logs);
                if !walk.damaged {
                    self.damage(Hit::Ledger, place, 0, place.at, report);
                }
            }
            walk.open = true;
            walk.start = place;
            walk.damaged = !frame.first;
            walk.logs = LogSet::default();
            walk.freeing = None;
        }
        match frame.kind {
            Kind::Log | Kind::LogWide => self.walk_log(walk, frame)?,
            Kind::Meta => self.walk_meta(walk, frame)?,
            _ => {}
        }
        if frame.last {
            self.walk_last(walk, frame);
            if walk.closed {
                (walk.known, walk.saved) = self.read_close(frame)?;
            }
        }
        Ok(())
    }

    /// The logs behind whose tails nothing was begun when the store was closed,
    /// and the index that was saved then.
    fn read_close(&self, close: &Frame) -> Result<(LogSet, Option<Saved>), Fault<M::Error>> {
        let mut bytes = [0u8; KNOWN + SAVED];
        let len = usize::try_from(close.body_len).unwrap_or(0);
        let len = len.min(bytes.len());
        let part = bytes.get_mut(..len).unwrap_or_default();
        self.device.read_in(close, close.body_at(), part)?;
        let known = LogSet(crate::math::take(&bytes, 0));
        let saved = bytes.get(KNOWN..).filter(|_| len == bytes.len());
        Ok((known, saved.map(Saved::decode)))
    }

    /// The group that is read ends with this frame.
    fn walk_last(&mut self, walk: &mut Walk, frame: &Frame) {
        let control = match frame.kind {
            Kind::Control => Control::of(frame.a),
            _ => None,
        };
        walk.open = false;
        walk.groups = walk.groups.plus(1);
        if walk.groups > ROOT_GROUPS {
            self.table.yield_withheld();
        }
        if walk.root_end.is_some() && frame.is_proof() {
            return;
        }
        let at_root = walk.groups == 1 && self.tail.seq == self.root_seq;
        walk.root_end = (at_root && !self.device.shape.ordered()).then_some(self.tail);
        if control == Some(Control::Abort) {
            walk.closed = false;
            self.logs_rolled_back(&walk.logs);
            // Where damage hides a part of it, groups may have ended there: it
            // stays inside what is used.
            if walk.start.segment != self.tail.segment && !walk.damaged {
                self.abandon_from(walk.start);
            }
            walk.aborted.get_or_insert(walk.start);
            return;
        }
        walk.aborted = None;
        walk.closed = control == Some(Control::Close);
        self.logs_committed(&walk.logs);
        if let Some(segment) = walk.freeing.take() {
            self.table.release(segment);
        }
        walk.flushed = control == Some(Control::CommitFlushed);
        walk.newest = Some((walk.start, self.tail));
        walk.newest_logs = walk.logs;
        walk.newest_last = frame.place();
    }

    /// An append: moves the log's staged mark.
    fn walk_log(&mut self, walk: &mut Walk, frame: &Frame) -> Result<(), Fault<M::Error>> {
        let number = usize::from(frame.a);
        let Some(state) = self.logs.get(number) else {
            return Ok(());
        };
        let shape = self.device.shape;
        let before = state.staged;
        let mut bytes = [0u8; WIDE as usize];
        let wide = frame.kind == Kind::LogWide;
        let fixed = match (wide, shape.unit > 8) {
            (true, _) => WIDE,
            (false, true) => 6,
            (false, false) => 0,
        };
        let part = bytes
            .get_mut(..usize::try_from(fixed).unwrap_or(0))
            .unwrap_or_default();
        self.device.read_in(frame, frame.body_at(), part)?;
        let remainder = shape
            .address(frame.segment, frame.body_at().plus(fixed))
            .plus(1);
        let (tail, sum, short) = match fixed {
            WIDE => (u64_at(&bytes, 0), u32_at(&bytes, 8), false),
            6 => (
                before.tail.plus(u16_at(&bytes, 4).into()),
                u32_at(&bytes, 0),
                false,
            ),
            _ => (
                before.tail.plus(frame.appended.into()),
                self.device.log_sum(frame)?,
                true,
            ),
        };
        if tail < before.tail || tail > position_max(&shape) {
            return Ok(());
        }
        let body = frame.body_at().plus(fixed).minus(frame.at);
        let flip = frame.patch.filter(|patch| patch.at >= body);
        let flip = flip.map(|patch| (frame.at.plus(patch.at), patch.mask));
        let trailer_flipped = short && self.device.count_deficit(frame)? != 0;
        if let Some(state) = self.logs.get_mut(number) {
            state.staged = Mark {
                trailer_flipped,
                flip,
                // Where a move of the head is lost, it shows here.
                head: before.head.max(tail.minus(state.capacity)),
                tail,
                sum,
                short,
                remainder,
            };
        }
        walk.logs.insert(number);
        Ok(())
    }

    /// A change of segments or heads.
    fn walk_meta(&mut self, walk: &mut Walk, frame: &Frame) -> Result<(), Fault<M::Error>> {
        let mut bytes = [0u8; 32];
        let len = usize::try_from(frame.body_len).unwrap_or(0).min(32);
        let part = bytes.get_mut(..len).unwrap_or_default();
        self.device.read_in(frame, frame.body_at(), part)?;
        match Meta::of(frame.a) {
            Some(Meta::Open) => self.walk_open(walk, &bytes),
            Some(Meta::Free) => self.walk_free(walk, &bytes, len),
            Some(Meta::Head) => {
                let log = usize::try_from(u32_at(&bytes, 0)).unwrap_or(usize::MAX);
                walk.logs.insert(log);
                let head = u64_at(&bytes, 4);
                if let Some(state) = self.logs.get_mut(log) {
                    state.staged.head =
                        head.within(state.staged.head, state.staged.tail.max(state.staged.head));
                }
            }
            #[cfg(feature = "resume")]
            Some(Meta::Saved) => walk.base = Some(Saved::decode(&bytes)),
            None => {}
        }
        Ok(())
    }

    fn walk_open(&mut self, walk: &mut Walk, bytes: &[u8]) {
        let (log, n) = (u32_at(bytes, 0), u32_at(bytes, 4));
        let (segment, seq) = (u32_at(bytes, 8), u32_at(bytes, 12));
        let number = usize::try_from(log).unwrap_or(usize::MAX);
        let Some(state) = self.logs.get(number).copied() else {
            return;
        };
        if segment >= self.device.shape.segments {
            return;
        }
        let old = self.log_segment(&state, n);
        let row = self.table.get(old);
        let taken = old != NONE && old != segment && row.owner == Owner::Log && row.n == n;
        self.table.release(segment);
        self.table.give(segment, Owner::Log);
        if let Some(row) = self.table.row(segment) {
            row.seq = seq;
            row.n = n;
            row.log = u8::try_from(log).unwrap_or(u8::MAX);
        }
        self.map_log(number, n, segment);
        if let Some(state) = self.logs.get_mut(number)
            && taken
        {
            state.replaced = Some(old);
        }
        walk.logs.insert(number);
    }

    fn walk_free(&mut self, walk: &mut Walk, bytes: &[u8], len: usize) {
        let segment = u32_at(bytes, 0);
        let row = self.table.get(segment);
        if row.records() && row.seq == u32_at(bytes, 4) {
            walk.freeing = Some(segment);
        }
        let mut at = 8usize;
        while at.plus(12) <= len {
            let (cold, seq, used) = (
                u32_at(bytes, at),
                u32_at(bytes, at.plus(4)),
                u32_at(bytes, at.plus(8)),
            );
            at = at.plus(12);
            if cold >= self.device.shape.segments || used > self.device.shape.segment_size {
                continue;
            }
            let row = self.table.get(cold);
            if row.owner != Owner::Cold || row.seq != seq {
                self.table.release(cold);
                self.table.give(cold, Owner::Cold);
            }
            if let Some(row) = self.table.row(cold) {
                row.seq = seq;
                row.n = seq;
                row.used = used;
            }
        }
    }
}

impl LogState {
    /// After an unclean start nothing behind the tail is trusted.
    pub(crate) fn distrust(&mut self, ordered: bool) {
        self.frontier = if ordered {
            Frontier::Copy
        } else {
            Frontier::Verify
        };
    }
}
