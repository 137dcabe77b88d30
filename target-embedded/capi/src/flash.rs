//! The core's medium over a struct of C callbacks.

use core::ffi::{c_int, c_void};

use indelible::{Geometry, Medium, Order};
use indelible_embedded::ecc::Failed;

use crate::status::{indelible_error, indelible_status};

/// What an erased byte of NOR flash reads as.
pub const INDELIBLE_BLANK_FLASH: u8 = 0xFF;

/// The cause where the core was led outside the flash, by a damaged image; no
/// callback was called.
pub const INDELIBLE_CAUSE_OUT_OF_RANGE: c_int = -1_000_000;

/// What `read` returns where the flash's error correction gives up on a unit
/// that it was asked for. The bytes do not matter then: the unit counts as cut
/// if nothing is programmed behind it, else as damage. Only on flash with write
/// units of 8 bytes and more, below 4 GiB; elsewhere it is an error like others.
pub const INDELIBLE_READ_UNREADABLE: c_int = -1_000_001;

/// Bytes written at a time where `program` stands in for `erase`.
const FILL: usize = 64;

/// In what order what was programmed and erased becomes durable.
#[repr(i32)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum indelible_order {
    /// In the order issued, a write unit at a time: flash, FRAM, EEPROM.
    #[default]
    INDELIBLE_ORDERED = 0,
    /// In any order until a sync, by aligned words of 8 bytes: files, battery
    /// backed memory behind a cache.
    INDELIBLE_UNORDERED = 1,
}

/// The flash, or a partition of it, or byte-writable memory (FRAM, MRAM,
/// EEPROM). Addresses are bytes from 0.
///
/// Callbacks return 0 on success; anything else is an error, which the store
/// keeps as `cause`. They stay inside the capacity without checking: the
/// library does. They call no function on the same store.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct indelible_flash {
    /// Handed to each callback.
    pub context: *mut c_void,
    /// Fills `buffer` from `address`. Any address and length. Flash with error
    /// correction returns INDELIBLE_READ_UNREADABLE where that gives up.
    pub read: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            address: u64,
            buffer: *mut c_void,
            len: usize,
        ) -> c_int,
    >,
    /// Programs `data` at `address`, both whole write units, into bytes that
    /// are erased. Never twice between erases. NULL where the store is opened
    /// for reading only.
    pub program: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            address: u64,
            data: *const c_void,
            len: usize,
        ) -> c_int,
    >,
    /// Erases `len` bytes from `address`, both whole erase units. NULL where
    /// bytes can be overwritten: then `program` writes blank bytes there.
    pub erase:
        Option<unsafe extern "C" fn(context: *mut c_void, address: u64, len: usize) -> c_int>,
    /// Returns when everything programmed and erased is durable. NULL where it
    /// is when `program` and `erase` return.
    pub sync: Option<unsafe extern "C" fn(context: *mut c_void) -> c_int>,
    /// Bytes; whole segments are used.
    pub capacity: u64,
    /// Bytes programmed at a time: a power of two from 1 to 512; at most 64
    /// where `erase` is NULL.
    pub write_unit: u32,
    /// Bytes erased at a time: a power of two, a multiple of the write unit
    /// and of 8. Where `erase` is NULL any such number; 512 is a good one.
    pub erase_unit: u32,
    /// What an erased byte reads as: INDELIBLE_BLANK_FLASH, or 0.
    pub blank: u8,
    /// An `indelible_order`.
    pub order: u8,
}

/// What a callback returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cause(pub c_int);

const OUT_OF_RANGE: Cause = Cause(INDELIBLE_CAUSE_OUT_OF_RANGE);
const UNREADABLE: Cause = Cause(INDELIBLE_READ_UNREADABLE);
/// The smallest unit that what stands for an unreadable one fits into.
const UNREADABLE_UNIT: u32 = 8;

fn done(result: c_int) -> Result<(), Cause> {
    if result == 0 {
        Ok(())
    } else {
        Err(Cause(result))
    }
}

/// The medium that a store has. Its callbacks are as the header asks: whoever
/// made the struct promised that.
pub(crate) struct Flash {
    callbacks: indelible_flash,
    order: Order,
    /// Units whose error correction gave up.
    failed: Failed,
}

