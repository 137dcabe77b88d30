//! Memories that are written byte by byte, and over what was there.

use crate::area::{Area, Misfit, UNIT_MAX};
use crate::error::Error;
use core::cell::RefCell;
use core::fmt;
use core::ops::Range;
use embedded_storage::Storage;
use indelible::{Geometry, Medium};

/// Bytes of blank written at a time where something is erased.
const BLANK: [u8; 64] = [0xFF; 64];

/// FRAM, MRAM or EEPROM behind `embedded_storage::Storage`, as a [`Medium`].
///
/// # What such memories keep in a power cut
///
/// * **FRAM, MRAM** write byte by byte, or word by word, in the order in which
///   bytes arrive. The one being written at a cut may come out as anything
///   between old and new. The write unit is what they write at once: 1, or the
///   word of a parallel MRAM.
/// * **EEPROM** collects a page, then writes all of it at once: at a cut any
///   byte of that page may be anything between old, erased and new. The write
///   unit must be the page, for a unit is the most that a cut may touch. (The
///   core writes into blank space alone, so "erased" is the old value.)
///
/// That is the contract of [`Order::Ordered`](indelible::Order::Ordered), with
/// operations in the order issued. There is no erase: the adapter overwrites
/// with `0xFF`, `erase_unit` bytes and any multiple of it. So each byte is
/// written twice in its life in the store, which is what all-or-nothing over
/// several records costs; and the wear of an EEPROM is levelled.
///
/// # What is asked of the driver
///
/// What `write` returns from is durable and is done in the order of the calls
/// (an EEPROM's driver waits for the end of its write cycle), long writes are
/// done upwards, and nothing outside the bytes written changes. Flash behind one of the read-modify-write
/// wrappers of `embedded-storage` is not such a memory: use [`Nor`](crate::Nor).
///
/// ```
/// use indelible::{Config, Medium, setup};
/// use indelible_embedded::Nvm;
/// # use indelible_embedded::RamStorage;
///
/// # let mut bytes = [0; 8192];
/// # let fram = RamStorage::new(&mut bytes);
/// // An FRAM chip of 8 KiB; erased in pieces of 512 bytes.
/// let mut medium = Nvm::new(fram, 1, 512)?;
/// let config = Config { id: 1, nonce: 0x5EED, segment_size: None, logs: &[] };
/// setup(&mut medium, &config)?;
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub struct Nvm<S: Storage> {
    storage: RefCell<S>,
    area: Area,
    write_unit: u32,
    erase_unit: u32,
}

impl<S: Storage> Nvm<S> {
    /// All of a memory that is written `write_unit` bytes at a time and erased
    /// by overwriting `erase_unit` bytes. Segments are multiples of the erase
    /// unit: a small one (512) leaves the choice of segment sizes free.
    ///
    /// # Errors
    /// [`Misfit::Units`], [`Misfit::OutOfRange`] for less than one erase unit.
    pub fn new(storage: S, write_unit: u32, erase_unit: u32) -> Result<Self, Misfit> {
        check_units(write_unit, erase_unit)?;
        let area = Area::whole(storage.capacity(), erase_unit)?;
        Ok(Nvm::over(storage, area, write_unit, erase_unit))
    }

    /// The part `range` of a memory, in bytes.
    ///
    /// # Errors
    /// [`Misfit::Units`], [`Misfit::OutOfRange`], [`Misfit::Unaligned`].
    pub fn partition(
        storage: S,
        range: Range<u32>,
        write_unit: u32,
        erase_unit: u32,
    ) -> Result<Self, Misfit> {
        check_units(write_unit, erase_unit)?;
        let area = Area::part(range, storage.capacity(), erase_unit)?;
        Ok(Nvm::over(storage, area, write_unit, erase_unit))
    }

    fn over(storage: S, area: Area, write_unit: u32, erase_unit: u32) -> Self {
        Nvm {
            storage: RefCell::new(storage),
            area,
            write_unit,
            erase_unit,
        }
    }

    /// Gives the driver back.
    pub fn into_inner(self) -> S {
        self.storage.into_inner()
    }
}

fn check_units(write_unit: u32, erase_unit: u32) -> Result<(), Misfit> {
    let write = write_unit.is_power_of_two() && write_unit <= UNIT_MAX as u32;
    let erase = erase_unit.is_power_of_two() && erase_unit >= write_unit.max(8);
    if write && erase {
        return Ok(());
    }
    Err(Misfit::Units {
        write_unit,
        erase_unit,
    })
}

impl<S: Storage> Medium for Nvm<S>
where
    S::Error: fmt::Debug,
{
    type Error = Error<S::Error>;

    fn geometry(&self) -> Geometry {
        self.area.geometry(self.write_unit, self.erase_unit)
    }

    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), Self::Error> {
        let len = u64::try_from(buf.len()).unwrap_or(u64::MAX);
        let place = self.area.place(at, len)?;
        let mut storage = self.storage.try_borrow_mut().map_err(|_| Error::Busy)?;
        storage.read(place.start, buf).map_err(Error::Driver)
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Self::Error> {
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let place = self.area.place(at, len)?;
        let storage = self.storage.get_mut();
        storage.write(place.start, bytes).map_err(Error::Driver)
    }

    fn erase(&mut self, at: u64, len: u64) -> Result<(), Self::Error> {
        let place = self.area.place(at, len)?;
        let storage = self.storage.get_mut();
        let mut at = place.start;
        while at < place.end {
            let left = usize::try_from(place.end.saturating_sub(at)).unwrap_or(usize::MAX);
            let part = BLANK.get(..left.min(BLANK.len())).unwrap_or(&BLANK);
            storage.write(at, part).map_err(Error::Driver)?;
            at = at.saturating_add(u32::try_from(part.len()).unwrap_or(u32::MAX));
        }
        Ok(())
    }

    /// Writes are durable when they return.
    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

impl<S: Storage> fmt::Debug for Nvm<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nvm")
            .field("range", &self.area.range())
            .field("write_unit", &self.write_unit)
            .field("erase_unit", &self.erase_unit)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl<S: Storage> defmt::Format for Nvm<S> {
    fn format(&self, f: defmt::Formatter<'_>) {
        let Range { start, end } = self.area.range();
        defmt::write!(f, "Nvm {}..{}", start, end);
    }
}
