//! Zeroed memory for tables that are read at random, in large pages.

use std::ptr::NonNull;

/// What x86-64 and most others have; a smaller range has none.
#[cfg(target_os = "linux")]
const LARGE: usize = 2 << 20;

/// Pages of the system, all of them to be given back.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(super) struct Pages {
    taken: NonNull<std::ffi::c_void>,
    len: usize,
}

#[cfg(target_os = "linux")]
impl Pages {
    /// New pages, with where `bytes` zeros begin in them: whole large pages, if
    /// the system has them, none of which is touched. `None` for what would not
    /// fill half of one, and where there are none to be had.
    pub(super) fn zeros(bytes: usize) -> Option<(Self, NonNull<u8>)> {
        use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};

        if bytes < LARGE / 2 {
            return None;
        }
        let whole = bytes.checked_next_multiple_of(LARGE)?;
        let len = whole.checked_add(LARGE)?;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let anywhere = std::ptr::null_mut();
        // SAFETY: a new mapping at an address that the system chooses takes
        // nothing away from anyone.
        let taken = unsafe { mmap_anonymous(anywhere, len, protection, MapFlags::PRIVATE) };
        let taken = NonNull::new(taken.ok()?)?;
        // From here on they are given back whatever fails.
        let pages = Self { taken, len };
        let begin = taken.cast::<u8>();
        let skip = begin.align_offset(LARGE);
        if skip >= LARGE {
            return None;
        }
        // SAFETY: less than a large page of what was taken comes before it.
        let begin = unsafe { begin.add(skip) };
        // A wish: it changes speed alone, and nothing where it is not granted.
        // SAFETY: these pages were just mapped, and nobody else knows of them.
        // The advice changes neither what they hold nor what may be done with
        // them; its failure leaves everything as it is.
        let _ = unsafe { madvise(begin.as_ptr().cast(), whole, Advice::LinuxHugepage) };
        Some((pages, begin))
    }
}

#[cfg(target_os = "linux")]
impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: these are what `mmap` was asked for and gave back; whoever has
        // them lends nothing that outlives them. A failure leaves them mapped,
        // which harms nobody.
        let _ = unsafe { rustix::mm::munmap(self.taken.as_ptr(), self.len) };
    }
}

/// Elsewhere there are none.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(super) struct Pages(());

#[cfg(not(target_os = "linux"))]
impl Pages {
    pub(super) fn zeros(_bytes: usize) -> Option<(Self, NonNull<u8>)> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_fills_half_a_large_page_has_pages_of_its_own() {
        assert!(Pages::zeros(0).is_none() && Pages::zeros(LARGE / 2 - 1).is_none());
        for bytes in [LARGE / 2, LARGE, LARGE + 1, 5 * LARGE - 8] {
            let (pages, begin) = Pages::zeros(bytes).unwrap();
            let before = begin.as_ptr() as usize - pages.taken.as_ptr() as usize;
            assert!((begin.as_ptr() as usize).is_multiple_of(LARGE));
            assert!(before + bytes.next_multiple_of(LARGE) <= pages.len);
        }
    }
}
