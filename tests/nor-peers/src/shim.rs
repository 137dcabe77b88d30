//! The simulated flash behind the traits of the `embedded-storage` crates, and
//! a way to wait for those that are asynchronous.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use embedded_storage::nor_flash as blocking;
use embedded_storage_async::nor_flash as asynchronous;

use crate::nor::{Flash, Refused};

/// Bytes in a sector of every flash here: the traits want a constant.
pub const SECTOR: usize = 4096;

/// The flash as a driver with words of `WORD` bytes.
pub struct Driver<const WORD: usize>(pub Flash);

impl blocking::NorFlashError for Refused {
    fn kind(&self) -> blocking::NorFlashErrorKind {
        match self {
            Self::OutOfRange => blocking::NorFlashErrorKind::OutOfBounds,
            Self::Unaligned => blocking::NorFlashErrorKind::NotAligned,
            _ => blocking::NorFlashErrorKind::Other,
        }
    }
}

impl<const WORD: usize> blocking::ErrorType for Driver<WORD> {
    type Error = Refused;
}

impl<const WORD: usize> blocking::ReadNorFlash for Driver<WORD> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Refused> {
        self.0.read(offset as usize, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.shape().capacity()
    }
}

impl<const WORD: usize> blocking::NorFlash for Driver<WORD> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Refused> {
        let len = to.checked_sub(from).ok_or(Refused::OutOfRange)?;
        self.0.erase(from as usize, len as usize)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Refused> {
        self.0.program(offset as usize, bytes)
    }
}

impl<const WORD: usize> blocking::MultiwriteNorFlash for Driver<WORD> {}

impl<const WORD: usize> asynchronous::ReadNorFlash for Driver<WORD> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Refused> {
        blocking::ReadNorFlash::read(self, offset, bytes)
    }

    fn capacity(&self) -> usize {
        blocking::ReadNorFlash::capacity(self)
    }
}

impl<const WORD: usize> asynchronous::NorFlash for Driver<WORD> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = SECTOR;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Refused> {
        blocking::NorFlash::erase(self, from, to)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Refused> {
        blocking::NorFlash::write(self, offset, bytes)
    }
}

impl<const WORD: usize> asynchronous::MultiwriteNorFlash for Driver<WORD> {}

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
