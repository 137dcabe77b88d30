//! What the core is shown where a page cannot be read.
//!
//! The core judges by bytes, and hands on errors of the medium: with one page
//! that is gone no store would open. So a page that the system cannot read, and
//! never could in this session, reads as bytes that the core takes for damage:
//! each is the complement of blank, so nothing there looks like space that was
//! not written, and no frame begins there, for four of them are two bits from
//! every first word that passes its check.
//!
//! A page that failed once counts as failed until it is erased: between two looks
//! of one judgement it must not change from one thing to another and back.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What fails as one.
const PAGE: u64 = super::ERASE_UNIT as u64;

/// The pages of a medium that could not be read.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    /// Whether there are any: reads look no further otherwise.
    some: AtomicBool,
    pages: Mutex<BTreeSet<u64>>,
}

/// Whether the system says that bytes are gone, and not that it cannot read
/// just now or was asked wrongly.
fn is_lost(error: &io::Error) -> bool {
    error
        .raw_os_error()
        .is_some_and(|code| CODES.contains(&code))
}

/// `EIO`; on Linux `EHWPOISON` too.
#[cfg(not(windows))]
const CODES: &[i32] = &[5, 133];

/// `ERROR_CRC`, `ERROR_READ_FAULT`, `ERROR_IO_DEVICE`.
#[cfg(windows)]
const CODES: &[i32] = &[23, 30, 1117];

impl Lost {
    fn pages(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether any page of a range is lost.
    #[inline]
    pub(crate) fn any_in(&self, at: u64, len: u64) -> bool {
        self.some.load(Ordering::Acquire) && self.find(at, len)
    }

    #[cold]
    fn find(&self, at: u64, len: u64) -> bool {
        let begin = at / PAGE * PAGE;
        self.pages().range(begin..at + len).next().is_some()
    }

    /// Fills `buf` from `at` by `fetch`, and what is lost with the complement of
    /// `blank`.
    ///
    /// # Errors
    /// Those of `fetch` that do not say that bytes are lost.
    #[inline]
    pub(crate) fn read(
        &self,
        at: u64,
        buf: &mut [u8],
        blank: u8,
        fetch: impl Fn(u64, &mut [u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        if !self.any_in(at, buf.len() as u64) {
            match fetch(at, buf) {
                Err(error) if is_lost(&error) => {}
                done => return done,
            }
        }
        self.read_pages(at, buf, !blank, fetch)
    }

    #[cold]
    fn read_pages(
        &self,
        mut at: u64,
        mut buf: &mut [u8],
        filler: u8,
        fetch: impl Fn(u64, &mut [u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        while !buf.is_empty() {
            let page = at / PAGE * PAGE;
            let len = ((page + PAGE - at) as usize).min(buf.len());
            let (part, rest) = buf.split_at_mut(len);
            if !self.any_in(page, 1) {
                match fetch(at, part) {
                    Err(error) if is_lost(&error) => {
                        self.pages().insert(page);
                        self.some.store(true, Ordering::Release);
                    }
                    done => done?,
                }
            }
            if self.any_in(page, 1) {
                part.fill(filler);
            }
            (at, buf) = (at + len as u64, rest);
        }
        Ok(())
    }

    /// What was written anew can be read again.
    pub(crate) fn erased(&self, at: u64, len: u64) {
        if self.some.load(Ordering::Acquire) {
            self.pages().retain(|page| !(at..at + len).contains(page));
        }
    }
}
