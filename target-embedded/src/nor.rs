//! NOR flash as a medium.

use crate::area::{Area, Misfit, check_sizes};
use crate::ecc::Failed;
use crate::error::Error;
use core::cell::RefCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::Range;
use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use indelible::{Geometry, Medium};

/// A way to a device: drivers want `&mut self` even to read.
///
/// It is implemented for `RefCell`, which is what [`Nor`] keeps its driver in,
/// and for partitions of [`Shared`](crate::Shared). Implement it for a lock of
/// your system (a blocking mutex over a critical section, say) to share a
/// device between threads.
pub trait Access<F> {
    /// Calls `work` with the device; `None` where it is in use.
    fn access<R>(&self, work: impl FnOnce(&mut F) -> R) -> Option<R>;
}

impl<F> Access<F> for RefCell<F> {
    fn access<R>(&self, work: impl FnOnce(&mut F) -> R) -> Option<R> {
        self.try_borrow_mut().ok().map(|mut flash| work(&mut flash))
    }
}

/// A NOR flash device, or a partition of one, as a [`Medium`].
///
/// Sizes are the driver's: `READ_SIZE` and `WRITE_SIZE` are powers of two up
/// to 512, `ERASE_SIZE` is a power of two; a driver with others does not
/// compile.
///
/// # What is asked of the driver
///
/// * What `write` and `erase` return from is done, and they are done in the
///   order of the calls; a `write` of several units programs them upwards.
/// * A write that is cut leaves the units behind the one being programmed
///   alone, an erase that is cut the sectors outside it.
/// * Erased bytes read as `0xFF`.
///
/// Nothing else: no write goes to a unit that was written since its erase, so
/// neither overwriting nor a translation layer is needed.
///
/// # Cost
///
/// Nothing but the driver's own calls. A read that is not aligned to
/// `READ_SIZE` takes up to two more, through 16 bytes of stack where
/// `READ_SIZE` is at most 16, else 512.
///
/// ```
/// use indelible::Medium;
/// use indelible_embedded::{Nor, RamFlash};
///
/// # fn main() -> Result<(), indelible_embedded::Misfit> {
/// let mut bytes = [0xFF; 8192];
/// let flash = RamFlash::<4, 8, 1024>::new(&mut bytes);
/// let medium = Nor::partition(flash, 2048..8192)?;
/// assert_eq!(medium.geometry().capacity, 6144);
/// assert_eq!(medium.geometry().write_unit, 8);
/// # Ok(())
/// # }
/// ```
///
/// A size that does not work is refused by the compiler:
///
/// ```compile_fail
/// # use indelible_embedded::{Nor, RamFlash};
/// let flash = RamFlash::<1, 1024, 4096>::new(&mut []);
/// let medium = Nor::new(flash);
/// ```
pub struct Nor<F: NorFlash, A: Access<F> = RefCell<F>> {
    access: A,
    area: Area,
    ecc: Option<fn(&F::Error) -> bool>,
    failed: Failed,
    driver: PhantomData<fn(F)>,
}

impl<F: NorFlash> Nor<F> {
    /// All of a device: its whole erase units.
    ///
    /// # Errors
    /// [`Misfit::OutOfRange`] where it has none.
    pub fn new(flash: F) -> Result<Self, Misfit> {
        let area = Area::whole(flash.capacity(), erase_unit::<F>())?;
        Ok(Nor::over(RefCell::new(flash), area))
    }

    /// The part `range` of a device, in bytes.
    ///
    /// # Errors
    /// [`Misfit::OutOfRange`], [`Misfit::Unaligned`].
    pub fn partition(flash: F, range: Range<u32>) -> Result<Self, Misfit> {
        let area = Area::part(range, flash.capacity(), erase_unit::<F>())?;
        Ok(Nor::over(RefCell::new(flash), area))
    }

    /// Gives the driver back.
    #[must_use]
    pub fn into_inner(self) -> F {
        self.access.into_inner()
    }

