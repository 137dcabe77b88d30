//! What the measured programs share: the flash of Indelible's own sizes behind
//! the traits of the others, and a way to wait.
//!
//! Every program keeps at most 256 keys of 16 bytes with values of up to 64 on 64
//! sectors of 4 KiB with words of 4 bytes, and serves a mailbox, so that nothing
//! is left out.

#![no_std]

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use indelible::Medium;
pub use indelible_sizes::{Flash, KEYS, Mailbox, SEGMENT_SIZE, SEGMENTS, firmware, serve};

/// Bytes in a sector.
pub const SECTOR: usize = SEGMENT_SIZE as usize;

/// Bytes of the store's flash.
pub const CAPACITY: usize = SEGMENTS * SECTOR;

/// The flash controller's answer to a failed operation.
#[derive(Debug)]
pub struct Fault;

/// Reads flash.
///
/// # Errors
/// Out of range.
pub fn read(at: usize, buf: &mut [u8]) -> Result<(), Fault> {
    Flash.read(at as u64, buf).map_err(|_| Fault)
}

/// Programs words.
///
/// # Errors
/// Out of range, or the controller's.
pub fn program(at: usize, bytes: &[u8]) -> Result<(), Fault> {
    Flash.write(at as u64, bytes).map_err(|_| Fault)
}

/// Erases sectors.
///
/// # Errors
/// Out of range, or the controller's.
pub fn erase(at: usize, len: usize) -> Result<(), Fault> {
    Flash.erase(at as u64, len as u64).map_err(|_| Fault)
}

/// The flash as a driver with words of 4 bytes.
pub struct Driver;

impl NorFlashError for Fault {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl ErrorType for Driver {
    type Error = Fault;
}

impl ReadNorFlash for Driver {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        read(offset as usize, bytes)
    }

    fn capacity(&self) -> usize {
        CAPACITY
    }
}

impl NorFlash for Driver {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        erase(from as usize, (to - from) as usize)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Fault> {
        program(offset as usize, bytes)
    }
}

impl MultiwriteNorFlash for Driver {}

/// Waits for what never has to wait: the flash is always ready.
pub fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// A key's hash, where a store wants that: FNV-1a.
#[must_use]
pub fn hash(key: &[u8]) -> u64 {
    key.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3)
    })
}
