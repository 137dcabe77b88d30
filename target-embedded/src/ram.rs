//! Drivers of memory in RAM, which keep the rules of the real ones: for
//! examples, tests and simulators.

use core::convert::Infallible;
use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};
use embedded_storage::{ReadStorage, Storage};

/// NOR flash in lent memory, with the sizes of your chip. It refuses what a
/// strict chip refuses: unaligned operations, and (as `Other`) a write to bytes
/// that are not blank.
///
/// ```
/// use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
/// use indelible_embedded::RamFlash;
///
/// let mut bytes = [0; 2048];
/// let mut flash = RamFlash::<1, 4, 1024>::new(&mut bytes);
/// flash.erase(0, 1024).unwrap();
/// flash.write(0, b"once").unwrap();
/// assert!(flash.write(0, b"more").is_err());
/// ```
#[derive(Debug)]
pub struct RamFlash<'m, const READ: usize, const WRITE: usize, const ERASE: usize> {
    bytes: &'m mut [u8],
}

impl<'m, const READ: usize, const WRITE: usize, const ERASE: usize>
    RamFlash<'m, READ, WRITE, ERASE>
{
    /// The device that holds `bytes`; a new one is all `0xFF`.
    pub fn new(bytes: &'m mut [u8]) -> Self {
        RamFlash { bytes }
    }

    /// What the device holds.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    fn run(&mut self, at: u32, len: usize) -> &mut [u8] {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let run = self.bytes.get_mut(at..);
        run.and_then(|rest| rest.get_mut(..len)).unwrap_or_default()
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> ErrorType
    for RamFlash<'_, READ, WRITE, ERASE>
{
    type Error = NorFlashErrorKind;
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> ReadNorFlash
    for RamFlash<'_, READ, WRITE, ERASE>
{
    const READ_SIZE: usize = READ;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        check_read(self, offset, bytes.len())?;
        bytes.copy_from_slice(self.run(offset, bytes.len()));
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> NorFlash
    for RamFlash<'_, READ, WRITE, ERASE>
{
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        let len = usize::try_from(to.saturating_sub(from)).unwrap_or(0);
        self.run(from, len).fill(0xFF);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        let run = self.run(offset, bytes.len());
        if run.iter().any(|byte| *byte != 0xFF) {
            return Err(NorFlashErrorKind::Other);
        }
        run.copy_from_slice(bytes);
        Ok(())
    }
}

/// Byte-writable memory in lent memory.
#[derive(Debug)]
pub struct RamStorage<'m> {
    bytes: &'m mut [u8],
}

impl<'m> RamStorage<'m> {
    /// The memory that holds `bytes`.
    pub fn new(bytes: &'m mut [u8]) -> Self {
        RamStorage { bytes }
    }
}

impl ReadStorage for RamStorage<'_> {
    /// Bytes outside the memory read as `0xFF` and are not kept.
    type Error = Infallible;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(0xFF);
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        let held = self.bytes.get(at..).unwrap_or_default();
        for (to, from) in bytes.iter_mut().zip(held) {
            *to = *from;
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl Storage for RamStorage<'_> {
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Infallible> {
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        let held = self.bytes.get_mut(at..).unwrap_or_default();
        for (to, from) in held.iter_mut().zip(bytes) {
            *to = *from;
        }
        Ok(())
    }
}

#[cfg(feature = "defmt")]
impl<const R: usize, const W: usize, const E: usize> defmt::Format for RamFlash<'_, R, W, E> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "RamFlash of {} bytes", self.bytes.len());
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for RamStorage<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "RamStorage of {} bytes", self.bytes.len());
    }
}
