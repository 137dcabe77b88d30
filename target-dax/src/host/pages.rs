//! Large pages for memory that is read at random.

use std::mem::MaybeUninit;

/// Asks the system to back memory with large pages when it is first touched.
/// A wish: it changes speed alone, and nothing where it is not granted.
#[cfg(target_os = "linux")]
pub(super) fn prefer_large<T>(memory: &mut [MaybeUninit<T>]) {
    use rustix::mm::{Advice, madvise};

    /// What x86-64 and most others have; a smaller range has none.
    const LARGE: usize = 2 << 20;

    let begin = memory.as_mut_ptr().cast::<u8>();
    let skip = begin.align_offset(LARGE);
    let len = size_of_val(memory).saturating_sub(skip) / LARGE * LARGE;
    if len > 0 {
        // SAFETY: the range lies inside `memory`, which is borrowed mutably,
        // and holds whole pages, so that none of it is anyone else's. The
        // advice changes neither what the memory holds nor what may be done
        // with it; its failure leaves everything as it is.
        let _ = unsafe { madvise(begin.wrapping_add(skip).cast(), len, Advice::LinuxHugepage) };
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn prefer_large<T>(_memory: &mut [MaybeUninit<T>]) {}

#[cfg(test)]
mod tests {
    #[test]
    fn any_memory_may_be_asked_for() {
        for len in [0, 1, 5000, 3 << 20, 9 << 20] {
            let mut memory: Vec<u8> = Vec::with_capacity(len);
            super::prefer_large(memory.spare_capacity_mut());
            memory.resize(len, 7);
            assert!(memory.iter().all(|byte| *byte == 7));
        }
    }
}
