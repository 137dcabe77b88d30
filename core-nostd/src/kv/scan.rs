//! Keys in order.
//!
//! Over an ordered index a scan steps from entry to entry. Over a hash index
//! it gathers the next keys by going through the whole index, thirty-two at a
//! time: slower, in bounded memory.

use super::name::{Name, prefix};
use crate::error::{Error, Item};
use crate::format::frame::Frame;
use crate::index::{Cursor, Index, Loc};
use crate::math::Saturate;
use crate::medium::Medium;
use crate::store::Store;
use core::cmp::Ordering;

/// Keys gathered by one pass over a hash index.
const BATCH: usize = 32;

/// Records that an ordered scan touches ahead of its need, and the bytes of
/// each: two to three of a processor's cache lines.
const AHEAD: u32 = 16;
const TOUCHED: usize = 128;

/// A key and the length of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'k> {
    /// The key.
    pub key: &'k [u8],
    /// Bytes of its value.
    pub value_len: u64,
}

/// A walk over keys in bytewise order. The store cannot change meanwhile.
pub struct Scan<'s, 'a, M: Medium, I> {
    store: &'s Store<'a, M, I>,
    prefix: &'s [u8],
    /// The first key wanted, until it was found.
    from: Option<&'s [u8]>,
    cursor: Option<Cursor>,
    last: Option<Frame>,
    batch: heapless::Vec<(u64, Frame), BATCH>,
    taken: usize,
    /// Entries that come next and whose records were touched.
    ahead: u32,
    doubt_told: bool,
    /// A record that could not be read, told at the end.
    unread: Option<u64>,
    ended: bool,
}

impl<'a, M: Medium, I: Index> Store<'a, M, I> {
    /// Walks over the keys that start with `prefix`, in bytewise order. Sees
    /// the open transaction.
    pub fn scan<'s>(&'s self, prefix: &'s [u8]) -> Scan<'s, 'a, M, I> {
        Scan {
            store: self,
            prefix,
            from: None,
            cursor: None,
            last: None,
            batch: heapless::Vec::new(),
            taken: 0,
            ahead: 0,
            doubt_told: false,
            unread: None,
            ended: false,
        }
    }
}

