//! Opening a store: find the newest root, walk the ledger, build the index.

use super::roots::{Root, Unreadable};
use super::walk::Walk;
use crate::device::Device;
use crate::error::Error;
use crate::fault::{Fault, What};
use crate::format::header::Stream;
use crate::index::Index;
use crate::layout::{Layout, log_segments, root_interval};
use crate::math::Saturate;
use crate::medium::{Geometry, Medium};
use crate::multilog::{Frontier, LogState, Mark, NONE, position_max, split};
use crate::mutants::Mutant;
use crate::report::{Hit, Report, Torn};
use crate::segments::{Owner, Table};
use crate::store::{Group, Memory, Mode, Place, Store};

/// How often a start looks at a medium that changes meanwhile.
const LOOKS: u32 = 4;

impl<'a, M: Medium, I: Index> Store<'a, M, I> {
    /// Opens the store on a medium. `id`, if given, must be the store's.
    ///
    /// Reads every segment's header, the ledger from its newest checkpoint and
    /// every record's frame; or, instead of the records, an index that was
    /// saved, and the records written since (see [`Saving`](crate::Saving)).
    /// After an unclean end and with [`Mode::ReadWrite`] it writes a new
    /// checkpoint and flushes before it returns, so that nothing served can
    /// vanish later.
    ///
    /// # Errors
    /// [`Error::NotAStore`], [`Error::VersionUnsupported`],
    /// [`Error::IdMismatch`], [`Error::LedgerLost`], [`Error::MemoryTooSmall`],
    /// [`Error::IndexFull`] where the lent index is too small, or the medium's.
    pub fn start(
        medium: M,
        index: I,
        memory: Memory<'a>,
        id: Option<u128>,
        mode: Mode,
    ) -> Result<(Self, Report), Error<M::Error>> {
        let mut device = Device::unknown(medium);
        let layout = Layout::find(&mut device);
        let (layout, survey) = device.told(layout)?;
        let geometry = Geometry {
            capacity: layout.geometry.capacity,
            ..device.medium.geometry()
        };
        if mode == Mode::ReadWrite && layout.geometry != geometry {
            return Err(Error::GeometryMismatch);
        }
        if mode == Mode::ReadWrite {
            let flushed = device.flush();
            device.told(flushed)?;
        }
        // A medium that is longer than the store was looked at as a whole.
        let (root, unreadable) = match survey {
            found if found.whole => (found.root, found.unreadable),
            _ => device.told(device.require_root())?,
        };
        if let Some(expected) = id
            && expected != root.fixed.id
        {
            return Err(Error::IdMismatch {
                expected,
                found: root.fixed.id,
            });
        }
        let mut store = Self::with(device, index, memory, &layout, &root, mode)?;
        let report = store.look(root, unreadable);
        let report = store.told(report)?;
        Ok((store, report))
    }

    /// Looks at the medium until it looks the same twice.
    fn look(
        &mut self,
        mut root: Root,
        mut unreadable: Unreadable,
    ) -> Result<Report, Fault<M::Error>> {
        for look in 1..=LOOKS {
            let mut report = Report::default();
            match self.recover(&root, &unreadable, look == LOOKS, &mut report) {
                Ok(true) => return Ok(report),
                Ok(false) => {}
                // The frame that confirms a root may have read as missing when
                // the root was chosen, and as there now: then it is the root.
                Err(fault)
                    if matches!(fault.what, What::LedgerLost)
                        && self.device.shape.ordered()
                        && look < LOOKS => {}
                Err(fault) => return Err(fault),
            }
            (root, unreadable) = self.device.require_root()?;
        }
        let at = self.device.shape.address(self.tail.segment, self.tail.at);
        Err(Fault::at(What::LedgerLost, at))
    }

    /// Takes the state from the medium. `false`: the unit that was being
    /// programmed when power failed has read differently meanwhile; then all is
    /// looked at again, or, the last time, taken as it is.
    fn recover(
        &mut self,
        root: &Root,
        unreadable: &Unreadable,
        last: bool,
        report: &mut Report,
    ) -> Result<bool, Fault<M::Error>> {
        self.rewind(root)?;
        let walk = self.walk(report)?;
        self.judge_unreadable(unreadable, report)?;
        self.link_begun = self.judge_unreached()?;
        self.cut_roots = unreadable.clone();
        self.settle(&walk, last, report)
    }

