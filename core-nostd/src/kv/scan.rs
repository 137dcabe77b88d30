//! Keys in order.
//!
//! Over an ordered index a scan steps from entry to entry. Over a hash index
//! it gathers the next keys by going through the whole index: thirty-two at a
//! time, or as many as the caller lends memory for.

use super::name::{Name, prefix};
use crate::error::Error;
use crate::fault::{Fault, What};
use crate::format::frame::Frame;
use crate::index::{Cursor, Index, Loc};
use crate::math::Saturate;
use crate::medium::Medium;
use crate::store::Store;
use core::cmp::Ordering;

/// Keys gathered by one pass over a hash index where no memory is lent.
const BATCH: usize = 32;

/// Records that an ordered scan touches ahead of its need, and the bytes of
/// each: two to three of a processor's cache lines.
const AHEAD: usize = 16;
const TOUCHED: usize = 128;

/// A key and the length of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Entry<'k> {
    /// The key.
    pub key: &'k [u8],
    /// Bytes of its value.
    pub value_len: u64,
}

/// Memory for one key that a scan gathers: its first eight bytes, and where
/// its record lies.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ScanSlot {
    prefix: u64,
    loc: u64,
}

/// A walk over keys in bytewise order. The store cannot change meanwhile.
pub struct Scan<'s, 'a, M: Medium, I> {
    store: &'s Store<'a, M, I>,
    prefix: &'s [u8],
    /// The first key wanted, until it was found.
    from: Option<&'s [u8]>,
    cursor: Option<Cursor>,
    /// The next keys: a heap once there are too many, in order at last.
    own: [ScanSlot; BATCH],
    lent: &'s mut [ScanSlot],
    held: usize,
    taken: usize,
    /// There are keys behind those that are held, which end with this one.
    more: bool,
    last: Option<ScanSlot>,
    /// Entries that come next and whose records were touched.
    ahead: usize,
    doubt_told: bool,
    /// A record that could not be read, told at the end.
    unread: Option<usize>,
    ended: bool,
}