impl<'s, M: Medium, I: Index> Scan<'s, '_, M, I> {
    /// Starts at the first key that is not less than `key`.
    pub fn seek(&mut self, key: &'s [u8]) {
        self.from = Some(key);
        self.cursor = None;
        self.last = None;
        self.batch.clear();
        self.taken = 0;
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
        Ok(self.step(key)?.map(|(entry, _)| entry))
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
        let Some((entry, frame)) = self.step(key)? else {
            return Ok(None);
        };
        let count = usize::try_from(entry.value_len)
            .unwrap_or(usize::MAX)
            .min(value.len());
        let value = value.get_mut(..count).unwrap_or_default();
        self.store.read_sound(entry.key, &frame, 0, value)?;
        Ok(Some(entry))
    }

    /// The next entry and its record, which is sound.
    fn step<'k>(
        &mut self,
        key: &'k mut [u8],
    ) -> Result<Option<(Entry<'k>, Frame)>, Error<M::Error>> {
        let Some(frame) = self.peek()? else {
            self.end()?;
            return Ok(None);
        };
        let needed = usize::try_from(frame.key_len).unwrap_or(usize::MAX);
        let Some(key) = key.get_mut(..needed) else {
            return Err(Error::BufferTooSmall { needed });
        };
        self.store.device.read_in(&frame, frame.key_at(), key)?;
        self.advance(frame);
        let value_len = self.store.len_of(&frame)?;
        Ok(Some((Entry { key, value_len }, frame)))
    }

    fn end(&mut self) -> Result<(), Error<M::Error>> {
        self.ended = true;
        if let Some(at) = self.unread.take() {
            let item = Item::Metadata;
            return Err(Error::Corrupt { item, at });
        }
        if !self.doubt_told {
            self.doubt_told = true;
            self.store.doubt(None)?;
        }
        Ok(())
    }

    fn advance(&mut self, frame: Frame) {
        self.last = Some(frame);
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
        }
    }

    fn peek(&mut self) -> Result<Option<Frame>, Error<M::Error>> {
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

    fn peek_ordered(&mut self) -> Result<Option<Frame>, Error<M::Error>> {
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
            self.touch(cursor);
            if primary && let Some(frame) = self.readable(loc)? {
                self.cursor = Some(cursor);
                return Ok(self.wanted(&frame)?.then_some(frame));
            }
            cursor = next;
        }
        Ok(None)
    }

    /// Where the medium lends memory, begins to load the next records, sixteen
    /// at a time: neighbours in order lie anywhere, and their latencies overlap
    /// as no load waits for another.
    fn touch(&mut self, mut cursor: Cursor) {
        if self.ahead == 0 {
            self.ahead = AHEAD;
            let device = &self.store.device;
            let mut seen = 0;
            for _ in 0..AHEAD {
                let Some((loc, _, next)) = self.store.index.next(cursor) else {
                    break;
                };
                cursor = next;
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
        self.ahead = self.ahead.minus(1);
    }

    /// The record at a location; what cannot be read is told at the end.
    fn readable(&mut self, loc: Loc) -> Result<Option<Frame>, Error<M::Error>> {
        let store = self.store;
        let place = store.table.place(&store.device, loc);
        match store
            .device
            .record(place)
            .and_then(|frame| store.sound(&frame))
        {
            Ok(frame) => Ok(Some(frame)),
            Err(Error::Corrupt { at, .. }) => {
                self.unread = Some(at);
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    /// Whether a record's key starts with the prefix.
    fn wanted(&self, frame: &Frame) -> Result<bool, Error<M::Error>> {
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

    fn peek_hashed(&mut self) -> Result<Option<Frame>, Error<M::Error>> {
        if self.taken >= self.batch.len() {
            self.gather()?;
            self.taken = 0;
        }
        Ok(self.batch.get(self.taken).map(|(_, frame)| *frame))
    }

    /// Finds the next keys in order behind the last one.
    fn gather(&mut self) -> Result<(), Error<M::Error>> {
        self.batch.clear();
        let store = self.store;
        let last = match &self.last {
            Some(frame) => Some((self.prefix_of(frame)?, *frame)),
            None => None,
        };
        let mut cursor = store.index.first();
        while let Some((loc, primary, next)) = store.index.next(cursor) {
            cursor = next;
            if primary {
                self.consider(loc, last.as_ref())?;
            }
        }
        Ok(())
    }

    fn prefix_of(&self, frame: &Frame) -> Result<u64, Error<M::Error>> {
        let mut bytes = [0u8; 8];
        let len = usize::try_from(frame.key_len).unwrap_or(8).min(8);
        let part = bytes.get_mut(..len).unwrap_or_default();
        self.store.device.read_in(frame, frame.key_at(), part)?;
        Ok(prefix(part))
    }

    /// Puts a record into the batch if its key is behind the last one and
    /// before the batch's largest.
    fn consider(&mut self, loc: Loc, last: Option<&(u64, Frame)>) -> Result<(), Error<M::Error>> {
        let Some(frame) = self.readable(loc)? else {
            return Ok(());
        };
        let head = self.prefix_of(&frame)?;
        if let Some(last) = last
            && self.order(&(head, frame), last)? != Ordering::Greater
        {
            return Ok(());
        }
        let full = self.batch.is_full();
        if full
            && let Some(largest) = self.batch.last()
            && self.order(&(head, frame), largest)? != Ordering::Less
        {
            return Ok(());
        }
        if !self.wanted(&frame)? || self.before_lower(&frame)? {
            return Ok(());
        }
        let mut at = 0usize;
        while let Some(other) = self.batch.get(at) {
            if self.order(&(head, frame), other)? == Ordering::Less {
                break;
            }
            at = at.plus(1);
        }
        if full {
            self.batch.pop();
        }
        let _ = self.batch.insert(at, (head, frame));
        Ok(())
    }

    fn before_lower(&self, frame: &Frame) -> Result<bool, Error<M::Error>> {
        let Some(from) = self.from else {
            return Ok(false);
        };
        Ok(self.store.device.compare_key(frame, from)? == Ordering::Less)
    }

    fn order(&self, one: &(u64, Frame), other: &(u64, Frame)) -> Result<Ordering, Error<M::Error>> {
        match one.0.cmp(&other.0) {
            Ordering::Equal => self.store.device.compare_records(&one.1, &other.1),
            order => Ok(order),
        }
    }
}
