//! Recovery, first part: the ledger from its newest root to its end.
//!
//! What is found at a place where no whole frame stands is decided here; the
//! cases and their reasons are the recovery table of ARCHITECTURE.md.

use crate::device::Device;
use crate::error::Error;
use crate::format::frame::{Control, Frame, Kind, LINK_BODY, Meta, Seen};
use crate::format::header::Stream;
use crate::format::shape::Shape;
use crate::index::Index;
use crate::math::{Saturate, u16_at, u32_at, u64_at};
use crate::medium::Medium;
use crate::multilog::{Frontier, LogState, Mark, NONE, WIDE};
use crate::report::{Damage, Hit, Report, Torn};
use crate::segments::Owner;
use crate::store::{Place, Store};

/// How many words that look like frames but are none one segment may cost
/// before the rest of it counts as damaged: bounds the work on hostile images.
const FALSE_FRAMES_MAX: u32 = 256;

/// The groups of a root on ordered media: its own and the confirming one.
const ROOT_GROUPS: u32 = 2;

/// What the walk found out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Walk {
    /// The group being read.
    open: bool,
    start: Place,
    damaged: bool,
    freeing: Option<u32>,
    logs: u128,
    /// The last committed group.
    pub newest: Option<(Place, Place)>,
    pub newest_logs: u128,
    /// Of a close: the logs that can be written on behind their tails.
    pub known: u128,
    /// Its last frame.
    pub newest_last: Place,
    /// The segment that it freed.
    newest_freed: Option<u32>,
    /// How many groups have ended since the root's beginning.
    groups: u32,
    /// Its bytes were durable before its mark.
    flushed: bool,
    /// The last committed group was a close, and nothing follows.
    pub closed: bool,
    /// The ledger cannot be continued behind its tail.
    pub spoiled: bool,
    /// The segment was reached by a link to a root: what is in it was durable.
    sealed_root: bool,
}

/// Whether a log is in a set, one bit for each.
pub(crate) fn has(logs: u128, log: usize) -> bool {
    logs.wrapping_shr(u32::try_from(log).unwrap_or(127)) & 1 == 1
}

/// Whether what stands before a frame was durable before it was written.
fn seals(frame: &Frame) -> bool {
    frame.kind == Kind::Control && Control::of(frame.a) == Some(Control::CommitFlushed)
}

/// The ledger segment that follows another.
struct Successor {
    segment: u32,
    seq: u32,
    /// The link was healed, or is known only by what stands in its target.
    healed: bool,
    /// Where the frames before the link end.
    used: u32,
}