    /// Goes back to what a root says, whatever was found behind it.
    fn rewind(&mut self, root: &Root) -> Result<(), Fault<M::Error>> {
        self.damages.clear();
        self.device.forget_damage();
        self.healed_bits = 0;
        self.tail = Place {
            segment: root.frame.segment,
            seq: root.frame.seq,
            at: self.device.shape.start,
        };
        self.chain = root.fixed.chain;
        self.root_seq = root.frame.seq;
        self.newest_header = root.newest;
        self.since_root = 0;
        self.group = Group::default();
        self.cold = None;
        self.reclaim = crate::kv::reclaim::Reclaim::default();
        self.load(root)
    }

    /// Newer roots that cannot be read, or are not known to be durable. What is
    /// behind one tells whether it ever was one: several starts in a row may
    /// have been cut in their roots, each having read the one before as whole.
    fn judge_unreadable(
        &self,
        unreadable: &Unreadable,
        report: &mut Report,
    ) -> Result<(), Fault<M::Error>> {
        for place in unreadable {
            let Some((header, _)) = self.device.header(place.segment)? else {
                continue;
            };
            if header.n <= self.chain {
                continue;
            }
            if self.device.was_used(*place, Stream::Root)? {
                let at = self.device.shape.address(place.segment, 0);
                return Err(Fault::at(What::LedgerLost, at));
            }
            report.torn_successions = report.torn_successions.plus(1);
        }
        Ok(())
    }

    /// A ledger segment with frames in it that the walk did not come to: the
    /// one before it, whose link was durable first, is gone as a whole. Returns
    /// whether there is one without frames, to which a link may have been begun.
    fn judge_unreached(&self) -> Result<bool, Fault<M::Error>> {
        let mut begun = false;
        if self.newest_header <= self.tail.seq {
            return Ok(begun);
        }
        let at = self.device.shape.start;
        for segment in 0..self.device.shape.segments {
            let Some((header, _)) = self.device.header(segment)? else {
                continue;
            };
            let seq = header.seq;
            let beyond = header.n > self.chain && seq > self.tail.seq;
            if header.stream != Stream::Ledger || !beyond {
                continue;
            }
            begun = true;
            let place = Place { segment, seq, at };
            if self.device.was_used(place, header.stream)? {
                let at = self.device.shape.address(segment, 0);
                return Err(Fault::at(What::LedgerLost, at));
            }
        }
        Ok(begun)
    }

    fn with(
        device: Device<M>,
        index: I,
        memory: Memory<'a>,
        layout: &Layout,
        root: &Root,
        mode: Mode,
    ) -> Result<Self, Error<M::Error>> {
        let need = |what, needed: u32, found: usize| {
            let needed = usize::try_from(needed).unwrap_or(usize::MAX);
            if found < needed {
                Err(Error::MemoryTooSmall {
                    what,
                    needed,
                    found,
                })
            } else {
                Ok(needed)
            }
        };
        let segments = need("segments", layout.segments, memory.segments.len())?;
        let logs = need("logs", layout.logs, memory.logs.len())?;
        let ring = need("ring", layout.ring, memory.ring.len())?;
        let shape = device.shape;
        let place = Place {
            segment: root.frame.segment,
            seq: root.frame.seq,
            at: shape.start,
        };
        Ok(Store {
            device,
            index,
            table: Table::new(memory.segments.get_mut(..segments).unwrap_or_default()),
            logs: memory.logs.get_mut(..logs).unwrap_or_default(),
            ring: memory.ring.get_mut(..ring).unwrap_or_default(),
            undo: memory.undo,
            scratch: memory.scratch,
            id: root.fixed.id,
            mode,
            tail: place,
            chain: root.fixed.chain,
            root_seq: place.seq,
            newest_header: root.newest,
            since_root: 0,
            interval: root_interval(&shape, layout.logs, shape.segments.minus(layout.ring)),
            link_due: None,
            pressing: false,
            astray: false,
            loaded: false,
            two_flushes: false,
            cut_roots: Unreadable::new(),
            root_due: false,
            link_begun: false,
            unlinked: false,
            group: Group::default(),
            cold: None,
            reclaim: crate::kv::reclaim::Reclaim::default(),
            frame_max: root.fixed.frame_max,
            live: 0,
            tombstones: 0,
            lists: false,
            dependents: false,
            keys: 0,
            damages: heapless::Vec::new(),
            healed_bits: 0,
        })
    }

