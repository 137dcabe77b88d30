//! Reclaiming: live records leave the emptiest segment, then it is freed.
//!
//! relocate, flush, `freed` in the ledger, flush, erase, flush: each step is
//! durable before the next begins, and rides on the flushes of commits.
//! Records that survived go to cold segments, apart from new ones, so what is
//! hot gathers with what is hot. A relocated record stands for the order at
//! which its segment was chosen: it was the newest of its key then.

use super::name::Name;
use crate::error::Error;
use crate::fault::{Fault, What};
use crate::format::frame::{Frame, Kind, Meta, Part, Seen, Spec, body_max, frame_len};
use crate::format::header::Stream;
use crate::format::shape::Shape;
use crate::index::{Index, Probe};
use crate::ledger::succession::HARD_RESERVE;
use crate::math::{Saturate, u64_at};
use crate::medium::Medium;
use crate::mutants::Mutant;
use crate::segments::Owner;
use crate::store::{Place, Store};

/// How far the segment being reclaimed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Records up to here are copied.
    Copying(u32),
    /// All are; durable once this many flushes have succeeded.
    Copied(u64),
}

/// The segment being reclaimed.
#[derive(Clone, Copy, Debug)]
struct Victim {
    place: Place,
    /// The order that its records stand for from now on.
    rank: u64,
    stage: Stage,
    /// A cold segment that was filled up on the way.
    filled: Option<Place>,
}

/// The state of reclaiming.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reclaim {
    victim: Option<Victim>,
    /// The order that relocated records stand for; renewed with each root.
    rank: u64,
    /// The order of the open cold segment's last run; zero for none.
    run: u64,
    /// Every other run of a segment has this mark on its frames: so a run that
    /// is lost with its neighbours shows.
    odd: bool,
}

/// Free segments below which every commit does its share of reclaiming.
const LOW: u32 = HARD_RESERVE + 2;