/// How the walk goes on after a place without a whole frame.
enum Next {
    At(u32),
    SegmentEnds,
    Stop,
}

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// Walks the ledger from the root at the tail; leaves the tail behind the
    /// last committed group.
    pub(crate) fn walk(&mut self, report: &mut Report) -> Result<Walk, Error<M::Error>> {
        self.walk_until(report, None)
    }

    /// Walks the ledger as far as a place where a group starts.
    pub(crate) fn walk_until(
        &mut self,
        report: &mut Report,
        until: Option<Place>,
    ) -> Result<Walk, Error<M::Error>> {
        let mut walk = Walk::default();
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
                walk.spoiled = true;
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
            match self.judge_gap(&mut walk, seen, report)? {
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
        self.mark_used(self.tail);
        self.withhold(&walk);
        Ok(walk)
    }

    /// On ordered media the unit that was being programmed when power failed
    /// may read otherwise the next time. What only the newest group freed, or
    /// a root with nothing behind its confirming frame, is free in one reading
    /// and not in the other.
    fn withhold(&mut self, walk: &Walk) {
        if !self.device.shape.ordered() || walk.groups > ROOT_GROUPS {
            self.table.yield_withheld();
        }
        if let Some(segment) = walk.newest_freed
            && self.device.shape.ordered()
            && self.table.get(segment).owner == Owner::Dirty
        {
            self.table.give(segment, Owner::Withheld);
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
        self.logs_rolled_back(walk.logs);
        if walk.damaged {
            self.break_logs(walk.logs);
            if committed.segment != self.tail.segment {
                self.abandon_from(committed);
            }
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

    fn break_logs(&mut self, logs: u128) {
        for (number, log) in self.logs.iter_mut().enumerate() {
            if has(logs, number) {
                log.broken = true;
            }
        }
    }

    /// Takes in one whole frame.
    fn walk_frame(
        &mut self,
        walk: &mut Walk,
        frame: &Frame,
        report: &mut Report,
    ) -> Result<(), Error<M::Error>> {
        let place = Place {
            segment: frame.segment,
            seq: frame.seq,
            at: frame.at,
        };
        if frame.first || !walk.open {
            if walk.open {
                // The end of the group before was lost; so its logs are unsure.
                self.logs_rolled_back(walk.logs);
                self.break_logs(walk.logs);
                if !walk.damaged {
                    self.damage(Hit::Ledger, place, 0, place.at, report);
                }
            }
            walk.open = true;
            walk.start = place;
            walk.damaged = !frame.first;
            walk.logs = 0;
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
                walk.known = self.known_tails(frame)?;
            }
        }
        Ok(())
    }

    /// The logs behind whose tails nothing was begun when the store was closed.
    fn known_tails(&self, close: &Frame) -> Result<u128, Error<M::Error>> {
        let mut bytes = [0u8; 16];
        let len = usize::try_from(close.body_len).unwrap_or(0).min(16);
        let part = bytes.get_mut(..len).unwrap_or_default();
        self.device.read_in(close, close.body_at(), part)?;
        Ok(u128::from_le_bytes(bytes))
    }

    /// The group that is read ends with this frame.
    fn walk_last(&mut self, walk: &mut Walk, frame: &Frame) {
        let control = match frame.kind {
            Kind::Control => Control::of(frame.a),
            _ => None,
        };
        walk.open = false;
        walk.groups = walk.groups.plus(1);
        if control == Some(Control::Abort) {
            self.logs_rolled_back(walk.logs);
            if walk.start.segment != self.tail.segment {
                self.abandon_from(walk.start);
            }
            return;
        }
        walk.closed = control == Some(Control::Close);
        self.logs_committed(walk.logs);
        walk.newest_freed = walk.freeing.take();
        if let Some(segment) = walk.newest_freed {
            self.table.release(segment);
        }
        walk.flushed = control == Some(Control::CommitFlushed);
        walk.newest = Some((walk.start, self.tail));
        walk.newest_logs = walk.logs;
        walk.newest_last = Place {
            segment: frame.segment,
            seq: frame.seq,
            at: frame.at,
        };
    }

    /// An append: moves the log's staged mark.
    fn walk_log(&mut self, walk: &mut Walk, frame: &Frame) -> Result<(), Error<M::Error>> {
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
        if tail < before.tail {
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
                head: before.head,
                tail,
                sum,
                short,
                remainder,
            };
        }
        walk.logs |= 1u128.wrapping_shl(u32::from(frame.a) & 127);
        Ok(())
    }

    /// A change of segments or heads.
    fn walk_meta(&mut self, walk: &mut Walk, frame: &Frame) -> Result<(), Error<M::Error>> {
        let mut bytes = [0u8; 32];
        let len = usize::try_from(frame.body_len).unwrap_or(0).min(32);
        let part = bytes.get_mut(..len).unwrap_or_default();
        self.device.read_in(frame, frame.body_at(), part)?;
        match Meta::of(frame.a) {
            Some(Meta::Open) => self.walk_open(walk, &bytes),
            Some(Meta::Free) => self.walk_free(walk, &bytes, len),
            Some(Meta::Head) => {
                let log = u32_at(&bytes, 0);
                walk.logs |= 1u128.wrapping_shl(log & 127);
                let head = u64_at(&bytes, 4);
                if let Some(state) = self
                    .logs
                    .get_mut(usize::try_from(log).unwrap_or(NONE as usize))
                {
                    state.staged.head =
                        head.clamp(state.staged.head, state.staged.tail.max(state.staged.head));
                }
            }
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
            state.replaced = old;
        }
        walk.logs |= 1u128.wrapping_shl(log & 127);
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

    /// Decides what a place without a whole frame means.
    fn judge_gap(
        &mut self,
        walk: &mut Walk,
        seen: Seen,
        report: &mut Report,
    ) -> Result<Next, Error<M::Error>> {
        let shape = self.device.shape;
        let at = self.tail;
        let (bits, end) = self.device.programmed(at.segment, at.at, shape.link_at)?;
        if bits == 0 {
            return Ok(Next::SegmentEnds);
        }
        let later = self.resync(at.at.plus(shape.unit))?;
        if bits == 1 && later.is_none() {
            // One flipped bit in blank space: no frame is that close to blank.
            report.healed_bits = report.healed_bits.plus(1);
            walk.spoiled = true;
            return Ok(Next::SegmentEnds);
        }
        let sealed = later.is_some_and(|(_, first)| first)
            || walk.sealed_root
            || self.successor()?.is_some();
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
            walk.spoiled = true;
            return Ok(Next::Stop);
        }
        let to = later.map_or(end.round_up(shape.unit), |(at, _)| at);
        self.damage(Hit::Ledger, at, to.minus(at.at), to, report);
        walk.damaged = true;
        walk.spoiled = true;
        walk.closed = false;
        if !walk.open {
            walk.open = later.is_none();
            walk.start = at;
            walk.logs = 0;
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
    fn short_log_holds(&self, frame: &Frame, sealed: bool) -> Result<bool, Error<M::Error>> {
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
    fn is_torn(&self, seen: Seen, end: u32) -> Result<bool, Error<M::Error>> {
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

    /// The first whole frame of the segment at or after an offset, and whether
    /// a group starts there or behind it.
    pub(crate) fn resync(&self, from: u32) -> Result<Option<(u32, bool)>, Error<M::Error>> {
        self.device.resync_in(self.tail, from)
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
        report.damaged = report.damaged.plus(1);
        let _ = report.damages.push(damage);
        if until == 0 {
            return;
        }
        if let Some(row) = self.table.row(segment) {
            row.damaged = true;
        }
        if self.damages.push(damage).is_err()
            && let Some(last) = self.damages.last_mut()
        {
            last.until = last.until.max(until);
        }
    }

    /// The ledger segment behind the tail's: by its link, or, where the link
    /// is damaged, by its header if something was committed in it.
    fn successor(&self) -> Result<Option<Successor>, Error<M::Error>> {
        let shape = self.device.shape;
        let at = self.tail;
        let seen = self
            .device
            .examine(at.segment, at.seq, shape.link_at, shape.segment_size)?;
        if let Seen::Whole(frame) = seen
            && frame.kind == Kind::Link
        {
            let mut bytes = [0u8; LINK_BODY];
            self.device.read_in(&frame, frame.body_at(), &mut bytes)?;
            let (segment, seq) = (u32_at(&bytes, 0), u32_at(&bytes, 4));
            let used = u32_at(&bytes, 8);
            if segment < shape.segments && seq > at.seq {
                let healed = frame.patch.is_some();
                let used = used.min(shape.link_at);
                return Ok(Some(Successor {
                    segment,
                    seq,
                    healed,
                    used,
                }));
            }
        }
        // The link cannot be read. Where its slot is blank, what stood before
        // it may have gone with it.
        let (bits, _) = self
            .device
            .programmed(at.segment, shape.link_at, shape.segment_size)?;
        let used = if bits == 0 { shape.link_at } else { at.at };
        let chain = self.chain.plus(1);
        for segment in 0..shape.segments {
            let Some((header, _)) = self.device.header(segment)? else {
                continue;
            };
            if header.n != chain || header.seq <= at.seq {
                continue;
            }
            let place = Place {
                segment,
                seq: header.seq,
                at: shape.start,
            };
            if self.was_used(place, header.stream)? {
                return Ok(Some(Successor {
                    segment,
                    seq: header.seq,
                    healed: true,
                    used,
                }));
            }
        }
        Ok(None)
    }

    /// Whether anything was committed in a segment that no link can be read to.
    fn was_used(&self, place: Place, stream: Stream) -> Result<bool, Error<M::Error>> {
        let ordered = self.device.shape.ordered();
        if stream == Stream::Root && !ordered {
            return Ok(false);
        }
        self.device.was_used(place, stream)
    }
}

impl<M: Medium> Device<M> {
    /// Whether anything was committed in a ledger segment, as far as can be read.
    pub(crate) fn was_used(&self, place: Place, stream: Stream) -> Result<bool, Error<M::Error>> {
        let link_at = self.shape.link_at;
        match stream {
            Stream::Ledger => {
                let seen = self.examine(place.segment, place.seq, place.at, link_at)?;
                Ok(matches!(seen, Seen::Whole(_)))
            }
            // A group behind a root's checkpoint proves that it was whole.
            Stream::Root => {
                let from = place.at.plus(self.shape.unit);
                Ok(self.resync_in(place, from)?.is_some_and(|(_, first)| first))
            }
            _ => Ok(false),
        }
    }

    pub(crate) fn resync_in(
        &self,
        at: Place,
        from: u32,
    ) -> Result<Option<(u32, bool)>, Error<M::Error>> {
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

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// Whether any whole frame of a ledger segment is there.
    fn holds_frames(&self, segment: u32, seq: u32) -> Result<bool, Error<M::Error>> {
        let at = self.device.shape.start;
        let place = Place { segment, seq, at };
        Ok(self.device.resync_in(place, at)?.is_some())
    }

    /// Goes on in the next ledger segment, if there is one.
    fn follow_link(
        &mut self,
        walk: &mut Walk,
        report: &mut Report,
    ) -> Result<bool, Error<M::Error>> {
        let Some(next) = self.successor()? else {
            return Ok(false);
        };
        let Successor { segment, seq, .. } = next;
        if next.used > self.tail.at {
            let at = self.tail;
            self.damage(Hit::Ledger, at, next.used.minus(at.at), next.used, report);
            walk.damaged = true;
            self.tail.at = next.used;
        } else if next.healed {
            report.healed_bits = report.healed_bits.plus(1);
        }
        self.mark_used(self.tail);
        let header = self.device.header(segment)?.map(|(header, _)| header);
        let known = header.filter(|header| header.seq == seq);
        let root = known.is_some_and(|header| header.stream == Stream::Root);
        if known.is_none() && !self.holds_frames(segment, seq)? {
            // The header was durable before the link: the segment was erased
            // since, under a newer root that cannot be found.
            let at = self.device.shape.address(segment, 0);
            return Err(Error::LedgerLost { at });
        }
        let start = self.device.shape.start;
        if let Some(root) = self.device.root_at(segment, seq)?
            && self.device.root_end(&root)?.is_some()
        {
            // Its header was lost, so it was not found as the newest root.
            self.load(&root)?;
            self.chain = root.fixed.chain;
            self.root_seq = seq;
            self.since_root = 0;
            self.tail = Place {
                segment,
                seq,
                at: start,
            };
            report.healed_bits = report.healed_bits.plus(1);
            *walk = Walk::default();
            return Ok(true);
        }
        walk.sealed_root = root;
        self.table.release(segment);
        self.table.give(segment, Owner::Ledger);
        if let Some(row) = self.table.row(segment) {
            row.seq = seq;
            row.n = seq;
            row.used = start;
        }
        self.chain = self.chain.plus(1);
        self.since_root = self.since_root.plus(1);
        self.tail = Place {
            segment,
            seq,
            at: start,
        };
        Ok(true)
    }

    /// Whether the bytes of the newest group's appends are there; `false` is
    /// a torn transaction.
    pub(crate) fn newest_data_whole(&self, walk: &Walk) -> Result<bool, Error<M::Error>> {
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
    fn append_whole(&self, frame: &Frame) -> Result<bool, Error<M::Error>> {
        let mut bytes = [0u8; WIDE as usize];
        self.device.read_in(frame, frame.body_at(), &mut bytes)?;
        let log = usize::from(frame.a);
        let Some(state) = self.logs.get(log).copied() else {
            return Ok(true);
        };
        let to = u64_at(&bytes, 0);
        let from = to.minus(u32_at(&bytes, 16).into());
        let missing = self
            .log_blank_words(&state, from, to)?
            .minus(u32_at(&bytes, 12));
        Ok(missing == 0 || (missing == 1 && self.log_run_sound(log, &state, from, to)?))
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