    /// Takes over the state that the root recorded.
    pub(crate) fn load(&mut self, root: &Root) -> Result<(), Fault<M::Error>> {
        let shape = self.device.shape;
        if root.fixed.segments > shape.segments {
            // The store grew, and the root that told its size cannot be found.
            let at = shape.address(root.frame.segment, 0);
            return Err(Fault::at(What::LedgerLost, at));
        }
        self.table.next_seq = root.fixed.next_seq;
        for index in 0..shape.segments {
            let mut row = self.device.segment_row(root, index)?;
            row.used = row.used.within(shape.start, shape.link_at);
            if row.records() {
                row.n = row.seq;
            }
            if let Some(slot) = self.table.row(index) {
                *slot = row;
            }
        }
        if let Some(row) = self.table.row(root.frame.segment) {
            row.owner = Owner::Ledger;
            row.seq = root.frame.seq;
            row.n = root.frame.seq;
            row.used = shape.start;
        }
        self.table.recount();
        self.ring.fill(NONE);
        let mut at = 0u32;
        for number in 0..self.logs.len() {
            let row = self
                .device
                .log_row(root, u32::try_from(number).unwrap_or(u32::MAX))?;
            // No log is larger than the medium, whatever an image says.
            let most = u64::from(shape.segments).times(u64::from(shape.log_payload));
            let capacity = row.capacity.min(most);
            let len = log_segments(&shape, capacity);
            let tail = row.tail.min(position_max(&shape));
            let mark = Mark {
                head: row.head.within(tail.minus(capacity), tail),
                tail,
                sum: row.sum,
                remainder: 0,
                ..Mark::default()
            };
            if let Some(log) = self.logs.get_mut(number) {
                *log = LogState {
                    capacity,
                    committed: mark,
                    staged: mark,
                    ring_at: at,
                    ring_len: len,
                    broken: row.broken,
                    ..LogState::EMPTY
                };
            }
            at = at.plus(len);
        }
        self.load_rings();
        Ok(())
    }

    /// Finds each log's segments by the numbers that the root gave them.
    fn load_rings(&mut self) {
        let shape = self.device.shape;
        for index in 0..shape.segments {
            let row = self.table.get(index);
            if row.owner != Owner::Log {
                continue;
            }
            let number = usize::from(row.log);
            let wanted = self.logs.get(number).is_some_and(|log| {
                let (first, _) = split(&shape, log.committed.head);
                let (last, _) = split(&shape, log.committed.tail);
                (first..=last).contains(&row.n) && self.log_segment(log, row.n) == NONE
            });
            if wanted {
                self.map_log(number, row.n, index);
            } else {
                self.table.release(index);
            }
        }
    }

    /// After the walk: judge the newest group's data, fence sequences, build
    /// the index, and, after an unclean end, start anew.
    fn settle(
        &mut self,
        walk: &Walk,
        last: bool,
        report: &mut Report,
    ) -> Result<bool, Fault<M::Error>> {
        let mut walk = *walk;
        let ordered = self.device.shape.ordered();
        if walk.closed {
            // The close says nothing more; its last unit may decay yet, or its
            // flush have failed. So a root comes before the first write.
            self.tail = walk.newest_last;
            self.mark_used(self.tail);
        }
        if !walk.closed && !self.newest_data_whole(&walk)? {
            self.undo_newest(&mut walk, report)?;
        }
        self.fence(&walk, report)?;
        self.check_tails(report)?;
        report.index_loaded = self.load_index(&walk, report)?;
        if !report.index_loaded {
            self.rebuild(walk.newest_last, report)?;
        }
        if ordered && !walk.closed && !last && self.newest_changed(&walk, report) {
            return Ok(false);
        }
        report.clean = walk.closed && report.torn.is_none();
        for (number, log) in self.logs.iter_mut().enumerate() {
            log.distrust(ordered);
            if walk.closed && walk.known.has(number) && report.damages.is_empty() {
                // As it was left; looked at all the same.
                log.frontier = Frontier::Verify;
            }
        }
        // Behind a close as behind a cut nothing is written on.
        self.root_due = true;
        if self.mode == Mode::ReadOnly || walk.closed && report.torn.is_none() {
            return Ok(true);
        }
        if Mutant::ResumeBehindTorn.on() {
            self.root_due = false;
            return Ok(true);
        }
        self.restart(&walk)
    }

