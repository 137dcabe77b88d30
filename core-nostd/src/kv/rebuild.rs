//! Recovery, second part: the index, from every record in the order it was
//! made.
//!
//! Ledger segments are in order by sequence, and so are cold ones, whose runs
//! say from when they are. The two streams are merged by that order; whatever
//! comes later wins, so no order has to be kept in the index.

use super::name::{Class, Name};
use crate::fault::Fault;
use crate::format::frame::{Control, Frame, Kind, Seen, frame_len};
use crate::format::shape::Shape;
use crate::index::Index;
use crate::math::{Saturate, u64_at};
use crate::medium::Medium;
use crate::mutants::Mutant;
use crate::report::{Hit, Report};
use crate::segments::{Owner, Segment};
use crate::store::{Group, Place, Store};

/// A walk through the segments of one owner, in order of sequence.
#[derive(Clone, Copy, Debug)]
struct Stream {
    owner: Owner,
    place: Place,
    /// Where the segment's committed frames end.
    end: u32,
    /// Cold: the order of the run, and its mark.
    rank: u64,
    odd: bool,
    done: bool,
    /// Ledger: frames before this offset belong to an aborted group, or to
    /// one whose fate is lost.
    skip: u32,
    /// Ledger: the newest group's last frame.
    newest: Place,
    /// Ledger: the start of the group that comes next may be damaged.
    headless: bool,
}

/// From where on records are to be taken in. The default is the beginning.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Anchor {
    /// The sequence of the root.
    pub root: u32,
    /// Cold segments: of one up to its offset `at`, and all with higher
    /// sequences.
    pub cold: u32,
    pub at: u32,
}

impl Stream {
    fn new(owner: Owner) -> Self {
        Stream {
            owner,
            place: Place::default(),
            end: 0,
            rank: 0,
            odd: false,
            done: false,
            skip: 0,
            newest: Place::default(),
            headless: false,
        }
    }