impl Flash {
    /// Refuses a struct that lacks what will be called.
    pub(crate) fn new(
        callbacks: &indelible_flash,
        read_only: bool,
    ) -> Result<Self, indelible_error> {
        let order = match callbacks.order {
            0 => Order::Ordered,
            1 => Order::Unordered,
            other => return Err(indelible_error::geometry(c"order", other.into(), 1)),
        };
        let lacks = callbacks.read.is_none() || (callbacks.program.is_none() && !read_only);
        if lacks {
            return Err(indelible_status::INDELIBLE_ERR_ARGUMENT.into());
        }
        let unit = callbacks.write_unit;
        if callbacks.erase.is_none() && usize::try_from(unit).is_ok_and(|unit| unit > FILL) {
            let limit = crate::status::wide(FILL);
            return Err(indelible_error::geometry(
                c"write unit without erase",
                unit.into(),
                limit,
            ));
        }
        Ok(Flash {
            callbacks: *callbacks,
            order,
            failed: Failed::default(),
        })
    }

    fn check(&self, at: u64, len: u64) -> Result<(), Cause> {
        match at.checked_add(len) {
            Some(end) if end <= self.callbacks.capacity => Ok(()),
            _ => Err(OUT_OF_RANGE),
        }
    }

    fn program(&self, at: u64, bytes: &[u8]) -> Result<(), Cause> {
        let Some(program) = self.callbacks.program else {
            return Err(OUT_OF_RANGE);
        };
        // SAFETY: a callback as the header asks, in range, with memory that is
        // there during the call.
        done(unsafe {
            program(
                self.callbacks.context,
                at,
                bytes.as_ptr().cast(),
                bytes.len(),
            )
        })
    }

    fn fetch(&self, at: u64, buf: &mut [u8]) -> Result<(), Cause> {
        let Some(read) = self.callbacks.read else {
            return Err(OUT_OF_RANGE);
        };
        if buf.is_empty() {
            return Ok(());
        }
        // SAFETY: a callback as the header asks, in range, with memory that is
        // there during the call.
        done(unsafe {
            read(
                self.callbacks.context,
                at,
                buf.as_mut_ptr().cast(),
                buf.len(),
            )
        })
    }

    /// Erasing memory whose bytes can be overwritten.
    fn fill(&self, at: u64, len: u64) -> Result<(), Cause> {
        let bytes = [self.callbacks.blank; FILL];
        let mut done = 0u64;
        while done < len {
            let count =
                usize::try_from(len.saturating_sub(done)).map_or(FILL, |rest| rest.min(FILL));
            let piece = bytes.get(..count).unwrap_or_default();
            self.program(at.saturating_add(done), piece)?;
            done = done.saturating_add(crate::status::wide(count).max(1));
        }
        Ok(())
    }
}

impl Medium for Flash {
    type Error = Cause;

    fn geometry(&self) -> Geometry {
        Geometry {
            capacity: self.callbacks.capacity,
            write_unit: self.callbacks.write_unit,
            erase_unit: self.callbacks.erase_unit,
            blank: self.callbacks.blank,
            order: self.order,
        }
    }

    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), Cause> {
        let len = crate::status::wide(buf.len());
        self.check(at, len)?;
        let unit = self.callbacks.write_unit;
        let place = u32::try_from(at).ok().zip(u32::try_from(len).ok());
        let place = place.filter(|_| unit >= UNREADABLE_UNIT && self.callbacks.erase.is_some());
        let Some((from, _)) = place else {
            return self.fetch(at, buf);
        };
        self.failed.read(
            from,
            unit,
            buf,
            |at, part| self.fetch(at.into(), part),
            |cause| *cause == UNREADABLE,
        )
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Cause> {
        self.check(at, crate::status::wide(bytes.len()))?;
        self.program(at, bytes)
    }

    fn erase(&mut self, at: u64, len: u64) -> Result<(), Cause> {
        self.check(at, len)?;
        let Some(erase) = self.callbacks.erase else {
            return self.fill(at, len);
        };
        let bytes = usize::try_from(len).map_err(|_| OUT_OF_RANGE)?;
        // SAFETY: a callback as the header asks, in range.
        done(unsafe { erase(self.callbacks.context, at, bytes) })?;
        let end = u32::try_from(at.saturating_add(len)).unwrap_or(u32::MAX);
        self.failed
            .erased(&(u32::try_from(at).unwrap_or(u32::MAX)..end));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Cause> {
        let Some(sync) = self.callbacks.sync else {
            return Ok(());
        };
        // SAFETY: a callback as the header asks.
        done(unsafe { sync(self.callbacks.context) })
    }
}
