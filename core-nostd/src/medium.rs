//! The persistence trait: all that the core knows of a medium.
//!
//! # Crash contract
//!
//! What a medium may do to *outstanding* operations (those issued since the
//! last successful [`Medium::flush`]) when power fails. The core recovers from
//! all of it; the simulators in `tests` produce all of it.
//!
//! * [`Order::Unordered`] (persistent memory, files, browsers): each aligned
//!   8-byte word written since the last flush is independently old or new; the
//!   same for an erase that was not flushed.
//! * [`Order::Ordered`] (flash): operations persist in the order issued, write
//!   unit by write unit. Each bit of the one unit being programmed at the cut
//!   is independently old or new and may read differently until it is erased;
//!   an erase unit being erased at the cut holds arbitrary bits.
//! * A failed flush leaves everything outstanding in doubt: the store refuses
//!   further writes until it is opened again.
//!
//! # Corruption contract
//!
//! Any byte may decay at any time. The core detects it, or heals it where a
//! checksum locates the bit, and never mistakes it for a power cut.
//!
//! # What the core promises the medium
//!
//! Every byte is written at most once between erases, in aligned whole write
//! units, inside the capacity, into space whose blankness is durable; erases
//! are aligned whole erase units.

/// In what order outstanding writes and erases become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Order {
    /// In the order issued, a write unit at a time (flash).
    Ordered,
    /// In any order until a flush, by aligned 8-byte words (memory, files).
    Unordered,
}

/// What a medium is made of. Constant for as long as the medium is open; but
/// its capacity may have become larger when [`Store::grow`](crate::Store::grow)
/// is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Geometry {
    /// Size in bytes; the core uses the whole segments that fit.
    pub capacity: u64,
    /// Bytes programmed at a time, a power of two from 1 to 512. Writes are
    /// aligned to it and a multiple of it long.
    pub write_unit: u32,
    /// Bytes erased at a time, a multiple of the write unit and of 8.
    pub erase_unit: u32,
    /// What an erased byte reads as: `0xFF` (flash) or `0x00` (files, memory).
    pub blank: u8,
    /// How outstanding writes become durable.
    pub order: Order,
}

/// A byte-addressable persistent medium. Addresses are bytes from 0.
///
/// See the [module](self) for the crash and corruption contracts.
pub trait Medium {
    /// The medium's own error; the core hands it on unchanged.
    type Error: core::fmt::Debug;

    /// The shape of this medium.
    fn geometry(&self) -> Geometry;

    /// Fills `buf` from `at`. Sees everything written, flushed or not.
    ///
    /// # Errors
    /// Whatever the medium reports; out of range is an error, never a panic.
    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), Self::Error>;

    /// The bytes from `at` in place, where the medium is memory-mapped.
    /// `None` makes the core fall back to [`Medium::read`].
    fn borrow(&self, at: u64, len: usize) -> Option<&[u8]> {
        let _ = (at, len);
        None
    }

    /// Says that the `len` bytes from `at`, a whole record, are about to be read
    /// in pieces, some of them more than once. A medium with a slow bus may
    /// fetch them at once and serve those reads from memory, as long as it
    /// forgets what it holds at each write and erase. Does nothing by default.
    fn will_read(&self, at: u64, len: usize) {
        let _ = (at, len);
    }

    /// Writes `bytes` at `at`, both whole write units; outstanding until the
    /// next flush.
    ///
    /// # Errors
    /// Whatever the medium reports. The core then treats the store as in doubt.
    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Returns `len` bytes from `at`, whole erase units, to the blank byte;
    /// outstanding until the next flush.
    ///
    /// # Errors
    /// Whatever the medium reports.
    fn erase(&mut self, at: u64, len: u64) -> Result<(), Self::Error>;

    /// Says that nothing more is meant to be written before the next flush,
    /// which may take a while to come: a medium may begin with what that one
    /// would wait for. It is a hint: writes may follow all the same. Does
    /// nothing by default.
    fn will_flush(&mut self) {}

    /// On success everything outstanding is durable. A no-op where writes are
    /// durable when they return.
    ///
    /// # Errors
    /// Whatever the medium reports; everything outstanding is then in doubt.
    fn flush(&mut self) -> Result<(), Self::Error>;

    /// CRC-32C (reflected, polynomial 0x1EDC6F41) of `bytes`, continued from
    /// the raw register `state`: the seam for hardware checksums. No initial
    /// or final inversion is applied.
    fn crc32c(&self, state: u32, bytes: &[u8]) -> u32 {
        crate::checksum::crc32c(state, bytes)
    }
}

impl<M: Medium + ?Sized> Medium for &mut M {
    type Error = M::Error;
    fn geometry(&self) -> Geometry {
        (**self).geometry()
    }
    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), Self::Error> {
        (**self).read(at, buf)
    }
    fn borrow(&self, at: u64, len: usize) -> Option<&[u8]> {
        (**self).borrow(at, len)
    }
    fn will_read(&self, at: u64, len: usize) {
        (**self).will_read(at, len)
    }
    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Self::Error> {
        (**self).write(at, bytes)
    }
    fn erase(&mut self, at: u64, len: u64) -> Result<(), Self::Error> {
        (**self).erase(at, len)
    }
    fn will_flush(&mut self) {
        (**self).will_flush();
    }
    fn flush(&mut self) -> Result<(), Self::Error> {
        (**self).flush()
    }
    fn crc32c(&self, state: u32, bytes: &[u8]) -> u32 {
        (**self).crc32c(state, bytes)
    }
}
