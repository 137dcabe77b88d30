//! Large pages for memory that is read at random.

use std::alloc::Layout;
use std::ptr::NonNull;

/// What x86-64 and most others have; a smaller range has none.
#[cfg(target_os = "linux")]
const LARGE: usize = 2 << 20;

/// The layout of a table that lies in large pages alone, where it would fill
/// half of one.
#[cfg(target_os = "linux")]
pub(super) fn large(layout: Layout) -> Layout {
    if layout.size() < LARGE / 2 {
        return layout;
    }
    let whole = layout.size().next_multiple_of(LARGE);
    Layout::from_size_align(whole, LARGE).unwrap_or(layout)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn large(layout: Layout) -> Layout {
    layout
}

/// Asks the system to back memory that has such a layout with large pages when
/// it is first touched. A wish: it changes speed alone, and nothing where it is
/// not granted.
#[cfg(target_os = "linux")]
pub(super) fn prefer_large(memory: NonNull<u8>, layout: Layout) {
    use rustix::mm::{Advice, madvise};

    if layout.align() >= LARGE {
        // SAFETY: the memory was just allocated with the layout, so it is
        // whole pages and none of it is anyone else's. The advice changes
        // neither what it holds nor what may be done with it; its failure
        // leaves everything as it is.
        let _ = unsafe { madvise(memory.as_ptr().cast(), layout.size(), Advice::LinuxHugepage) };
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn prefer_large(_memory: NonNull<u8>, _layout: Layout) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn tables_that_fill_half_a_large_page_have_pages_of_their_own() {
        let table = |words: usize| large(Layout::array::<u64>(words).unwrap());
        assert_eq!(table(1000).align(), 8);
        assert_eq!(table(1000).size(), 8000);
        for words in [1 << 17, 1 << 18, 1 << 20] {
            assert_eq!(table(words).align(), LARGE);
            assert_eq!(table(words).size(), (words * 8).next_multiple_of(LARGE));
        }
    }
}
