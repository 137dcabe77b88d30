//! Where the newest record of each key lies, in memory that the caller lends.
//!
//! An index maps entries to record locations. It holds no keys: what it
//! cannot decide from the hash or the key's first eight bytes it asks through
//! a `compare` call that reads the record at a location.

use core::cmp::Ordering;

/// The largest location that an index has to hold (37 bits).
pub const LOC_MAX: u64 = (1 << 37) - 1;

/// Where a record lies: its address in units of the store's alignment.
/// At most [`LOC_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Loc(pub u64);

/// What an index may know of the entry that it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Probe {
    /// A hash of the whole entry name (key, kind, generation, number).
    pub hash: u64,
    /// The key's first eight bytes, big-endian, zero-filled: orders as the
    /// keys do where it differs; equal prefixes decide nothing.
    pub prefix: u64,
    /// Whether the entry is a key's own item, not a chunk, list or element.
    pub primary: bool,
}

/// An index has no room for another entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct IndexFull {
    /// How many entries it holds at most.
    pub capacity: usize,
}

/// A place in an ordered index, valid until the index changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Cursor {
    /// A leaf or slot number; its meaning is the index's own.
    pub node: u32,
    /// The entry in it.
    pub slot: u32,
}

/// An index over record locations.
///
/// `compare(loc)` says how the record *at `loc`* orders against the entry
/// probed for: `Less` where the record comes first. A hash index uses only
/// whether it is `Equal`. Its errors end the operation, with the index
/// unchanged.
pub trait Index {
    /// Whether [`Index::seek`] and [`Index::next`] walk in key order.
    const ORDERED: bool;

    /// Whether it can hold keys at all.
    const KEYS: bool = true;

    /// What its words look like where it can be saved (see [`Index::save`]);
    /// zero where it cannot.
    const FORM: u32 = 0;

    /// Whether a close saves it, for the next start to load: [`Saving`] says
    /// so. Whatever needs it is not linked where it is `false`.
    const SAVED: bool = false;

    /// Entries held.
    fn len(&self) -> usize;

    /// Whether no entry is held.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Entries that fit for certain.
    fn capacity(&self) -> usize;

    /// Removes every entry.
    fn clear(&mut self);