    #[cfg(feature = "async")]
    pub(crate) fn driver(&mut self) -> &mut F {
        self.access.get_mut()
    }
}

impl<F: NorFlash, A: Access<F>> Nor<F, A> {
    /// The part `range` of a device behind an access of your own.
    ///
    /// # Errors
    /// [`Misfit::OutOfRange`], [`Misfit::Unaligned`], [`Misfit::Busy`].
    pub fn behind(access: A, range: Range<u32>) -> Result<Self, Misfit> {
        let capacity = access.access(|flash| flash.capacity());
        let capacity = capacity.ok_or(Misfit::Busy)?;
        let area = Area::part(range, capacity, erase_unit::<F>())?;
        Ok(Nor::over(access, area))
    }

    pub(crate) fn over(access: A, area: Area) -> Self {
        const { check_sizes(F::READ_SIZE, F::WRITE_SIZE, F::ERASE_SIZE) };
        Nor {
            access,
            area,
            ecc: None,
            failed: Failed::default(),
            driver: PhantomData,
        }
    }

    /// For flash with error correction whose reads fail where a unit was cut
    /// or has decayed: `is_ecc` tells such errors from all others.
    ///
    /// A failed read is then repeated unit by unit. A unit that cannot be read
    /// is handed to the core as bytes that no commit and no blank space looks
    /// like: at the end of what was written it counts as cut, anywhere else as
    /// damage of what stands there, and it is never programmed again before it
    /// is erased. Errors that `is_ecc` does not know stay errors.
    ///
    /// The driver must return an error: where the hardware raises a fault (the
    /// STM32H7 a bus fault, the STM32L4 an NMI), its handler has to be written
    /// so that the driver's `read` returns one.
    ///
    /// `WRITE_SIZE` must be at least 8 and a multiple of `READ_SIZE`; else it
    /// does not compile. Cost: a read of several units one of which fails
    /// becomes one read for each of them.
    ///
    /// ```
    /// # use indelible_embedded::{Nor, RamFlash};
    /// use embedded_storage::nor_flash::NorFlashErrorKind;
    ///
    /// # let mut bytes = [0xFF; 8192];
    /// # let flash = RamFlash::<8, 8, 1024>::new(&mut bytes);
    /// let medium = Nor::new(flash)?.ecc(|error| *error == NorFlashErrorKind::Other);
    /// # Ok::<(), indelible_embedded::Misfit>(())
    /// ```
    #[must_use]
    pub fn ecc(mut self, is_ecc: fn(&F::Error) -> bool) -> Self {
        const {
            assert!(
                F::WRITE_SIZE >= 8 && F::READ_SIZE <= F::WRITE_SIZE,
                "a unit with error correction is at least 8 bytes and read by itself"
            );
        }
        self.ecc = Some(is_ecc);
        self
    }

    /// How often a unit could not be read; always 0 without [`Nor::ecc`]. One
    /// unit counts again if it is forgotten meanwhile: four are remembered.
    #[must_use]
    pub fn unreadable(&self) -> u32 {
        self.failed.count()
    }

    /// The medium's place on the device, in bytes.
    #[must_use]
    pub fn range(&self) -> Range<u32> {
        self.area.range()
    }

    fn with<R>(
        &self,
        work: impl FnOnce(&mut F) -> Result<R, F::Error>,
    ) -> Result<R, Error<F::Error>> {
        let done = self.access.access(work).ok_or(Error::Busy)?;
        done.map_err(Error::Driver)
    }

    /// Where bytes of the medium lie on the device.
    #[cfg(feature = "async")]
    pub(crate) fn place(&self, at: u64, len: u64) -> Result<Range<u32>, Error<F::Error>> {
        self.area.place(at, len)
    }

    /// A part of the device was erased.
    pub(crate) fn erased(&self, range: &Range<u32>) {
        self.failed.erased(range);
    }
}

