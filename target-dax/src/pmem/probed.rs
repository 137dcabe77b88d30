//! Reading by a call before memory is touched: a call returns an error where
//! a load ends the process.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::file::OsFile;

/// What is read by a call before it is first touched through a mapping.
const WINDOW: usize = 32 << 10;

/// Windows of a file that a call has read since it was mapped, a bit each.
#[derive(Debug)]
pub(super) struct Probed {
    size: usize,
    windows: Box<[AtomicU64]>,
}

impl Probed {
    /// None yet, of a file of `size` bytes.
    pub(super) fn new(size: usize) -> Self {
        let words = size.div_ceil(WINDOW).div_ceil(64);
        Self {
            size,
            windows: (0..words).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Reads the windows of a range inside the file that no call has read yet.
    #[inline]
    pub(super) fn range(&self, file: &OsFile, at: usize, len: usize) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        for window in at / WINDOW..=(at + len - 1) / WINDOW {
            let bit = 1 << (window % 64);
            // Relaxed: the bit says what this process has seen, and guards no
            // other memory.
            if self.windows[window / 64].load(Ordering::Relaxed) & bit == 0 {
                self.read(file, window)?;
                self.windows[window / 64].fetch_or(bit, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    #[cold]
    fn read(&self, file: &OsFile, window: usize) -> io::Result<()> {
        let begin = window * WINDOW;
        let len = WINDOW.min(self.size - begin);
        file.read_through(begin as u64, &mut vec![0; len])
    }
}
