//! Memory that is lent for as long as its lender lives, from any thread.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

use indelible::OrderedNode;

use super::pages::Pages;

/// Lends slices and takes all of them back when it is dropped. It differs from
/// an arena in that threads may share it.
pub(super) struct Lender<T> {
    lent: Mutex<Vec<Lent<T>>>,
}

/// A slice, and where its memory is from.
struct Lent<T>(NonNull<[T]>, Source);

/// Where memory is from.
enum Source {
    /// It was asked for as that.
    Allocator(Layout),
    /// It is given back with them.
    #[allow(dead_code)] // For its drop.
    Pages(Pages),
}

/// What memory of zeros may be taken for.
///
/// # Safety
/// Zeros must be a valid value, one that needs no drop.
pub(super) unsafe trait Zeroed {}

// SAFETY: zeros are the number zero.
unsafe impl Zeroed for u64 {}

// SAFETY: it is integers alone, as it says.
unsafe impl Zeroed for OrderedNode {}

// SAFETY: it is the slice's owner, who does nothing with it but free it.
unsafe impl<T: Send> Send for Lent<T> {}

impl<T> Default for Lender<T> {
    fn default() -> Self {
        let lent = Mutex::default();
        Self { lent }
    }
}

impl<T> Lender<T> {
    /// Bytes of all that was lent.
    pub(super) fn bytes(&self) -> usize {
        let all = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .map(|Lent(lent, _)| lent.len() * size_of::<T>())
            .sum()
    }

    /// Lends `count` values that begin in memory from `source`, to one borrower.
    ///
    /// # Safety
    /// The memory is valid for that until `source` is given back, holds valid
    /// values, and is nobody else's.
    #[allow(clippy::mut_from_ref)] // As an arena.
    unsafe fn keep(&self, begin: NonNull<T>, count: usize, source: Source) -> &mut [T] {
        let mut lent = NonNull::slice_from_raw_parts(begin, count);
        let mut all = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Lent(lent, source));
        // SAFETY: as the caller says. The memory is given back when `self` is
        // dropped, and this is the only reference to it that is ever made.
        unsafe { lent.as_mut() }
    }
}

impl<T: Clone + Default> Lender<T> {
    /// `count` default values.
    #[allow(clippy::mut_from_ref)] // As an arena.
    pub(super) fn lend(&self, count: usize) -> &mut [T] {
        let layout = array::<T>(count);
        if layout.size() == 0 {
            return &mut [];
        }
        // SAFETY: the layout has a size.
        let begin = unsafe { alloc(layout) };
        let Some(begin) = NonNull::new(begin.cast::<T>()) else {
            handle_alloc_error(layout);
        };
        for place in 0..count {
            // SAFETY: the layout is that of an array of `count`.
            unsafe { begin.add(place).write(T::default()) };
        }
        // SAFETY: it was just allocated as that many, and all were written.
        unsafe { self.keep(begin, count, Source::Allocator(layout)) }
    }
}

impl<T: Zeroed> Lender<T> {
    /// `count` zeros that nothing has touched yet, for an index, where each step
    /// is a jump: in large pages, if the system has them, so that a jump waits for
    /// memory once and not twice.
    #[allow(clippy::mut_from_ref)] // As an arena.
    pub(super) fn lend_zeros(&self, count: usize) -> &mut [T] {
        let layout = array::<T>(count);
        if layout.size() == 0 {
            return &mut [];
        }
        if let Some((pages, begin)) = Pages::zeros(layout.size()) {
            // SAFETY: as many zeros begin there, aligned to far more than `T`,
            // in pages that are nobody else's.
            return unsafe { self.keep(begin.cast(), count, Source::Pages(pages)) };
        }
        // SAFETY: the layout has a size.
        let begin = unsafe { alloc_zeroed(layout) };
        let Some(begin) = NonNull::new(begin.cast::<T>()) else {
            handle_alloc_error(layout);
        };
        // SAFETY: it was just allocated as that many, and zeros are values.
        unsafe { self.keep(begin, count, Source::Allocator(layout)) }
    }
}

/// The layout of `count` values.
fn array<T>(count: usize) -> Layout {
    Layout::array::<T>(count).expect("less than half of all addresses")
}

impl<T> Drop for Lender<T> {
    fn drop(&mut self) {
        let all = self.lent.get_mut().unwrap_or_else(PoisonError::into_inner);
        for Lent(lent, source) in all.drain(..) {
            // SAFETY: nobody else drops the values. What was lent borrowed `self`,
            // which is being dropped, so no borrow of it is left.
            unsafe { lent.as_ptr().drop_in_place() };
            if let Source::Allocator(layout) = source {
                // SAFETY: this layout is what the memory was asked for with, and
                // nobody else frees it.
                unsafe { dealloc(lent.as_ptr().cast(), layout) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Lender;

    #[test]
    fn each_borrower_has_memory_of_its_own() {
        let lender = Lender::<u64>::default();
        std::thread::scope(|scope| {
            for number in 0..4 {
                let lender = &lender;
                scope.spawn(move || {
                    let (small, table) = (lender.lend(3), lender.lend_zeros(200_000));
                    assert!(table.iter().all(|value| *value == 0));
                    small.fill(number);
                    table.fill(number + 10);
                    assert!(small.iter().all(|value| *value == number));
                    assert!(table.iter().all(|value| *value == number + 10));
                    assert!(lender.lend(0).is_empty() && lender.lend_zeros(0).is_empty());
                });
            }
        });
        assert_eq!(lender.bytes(), 4 * 8 * 200_003);
    }
}