    /// The location of the entry, if present.
    ///
    /// # Errors
    /// What `compare` returned.
    fn find<E>(
        &self,
        probe: &Probe,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<Option<Loc>, E>;

    /// Begins to fetch the memory that a look for the entry would read first, so
    /// that several looks need not wait for it one by one. Changes nothing, and
    /// does nothing by default.
    fn foresee(&self, probe: &Probe) {
        let _ = probe;
    }

    /// Points the entry at `to`, adding it where it is absent; returns where
    /// it pointed before. `Ok(Err(..))` changes nothing.
    ///
    /// # Errors
    /// What `compare` returned.
    fn insert<E>(
        &mut self,
        probe: &Probe,
        to: Loc,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<Result<Option<Loc>, IndexFull>, E>;

    /// Moves the entry that points exactly at `from` to `to`, if there is one.
    /// The hash index does not call `compare` here.
    ///
    /// # Errors
    /// What `compare` returned.
    fn relocate<E>(
        &mut self,
        probe: &Probe,
        from: Loc,
        to: Loc,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<bool, E>;

    /// Whether the entry points exactly at `at`. The hash index does not call
    /// `compare` here.
    ///
    /// # Errors
    /// What `compare` returned.
    fn points_at<E>(
        &self,
        probe: &Probe,
        at: Loc,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<bool, E> {
        Ok(self.find(probe, compare)? == Some(at))
    }

    /// Removes the entry that points exactly at `from`, if there is one.
    /// The hash index does not call `compare` here.
    ///
    /// # Errors
    /// What `compare` returned.
    fn remove<E>(
        &mut self,
        probe: &Probe,
        from: Loc,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<bool, E>;

    /// The first place of a walk over all entries: in key order where
    /// [`Index::ORDERED`], in any order otherwise. It may hold no entry.
    fn first(&self) -> Cursor;

    /// The entry at a cursor (location, primary) and the cursor behind it;
    /// `None` at the end. Skips unused places.
    fn next(&self, at: Cursor) -> Option<(Loc, bool, Cursor)>;

    /// The entry before a cursor and the cursor at it; `None` at the start.
    /// Skips unused places.
    fn prev(&self, at: Cursor) -> Option<(Loc, bool, Cursor)>;

    /// Ordered indexes: the place of the first entry that is not less than
    /// the probe. Others return [`Index::first`].
    ///
    /// # Errors
    /// What `compare` returned.
    fn seek<E>(
        &self,
        probe: &Probe,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<Cursor, E>;

    /// Calls `word` with everything that [`Index::load`] needs. One that
    /// cannot be saved has no words.
    ///
    /// # Errors
    /// What `word` returned.
    fn save<E>(&self, word: &mut dyn FnMut(u64) -> Result<(), E>) -> Result<(), E> {
        let _ = word;
        Ok(())
    }

    /// Becomes the index that was saved, from its `count` words, little-endian:
    /// `read` fills a buffer with the next ones. All entries lie before `end`.
    /// `false` where they are not what this index, with the memory that it was
    /// lent, could have saved; it then holds anything, until it is cleared. The
    /// words may be any: they cost no more than a pass, and no panic.
    ///
    /// # Errors
    /// What `read` returned; the index then holds anything.
    fn load<E>(
        &mut self,
        count: u64,
        end: Loc,
        read: &mut dyn FnMut(&mut [u8]) -> Result<(), E>,
    ) -> Result<bool, E> {
        let _ = (count, end, read);
        Ok(false)
    }

    /// Takes out each entry, its location and whether it is primary, of which
    /// `gone` holds: called behind [`Index::load`]. `false` where there is one and
    /// it cannot be taken out, as in an ordered index.
    fn leave_out(&mut self, gone: &mut dyn FnMut(Loc, bool) -> bool) -> bool {
        let _ = gone;
        false
    }
}

mod hash;
mod loading;
mod ordered;
mod packed;
mod saving;

pub use hash::HashIndex;
pub use ordered::{OrderedIndex, OrderedNode};
pub use saving::Saving;

/// No index at all: for a store that holds logs alone.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NoIndex;

impl Index for NoIndex {
    const ORDERED: bool = true;
    const KEYS: bool = false;

    fn len(&self) -> usize {
        0
    }
    fn capacity(&self) -> usize {
        0
    }
    fn clear(&mut self) {}
    fn find<E>(
        &self,
        _: &Probe,
        _: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<Option<Loc>, E> {
        Ok(None)
    }
    fn insert<E>(
        &mut self,
        _: &Probe,
        _: Loc,
        _: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<Result<Option<Loc>, IndexFull>, E> {
        Ok(Err(IndexFull { capacity: 0 }))
    }
    fn relocate<E>(
        &mut self,
        _: &Probe,
        _: Loc,
        _: Loc,
        _: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<bool, E> {
        Ok(false)
    }
    fn remove<E>(
        &mut self,
        _: &Probe,
        _: Loc,
        _: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<bool, E> {
        Ok(false)
    }
    fn first(&self) -> Cursor {
        Cursor { node: 0, slot: 0 }
    }
    fn next(&self, _: Cursor) -> Option<(Loc, bool, Cursor)> {
        None
    }
    fn prev(&self, _: Cursor) -> Option<(Loc, bool, Cursor)> {
        None
    }
    fn seek<E>(
        &self,
        _: &Probe,
        _: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<Cursor, E> {
        Ok(self.first())
    }
}

/// What the tests of both indexes save and load with.
#[cfg(test)]
mod words {
    extern crate std;

    use super::{Index, Loc};
    use std::vec::Vec;

    pub(super) fn words(index: &impl Index) -> Vec<u64> {
        let mut words = Vec::new();
        let saved = index.save(&mut |word| {
            words.push(word);
            Ok::<(), ()>(())
        });
        assert_eq!(saved, Ok(()));
        words
    }

    pub(super) fn load(index: &mut impl Index, words: &[u64], end: u64) -> bool {
        let bytes: Vec<_> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut rest = &bytes[..];
        let mut read = |into: &mut [u8]| {
            let (now, later) = rest.split_at_checked(into.len()).ok_or(())?;
            into.copy_from_slice(now);
            rest = later;
            Ok::<_, ()>(())
        };
        let loaded = index.load(words.len() as u64, Loc(end), &mut read);
        assert!(loaded.is_ok(), "more words are read than there are");
        loaded == Ok(true) && rest.is_empty()
    }
}