    /// Whether what the newest group left was damaged a moment after it was
    /// whole.
    fn newest_changed(&self, walk: &Walk, report: &Report) -> bool {
        let last = walk.newest_last;
        let at = self.device.shape.address(last.segment, last.at);
        report.damages.iter().any(|damage| match damage.hit {
            Hit::Log(log) => walk.newest_logs.has(log),
            _ => damage.at == at,
        })
    }

    /// The newest group was whole but not the bytes that it appended: it was
    /// cut. Everything of it is taken back by walking again up to it.
    fn undo_newest(&mut self, walk: &mut Walk, report: &mut Report) -> Result<(), Fault<M::Error>> {
        let Some((start, end)) = walk.newest else {
            return Ok(());
        };
        let torn = report.torn.map_or(0, |torn| torn.bytes);
        let (root, _) = self.device.require_root()?;
        self.rewind(&root)?;
        let mut again = Report::default();
        *walk = self.walk_until(&mut again, Some(start))?;
        walk.closed = false;
        let bytes = if start.segment == end.segment {
            end.at.minus(start.at)
        } else {
            end.at
        };
        *report = again;
        report.torn = Some(Torn {
            bytes: torn.plus(bytes.into()),
        });
        Ok(())
    }

    /// No sequence that was ever seen is used again.
    fn fence(&mut self, walk: &Walk, report: &mut Report) -> Result<(), Fault<M::Error>> {
        for segment in 0..self.device.shape.segments {
            let Some((header, healed)) = self.device.header(segment)? else {
                continue;
            };
            self.table.next_seq = self.table.next_seq.max(header.seq.saturating_add(1));
            let row = self.table.get(segment);
            if healed {
                report.healed_bits = report.healed_bits.plus(1);
            }
            if row.free() && walk.holds(&self.device.shape, header.seq) {
                // Nobody's: a saved index.
                self.table.give(segment, Owner::Dirty);
                if let Some(row) = self.table.row(segment) {
                    row.seq = header.seq;
                }
            } else if row.free() && header.seq >= self.root_seq {
                report.abandoned = report.abandoned.plus(1);
                // What a group opened that was cut, unless it reads as whole
                // the next time.
                if self.device.shape.ordered() {
                    self.table.give(segment, Owner::Withheld);
                }
            }
            if let Some(row) = self.table.row(segment) {
                row.erases = row.erases.max(header.erases);
            }
        }
        let rows = self.table.rows.iter();
        let used = rows.map(|row| row.seq).max().unwrap_or(0);
        self.table.next_seq = self.table.next_seq.max(used.saturating_add(1));
        Ok(())
    }

    /// Completes running sums of which only 16 bits are recorded, and notes
    /// tails that do not agree with their bytes.
    fn check_tails(&mut self, report: &mut Report) -> Result<(), Fault<M::Error>> {
        for log in 0..self.logs.len() {
            let state = *self.log(log)?;
            if state.broken {
                let at = self.tail_address(&state);
                let (segment, offset) = self.device.shape.place(at);
                self.add_damage(Hit::Log(log), segment, offset, 0, 0, report);
                continue;
            }
            if !state.committed.short {
                continue;
            }
            let sum = self.tail_sum(log, &state)?;
            let difference = (sum ^ state.committed.sum) & 0xFFFF;
            let agrees =
                difference == 0 || difference.is_power_of_two() && state.committed.trailer_flipped;
            if let Some(state) = self.logs.get_mut(log) {
                state.committed.sum = sum;
                state.committed.short = false;
                state.staged = state.committed;
                state.broken = !agrees;
            }
            if !agrees {
                let at = self.tail_address(&state);
                let (segment, offset) = self.device.shape.place(at);
                self.add_damage(Hit::Log(log), segment, offset, 0, 0, report);
            }
        }
        Ok(())
    }
}