impl<'a, M: Medium, I: Index> Store<'a, M, I> {
    /// Walks over the keys that start with `prefix`, in bytewise order. Sees
    /// the open transaction.
    pub fn scan<'s>(&'s self, prefix: &'s [u8]) -> Scan<'s, 'a, M, I> {
        self.scan_in(prefix, &mut [])
    }

    /// As [`Store::scan`], in lent memory. Over a hash index each pass through
    /// all records yields as many keys as there are slots: one for each key,
    /// 16 bytes, and a scan is a single pass. Below 32 slots, and over an
    /// ordered index, they are not used.
    pub fn scan_in<'s>(
        &'s self,
        prefix: &'s [u8],
        slots: &'s mut [ScanSlot],
    ) -> Scan<'s, 'a, M, I> {
        Scan {
            store: self,
            prefix,
            from: None,
            cursor: None,
            own: [ScanSlot::default(); BATCH],
            lent: slots,
            held: 0,
            taken: 0,
            more: true,
            last: None,
            ahead: 0,
            doubt_told: false,
            unread: None,
            ended: false,
        }
    }
}

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// The last key before `end`, or the last of all, read into `key`: a walk
    /// backwards asks again with what it got. Sees the open transaction. One
    /// search of an ordered index; a hash index is gone through as a whole.
    ///
    /// ```
    /// # use indelible::{Error, Index, Medium, Store};
    /// fn newest<M: Medium, I: Index>(store: &Store<M, I>) -> Result<usize, Error<M::Error>> {
    ///     let mut key = [0; 64];
    ///     // Keys that start with `n` end before `o`.
    ///     let entry = store.last_before(Some(b"o"), &mut key)?;
    ///     Ok(entry.map_or(0, |entry| entry.key.len()))
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`], [`Error::Corrupt`], also where a record
    /// between cannot be read; [`Error::Doubtful`] where there is no such key
    /// and damage may have hidden one; or the medium's.
    pub fn last_before<'k>(
        &self,
        end: Option<&[u8]>,
        key: &'k mut [u8],
    ) -> Result<Option<Entry<'k>>, Error<M::Error>> {
        self.told(self.last_entry(end, key))
    }

    fn last_entry<'k>(
        &self,
        end: Option<&[u8]>,
        key: &'k mut [u8],
    ) -> Result<Option<Entry<'k>>, Fault<M::Error>> {
        if self.astray {
            return Err(Fault::plain(What::Poisoned));
        }
        let found = if I::ORDERED {
            self.last_ordered(end)?
        } else {
            self.last_hashed(end)?
        };
        let Some(frame) = found else {
            self.doubt(None)?;
            return Ok(None);
        };
        let needed = usize::try_from(frame.key_len).unwrap_or(usize::MAX);
        let Some(key) = key.get_mut(..needed) else {
            return Err(Fault::of(What::BufferTooSmall, needed));
        };
        self.device.read_in(&frame, frame.key_at(), key)?;
        let value_len = self.len_of(&frame)?;
        Ok(Some(Entry { key, value_len }))
    }

    fn last_ordered(&self, end: Option<&[u8]>) -> Result<Option<Frame>, Fault<M::Error>> {
        let name = Name::item(end.unwrap_or_default());
        let mut probe = self.probe(&name);
        if end.is_none() {
            probe.prefix = u64::MAX;
        }
        let (device, table) = (&self.device, &self.table);
        let mut cursor = self.index.seek(&probe, &mut |loc| match end {
            Some(_) => device.compare(table, &name, loc),
            None => Ok(Ordering::Less),
        })?;
        while let Some((loc, primary, before)) = self.index.prev(cursor) {
            if primary {
                return self.checked(loc).map(Some);
            }
            cursor = before;
        }
        Ok(None)
    }

    fn last_hashed(&self, end: Option<&[u8]>) -> Result<Option<Frame>, Fault<M::Error>> {
        let mut last: Option<Frame> = None;
        let mut cursor = self.index.first();
        while let Some((loc, primary, next)) = self.index.next(cursor) {
            cursor = next;
            if !primary {
                continue;
            }
            let frame = self.checked(loc)?;
            let before = match end {
                Some(end) => self.device.compare_key(&frame, end)? == Ordering::Less,
                None => true,
            };
            let behind = match &last {
                Some(last) => self.device.compare_records(last, &frame)? == Ordering::Less,
                None => true,
            };
            if before && behind {
                last = Some(frame);
            }
        }
        Ok(last)
    }
}

impl<'s, M: Medium, I: Index> Scan<'s, '_, M, I> {
    /// Starts at the first key that is not less than `key`.
    pub fn seek(&mut self, key: &'s [u8]) {
        self.from = Some(key);
        self.cursor = None;
        self.last = None;
        self.held = 0;
        self.taken = 0;
        self.more = true;
        self.ahead = 0;
        self.ended = false;
    }

    /// The next key, read into `key`; `None` at the end.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] (call again with a larger one),
    /// [`Error::Corrupt`]; [`Error::Doubtful`], once and at the end, where
    /// damage may have hidden keys; or the medium's.
    pub fn next<'k>(&mut self, key: &'k mut [u8]) -> Result<Option<Entry<'k>>, Error<M::Error>> {
        let step = self.step(key);
        Ok(self.store.told(step)?.map(|(entry, _)| entry))
    }

    /// The next key and value, each read into a buffer and checked; the value
    /// is cut to what `value` holds.
    ///
    /// # Errors
    /// As [`Scan::next`].
    pub fn next_with_value<'k>(
        &mut self,
        key: &'k mut [u8],
        value: &mut [u8],
    ) -> Result<Option<Entry<'k>>, Error<M::Error>> {
        let step = self.step(key);
        let Some((entry, frame)) = self.store.told(step)? else {
            return Ok(None);
        };
        let count = usize::try_from(entry.value_len)
            .unwrap_or(usize::MAX)
            .min(value.len());
        let value = value.get_mut(..count).unwrap_or_default();
        let read = self.store.read_sound(entry.key, &frame, 0, value);
        self.store.told(read)?;
        Ok(Some(entry))
    }

    /// The next entry and its record, which is sound.
    fn step<'k>(
        &mut self,
        key: &'k mut [u8],
    ) -> Result<Option<(Entry<'k>, Frame)>, Fault<M::Error>> {
        let Some(frame) = self.peek()? else {
            self.end()?;
            return Ok(None);
        };
        let needed = usize::try_from(frame.key_len).unwrap_or(usize::MAX);
        let Some(key) = key.get_mut(..needed) else {
            return Err(Fault::of(What::BufferTooSmall, needed));
        };
        self.store.device.read_in(&frame, frame.key_at(), key)?;
        self.advance();
        let value_len = self.store.len_of(&frame)?;
        Ok(Some((Entry { key, value_len }, frame)))
    }

    fn end(&mut self) -> Result<(), Fault<M::Error>> {
        self.ended = true;
        if let Some(at) = self.unread.take() {
            let what = What::CorruptMetadata;
            return Err(Fault::of(what, at));
        }
        if !self.doubt_told {
            self.doubt_told = true;
            self.store.doubt(None)?;
        }
        Ok(())
    }

    fn advance(&mut self) {
        if I::ORDERED {
            self.cursor = self
                .cursor
                .and_then(|at| self.store.index.next(at))
                .map(|(_, _, next)| next);
            if self.cursor.is_none() {
                self.ended = true;
            }
        } else {
            self.taken = self.taken.plus(1);
            self.ahead = self.ahead.minus(1);
        }
    }

    fn peek(&mut self) -> Result<Option<Frame>, Fault<M::Error>> {
        if self.store.astray {
            return Err(Fault::plain(What::Poisoned));
        }
        if self.ended {
            return Ok(None);
        }
        if I::ORDERED {
            self.peek_ordered()
        } else {
            self.peek_hashed()
        }
    }

    /// The first key wanted.
    fn lower(&self) -> &'s [u8] {
        match self.from {
            Some(key) if key > self.prefix => key,
            _ => self.prefix,
        }
    }

    fn peek_ordered(&mut self) -> Result<Option<Frame>, Fault<M::Error>> {
        let store = self.store;
        let mut cursor = match self.cursor {
            Some(cursor) => cursor,
            None => {
                let name = Name::item(self.lower());
                let probe = store.probe(&name);
                let (device, table) = (&store.device, &store.table);
                store
                    .index
                    .seek(&probe, &mut |loc| device.compare(table, &name, loc))?
            }
        };
        while let Some((loc, primary, next)) = store.index.next(cursor) {
            self.load_entries_ahead(cursor);
            if primary && let Some(frame) = self.readable(loc)? {
                self.cursor = Some(cursor);
                return Ok(self.wanted(&frame)?.then_some(frame));
            }
            cursor = next;
        }
        Ok(None)
    }

    /// Begins to load the records of the next entries, sixteen at a time.
    fn load_entries_ahead(&mut self, mut cursor: Cursor) {
        if self.ahead == 0 {
            self.ahead = AHEAD;
            let index = &self.store.index;
            self.store.load_ahead(core::iter::from_fn(|| {
                let (loc, _, next) = index.next(cursor)?;
                cursor = next;
                Some(loc)
            }));
        }
        self.ahead = self.ahead.minus(1);
    }

    /// The record at a location; what cannot be read is told at the end.
    fn readable(&mut self, loc: Loc) -> Result<Option<Frame>, Fault<M::Error>> {
        match self.store.checked(loc) {
            Ok(frame) => Ok(Some(frame)),
            Err(fault) if fault.is_corrupt() => {
                self.unread = Some(fault.at);
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    /// Whether a record's key starts with the prefix.
    fn wanted(&self, frame: &Frame) -> Result<bool, Fault<M::Error>> {
        let mut bytes = [0u8; 64];
        let mut done = 0usize;
        if usize::try_from(frame.key_len).unwrap_or(0) < self.prefix.len() {
            return Ok(false);
        }
        while done < self.prefix.len() {
            let rest = self.prefix.get(done..).unwrap_or(&[]);
            let count = rest.len().min(64);
            let part = bytes.get_mut(..count).unwrap_or_default();
            let at = frame.key_at().plus(u32::try_from(done).unwrap_or(u32::MAX));
            self.store.device.read_in(frame, at, part)?;
            if !rest.starts_with(part) {
                return Ok(false);
            }
            done = done.plus(count);
        }
        Ok(true)
    }

    fn peek_hashed(&mut self) -> Result<Option<Frame>, Fault<M::Error>> {
        let store = self.store;
        loop {
            let touches = self.ahead == 0;
            if touches {
                self.ahead = AHEAD;
            }
            let (from, to) = (self.taken, self.held);
            let held = self.slots().get(from..to).unwrap_or_default();
            let locs = held.iter().map(|slot| Loc(slot.loc));
            if let Some(loc) = locs.clone().next() {
                if touches {
                    store.load_ahead(locs);
                }
                if let Some(frame) = self.readable(loc)? {
                    return Ok(Some(frame));
                }
                self.taken = self.taken.plus(1);
            } else if self.more {
                self.gather()?;
            } else {
                return Ok(None);
            }
        }
    }

    fn slots(&mut self) -> &mut [ScanSlot] {
        if self.lent.len() < BATCH {
            &mut self.own
        } else {
            self.lent
        }
    }

    /// Finds the next keys in order behind the last one.
    fn gather(&mut self) -> Result<(), Fault<M::Error>> {
        self.held = 0;
        self.taken = 0;
        self.ahead = 0;
        let store = self.store;
        let mut held = 0usize;
        let mut more = false;
        let mut cursor = store.index.first();
        while let Some((loc, primary, next)) = store.index.next(cursor) {
            self.load_entries_ahead(cursor);
            cursor = next;
            if !primary {
                continue;
            }
            let Some(slot) = self.candidate(loc)? else {
                continue;
            };
            let slots = self.slots();
            if let Some(free) = slots.get_mut(held) {
                *free = slot;
                held = held.plus(1);
                continue;
            }
            // No room for all: the largest of those that are kept comes first.
            if !more {
                store.heap(slots)?;
                more = true;
            }
            if store.precedes(slot, slot_at(slots, 0))? {
                store.sink(slots, 0, slot)?;
            }
        }
        let slots = self.slots().get_mut(..held).unwrap_or_default();
        store.sort(slots)?;
        self.last = slots.last().copied();
        self.held = held;
        self.more = more;
        self.ahead = 0;
        Ok(())
    }

    fn prefix_of(&self, frame: &Frame) -> Result<u64, Fault<M::Error>> {
        let mut bytes = [0u8; 8];
        let len = usize::try_from(frame.key_len).unwrap_or(8).min(8);
        let part = bytes.get_mut(..len).unwrap_or_default();
        self.store.device.read_in(frame, frame.key_at(), part)?;
        Ok(prefix(part))
    }

    /// The slot for a record, if its key is wanted and behind the last one.
    fn candidate(&mut self, loc: Loc) -> Result<Option<ScanSlot>, Fault<M::Error>> {
        let Some(frame) = self.readable(loc)? else {
            return Ok(None);
        };
        let prefix = self.prefix_of(&frame)?;
        let slot = ScanSlot { prefix, loc: loc.0 };
        let behind = match self.last {
            Some(last) => self.store.precedes(last, slot)?,
            None => true,
        };
        let wanted = behind && self.wanted(&frame)? && !self.before_lower(&frame)?;
        Ok(wanted.then_some(slot))
    }

    fn before_lower(&self, frame: &Frame) -> Result<bool, Fault<M::Error>> {
        let Some(from) = self.from else {
            return Ok(false);
        };
        Ok(self.store.device.compare_key(frame, from)? == Ordering::Less)
    }
}

fn slot_at(slots: &[ScanSlot], at: usize) -> ScanSlot {
    slots.get(at).copied().unwrap_or_default()
}

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// Begins to load records, where the medium lends memory: neighbours in
    /// order lie anywhere, and their latencies overlap as no load waits for
    /// another.
    fn load_ahead(&self, locs: impl Iterator<Item = Loc>) {
        let device = &self.device;
        let mut seen = 0;
        for loc in locs.take(AHEAD) {
            let at = loc.0.times(device.shape.unit.into());
            let Some(bytes) = device.medium.borrow(at, TOUCHED) else {
                break;
            };
            if let (Some(first), Some(last)) = (bytes.first(), bytes.last()) {
                seen ^= first ^ last;
            }
        }
        core::hint::black_box(seen);
    }

    /// The record at a location, checked.
    fn checked(&self, loc: Loc) -> Result<Frame, Fault<M::Error>> {
        self.sound(&self.device.record(self.table.place(&self.device, loc))?)
    }

    /// Whether one key is less than another.
    fn precedes(&self, one: ScanSlot, other: ScanSlot) -> Result<bool, Fault<M::Error>> {
        if one.prefix != other.prefix {
            return Ok(one.prefix < other.prefix);
        }
        let (one, other) = (self.checked(Loc(one.loc))?, self.checked(Loc(other.loc))?);
        Ok(self.device.compare_records(&one, &other)? == Ordering::Less)
    }

    /// Sorts slots by key.
    fn sort(&self, slots: &mut [ScanSlot]) -> Result<(), Fault<M::Error>> {
        self.heap(slots)?;
        let mut rest = slots;
        while let Some((last, heap)) = rest.split_last_mut()
            && let Some(largest) = heap.first()
        {
            let slot = core::mem::replace(last, *largest);
            self.sink(heap, 0, slot)?;
            rest = heap;
        }
        Ok(())
    }

    /// Makes a heap of slots, the largest key first.
    fn heap(&self, slots: &mut [ScanSlot]) -> Result<(), Fault<M::Error>> {
        for at in (0..slots.len() >> 1).rev() {
            self.sink(slots, at, slot_at(slots, at))?;
        }
        Ok(())
    }

    /// Puts a slot into a heap at a place whose children are heaps.
    fn sink(
        &self,
        heap: &mut [ScanSlot],
        mut at: usize,
        slot: ScanSlot,
    ) -> Result<(), Fault<M::Error>> {
        loop {
            let left = at.times(2).plus(1);
            let mut below = left;
            let children = heap.get(left..).unwrap_or_default();
            let Some(mut child) = children.first().copied() else {
                break;
            };
            if let Some(right) = children.get(1)
                && self.precedes(child, *right)?
            {
                (below, child) = (left.plus(1), *right);
            }
            if !self.precedes(slot, child)? {
                break;
            }
            if let Some(place) = heap.get_mut(at) {
                *place = child;
            }
            at = below;
        }
        if let Some(place) = heap.get_mut(at) {
            *place = slot;
        }
        Ok(())
    }
}
