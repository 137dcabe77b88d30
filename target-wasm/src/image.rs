//! The medium of a store in a page: its image in memory, written through.
//!
//! What JavaScript keeps (a file, a database, nothing) is a [`Port`]. It is read
//! once, when it is opened, and again for a check; reads of the store are
//! memory accesses. Writes change the image and are remembered as runs; a flush
//! hands each run to the port in one write, and then flushes the port once.

use alloc::vec::Vec;

use indelible::{Geometry, Medium, Order};

use crate::below::FAULT;
pub use crate::below::Failed;

/// Runs that are no further apart than this are written as one: the bytes
/// between are written as they are, which costs less than a call.
const GAP: usize = 64;

/// Where an image is kept.
pub trait Port {
    /// Fills `bytes` from byte `at`.
    ///
    /// # Errors
    /// [`Failed`], also for a read that ends early.
    fn read(&self, at: usize, bytes: &mut [u8]) -> Result<(), Failed>;

    /// Writes `bytes` at byte `at`; outstanding until the next flush.
    ///
    /// # Errors
    /// [`Failed`], also for a write that ends early.
    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), Failed>;

    /// On success everything outstanding is durable.
    ///
    /// # Errors
    /// [`Failed`]; everything outstanding is then in doubt.
    fn flush(&mut self) -> Result<(), Failed>;
}

/// The geometry of a store of `capacity` bytes: that of a plain file, so that
/// the image opens in every other build.
#[must_use]
pub fn geometry(capacity: u64) -> Geometry {
    Geometry {
        capacity,
        write_unit: 1,
        erase_unit: 4096,
        blank: 0,
        order: Order::Unordered,
    }
}

/// An image and its port. It takes as much memory as the store has bytes.
#[derive(Debug)]
pub struct Image<P> {
    port: P,
    bytes: Vec<u8>,
    /// What was written since the last flush, as byte ranges.
    runs: Vec<(usize, usize)>,
}

impl<P: Port> Image<P> {
    /// An image of `size` bytes that are known to be blank.
    pub fn blank(port: P, size: usize) -> Self {
        Image {
            port,
            bytes: alloc::vec![0; size],
            runs: Vec::new(),
        }
    }

    /// The image of `size` bytes that the port holds.
    ///
    /// # Errors
    /// The port's.
    pub fn load(port: P, size: usize) -> Result<Self, Failed> {
        let mut image = Self::blank(port, size);
        image.reload()?;
        Ok(image)
    }

    /// Reads the port again, so that what decayed there is seen. Does nothing
    /// while something is outstanding.
    ///
    /// # Errors
    /// The port's; the image is then part old and part new, as the port is.
    pub fn reload(&mut self) -> Result<(), Failed> {
        if self.runs.is_empty() {
            self.port.read(0, &mut self.bytes)?;
        }
        Ok(())
    }

    /// Whether nothing was ever written.
    pub fn is_blank(&self) -> bool {
        self.bytes.iter().all(|byte| *byte == 0)
    }

    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn range(at: u64, len: usize) -> Option<core::ops::Range<usize>> {
        let from = usize::try_from(at).ok()?;
        Some(from..from.checked_add(len)?)
    }

    /// The bytes to change, which become outstanding.
    fn outstanding(&mut self, at: u64, len: usize) -> Result<&mut [u8], Failed> {
        let range = Self::range(at, len).ok_or(FAULT)?;
        let bytes = self.bytes.get_mut(range.clone()).ok_or(FAULT)?;
        note(&mut self.runs, range.start, range.end);
        Ok(bytes)
    }
}

/// Adds a run, to a near one where there is one.
fn note(runs: &mut Vec<(usize, usize)>, from: usize, to: usize) {
    for (start, end) in runs.iter_mut() {
        if from <= end.saturating_add(GAP) && *start <= to.saturating_add(GAP) {
            *start = from.min(*start);
            *end = to.max(*end);
            return;
        }
    }
    runs.push((from, to));
}

impl<P: Port> Medium for Image<P> {
    type Error = Failed;

    fn geometry(&self) -> Geometry {
        geometry(u64::try_from(self.bytes.len()).unwrap_or(u64::MAX))
    }

    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), Failed> {
        let bytes = self.borrow(at, buf.len()).ok_or(FAULT)?;
        for (to, from) in buf.iter_mut().zip(bytes) {
            *to = *from;
        }
        Ok(())
    }

    fn borrow(&self, at: u64, len: usize) -> Option<&[u8]> {
        self.bytes.get(Self::range(at, len)?)
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Failed> {
        let place = self.outstanding(at, bytes.len())?;
        for (to, from) in place.iter_mut().zip(bytes) {
            *to = *from;
        }
        Ok(())
    }

    fn erase(&mut self, at: u64, len: u64) -> Result<(), Failed> {
        let len = usize::try_from(len).map_err(|_| FAULT)?;
        self.outstanding(at, len)?.fill(0);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failed> {
        for (from, to) in &self.runs {
            let run = self.bytes.get(*from..*to).ok_or(FAULT)?;
            self.port.write(*from, run)?;
        }
        self.port.flush()?;
        self.runs.clear();
        Ok(())
    }
}