impl<F: NorFlash, A: Access<F>> Medium for Nor<F, A> {
    type Error = Error<F::Error>;

    fn geometry(&self) -> Geometry {
        self.area.geometry(write_unit::<F>(), erase_unit::<F>())
    }

    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), Self::Error> {
        let place = self
            .area
            .place(at, u64::try_from(buf.len()).unwrap_or(u64::MAX))?;
        self.failed.read(
            place.start,
            write_unit::<F>(),
            buf,
            |at, part| self.with(|flash| read(flash, at, part)),
            |error| matches!(error, Error::Driver(error) if self.ecc.is_some_and(|is_ecc| is_ecc(error))),
        )
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Self::Error> {
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let place = self.area.place(at, len)?;
        self.with(|flash| flash.write(place.start, bytes))
    }

    fn erase(&mut self, at: u64, len: u64) -> Result<(), Self::Error> {
        let place = self.area.place(at, len)?;
        self.with(|flash| flash.erase(place.start, place.end))?;
        self.erased(&place);
        Ok(())
    }

    /// Writes are durable when they return.
    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

impl<F: NorFlash, A: Access<F>> fmt::Debug for Nor<F, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nor")
            .field("range", &self.area.range())
            .field("write_unit", &F::WRITE_SIZE)
            .field("erase_unit", &F::ERASE_SIZE)
            .field("ecc", &self.ecc.is_some())
            .finish_non_exhaustive()
    }
}

/// The driver's write size; it was checked.
pub(crate) const fn write_unit<F: NorFlash>() -> u32 {
    F::WRITE_SIZE as u32
}

/// The driver's erase size; it was checked.
pub(crate) const fn erase_unit<F: NorFlash>() -> u32 {
    F::ERASE_SIZE as u32
}

/// Fills `buf` from anywhere, in reads that the driver takes.
pub(crate) fn read<F: ReadNorFlash>(
    flash: &mut F,
    at: u32,
    buf: &mut [u8],
) -> Result<(), F::Error> {
    if F::READ_SIZE == 1 {
        flash.read(at, buf)
    } else if F::READ_SIZE <= 16 {
        read_aligned::<F, 16>(flash, at, buf)
    } else {
        read_aligned::<F, 512>(flash, at, buf)
    }
}

/// The head and the tail of a read through a bounce buffer, what is between
/// them at once.
fn read_aligned<F: ReadNorFlash, const BOUNCE: usize>(
    flash: &mut F,
    mut at: u32,
    mut buf: &mut [u8],
) -> Result<(), F::Error> {
    let mask = F::READ_SIZE.wrapping_sub(1);
    while !buf.is_empty() {
        let skipped = usize::try_from(at).unwrap_or(0) & mask;
        let whole = buf.len() & !mask;
        let count = if skipped == 0 && whole > 0 {
            let (part, _) = buf.split_at_mut_checked(whole).unwrap_or_default();
            flash.read(at, part)?;
            whole
        } else {
            let mut bounce = [0u8; BOUNCE];
            let start = u32::try_from(skipped).unwrap_or(0);
            let one = bounce.get_mut(..F::READ_SIZE).unwrap_or_default();
            flash.read(at.saturating_sub(start), one)?;
            let found = one.get(skipped..).unwrap_or_default();
            let count = found.len().min(buf.len());
            for (to, from) in buf.iter_mut().zip(found) {
                *to = *from;
            }
            count.max(1)
        };
        at = at.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        buf = buf.get_mut(count..).unwrap_or_default();
    }
    Ok(())
}

#[cfg(feature = "defmt")]
impl<F: NorFlash, A: Access<F>> defmt::Format for Nor<F, A> {
    fn format(&self, f: defmt::Formatter<'_>) {
        let Range { start, end } = self.area.range();
        defmt::write!(f, "Nor {}..{}", start, end);
    }
}