    /// The order of what comes next.
    fn order(&self) -> u64 {
        match (self.done, self.owner) {
            (true, _) => u64::MAX,
            (_, Owner::Cold) => self.rank,
            _ => Shape::rank(self.place.seq, self.place.at),
        }
    }
}

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// Fills the index from the medium. The `newest` group's last frame has
    /// been judged already, and may read differently now.
    pub(crate) fn rebuild(
        &mut self,
        newest: Place,
        report: &mut Report,
    ) -> Result<(), Fault<M::Error>> {
        self.index.clear();
        self.live = 0;
        self.tombstones = 0;
        self.keys = 0;
        self.group = Group::default();
        for row in self.table.rows.iter_mut() {
            row.live = 0;
            #[cfg(feature = "resume")]
            {
                row.tombstones = 0;
            }
        }
        if !I::KEYS {
            return Ok(());
        }
        self.take_in_all(newest, Anchor::default(), report)
    }

    /// Takes in all records from an anchor on.
    pub(crate) fn take_in_all(
        &mut self,
        newest: Place,
        from: Anchor,
        report: &mut Report,
    ) -> Result<(), Fault<M::Error>> {
        let scratch = core::mem::take(&mut self.scratch);
        let result = self.merge(newest, from, report, scratch);
        self.scratch = scratch;
        result?;
        if self.dependents || self.lists {
            self.sweep();
        }
        Ok(())
    }

    fn merge(
        &mut self,
        newest: Place,
        from: Anchor,
        report: &mut Report,
        scratch: &mut [u8],
    ) -> Result<(), Fault<M::Error>> {
        let mut ledger = Stream::new(Owner::Ledger);
        ledger.newest = newest;
        // Behind the segment before the anchor's root.
        ledger.place.seq = from.root.minus(1);
        let mut cold = Stream::new(Owner::Cold);
        cold.place.seq = from.cold;
        self.enter_segment(&mut ledger)?;
        if !self.go_on_cold(&mut cold, from) {
            self.enter_segment(&mut cold)?;
        }
        let bytes =
            u64::from(self.device.shape.segments).times(u64::from(self.device.shape.segment_size));
        let mut steps = bytes;
        while steps > 0 && !(ledger.done && cold.done) {
            steps = steps.minus(1);
            let (stream, until) = if cold.order() <= ledger.order() {
                (&mut cold, u64::MAX)
            } else {
                (&mut ledger, cold.order())
            };
            if !self.step_plain(stream, until)? {
                self.step(stream, report, scratch)?;
            }
        }
        Ok(())
    }

    /// Goes to where an anchor's open cold segment goes on; `false` where it
    /// does not, or there is none.
    fn go_on_cold(&self, cold: &mut Stream, from: Anchor) -> bool {
        if !cfg!(feature = "resume") || from.at == 0 {
            return false;
        }
        let rows = self.table.rows.iter().enumerate();
        let open = rows.filter(|(_, row)| row.owner == Owner::Cold && row.seq == from.cold);
        for (number, row) in open {
            if row.used > from.at {
                // What comes there begins with a run of its own.
                cold.place.segment = u32::try_from(number).unwrap_or(u32::MAX);
                cold.place.at = from.at;
                cold.end = row.used.min(self.device.shape.link_at);
                return true;
            }
        }
        false
    }

    /// Goes to the next segment of a stream that holds anything.
    fn enter_segment(&mut self, stream: &mut Stream) -> Result<(), Fault<M::Error>> {
        let shape = self.device.shape;
        let mut best: Option<(u32, u32, u32)> = None;
        for (number, row) in self.table.rows.iter().enumerate() {
            if row.owner != stream.owner || row.seq <= stream.place.seq || row.used <= shape.start {
                continue;
            }
            if best.is_none_or(|(seq, _, _)| row.seq < seq) {
                best = Some((row.seq, u32::try_from(number).unwrap_or(u32::MAX), row.used));
            }
        }
        let Some((seq, segment, used)) = best else {
            stream.done = true;
            return Ok(());
        };
        stream.place = Place {
            segment,
            seq,
            at: shape.start,
        };
        stream.end = used.min(shape.link_at);
        stream.skip = 0;
        if stream.owner == Owner::Cold {
            self.first_run(stream)?;
        }
        Ok(())
    }

    /// A cold segment holds records from the order of its first run on.
    fn first_run(&mut self, stream: &mut Stream) -> Result<(), Fault<M::Error>> {
        let at = stream.place;
        if let Seen::Whole(frame) = self.device.examine(at.segment, at.seq, at.at, stream.end)?
            && frame.kind == Kind::Run
        {
            stream.rank = self.run_rank(&frame)?.max(stream.rank);
            stream.odd = frame.last;
        }
        if let Some(row) = self.table.row(at.segment) {
            row.n = u32::try_from(stream.rank >> 32).unwrap_or(0);
        }
        Ok(())
    }

    pub(crate) fn run_rank(&self, frame: &Frame) -> Result<u64, Fault<M::Error>> {
        let mut bytes = [0u8; 8];
        self.device.read_in(frame, frame.body_at(), &mut bytes)?;
        Ok(u64_at(&bytes, 0))
    }

    /// Takes in what can be taken in quickly of what stands next in a stream, and
    /// comes before `until` in the ledger; whether there was any. A cold run is of
    /// one order, and its end is no record.
    #[cfg(feature = "resume")]
    fn step_plain(&mut self, stream: &mut Stream, until: u64) -> Result<bool, Fault<M::Error>> {
        let at = stream.place;
        let begins = at.at == self.device.shape.start || stream.headless;
        if begins || at.at < stream.skip || at.at >= stream.end {
            return Ok(false);
        }
        let behind = until.minus(Shape::rank(at.seq, 0));
        let until = u32::try_from(behind).unwrap_or(u32::MAX);
        stream.place.at = self.take_in_plain(at, stream.end, until)?;
        Ok(stream.place.at > at.at)
    }

    #[cfg(not(feature = "resume"))]
    #[inline(always)]
    fn step_plain(&mut self, _: &mut Stream, _: u64) -> Result<bool, Fault<M::Error>> {
        Ok(false)
    }

    /// Takes in what stands next in a stream.
    fn step(
        &mut self,
        stream: &mut Stream,
        report: &mut Report,
        scratch: &mut [u8],
    ) -> Result<(), Fault<M::Error>> {
        let at = stream.place;
        if at.at >= stream.end {
            return self.enter_segment(stream);
        }
        let seen = self.device.examine(at.segment, at.seq, at.at, stream.end)?;
        match seen {
            Seen::Whole(frame) => {
                stream.place.at = frame.end();
                if stream.owner == Owner::Cold || frame.seq < self.root_seq {
                    // The walk has noted those of the segments since the root.
                    self.note_patch(&frame, report);
                }
                if frame.kind == Kind::Run {
                    stream.rank = self.run_rank(&frame)?.max(stream.rank);
                    stream.odd = frame.last;
                    return Ok(());
                }
                // A group starts here, or goes on from the segment before.
                let starts = if frame.first {
                    !frame.last
                } else {
                    at.at == self.device.shape.start || stream.headless
                };
                stream.headless = false;
                if stream.owner == Owner::Ledger && starts {
                    stream.skip = self.skip_until(&frame, stream)?;
                }
                if frame.kind.keyed() && at.at >= stream.skip {
                    self.take_in(&frame, scratch)?;
                } else if frame.kind == Kind::Delete {
                    self.count_tombstone(&frame);
                }
            }
            Seen::Damaged(frame, true)
                if at.at >= stream.skip && matches!(frame.kind, Kind::Put | Kind::Big) =>
            {
                stream.place.at = frame.end();
                self.add_damage(Hit::Ledger, at.segment, at.at, frame.len, 0, report);
                self.take_in(&frame, scratch)?;
            }
            Seen::Torn(frame) if frame.kind == Kind::Log && self.device.sum_agrees(&frame)? => {
                stream.place.at = frame.end();
            }
            _ => self.step_over(stream, report)?,
        }
        Ok(())
    }

    /// Skips a run that holds no whole frame, and remembers the damage.
    fn step_over(
        &mut self,
        stream: &mut Stream,
        report: &mut Report,
    ) -> Result<(), Fault<M::Error>> {
        let at = stream.place;
        let behind = at.at.plus(self.device.shape.unit);
        let next = self.device.resync_in(at, behind)?;
        let mut to = next.map_or(stream.end, |(to, _)| to.min(stream.end));
        let mut until = Shape::rank(at.seq, to);
        if stream.owner == Owner::Cold {
            until = stream.rank;
            if !self.in_same_run(stream, to)? {
                (to, until) = self.next_run(stream, to)?;
            }
        }
        stream.place.at = to;
        stream.headless = true;
        let hit = if stream.owner == Owner::Cold {
            Hit::Cold
        } else {
            Hit::Ledger
        };
        let known = self.damages.iter().any(|damage| {
            damage.at == self.device.shape.address(at.segment, at.at) && damage.until == until
        });
        if !known {
            self.add_damage(
                hit,
                at.segment,
                at.at,
                to.minus(at.at),
                until.max(1),
                report,
            );
        }
        Ok(())
    }

    /// Whether the frame behind damage in a cold segment stands for the same
    /// order as those before it: no run frame can have been lost.
    fn in_same_run(&self, stream: &Stream, to: u32) -> Result<bool, Fault<M::Error>> {
        let at = stream.place;
        let find = |at| {
            self.device
                .parse(stream.place.segment, stream.place.seq, at, stream.end)
        };
        let Some(behind) = find(to)? else {
            return Ok(false);
        };
        if behind.kind == Kind::Run || behind.last != stream.odd {
            return Ok(false);
        }
        // Of one mark, two runs have to be lost; one frame is none or one.
        let run = frame_len(&self.device.shape, Kind::Run, 0, 8);
        let one = find(at.at)?.is_some_and(|frame| frame.end() == to && frame.kind != Kind::Run);
        Ok(one || to.minus(at.at) < run.times(2))
    }

    /// The next run frame at or behind an offset of a cold segment, and its
    /// order; else where the segment ends, and the order of the next one.
    fn next_run(&self, stream: &Stream, from: u32) -> Result<(u32, u64), Fault<M::Error>> {
        let place = stream.place;
        let mut at = from;
        while at < stream.end {
            match self
                .device
                .examine(place.segment, place.seq, at, stream.end)?
            {
                Seen::Whole(frame) if frame.kind == Kind::Run => {
                    return Ok((at, self.run_rank(&frame)?.max(stream.rank)));
                }
                Seen::Whole(frame) => at = frame.end(),
                _ => at = at.plus(self.device.shape.unit),
            }
        }
        let later = |row: &&Segment| row.owner == Owner::Cold && row.seq > place.seq;
        let rows = self.table.rows.iter().enumerate();
        let best = rows
            .filter(|(_, row)| later(row))
            .min_by_key(|(_, row)| row.seq);
        if let Some((number, row)) = best {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let start = self.device.shape.start;
            if let Seen::Whole(frame) = self.device.examine(number, row.seq, start, row.used)?
                && frame.kind == Kind::Run
            {
                return Ok((stream.end, self.run_rank(&frame)?.max(stream.rank)));
            }
        }
        Ok((stream.end, Shape::rank(self.tail.seq, self.tail.at)))
    }

    /// Where the frames of a group that did not commit end; zero for one that
    /// did. Looks on to the group's end in this segment, or to damage, which
    /// may hide that end; a group that goes on in the next segment is
    /// committed, or its segment's extent would be shorter.
    fn skip_until(&self, first: &Frame, stream: &Stream) -> Result<u32, Fault<M::Error>> {
        let end = stream.end;
        let newest = stream.newest;
        let mut at = first.at;
        #[cfg(feature = "resume")]
        {
            at = self.device.inside_group(first.segment, at, end);
        }
        while at < end {
            let parsed = self.device.parse(first.segment, first.seq, at, end)?;
            let frame = match parsed {
                Some(frame) => frame,
                None => match self.device.examine(first.segment, first.seq, at, end)? {
                    Seen::Whole(frame) => frame,
                    _ if first.segment == newest.segment && at == newest.at => return Ok(0),
                    _ => return Ok(at),
                },
            };
            if frame.first && frame.at != first.at {
                // The end of the group was lost.
                return Ok(at);
            }
            if frame.last {
                let control = if frame.kind == Kind::Control {
                    Control::of(frame.a)
                } else {
                    None
                };
                let aborted = control == Some(Control::Abort);
                return Ok(if aborted { frame.end() } else { 0 });
            }
            at = frame.end();
        }
        Ok(0)
    }

    /// Enters a record that is newer than everything entered before.
    fn take_in(&mut self, frame: &Frame, scratch: &mut [u8]) -> Result<(), Fault<M::Error>> {
        let key = self.read_key(frame, scratch)?;
        let place = frame.place();
        self.frame_max = self.frame_max.max(frame.len);
        let class = match frame.kind {
            Kind::Delete => return self.take_delete(frame, key),
            Kind::List => {
                self.lists = true;
                Class::List
            }
            Kind::Big | Kind::Chunk | Kind::Element => {
                self.dependents = true;
                self.device.class(frame)?
            }
            _ => Class::Item,
        };
        self.enter(&Name::new(key, class), place, frame.len, None)?;
        self.group.undo = 0;
        self.group.spoiled = false;
        Ok(())
    }

    /// A tombstone, of an aborted group too, counts until it is reclaimed.
    pub(crate) fn count_tombstone(&mut self, frame: &Frame) {
        self.add_tombstone(frame.segment, frame.len);
    }

    fn take_delete(&mut self, frame: &Frame, key: &[u8]) -> Result<(), Fault<M::Error>> {
        self.count_tombstone(frame);
        if Mutant::DropTombstones.on() && frame.body_len > 0 {
            return Ok(());
        }
        self.leave(&Name::list(key), None)?;
        self.leave(&Name::item(key), None)?;
        self.group.undo = 0;
        Ok(())
    }

    /// Removes chunks and elements that hang on nothing any more.
    fn sweep(&mut self) {
        let scratch = core::mem::take(&mut self.scratch);
        let mut cursor = self.index.first();
        let mut steps = self.index.len().times(2);
        while let Some((loc, primary, next)) = self.index.next(cursor) {
            if !primary
                && let Some(frame) = self.frame_of(loc)
                && let Ok(Class::Dependent { generation, number }) = self.device.class(&frame)
                && let Some(key) = self.key_of(&frame, scratch)
                && let Ok(false) = self.hangs(key, generation, number)
            {
                self.drop_orphan(loc, key, generation, number);
                // The entry behind moves up to this place; in an ordered index
                // others may have moved too.
                if I::ORDERED {
                    let name = Name::dependent(key, generation, number);
                    let probe = self.probe(&name);
                    let (device, table) = (&self.device, &self.table);
                    let mut compare = |loc| device.compare(table, &name, loc);
                    cursor = self.index.seek(&probe, &mut compare).unwrap_or(next);
                }
                steps = steps.minus(1);
                if steps == 0 {
                    break;
                }
                continue;
            }
            cursor = next;
        }
        self.scratch = scratch;
    }
}
