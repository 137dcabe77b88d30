//! The index of a store in a page: a hash index to find keys, whatever they have
//! in common, and an ordered one to walk them.
//!
//! An ordered index alone knows eight bytes of each key, and reads a record for
//! every step of a search among keys that begin alike, as keys of programs do.

use core::cmp::Ordering;

use indelible::index::{Cursor, IndexFull, Loc, Probe};
use indelible::{HashIndex, Index, OrderedIndex, OrderedNode};

use crate::lent::Lent;

/// Both indexes, with the same entries.
#[derive(Debug)]
pub struct Indexes {
    hash: HashIndex<'static>,
    ordered: OrderedIndex<'static>,
}

impl Indexes {
    /// Empty indexes for `entries` entries.
    ///
    /// # Safety
    /// They must not be used any more when `lent` is dropped.
    pub(crate) unsafe fn new(lent: &mut Lent, entries: usize) -> Self {
        // SAFETY: by the contract of this function.
        let (slots, nodes) = unsafe {
            (
                lent.slice(HashIndex::slots_for(entries)),
                lent.slice::<OrderedNode>(OrderedIndex::nodes_for(entries)),
            )
        };
        Indexes {
            hash: HashIndex::new(slots),
            ordered: OrderedIndex::new(nodes),
        }
    }
}

type Compare<'c, E> = &'c mut dyn FnMut(Loc) -> Result<Ordering, E>;

impl Index for Indexes {
    const ORDERED: bool = true;

    fn len(&self) -> usize {
        self.ordered.len()
    }

    fn capacity(&self) -> usize {
        self.hash.capacity().min(self.ordered.capacity())
    }

    fn clear(&mut self) {
        self.hash.clear();
        self.ordered.clear();
    }

    fn find<E>(&self, probe: &Probe, compare: Compare<'_, E>) -> Result<Option<Loc>, E> {
        self.hash.find(probe, compare)
    }

    fn insert<E>(
        &mut self,
        probe: &Probe,
        to: Loc,
        compare: Compare<'_, E>,
    ) -> Result<Result<Option<Loc>, IndexFull>, E> {
        let capacity = self.capacity();
        if let Some(old) = self.hash.find(probe, compare)? {
            // Known places ask for fewer records than a search of the order.
            if !self.relocate(probe, old, to, compare)? {
                return Ok(Err(IndexFull { capacity }));
            }
            return Ok(Ok(Some(old)));
        }
        if self.len() >= capacity {
            return Ok(Err(IndexFull { capacity }));
        }
        if let Err(full) = self.ordered.insert(probe, to, compare)? {
            return Ok(Err(full));
        }
        // From here on no record need be read, so nothing can fail.
        let mut absent = |_| Ok(Ordering::Less);
        self.hash.insert(probe, to, &mut absent)
    }

    fn relocate<E>(
        &mut self,
        probe: &Probe,
        from: Loc,
        to: Loc,
        compare: Compare<'_, E>,
    ) -> Result<bool, E> {
        Ok(self.ordered.relocate(probe, from, to, compare)?
            && self.hash.relocate(probe, from, to, compare)?)
    }

    fn points_at<E>(&self, probe: &Probe, at: Loc, compare: Compare<'_, E>) -> Result<bool, E> {
        self.hash.points_at(probe, at, compare)
    }

    fn remove<E>(&mut self, probe: &Probe, from: Loc, compare: Compare<'_, E>) -> Result<bool, E> {
        Ok(self.ordered.remove(probe, from, compare)? && self.hash.remove(probe, from, compare)?)
    }

    fn first(&self) -> Cursor {
        self.ordered.first()
    }

    fn next(&self, at: Cursor) -> Option<(Loc, bool, Cursor)> {
        self.ordered.next(at)
    }

    fn prev(&self, at: Cursor) -> Option<(Loc, bool, Cursor)> {
        self.ordered.prev(at)
    }

    fn seek<E>(&self, probe: &Probe, compare: Compare<'_, E>) -> Result<Cursor, E> {
        self.ordered.seek(probe, compare)
    }
}