/// What [`Store::maintain`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Maintained {
    /// Frames looked at, segments freed and erased.
    pub steps: u32,
    /// There is more to do.
    pub more: bool,
}

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// Before a group of `bytes`: frees what it will need, and does its share
    /// of the reclaiming that later groups will need.
    pub(crate) fn make_room(&mut self, bytes: u64) -> Result<(), Fault<M::Error>> {
        let payload = u64::from(self.device.shape.payload().max(1));
        let left = u64::from(self.device.shape.link_at.minus(self.tail.at));
        let beyond = bytes.minus(left.minus(u64::from(self.control_len())));
        let needed = match beyond {
            0 => 0,
            _ => beyond.plus(payload.minus(1)).over(payload),
        };
        let needed = u32::try_from(needed).unwrap_or(u32::MAX);
        let needed = needed.plus(needed >> 3);
        let mut wanted = HARD_RESERVE.plus(1).plus(needed);
        let logs = u32::try_from(self.logs.len()).unwrap_or(u32::MAX);
        let mut free = self.free_for_records();
        if free >= LOW.plus(needed) && free >= wanted.plus(logs) {
            return self.keep_one_blank();
        }
        if self.yield_if_tight() {
            free = self.free_for_records();
        }
        if free < LOW.plus(needed) {
            self.reclaim_share(bytes)?;
        }
        if self.free_for_records() < wanted.plus(logs) {
            wanted = wanted.plus(self.copies_due());
        }
        self.gain(wanted)?;
        self.keep_one_blank()
    }

    fn keep_one_blank(&mut self) -> Result<(), Fault<M::Error>> {
        if self.table.count(Owner::Blank) == 0 {
            self.table.erase_one(&mut self.device)?;
        }
        Ok(())
    }

    /// Reclaims whole segments until `wanted` are free, as far as it gets.
    fn gain(&mut self, wanted: u32) -> Result<(), Fault<M::Error>> {
        let mut rounds = self.device.shape.segments.times(2);
        while self.free_for_records() < wanted && rounds > 0 {
            rounds = rounds.minus(1);
            if !self.reclaim_one()? && !self.table.yield_kept() {
                break;
            }
        }
        Ok(())
    }

    /// Reclaims what a start used up.
    pub(crate) fn regain(&mut self) -> Result<(), Fault<M::Error>> {
        self.gain(HARD_RESERVE.plus(1))
    }

    /// Copies as much as keeps pace with `bytes` of new records.
    fn reclaim_share(&mut self, bytes: u64) -> Result<(), Fault<M::Error>> {
        if self.reclaim.victim.is_none() {
            self.choose();
        }
        let Some(victim) = self.reclaim.victim else {
            return Ok(());
        };
        let live = u64::from(self.table.get(victim.place.segment).live);
        let payload = u64::from(self.device.shape.payload());
        let gain = payload.minus(live).max(payload >> 6);
        let share = bytes.times(live).over(gain.max(1)).times(2).plus(bytes);
        self.copy_some(share)
    }

    /// Reclaims one whole segment at once; whether there was one.
    fn reclaim_one(&mut self) -> Result<bool, Fault<M::Error>> {
        if self.reclaim.victim.is_none() {
            self.choose();
        }
        if self.reclaim.victim.is_none() {
            // Only ledger segments behind the root are left: move the root.
            let before = self.free_for_records();
            if self.since_root == 0 || before == 0 {
                return Ok(false);
            }
            self.write_root(None)?;
            if self.free_for_records() > before {
                return Ok(true);
            }
            self.choose();
        }
        if self.reclaim.victim.is_none() {
            return Ok(false);
        }
        self.copy_some(u64::MAX)?;
        if self.device.outstanding {
            self.flush()?;
        }
        if self.freed_entry().is_none() {
            return Ok(false);
        }
        self.commit_freed()
    }

    /// Commits the `freed` entry in a group of its own.
    fn commit_freed(&mut self) -> Result<bool, Fault<M::Error>> {
        let Some((segment, body)) = self.freed_entry() else {
            return Ok(false);
        };
        let len = self.body_frame_len(Kind::Meta, body.len());
        if !self.fits(len) && self.free_for_records() <= HARD_RESERVE {
            // No room to say so: a root frees what is dead without a word.
            let before = self.free_for_records();
            self.write_root(None)?;
            return Ok(self.free_for_records() >= before);
        }
        self.open_group();
        let spec = Spec {
            last: true,
            ..Spec::with(Kind::Meta, Meta::Free.code())
        };
        let pressing = core::mem::replace(&mut self.pressing, true);
        let written = self.frame(&spec, &[], &[Part::Bytes(&body)]);
        self.pressing = pressing;
        if let Err(error) = written {
            self.group.open = false;
            return Err(error);
        }
        self.group.freeing = Some(segment);
        let sealed = self.seal();
        self.pressing = pressing;
        sealed.map(|()| true)
    }

    /// Chooses the segment that gives most room for least copying, older ones
    /// first: what is young is still dying (the cost-benefit rule of
    /// log-structured file systems, with a square root over the age). The
    /// oldest where tombstones pile up.
    fn choose(&mut self) {
        self.choose_by(self.tombstones.times(4) > self.live);
    }

    /// Reclaims the oldest segment; whether there was one.
    pub(crate) fn reclaim_oldest(&mut self) -> Result<bool, Fault<M::Error>> {
        if self.root_due {
            self.write_root(None)?;
        }
        if self.reclaim.victim.is_none() {
            self.choose_by(true);
        }
        self.reclaim_one()
    }

    fn choose_by(&mut self, oldest: bool) {
        let payload = self.device.shape.payload();
        let mut best: Option<(u64, u32)> = None;
        for (number, row) in self.table.rows.iter().enumerate() {
            let segment = u32::try_from(number).unwrap_or(u32::MAX);
            if !self.reclaimable(segment) {
                continue;
            }
            let dead = u64::from(payload.minus(row.live));
            if dead <= u64::from(payload >> 5) && !oldest {
                continue;
            }
            let age = u64::from(self.table.next_seq.minus(row.seq));
            let score = if oldest {
                u64::from(u32::MAX.minus(row.n)) << 32 | u64::from(u32::MAX.minus(row.seq))
            } else {
                dead.times(dead)
                    .times(age)
                    .over(u64::from(row.live).plus(1))
            };
            if best.is_none_or(|(most, _)| score > most) {
                best = Some((score, segment));
            }
        }
        let Some((_, segment)) = best else { return };
        let row = self.table.get(segment);
        let start = self.device.shape.start;
        let mut stage = Stage::Copying(start);
        if row.live == 0 {
            stage = Stage::Copied(0);
        }
        let rank = if Mutant::ColdRanksLast.on() {
            Shape::rank(row.n, 0)
        } else {
            self.cold_rank()
        };
        let place = Place {
            segment,
            seq: row.seq,
            at: row.used,
        };
        self.reclaim.victim = Some(Victim {
            place,
            rank,
            stage,
            filled: None,
        });
    }

    /// The order that a victim's records stand for: a place of the ledger that
    /// nothing reclaimable is newer than, and that whatever comes later is
    /// behind. One serves until the next root, so runs are few.
    fn cold_rank(&mut self) -> u64 {
        if self.reclaim.rank < Shape::rank(self.root_seq, 0) {
            self.reclaim.rank = Shape::rank(self.tail.seq, self.tail.at);
        }
        self.reclaim.rank
    }

    /// Whether a segment may be reclaimed: records, wholly before the root,
    /// nobody writing to it, no damage in it.
    fn reclaimable(&self, segment: u32) -> bool {
        let row = self.table.get(segment);
        if !row.records() || row.damaged || segment == self.tail.segment {
            return false;
        }
        if self.cold.is_some_and(|cold| cold.segment == segment) {
            return false;
        }
        row.owner == Owner::Cold || row.seq < self.root_seq
    }

    /// Copies live records out of the victim, about `bytes` of them.
    fn copy_some(&mut self, bytes: u64) -> Result<(), Fault<M::Error>> {
        if !I::KEYS {
            // Nothing is ever live; says so to the compiler.
            return Ok(());
        }
        let mut copied = 0u64;
        let mut looked = 0u64;
        while copied < bytes && looked < bytes.times(8) {
            let Some(victim) = self.reclaim.victim else {
                break;
            };
            let Stage::Copying(at) = victim.stage else {
                break;
            };
            let place = Place { at, ..victim.place };
            if at >= victim.place.at {
                let flushes = self.device.flushes;
                let more = u64::from(self.device.outstanding);
                self.set_stage(Stage::Copied(flushes.plus(more)));
                break;
            }
            let seen = self
                .device
                .examine(place.segment, place.seq, at, victim.place.at)?;
            let frame = match seen {
                Seen::Whole(frame) => frame,
                // A tombstone is in no index, and may be needed all the same.
                Seen::Damaged(frame, true)
                    if frame.kind != Kind::Delete && !self.is_needed(&frame)? =>
                {
                    self.set_stage(Stage::Copying(frame.end()));
                    continue;
                }
                _ => {
                    self.meet_damage(place);
                    break;
                }
            };
            let before = self.live_of(place.segment);
            if frame.kind.keyed() {
                self.copy_if_live(&frame, victim.rank, Some(place.segment))?;
            }
            copied = copied.plus(before.minus(self.live_of(place.segment)).into());
            looked = looked.plus(frame.len.into());
            self.set_stage(Stage::Copying(frame.end()));
        }
        Ok(())
    }

    /// Whether the index points at a damaged record.
    pub(crate) fn is_needed(&self, frame: &Frame) -> Result<bool, Fault<M::Error>> {
        let from = self.device.loc(frame.place());
        let mut cursor = self.index.first();
        while let Some((loc, _, next)) = self.index.next(cursor) {
            if loc == from {
                return Ok(true);
            }
            cursor = next;
        }
        Ok(false)
    }

    fn live_of(&self, segment: u32) -> u32 {
        self.table.get(segment).live
    }

    /// A segment is free without its victim's `freed` entry.
    pub(crate) fn forget_victim(&mut self, segment: u32) {
        let victim = self.reclaim.victim;
        if victim.is_some_and(|victim| victim.place.segment == segment) {
            self.reclaim.victim = None;
        }
    }

    fn set_stage(&mut self, stage: Stage) {
        if let Some(victim) = &mut self.reclaim.victim {
            victim.stage = stage;
        }
    }

    /// A damaged segment is kept as it is: its damage stays known that way.
    fn meet_damage(&mut self, place: Place) {
        self.give_up_victim();
        if let Some(row) = self.table.row(place.segment) {
            row.damaged = true;
        }
    }

    /// Leaves the victim as it is. Tombstones in it that were found not to be
    /// needed, or copied, count again, for whoever chooses it the next time.
    pub(crate) fn give_up_victim(&mut self) {
        let Some(victim) = self.reclaim.victim.take() else {
            return;
        };
        let behind = match victim.stage {
            Stage::Copying(at) => at,
            Stage::Copied(_) => victim.place.at,
        };
        let mut place = Place {
            at: self.device.shape.start,
            ..victim.place
        };
        while place.at < behind {
            let Ok(frame) = self.device.record(place) else {
                break;
            };
            if frame.kind == Kind::Delete {
                self.count_tombstone(&frame);
            }
            place.at = frame.end();
        }
    }

    /// Copies a record to the cold segments if it is the newest of its name.
    /// `leaving` is the segment that will be freed.
    pub(crate) fn copy_if_live(
        &mut self,
        frame: &Frame,
        rank: u64,
        leaving: Option<u32>,
    ) -> Result<(), Fault<M::Error>> {
        let scratch = core::mem::take(&mut self.scratch);
        let result = match self.read_key(frame, scratch) {
            Ok(key) => self.copy_named(frame, key, rank, leaving),
            Err(error) => Err(error),
        };
        self.scratch = scratch;
        result
    }

    fn copy_named(
        &mut self,
        frame: &Frame,
        key: &[u8],
        rank: u64,
        leaving: Option<u32>,
    ) -> Result<(), Fault<M::Error>> {
        if frame.kind == Kind::Delete {
            return self.copy_tombstone(frame, key, rank, leaving);
        }
        let class = self.device.class(frame)?;
        let name = Name::new(key, class);
        let probe = self.probe(&name);
        if !self.is_newest(&name, &probe, frame)? {
            return Ok(());
        }
        let to = self.write_cold(frame, key, rank, None)?;
        self.moved(&name, &probe, frame, to)
    }

    /// Points the index at a record's copy, of so many bytes.
    fn moved(
        &mut self,
        name: &Name<'_>,
        probe: &Probe,
        frame: &Frame,
        (to, len): (Place, u32),
    ) -> Result<(), Fault<M::Error>> {
        let from = frame.place();
        let (old, new) = (self.device.loc(from), self.device.loc(to));
        let (device, table) = (&self.device, &self.table);
        let mut compare = |loc| device.compare(table, name, loc);
        if self.index.relocate(probe, old, new, &mut compare)? {
            self.take_live(frame.segment, frame.len);
            self.add_live(to.segment, len);
        }
        Ok(())
    }

    /// Whether the index points at exactly this record. Mostly no other one is
    /// read for that.
    fn is_newest(
        &self,
        name: &Name<'_>,
        probe: &Probe,
        frame: &Frame,
    ) -> Result<bool, Fault<M::Error>> {
        let from = self.device.loc(frame.place());
        let (device, table) = (&self.device, &self.table);
        let mut compare = |loc| device.compare(table, name, loc);
        self.index.points_at(probe, from, &mut compare)
    }

    /// A tombstone is needed while a segment may hold an older record of its
    /// key that no newer one covers.
    fn copy_tombstone(
        &mut self,
        frame: &Frame,
        key: &[u8],
        rank: u64,
        leaving: Option<u32>,
    ) -> Result<(), Fault<M::Error>> {
        let mut order = Shape::rank(frame.seq, frame.at);
        if frame.body_len >= 8 {
            let mut bytes = [0u8; 8];
            self.device.read_in(frame, frame.body_at(), &mut bytes)?;
            order = u64_at(&bytes, 0);
        }
        let present = self.find(&Name::item(key))?.is_some();
        let needed = self.older_than(order, leaving) && !Mutant::DropTombstones.on();
        self.take_tombstone(frame.segment, frame.len);
        if !needed {
            return Ok(());
        }
        if present {
            return self.shadow_list(frame, key, rank, order);
        }
        let (to, len) = self.write_cold(frame, key, rank, Some(&order.to_le_bytes()))?;
        self.add_tombstone(to.segment, len);
        Ok(())
    }

    /// A key that was deleted and made again has no list; an older record of
    /// one must not come back when the tombstone goes.
    fn shadow_list(
        &mut self,
        frame: &Frame,
        key: &[u8],
        rank: u64,
        order: u64,
    ) -> Result<(), Fault<M::Error>> {
        let name = Name::list(key);
        if !self.lists {
            return Ok(());
        }
        if let Some(found) = self.find(&name)? {
            // The shadow of an older tombstone may stand for less than this one.
            if self.rank(&found) >= order || !self.is_shadow(&found)? {
                return Ok(());
            }
        }
        let empty = Frame {
            kind: Kind::List,
            patch: None,
            ..*frame
        };
        let (to, len) = self.write_cold(&empty, key, rank, Some(&[0; super::list::LIST]))?;
        self.enter(&name, to, len, None)?;
        self.group.undo = 0;
        Ok(())
    }

    /// Whether a list record is one that takes the place of a tombstone.
    fn is_shadow(&self, frame: &Frame) -> Result<bool, Fault<M::Error>> {
        let mut bounds = [0u8; super::list::LIST];
        self.device.read_in(frame, frame.body_at(), &mut bounds)?;
        Ok(bounds.iter().all(|byte| *byte == 0))
    }

    /// Whether a segment that stays may hold records from before `order`.
    fn older_than(&self, order: u64, leaving: Option<u32>) -> bool {
        let seq = u32::try_from(order >> 32).unwrap_or(u32::MAX);
        self.table.rows.iter().enumerate().any(|(number, row)| {
            leaving != u32::try_from(number).ok() && row.records() && row.n <= seq
        })
    }

    /// Writes a record to the open cold segment, as it is or with another
    /// body; returns where, and its length.
    fn write_cold(
        &mut self,
        frame: &Frame,
        key: &[u8],
        rank: u64,
        body: Option<&[u8]>,
    ) -> Result<(Place, u32), Fault<M::Error>> {
        let shape = self.device.shape;
        let body = match body {
            Some(bytes) => Part::Bytes(bytes),
            None => frame.body(),
        };
        let len = frame_len(&shape, frame.kind, frame.key_len, body.len());
        let run = frame_len(&shape, Kind::Run, 0, 8);
        let mut cold = self.cold_place(len.plus(run), rank)?;
        if self.reclaim.run != rank {
            self.reclaim.odd ^= self.reclaim.run != 0;
            let spec = Spec {
                last: self.reclaim.odd,
                ..Spec::new(Kind::Run)
            };
            let bytes = rank.to_le_bytes();
            let (segment, seq, at) = (cold.segment, cold.seq, cold.at);
            cold.at = at.plus(self.device.write_frame(
                segment,
                seq,
                at,
                &spec,
                &[],
                &[Part::Bytes(&bytes)],
            )?);
            self.reclaim.run = rank;
        }
        // A copy must not look newer than damage that may hide its successor.
        let spec = Spec {
            first: self.doubt(Some(frame)).is_err(),
            last: self.reclaim.odd,
            ..Spec::new(frame.kind)
        };
        let written =
            self.device
                .write_frame(cold.segment, cold.seq, cold.at, &spec, key, &[body])?;
        let place = cold;
        cold.at = cold.at.plus(written);
        self.cold = Some(cold);
        if let Some(row) = self.table.row(cold.segment) {
            row.used = cold.at;
        }
        Ok((place, written))
    }

    /// The place in a cold segment where `len` bytes fit.
    fn cold_place(&mut self, len: u32, rank: u64) -> Result<Place, Fault<M::Error>> {
        let shape = self.device.shape;
        if let Some(cold) = self.cold {
            if cold.at.plus(len) <= shape.link_at {
                return Ok(cold);
            }
            if let Some(victim) = &mut self.reclaim.victim {
                victim.filled = Some(cold);
            }
        }
        // The last free one may be taken: until the victim is free in turn,
        // recovery finds it free.
        self.may_take(0)?;
        let segment = self.table.open(&mut self.device, Stream::Cold, 0, 0)?;
        let seq = self.table.get(segment).seq;
        if let Some(row) = self.table.row(segment) {
            row.n = u32::try_from(rank >> 32).unwrap_or(0);
        }
        self.reclaim.run = 0;
        self.reclaim.odd = false;
        let cold = Place {
            segment,
            seq,
            at: shape.start,
        };
        self.cold = Some(cold);
        Ok(cold)
    }

    /// The `freed` entry that may be staged now, and its segment.
    pub(crate) fn freed_entry(&self) -> Option<(u32, heapless::Vec<u8, 32>)> {
        let victim = self.reclaim.victim?;
        let Stage::Copied(flushes) = victim.stage else {
            return None;
        };
        let durable = self.device.shape.ordered()
            || self.device.flushes >= flushes
            || Mutant::FreeBeforeCopied.on();
        if !durable {
            return None;
        }
        let mut body = heapless::Vec::new();
        let _ = body.extend_from_slice(&victim.place.segment.to_le_bytes());
        let _ = body.extend_from_slice(&victim.place.seq.to_le_bytes());
        for cold in [victim.filled, self.cold].into_iter().flatten() {
            let _ = body.extend_from_slice(&cold.segment.to_le_bytes());
            let _ = body.extend_from_slice(&cold.seq.to_le_bytes());
            let _ = body.extend_from_slice(&cold.at.to_le_bytes());
        }
        Some((victim.place.segment, body))
    }

    /// A `freed` entry is durable.
    pub(crate) fn freed(&mut self, segment: u32) {
        // What still counts are tombstones of aborted groups, behind its end.
        let left = u64::from(self.live_of(segment));
        self.live = self.live.minus(left);
        self.tombstones = self.tombstones.minus(left);
        self.table.release(segment);
        self.reclaim.victim = None;
    }

    /// Copies a record of the ledger to its tail, if it is the newest of its
    /// name.
    pub(crate) fn copy_record(&mut self, frame: &Frame) -> Result<(), Fault<M::Error>> {
        if !I::KEYS {
            return Ok(());
        }
        let scratch = core::mem::take(&mut self.scratch);
        let result = match self.read_key(frame, scratch) {
            Ok(key) => self.copy_to_tail(frame, key),
            Err(error) => Err(error),
        };
        self.scratch = scratch;
        result
    }

    fn copy_to_tail(&mut self, frame: &Frame, key: &[u8]) -> Result<(), Fault<M::Error>> {
        let class = self.device.class(frame)?;
        let name = Name::new(key, class);
        let probe = self.probe(&name);
        let newest = match frame.kind {
            Kind::Delete => self.find_by(&name, &probe)?.is_none(),
            _ => self.is_newest(&name, &probe, frame)?,
        };
        if !newest {
            return if frame.kind == Kind::Delete {
                self.shadow_at_tail(key)
            } else {
                Ok(())
            };
        }
        let body = frame.body();
        let to = self.frame(&Spec::new(frame.kind), key, &[body])?;
        if frame.kind == Kind::Delete {
            self.take_tombstone(frame.segment, frame.len);
            self.add_tombstone(to.segment, frame.len);
        } else {
            let len = frame_len(&self.device.shape, frame.kind, frame.key_len, body.len());
            self.moved(&name, &probe, frame, (to, len))?;
        }
        Ok(())
    }

    /// As [`Store::shadow_list`], in the ledger.
    fn shadow_at_tail(&mut self, key: &[u8]) -> Result<(), Fault<M::Error>> {
        let name = Name::list(key);
        if !self.lists || self.find(&name)?.is_some() {
            return Ok(());
        }
        let empty = [0; super::list::LIST];
        let to = self.frame(&Spec::new(Kind::List), key, &[Part::Bytes(&empty)])?;
        let len = self.device.record(to)?.len;
        self.enter(&name, to, len, None)?;
        self.group.undo = 0;
        Ok(())
    }

    /// Reclaims and erases ahead of need, `budget` steps at most: for idle
    /// time. A step copies one record, or frees or erases one segment.
    ///
    /// # Errors
    /// [`Error::TransactionOpen`], or the medium's.
    pub fn maintain(&mut self, budget: u32) -> Result<Maintained, Error<M::Error>> {
        let done = self.maintain_within(budget);
        self.told(done)
    }

    /// Whether the store may write now, between transactions; with a root.
    fn ready(&mut self) -> Result<(), Fault<M::Error>> {
        self.writable()?;
        if self.group.open {
            return Err(Fault::plain(What::TransactionOpen));
        }
        if self.root_due {
            self.write_root(None)?;
        }
        Ok(())
    }

    fn maintain_within(&mut self, budget: u32) -> Result<Maintained, Fault<M::Error>> {
        self.ready()?;
        let mut done = Maintained::default();
        while done.steps < budget {
            done.steps = done.steps.plus(1);
            let went_on = match self.maintain_step() {
                Err(fault) if fault.is_full() => false,
                other => other?,
            };
            if !went_on {
                if self.device.outstanding {
                    self.flush()?;
                    continue;
                }
                return Ok(done);
            }
        }
        if self.device.outstanding {
            self.flush()?;
        }
        done.more = true;
        Ok(done)
    }

    /// Whether ledger segments could be reclaimed if only the root were newer.
    fn root_hinders(&self) -> bool {
        let quarter = self.device.shape.payload() >> 2;
        let tail = self.tail.segment;
        self.free_for_records() > HARD_RESERVE
            && self.table.rows.iter().enumerate().any(|(number, row)| {
                row.owner == Owner::Ledger
                    && row.seq >= self.root_seq
                    && u32::try_from(number).ok() != Some(tail)
                    && row.used.minus(self.device.shape.start).minus(row.live) > quarter
            })
    }

    /// Idle time is not spent on moving records that give hardly any room.
    fn only_worthwhile(&mut self) {
        let payload = self.device.shape.payload();
        if let Some(victim) = self.reclaim.victim
            && payload.minus(self.live_of(victim.place.segment)) < payload >> 3
        {
            self.reclaim.victim = None;
        }
    }

    fn maintain_step(&mut self) -> Result<bool, Fault<M::Error>> {
        if self.table.erase_one(&mut self.device)? {
            return Ok(true);
        }
        if self.reclaim.victim.is_none() {
            let spare = self.free_for_records() < LOW.times(2);
            if spare {
                self.choose();
                self.only_worthwhile();
            }
            if spare && self.reclaim.victim.is_none() && self.root_hinders() {
                self.write_root(None)?;
                return Ok(true);
            }
        }
        if self.reclaim.victim.is_none() {
            return Ok(false);
        }
        if self.commit_freed()? {
            return Ok(true);
        }
        let before = self.reclaim.victim.map(|victim| victim.stage);
        self.copy_some(1)?;
        Ok(self.reclaim.victim.map(|victim| victim.stage) != before)
    }

    /// Makes sure that a transaction with this many bytes of keys, values and
    /// framing will find room, reclaiming for it where necessary.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::TransactionOpen`], or the medium's.
    pub fn reserve(&mut self, bytes: u64) -> Result<(), Error<M::Error>> {
        let room = self.have_room(bytes);
        self.told(room)
    }

    fn have_room(&mut self, bytes: u64) -> Result<(), Fault<M::Error>> {
        self.ready()?;
        self.make_room(bytes)?;
        let mut free = self.free_for_records().minus(HARD_RESERVE);
        let left = u64::from(self.device.shape.link_at.minus(self.tail.at));
        let largest = body_max(0, self.frame_max.max(64));
        let packed = self.device.shape.payload().minus(largest);
        let mut available = u64::from(free).times(u64::from(packed)).plus(left);
        if available < bytes && self.table.yield_kept() {
            free = self.free_for_records().minus(HARD_RESERVE);
            available = u64::from(free).times(u64::from(packed)).plus(left);
        }
        if available < bytes {
            return Err(self.device.full(bytes, available));
        }
        Ok(())
    }

    /// Damage is accepted: what is lost stays lost, answers are no longer
    /// withheld, damaged segments can be reclaimed, and logs whose tail did
    /// not agree with its bytes go on from what is there.
    ///
    /// # Errors
    /// The medium's.
    pub fn accept_damage(&mut self) -> Result<(), Error<M::Error>> {
        self.damages.clear();
        // It stays where it is: the next start has to look at everything.
        self.device.meet_damage();
        for row in self.table.rows.iter_mut() {
            row.damaged = false;
        }
        for log in 0..self.logs.len() {
            let state = *self.told(self.log(log))?;
            if state.broken {
                let sum = self.told(self.tail_sum(log, &state))?;
                if let Some(state) = self.logs.get_mut(log) {
                    state.broken = false;
                    state.committed.sum = sum;
                    state.staged = state.committed;
                }
            }
        }
        Ok(())
    }
}
