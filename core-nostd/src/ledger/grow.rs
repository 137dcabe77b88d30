//! A store that grows with its medium.
//!
//! How large a store is stands in its roots alone. So it grows by a root that
//! names more segments, and until that is durable nothing is written behind the
//! old end but blanks: a cut leaves the old store or the grown one.

use crate::error::Error;
use crate::fault::{Fault, What};
use crate::format::shape::Shape;
use crate::index::Index;
use crate::layout::{Layout, root_interval};
use crate::math::Saturate;
use crate::medium::Medium;
use crate::mutants::Mutant;
use crate::segments::{Owner, Segment};
use crate::store::Store;

impl<'a, M: Medium, I: Index> Store<'a, M, I> {
    /// Makes the store as long as `capacity`, which its medium has to be
    /// already: all or nothing, whatever happens. Everything in it stays as it
    /// is and where it is. `segments` is the new segment table, one row for
    /// each of [`Layout::grown`]'s; the one lent before is not used any more.
    ///
    /// A value may be as long as half of the store: the lent undo memory may
    /// have to grow too ([`Store::swap_undo`]).
    ///
    /// Erases all that is added and writes two checkpoints, into free segments,
    /// the first of them one that the store has.
    ///
    /// # Errors
    /// [`Error::Geometry`] as from [`Layout::grown`]; [`Error::MediumTooSmall`],
    /// [`Error::MemoryTooSmall`], [`Error::ReadOnly`], [`Error::TransactionOpen`];
    /// [`Error::Full`] where no segment is free; or the medium's. The store has
    /// grown or not, and [`Store::layout`] says which.
    pub fn grow(
        &mut self,
        capacity: u64,
        segments: &'a mut [Segment],
    ) -> Result<(), Error<M::Error>> {
        let layout = self.layout().grown(capacity).map_err(Error::Geometry)?;
        let found = self.device.medium.geometry().capacity;
        if found < capacity {
            let needed = capacity;
            return Err(Error::MediumTooSmall { found, needed });
        }
        let (needed, found) = (layout.segments, segments.len());
        let needed = usize::try_from(needed).unwrap_or(usize::MAX);
        let Some(rows) = segments.get_mut(..needed) else {
            let what = "segments";
            return Err(Error::MemoryTooSmall {
                what,
                needed,
                found,
            });
        };
        let grown = self.grow_to(&layout, rows);
        self.told(grown)
    }

    fn grow_to(&mut self, layout: &Layout, rows: &'a mut [Segment]) -> Result<(), Fault<M::Error>> {
        self.writable()?;
        if self.group.open {
            return Err(Fault::plain(What::TransactionOpen));
        }
        // Whatever they read as: a blank may be in a cache alone.
        let old = self.device.shape.segments;
        let added = (old..layout.segments).filter(|_| !Mutant::GrowUnblanked.on());
        for segment in added {
            self.device.erase(segment)?;
        }
        if Mutant::GrowUnrooted.on() {
            self.lengthen(layout, rows);
            return Ok(());
        }
        self.grow_root(layout, rows)?;
        // Whoever finds an older root is led to this one, and so is told that
        // the store is larger.
        self.close_predecessor()?;
        // Where this one is damaged, the next older says the same.
        self.write_root(None)?;
        Ok(())
    }

    /// Writes a root that names more segments, into one that the store has
    /// already: a start that does not believe it looks no further than the old
    /// end.
    fn grow_root(
        &mut self,
        layout: &Layout,
        rows: &'a mut [Segment],
    ) -> Result<(), Fault<M::Error>> {
        self.close_predecessor()?;
        if self.device.outstanding {
            self.flush()?;
        }
        let outer = self.group;
        let old = self.open_root()?;
        self.lengthen(layout, rows);
        self.write_checkpoint()?;
        self.write_remainders()?;
        self.end_root(old, outer)
    }

    /// Goes on with more segments, which are blank.
    fn lengthen(&mut self, layout: &Layout, rows: &'a mut [Segment]) {
        let old = core::mem::take(&mut self.table.rows);
        let blank = Segment {
            owner: Owner::Blank,
            ..Segment::EMPTY
        };
        rows.fill(blank);
        for (row, old) in rows.iter_mut().zip(old.iter()) {
            *row = *old;
        }
        self.table.rows = rows;
        self.table.recount();
        let shape = &mut self.device.shape;
        *shape = Shape::new(layout.geometry, shape.segment_size, shape.nonce);
        let records = shape.segments.minus(layout.ring);
        self.interval = root_interval(shape, layout.logs, records);
    }
}
