//! Looking at a store: space, segments, frames, and everything checked.

use crate::error::{Error, Item};
use crate::fault::{Fault, What};
use crate::format::frame::{Control, Frame, Kind, Meta, Seen};
use crate::index::{Cursor, Index};
use crate::math::Saturate;
use crate::medium::Medium;
use crate::report::{Hit, Report, Stats};
use crate::segments::Owner;
use crate::store::{Place, Store, Undo};

/// What is known of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SegmentInfo {
    /// Whose it is.
    pub owner: Owner,
    /// Which log's, where it is a log's.
    pub log: u8,
    /// Its number in the order of openings.
    pub seq: u32,
    /// A log segment's number in its log.
    pub number: u32,
    /// Bytes of committed frames, header included; a log segment's are told by
    /// head and tail.
    pub used: u32,
    /// Bytes of records that are needed.
    pub live: u32,
    /// Times it was erased.
    pub erases: u32,
    /// Damage was met in it.
    pub damaged: bool,
}

/// One frame, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FrameInfo<'k> {
    /// Offset in the segment.
    pub at: u32,
    /// Bytes of the frame.
    pub len: u32,
    /// What it is: `put`, `delete`, `commit`, ...; `damaged` where nothing
    /// whole stands.
    pub kind: &'static str,
    /// It starts a transaction.
    pub first: bool,
    /// It ends a transaction.
    pub last: bool,
    /// The log that it speaks of.
    pub log: Option<u8>,
    /// Its key.
    pub key: Option<&'k [u8]>,
    /// Bytes of its body.
    pub body_len: u32,
    /// A flipped bit of it was healed.
    pub healed: bool,
}

/// Something that `check` met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Finding<'k> {
    /// What was hit.
    pub item: Item,
    /// The key, where it is known.
    pub key: Option<&'k [u8]>,
    /// The address in bytes.
    pub at: u64,
    /// It was healed: nothing is lost.
    pub healed: bool,
}

/// What `check` looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Checked {
    /// Frames of ledger and cold segments.
    pub frames: u64,
    /// Keys, lists, elements and chunks.
    pub entries: u64,
    /// Bytes of logs.
    pub log_bytes: u64,
    /// Flipped bits that were healed.
    pub healed: u64,
    /// Items that are damaged.
    pub damaged: u64,
}

/// How far a check in steps has come: see [`Store::check_step`].
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CheckCursor {
    stage: Stage,
    checked: Checked,
}

impl CheckCursor {
    /// What was looked at so far.
    #[must_use]
    pub fn checked(&self) -> Checked {
        self.checked
    }
}

/// What a check looks at next.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Stage {
    #[default]
    Known,
    Frames {
        segment: u32,
        /// Tells what was there when the segment was begun.
        seq: u32,
        at: u32,
    },
    Entries(Cursor),
    Log {
        log: usize,
        at: u64,
    },
    Done,
}

/// What still fits, from counters alone: see [`Store::room`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Room {
    /// Bytes of record frames; [`Layout::record_len`](crate::Layout::record_len)
    /// says what a key and value take.
    pub record_bytes: u64,
    /// Entries that the lent index takes: one a key, and one for each list,
    /// list element and chunk of a long value.
    pub entries: usize,
}

fn kind_name(frame: &Frame) -> &'static str {
    match frame.kind {
        Kind::Put => "put",
        Kind::Delete => "delete",
        Kind::Log | Kind::LogWide => "append",
        Kind::Control => match Control::of(frame.a) {
            Some(Control::Commit | Control::CommitFlushed) => "commit",
            Some(Control::Abort) => "abort",
            Some(Control::Close) => "close",
            None => "control",
        },
        Kind::Meta => match Meta::of(frame.a) {
            Some(Meta::Open) => "open",
            Some(Meta::Free) => "free",
            Some(Meta::Head) => "head",
            #[cfg(feature = "resume")]
            Some(Meta::Saved) => "saved",
            None => "meta",
        },
        Kind::Checkpoint => "checkpoint",
        Kind::Link => "link",
        Kind::Big => "big",
        Kind::Run => "run",
        Kind::Chunk => "chunk",
        Kind::List => "list",
        Kind::Element => "element",
    }
}

