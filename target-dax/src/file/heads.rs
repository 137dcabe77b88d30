//! What pages begin with, read once while a store starts.
//!
//! A start looks at the header of each segment, and more than once. Through a
//! mapping the first look at each costs a fault, which maps fifteen pages more
//! that nobody asked for; a call for a few bytes takes a sixth of that.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, PoisonError};

/// Where segments begin: at pages.
const PAGE: u64 = super::ERASE_UNIT as u64;

/// The longest read that is kept.
const LEN: usize = 64;

/// Bytes, and how many of them.
type Head = ([u8; LEN], usize);

/// The first bytes of pages that were read; none where a store has started.
#[derive(Debug, Default)]
pub(super) struct Heads(Option<Mutex<HashMap<u64, Head>>>);

impl Heads {
    /// Keeps what is read from now on, or nothing any more.
    pub(super) fn keep(&mut self, keep: bool) {
        self.0 = keep.then(Mutex::default);
    }

    /// Something reaches the file: nothing that was read before counts.
    #[inline]
    pub(super) fn forget(&mut self) {
        if let Some(kept) = &mut self.0 {
            let kept = kept.get_mut();
            kept.unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// Whether a read is one of these.
    #[inline]
    pub(super) fn serve(&self, at: u64, len: usize) -> bool {
        self.0.is_some() && at.is_multiple_of(PAGE) && len <= LEN
    }

    /// Fills `buf` with what was read at `at`, by `fetch` where it was not.
    ///
    /// # Errors
    /// Those of `fetch`.
    pub(super) fn read(
        &self,
        at: u64,
        buf: &mut [u8],
        fetch: impl Fn(u64, &mut [u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(kept) = &self.0 else {
            return fetch(at, buf);
        };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((bytes, len)) = kept.get(&at)
            && buf.len() <= *len
        {
            buf.copy_from_slice(&bytes[..buf.len()]);
            return Ok(());
        }
        fetch(at, buf)?;
        let mut bytes = [0; LEN];
        bytes[..buf.len()].copy_from_slice(buf);
        kept.insert(at, (bytes, buf.len()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn pages_are_read_once_until_something_is_written() {
        let mut heads = Heads::default();
        assert!(!heads.serve(0, 8));
        heads.keep(true);
        assert!(heads.serve(PAGE, 64) && !heads.serve(PAGE, 65) && !heads.serve(8, 8));
        let calls = Cell::new(0u8);
        let read = |heads: &Heads, at, len| {
            let mut buf = vec![0; len];
            let fetched = heads.read(at, &mut buf, |_, buf| {
                calls.set(calls.get() + 1);
                buf.fill(calls.get());
                Ok(())
            });
            fetched.unwrap();
            buf
        };
        assert_eq!(read(&heads, 0, 4), [1; 4]);
        assert_eq!(read(&heads, PAGE, 4), [2; 4]);
        assert_eq!(read(&heads, 0, 3), [1; 3]);
        // Longer than what is kept.
        assert_eq!(read(&heads, 0, 8), [3; 8]);
        assert_eq!(read(&heads, 0, 8), [3; 8]);
        heads.forget();
        assert_eq!(read(&heads, 0, 8), [4; 8]);
        let failing = heads.read(8 * PAGE, &mut [0], |_, _| Err(io::ErrorKind::Other.into()));
        assert!(failing.is_err());
        assert_eq!(read(&heads, 8 * PAGE, 1), [5]);
        heads.keep(false);
        assert_eq!(read(&heads, 0, 8), [6; 8]);
    }
}
