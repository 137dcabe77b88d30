//! The seam between the medium and the processor.

use std::io;

/// Memory whose stores become durable when their cache lines are written back
/// and a fence follows; or, where the system writes it back, pages and a call.
///
/// [`Mapping`](super::Mapping) is the real one; a
/// [`LineRecorder`](super::LineRecorder) models the cache in tests. Addresses
/// are bytes from the beginning of the memory. A range beyond its end is a
/// mistake of the caller and panics; [`PmemMedium`](super::PmemMedium) lets
/// none through.
pub trait Persist {
    /// Bytes of memory.
    fn size(&self) -> usize;

    /// Bytes of a cache line, or of what else is written back at once: a power
    /// of two from 8 to 4096.
    fn line(&self) -> usize;

    /// Fills `buf` from `at`.
    ///
    /// # Errors
    /// What the system reports where the memory cannot be read.
    fn read(&self, at: usize, buf: &mut [u8]) -> io::Result<()>;

    /// Bytes in place, once it is known that they can be read; `None` where
    /// they cannot, or have to be read by calls.
    fn borrow(&self, at: usize, len: usize) -> Option<&[u8]>;

    /// Stores `bytes` in the cache, each aligned 8-byte word at once. Durable
    /// at any time, and for certain only once written back and fenced.
    fn store(&mut self, at: usize, bytes: &[u8]);

    /// Stores whole aligned lines past the cache; a fence alone makes them
    /// durable.
    fn stream(&mut self, at: usize, bytes: &[u8]);

    /// Begins to write back each line that has a byte of the range.
    fn write_back(&mut self, at: usize, len: usize);

    /// Waits until all that was streamed or is being written back is durable.
    ///
    /// # Errors
    /// What the system reports, where it has a part in it; everything since
    /// the last success is then in doubt, and the medium writes no more.
    fn fence(&mut self) -> io::Result<()>;

    /// Whether what is read as blank need not be written blank again. False
    /// where fences can fail: then it may be blank in a cache alone, and nothing
    /// tells the next process.
    fn trusts_blanks(&self) -> bool {
        true
    }

    /// Makes the memory `to` bytes long, the byte 0 from `from` on, durably.
    /// Called when nothing waits for a fence.
    ///
    /// # Errors
    /// What the system reports, `StorageFull` where there is no room; the
    /// memory is as long as before then. Memory that cannot is `Unsupported`,
    /// as by default.
    fn resize(&mut self, from: usize, to: usize) -> io::Result<()> {
        let _ = (from, to);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes memory readable again that the processor reports as lost, its
    /// contents the byte 0. Called before an erase, with whole pages.
    ///
    /// # Errors
    /// What the system reports.
    fn revive(&mut self, at: usize, len: usize) -> io::Result<()> {
        let _ = (at, len);
        Ok(())
    }
}
