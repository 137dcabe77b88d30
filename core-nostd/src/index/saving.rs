//! An index that outlives a close.

use core::cmp::Ordering;

use super::{Cursor, Index, IndexFull, Loc, Probe};

/// An index that [`Store::close`](crate::Store::close) writes to the medium,
/// and the next start reads back instead of every record.
///
/// It is what it wraps in everything else, and may come and go from one opening
/// to the next. A close then costs a checkpoint and the index, 8 bytes a slot
/// or 16 an entry of an ordered one; a start after it a few kilobytes and the
/// index. Where the store was not closed, the medium was full, the index is of
/// another kind, or a hash index has another number of slots, it is built from
/// the records as ever: nothing depends on what was saved.
///
/// A start that loads the index has not looked at the records. What decayed
/// meanwhile is found when it is read, moved or checked.
///
/// With the feature `resume`, on media whose writes are unordered, what was saved
/// is good behind a power cut too, as long as the store has other room: a start
/// takes in what was written since. A store that goes on can save it as well
/// (`Store::begin_save`).
///
/// ```
/// use indelible::HashIndex;
/// use indelible::index::Saving;
///
/// let mut slots = [0; 64];
/// let index = Saving(HashIndex::new(&mut slots));
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Saving<I>(pub I);

impl<I: Index> Index for Saving<I> {
    const ORDERED: bool = I::ORDERED;
    const KEYS: bool = I::KEYS;
    const FORM: u32 = I::FORM;
    const SAVED: bool = I::FORM != 0;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }

    fn clear(&mut self) {
        self.0.clear();
    }

    #[inline]
    fn find<E>(
        &self,
        probe: &Probe,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<Option<Loc>, E> {
        self.0.find(probe, compare)
    }

    #[inline]
    fn foresee(&self, probe: &Probe) {
        self.0.foresee(probe);
    }

    fn insert<E>(
        &mut self,
        probe: &Probe,
        to: Loc,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<Result<Option<Loc>, IndexFull>, E> {
        self.0.insert(probe, to, compare)
    }

    fn relocate<E>(
        &mut self,
        probe: &Probe,
        from: Loc,
        to: Loc,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<bool, E> {
        self.0.relocate(probe, from, to, compare)
    }

    fn points_at<E>(
        &self,
        probe: &Probe,
        at: Loc,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<bool, E> {
        self.0.points_at(probe, at, compare)
    }

    fn remove<E>(
        &mut self,
        probe: &Probe,
        from: Loc,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<bool, E> {
        self.0.remove(probe, from, compare)
    }

    fn first(&self) -> Cursor {
        self.0.first()
    }

    fn next(&self, at: Cursor) -> Option<(Loc, bool, Cursor)> {
        self.0.next(at)
    }

    fn prev(&self, at: Cursor) -> Option<(Loc, bool, Cursor)> {
        self.0.prev(at)
    }

    fn seek<E>(
        &self,
        probe: &Probe,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<Cursor, E> {
        self.0.seek(probe, compare)
    }

    fn save<E>(&self, word: &mut dyn FnMut(u64) -> Result<(), E>) -> Result<(), E> {
        self.0.save(word)
    }

    fn load<E>(
        &mut self,
        count: u64,
        end: Loc,
        read: &mut dyn FnMut(&mut [u8]) -> Result<(), E>,
    ) -> Result<bool, E> {
        self.0.load(count, end, read)
    }

    fn leave_out(&mut self, gone: &mut dyn FnMut(Loc, bool) -> bool) -> bool {
        self.0.leave_out(gone)
    }
}
