//! Memory that is lent for as long as its lender lives, from any thread.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

use super::pages;

/// Lends slices and takes all of them back when it is dropped. It differs from
/// an arena in that threads may share it.
pub(super) struct Lender<T> {
    lent: Mutex<Vec<Lent<T>>>,
}

/// A slice, and what its memory was asked for as.
struct Lent<T>(NonNull<[T]>, Layout);

// SAFETY: it is the slice's owner, who does nothing with it but free it.
unsafe impl<T: Send> Send for Lent<T> {}

impl<T> Default for Lender<T> {
    fn default() -> Self {
        let lent = Mutex::default();
        Self { lent }
    }
}

impl<T: Clone + Default> Lender<T> {
    /// `count` default values.
    pub(super) fn lend(&self, count: usize) -> &mut [T] {
        let layout = Layout::array::<T>(count).expect("less than half of all addresses");
        self.keep(count, layout)
    }

    /// As [`Lender::lend`], for an index, where each step is a jump: in large
    /// pages, if the system has them, so that a jump waits for memory once and
    /// not twice.
    pub(super) fn lend_table(&self, count: usize) -> &mut [T] {
        let layout = Layout::array::<T>(count).expect("less than half of all addresses");
        self.keep(count, pages::large(layout))
    }

    /// Bytes of all that was lent.
    pub(super) fn bytes(&self) -> usize {
        let all = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .map(|Lent(lent, _)| lent.len() * size_of::<T>())
            .sum()
    }

    /// Lends `count` values in memory of a layout that has room for them, to
    /// one borrower.
    #[allow(clippy::mut_from_ref)] // As an arena.
    fn keep(&self, count: usize, layout: Layout) -> &mut [T] {
        if layout.size() == 0 {
            return &mut [];
        }
        // SAFETY: the layout has a size.
        let begin = unsafe { alloc(layout) };
        let Some(begin) = NonNull::new(begin.cast::<T>()) else {
            handle_alloc_error(layout);
        };
        pages::prefer_large(begin.cast(), layout);
        for place in 0..count {
            // SAFETY: the layout is at least that of an array of `count`.
            unsafe { begin.add(place).write(T::default()) };
        }
        let mut lent = NonNull::slice_from_raw_parts(begin, count);
        let mut all = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Lent(lent, layout));
        // SAFETY: all values were written. The memory is freed when `self` is
        // dropped, and this is the only reference to it that is ever made.
        unsafe { lent.as_mut() }
    }
}

impl<T> Drop for Lender<T> {
    fn drop(&mut self) {
        let all = self.lent.get_mut().unwrap_or_else(PoisonError::into_inner);
        for Lent(lent, layout) in all.drain(..) {
            // SAFETY: this layout is what the memory was asked for with, and
            // nobody else drops the values or frees it. What was lent borrowed
            // `self`, which is being dropped, so no borrow of it is left.
            unsafe {
                lent.as_ptr().drop_in_place();
                dealloc(lent.as_ptr().cast(), layout);
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
                    let (small, table) = (lender.lend(3), lender.lend_table(100_000));
                    small.fill(number);
                    table.fill(number + 10);
                    assert!(small.iter().all(|value| *value == number));
                    assert!(table.iter().all(|value| *value == number + 10));
                    assert!(lender.lend(0).is_empty());
                });
            }
        });
        assert_eq!(lender.bytes(), 4 * 8 * 100_003);
    }
}