impl<'a, M: Medium, I: Index> Store<'a, M, I> {
    /// What still fits. Constant time, the medium is not asked; a log's room is
    /// its capacity less what lies between head and tail
    /// ([`Store::get_head_tail_and_capacity`]).
    ///
    /// A transaction needs room for what it replaces as well, until it is
    /// committed.
    #[must_use]
    pub fn room(&self) -> Room {
        Room {
            record_bytes: self.record_capacity().minus(self.live),
            entries: self.index.capacity().minus(self.index.len()),
        }
    }

    /// The state of the store's space. Goes through the segment table.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let table = &self.table;
        let mut stats = Stats {
            segments: self.device.shape.segments,
            ledger: table.count(Owner::Ledger),
            cold: table.count(Owner::Cold),
            logs: table.count(Owner::Log),
            blank: table
                .count(Owner::Blank)
                .plus(table.count(Owner::Unverified)),
            dirty: table
                .count(Owner::Dirty)
                .plus(table.count(Owner::Erasing))
                .plus(table.count(Owner::Withheld))
                .plus(table.saved()),
            live_bytes: self.live,
            tombstone_bytes: self.tombstones,
            kv_capacity: self.record_capacity(),
            keys: self.keys,
            index_len: self.index.len(),
            index_capacity: self.index.capacity(),
            erases_min: u32::MAX,
            healed_bits: self.healed_bits,
            ..Stats::default()
        };
        for row in table.rows.iter() {
            stats.erases_min = stats.erases_min.min(row.erases);
            stats.erases_max = stats.erases_max.max(row.erases);
            stats.erases_total = stats.erases_total.plus(row.erases.into());
        }
        stats
    }

    /// What is known of a segment.
    #[must_use]
    pub fn segment_info(&self, segment: u32) -> SegmentInfo {
        let row = self.table.get(segment);
        SegmentInfo {
            owner: row.owner,
            log: row.log,
            seq: row.seq,
            number: if row.owner == Owner::Log { row.n } else { 0 },
            used: row.used,
            live: row.live,
            erases: row.erases,
            damaged: row.damaged,
        }
    }

    /// Calls `visit` for each frame of a ledger or cold segment, in order, as
    /// far as it is committed. Keys longer than the lent scratch are left out.
    ///
    /// # Errors
    /// The medium's.
    pub fn inspect_segment(
        &mut self,
        segment: u32,
        visit: &mut dyn FnMut(FrameInfo<'_>),
    ) -> Result<(), Error<M::Error>> {
        let mut next = Some(self.device.shape.start);
        while let Some(at) = next {
            let looked = self.inspect_at(segment, at, visit);
            next = self.told(looked)?;
        }
        Ok(())
    }

    /// Calls `visit` with the segment and the offset of each record that is
    /// needed (keys, lists, elements and chunks), in no order. Goes through the
    /// index once; the medium is not asked.
    pub fn inspect_live(&self, visit: &mut dyn FnMut(u32, u32)) {
        let mut cursor = self.index.first();
        while let Some((loc, _, next)) = self.index.next(cursor) {
            let place = self.table.place(&self.device, loc);
            visit(place.segment, place.at);
            cursor = next;
        }
    }

    /// Looks at one frame of a segment, or at the link behind the last one;
    /// where the next one stands.
    fn inspect_at(
        &mut self,
        segment: u32,
        at: u32,
        visit: &mut dyn FnMut(FrameInfo<'_>),
    ) -> Result<Option<u32>, Fault<M::Error>> {
        let row = self.table.get(segment);
        if !row.records() {
            return Ok(None);
        }
        let seq = row.seq;
        if at < row.used {
            let scratch = core::mem::take(&mut self.scratch);
            let place = Place { segment, seq, at };
            let result = self.inspect_frame(place, row.used, scratch, visit);
            self.scratch = scratch;
            return result.map(Some);
        }
        let link_at = self.device.shape.link_at;
        let end = self.device.shape.segment_size;
        if row.owner == Owner::Ledger
            && let Seen::Whole(frame) = self.device.examine(segment, seq, link_at, end)?
        {
            visit(self.info(&frame, None));
        }
        Ok(None)
    }

    fn info<'k>(&self, frame: &Frame, key: Option<&'k [u8]>) -> FrameInfo<'k> {
        FrameInfo {
            at: frame.at,
            len: frame.len,
            kind: kind_name(frame),
            first: frame.first,
            last: frame.last,
            log: matches!(frame.kind, Kind::Log | Kind::LogWide).then_some(frame.a),
            key,
            body_len: frame.body_len,
            healed: frame.patch.is_some(),
        }
    }

    fn inspect_frame(
        &self,
        place: Place,
        end: u32,
        scratch: &mut [u8],
        visit: &mut dyn FnMut(FrameInfo<'_>),
    ) -> Result<u32, Fault<M::Error>> {
        match self
            .device
            .examine(place.segment, place.seq, place.at, end)?
        {
            Seen::Whole(frame) => {
                let key = if frame.kind.keyed() {
                    self.key_of(&frame, scratch)
                } else {
                    None
                };
                visit(self.info(&frame, key));
                Ok(frame.end())
            }
            // One bit of its count is missing, as the walk has judged.
            Seen::Torn(frame) if frame.kind == Kind::Log && self.device.sum_agrees(&frame)? => {
                visit(self.info(&frame, None));
                Ok(frame.end())
            }
            // Its key has a newer value, so nothing is lost with it.
            Seen::Damaged(frame, true)
                if matches!(frame.kind, Kind::Put | Kind::Big) && !self.is_needed(&frame)? =>
            {
                let key = self.key_of(&frame, scratch);
                let info = self.info(&frame, key);
                visit(FrameInfo {
                    kind: "superseded, damaged",
                    ..info
                });
                Ok(frame.end())
            }
            seen => {
                let (len, key) = match seen {
                    Seen::Damaged(frame, true) => (frame.len, self.key_of(&frame, scratch)),
                    Seen::Damaged(frame, false) | Seen::Torn(frame) => (frame.len, None),
                    _ => (self.device.shape.unit, None),
                };
                visit(FrameInfo {
                    at: place.at,
                    len,
                    kind: "damaged",
                    first: false,
                    last: false,
                    log: None,
                    key,
                    body_len: 0,
                    healed: false,
                });
                Ok(place.at.plus(len))
            }
        }
    }

    /// Verifies everything that is reachable: every record in the index, every
    /// log between head and tail, and, through the segments' frames, the
    /// ledger. Calls `visit` for each item that is damaged or was healed.
    ///
    /// # Errors
    /// The medium's.
    pub fn check(
        &mut self,
        visit: &mut dyn FnMut(Finding<'_>),
    ) -> Result<Checked, Error<M::Error>> {
        let mut cursor = CheckCursor::default();
        while self.check_step(&mut cursor, visit)? {}
        Ok(cursor.checked)
    }

    /// One step of [`Store::check`]: looks at one frame, one entry of the index
    /// or one block of a log, so that the time of a step is bounded by the
    /// longest frame. Returns whether there is more to look at; between steps
    /// feed a watchdog, sleep, or work with the store. What is written
    /// meanwhile may be looked at or not.
    ///
    /// ```
    /// # use indelible::{CheckCursor, Index, Medium, Store, Error};
    /// # fn feed_watchdog() {}
    /// fn verify<M: Medium, I: Index>(store: &mut Store<M, I>) -> Result<bool, Error<M::Error>> {
    ///     let mut cursor = CheckCursor::default();
    ///     while store.check_step(&mut cursor, &mut |finding| { /* log it */ })? {
    ///         feed_watchdog();
    ///     }
    ///     Ok(cursor.checked().damaged == 0)
    /// }
    /// ```
    ///
    /// # Errors
    /// The medium's; the same step can be tried again.
    pub fn check_step(
        &mut self,
        cursor: &mut CheckCursor,
        visit: &mut dyn FnMut(Finding<'_>),
    ) -> Result<bool, Error<M::Error>> {
        let next = self.check_at(cursor.stage, &mut cursor.checked, visit);
        cursor.stage = self.told(next)?;
        if cursor.checked.damaged > 0 {
            self.device.meet_damage();
        }
        Ok(!matches!(cursor.stage, Stage::Done))
    }

    fn check_at(
        &mut self,
        stage: Stage,
        checked: &mut Checked,
        visit: &mut dyn FnMut(Finding<'_>),
    ) -> Result<Stage, Fault<M::Error>> {
        match stage {
            Stage::Known => Ok(self.check_known(checked, visit)),
            Stage::Frames { segment, seq, at } => {
                self.check_frame(segment, seq, at, checked, visit)
            }
            Stage::Entries(at) => self.check_entry(at, checked, visit),
            Stage::Log { log, at } => self.check_log(log, at, checked, visit),
            Stage::Done => Ok(Stage::Done),
        }
    }

    /// The damage that start met.
    fn check_known(&self, checked: &mut Checked, visit: &mut dyn FnMut(Finding<'_>)) -> Stage {
        for damage in &self.damages {
            checked.damaged = checked.damaged.plus(1);
            visit(Finding {
                item: Item::Metadata,
                key: None,
                at: damage.at,
                healed: false,
            });
        }
        self.frames_of(0)
    }

    /// The beginning of a segment, or of the index behind the last one.
    fn frames_of(&self, segment: u32) -> Stage {
        if segment >= self.device.shape.segments {
            return Stage::Entries(self.index.first());
        }
        Stage::Frames {
            segment,
            seq: self.table.get(segment).seq,
            at: self.device.shape.start,
        }
    }

    fn check_frame(
        &mut self,
        segment: u32,
        seq: u32,
        at: u32,
        checked: &mut Checked,
        visit: &mut dyn FnMut(Finding<'_>),
    ) -> Result<Stage, Fault<M::Error>> {
        let row = self.table.get(segment);
        if row.seq != seq {
            // It was reclaimed and opened again since the last step.
            return Ok(self.frames_of(segment));
        }
        let address = self.device.shape.address(segment, 0);
        let next = self.inspect_at(segment, at, &mut |frame| {
            checked.frames = checked.frames.plus(1);
            let damaged = frame.kind == "damaged" && (!row.damaged || frame.key.is_some());
            if !frame.healed && !damaged {
                return;
            }
            let value = !frame.healed && frame.key.is_some();
            checked.healed = checked.healed.plus(frame.healed.into());
            checked.damaged = checked.damaged.plus((!frame.healed).into());
            visit(Finding {
                item: if value { Item::Value } else { Item::Metadata },
                key: frame.key,
                at: address.plus(frame.at.into()),
                healed: frame.healed,
            });
        })?;
        Ok(match next {
            Some(at) => Stage::Frames { segment, seq, at },
            None => self.frames_of(segment.plus(1)),
        })
    }

    fn check_entry(
        &mut self,
        at: Cursor,
        checked: &mut Checked,
        visit: &mut dyn FnMut(Finding<'_>),
    ) -> Result<Stage, Fault<M::Error>> {
        let Some((loc, _, next)) = self.index.next(at) else {
            return Ok(Stage::Log { log: 0, at: 0 });
        };
        let place = self.table.place(&self.device, loc);
        let end = self.device.shape.segment_size;
        let seen = self
            .device
            .examine(place.segment, place.seq, place.at, end)?;
        checked.entries = checked.entries.plus(1);
        // What is named was met among the frames.
        if !matches!(seen, Seen::Whole(_) | Seen::Damaged(_, true)) {
            checked.damaged = checked.damaged.plus(1);
            visit(Finding {
                item: Item::Value,
                key: None,
                at: self.device.shape.address(place.segment, place.at),
                healed: false,
            });
        }
        Ok(Stage::Entries(next))
    }

    fn check_log(
        &mut self,
        log: usize,
        at: u64,
        checked: &mut Checked,
        visit: &mut dyn FnMut(Finding<'_>),
    ) -> Result<Stage, Fault<M::Error>> {
        if log >= self.logs.len() {
            return Ok(Stage::Done);
        }
        let state = *self.log(log)?;
        let at = at.max(state.staged.head);
        if at >= state.staged.tail {
            let log = log.plus(1);
            return Ok(Stage::Log { log, at: 0 });
        }
        let shape = self.device.shape;
        let (_, within) = crate::multilog::split(&shape, at);
        let (first, len) = shape.log_block(within);
        let step = u64::from(first.plus(len).minus(within)).min(state.staged.tail.minus(at));
        let (item, at_fault, healed) = match self.read_block(log, &state, at, &mut [0u8; 1]) {
            Ok((_, false)) => (None, at, false),
            Ok((_, true)) => (Some(Item::Log(log)), at, true),
            Err(fault) if fault.is_corrupt() => {
                let at = u64::try_from(fault.at).unwrap_or(u64::MAX);
                (Some(Item::Log(log)), at, false)
            }
            Err(other) => return Err(other),
        };
        if let Some(item) = item {
            checked.healed = checked.healed.plus(healed.into());
            checked.damaged = checked.damaged.plus((!healed).into());
            visit(Finding {
                item,
                key: None,
                at: at_fault,
                healed,
            });
        }
        checked.log_bytes = checked.log_bytes.plus(step);
        let at = at.plus(step.max(1));
        Ok(Stage::Log { log, at })
    }

    /// Exchanges the index for another, filled from the records that the old
    /// one points at: how a host grows it. Returns the old one; on an error
    /// the new one is dropped and nothing has changed.
    ///
    /// # Errors
    /// [`Error::IndexFull`] where the new one is too small, or the medium's.
    pub fn swap_index(&mut self, mut larger: I) -> Result<I, Error<M::Error>> {
        larger.clear();
        let scratch = core::mem::take(&mut self.scratch);
        let result = self.fill_index(&mut larger, scratch);
        self.scratch = scratch;
        self.told(result)?;
        Ok(core::mem::replace(&mut self.index, larger))
    }

    /// Exchanges the undo memory for a longer one, in an open transaction too:
    /// how a host lifts the limit of [`Error::TransactionTooLarge`]. Returns the
    /// old one; one that is too short for the open transaction comes back
    /// itself.
    pub fn swap_undo(&mut self, longer: &'a mut [Undo]) -> &'a mut [Undo] {
        let kept = self.undo.get(..self.group.undo).unwrap_or_default();
        let Some(place) = longer.get_mut(..kept.len()) else {
            return longer;
        };
        place.copy_from_slice(kept);
        core::mem::replace(&mut self.undo, longer)
    }

    fn fill_index(&mut self, larger: &mut I, scratch: &mut [u8]) -> Result<(), Fault<M::Error>> {
        let mut cursor = self.index.first();
        while let Some((loc, _, next)) = self.index.next(cursor) {
            cursor = next;
            let place = self.table.place(&self.device, loc);
            let Ok(frame) = self.device.record(place) else {
                self.lose(place);
                continue;
            };
            let frame = match self.device.judge(frame)? {
                Seen::Whole(frame) | Seen::Damaged(frame, true) => frame,
                _ => {
                    self.lose(place);
                    frame
                }
            };
            let class = self.device.class(&frame)?;
            let Some(key) = self.key_of(&frame, scratch) else {
                continue;
            };
            let name = crate::kv::Name::new(key, class);
            let probe = self.probe(&name);
            let (device, table) = (&self.device, &self.table);
            let mut compare = |loc| device.compare(table, &name, loc);
            match larger.insert(&probe, loc, &mut compare) {
                Ok(Ok(_)) => {}
                Ok(Err(full)) => {
                    return Err(Fault::of(What::IndexFull, full.capacity));
                }
                Err(fault) if matches!(fault.what, What::Doubtful) => self.lose(place),
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    /// A record decayed while the store was open and cannot be named any
    /// more: whatever is not newer than now may be what it was.
    fn lose(&mut self, place: Place) {
        let at = self.tail;
        let until = crate::format::shape::Shape::rank(at.seq, at.at);
        let mut report = Report::default();
        self.add_damage(Hit::Cold, place.segment, place.at, 0, until, &mut report);
    }
}
