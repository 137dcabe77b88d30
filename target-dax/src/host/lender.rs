//! Memory that is lent for as long as its lender lives, from any thread.

use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

use super::pages;

/// Lends slices and takes all of them back when it is dropped. It differs from
/// an arena in that threads may share it.
pub(super) struct Lender<T> {
    lent: Mutex<Vec<Lent<T>>>,
}

/// A slice that was a box.
struct Lent<T>(NonNull<[T]>);

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
        self.keep(vec![T::default(); count])
    }

    /// As [`Lender::lend`], for an index, where each step is a jump: in large
    /// pages, if the system has them, so that a jump waits for memory once and
    /// not twice.
    pub(super) fn lend_table(&self, count: usize) -> &mut [T] {
        let mut table = Vec::with_capacity(count);
        pages::prefer_large(table.spare_capacity_mut());
        table.resize(count, T::default());
        self.keep(table)
    }

    /// Bytes of all that was lent.
    pub(super) fn bytes(&self) -> usize {
        let all = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .map(|Lent(lent)| lent.len() * size_of::<T>())
            .sum()
    }

    /// Lends what a vector holds, each to one borrower.
    #[allow(clippy::mut_from_ref)] // As an arena.
    fn keep(&self, values: Vec<T>) -> &mut [T] {
        let mut lent = NonNull::from(Box::leak(values.into_boxed_slice()));
        let mut all = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Lent(lent));
        // SAFETY: the slice is a leaked box's, which lives until `self` is
        // dropped, and this is the only reference to it that is ever made.
        unsafe { lent.as_mut() }
    }
}

impl<T> Drop for Lender<T> {
    fn drop(&mut self) {
        let all = self.lent.get_mut().unwrap_or_else(PoisonError::into_inner);
        for lent in all.drain(..) {
            // SAFETY: the pointer is of a box that was leaked and that nobody
            // frees but this. What was lent borrowed `self`, which is being
            // dropped, so no borrow of it is left.
            drop(unsafe { Box::from_raw(lent.0.as_ptr()) });
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
