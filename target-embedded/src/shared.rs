//! One device for several media, and for its owner.

use crate::area::{Area, Misfit};
use crate::nor::{Access, Nor, erase_unit};
use core::cell::{Cell, RefCell};
use core::fmt;
use core::ops::Range;
use embedded_storage::nor_flash::NorFlash;

/// Partitions of one device that are kept account of.
const PARTITIONS_MAX: usize = 8;

/// A device that several stores have a part of; the rest is still yours.
///
/// For one thread: the device is in a cell. To share one between threads or
/// with interrupts, put it behind a lock and implement [`Access`] for that.
///
/// ```
/// use indelible_embedded::{Misfit, RamFlash, Shared};
/// use embedded_storage::nor_flash::ReadNorFlash;
///
/// # let mut bytes = [0xFF; 64 * 1024];
/// # let flash = RamFlash::<1, 4, 1024>::new(&mut bytes);
/// let shared = Shared::new(flash);
/// let settings = shared.partition(0..16 * 1024)?;
/// let events = shared.partition(16 * 1024..48 * 1024)?;
/// // What a partition has, no other gets.
/// assert!(matches!(
///     shared.partition(8 * 1024..24 * 1024),
///     Err(Misfit::Overlap { from: 0, to: 16384 })
/// ));
/// // The rest of the device is used as before.
/// let mut serial = [0; 16];
/// shared.with(|flash| flash.read(60 * 1024, &mut serial)).unwrap().unwrap();
/// # Ok::<(), Misfit>(())
/// ```
pub struct Shared<F> {
    flash: RefCell<F>,
    taken: [Cell<Option<Area>>; PARTITIONS_MAX],
}

/// A part of a [`Shared`] device as a medium.
pub type Partition<'s, F> = Nor<F, Part<'s, F>>;

impl<F> Shared<F> {
    /// Puts a driver where it can be shared.
    pub const fn new(flash: F) -> Self {
        Shared {
            flash: RefCell::new(flash),
            taken: [const { Cell::new(None) }; PARTITIONS_MAX],
        }
    }

    /// Calls `work` with the driver, for whatever is outside the partitions:
    /// bytes of a store are not to be written. `None` inside another call of
    /// this.
    pub fn with<R>(&self, work: impl FnOnce(&mut F) -> R) -> Option<R> {
        self.flash.access(work)
    }

    /// Gives the driver back.
    pub fn into_inner(self) -> F {
        self.flash.into_inner()
    }
}

impl<F: NorFlash> Shared<F> {
    /// The part `range` of the device, in bytes, until what is returned is
    /// dropped.
    ///
    /// # Errors
    /// [`Misfit::OutOfRange`], [`Misfit::Unaligned`], [`Misfit::Overlap`],
    /// [`Misfit::TooMany`] for more than 8, [`Misfit::Busy`].
    pub fn partition(&self, range: Range<u32>) -> Result<Partition<'_, F>, Misfit> {
        let capacity = self.with(|flash| flash.capacity()).ok_or(Misfit::Busy)?;
        let area = Area::part(range, capacity, erase_unit::<F>())?;
        let mut taken = self.taken.iter().filter_map(Cell::get);
        if let Some(other) = taken.find(|other| other.overlaps(&area)) {
            let Range {
                start: from,
                end: to,
            } = other.range();
            return Err(Misfit::Overlap { from, to });
        }
        let free = self.taken.iter().find(|slot| slot.get().is_none());
        let max = PARTITIONS_MAX;
        let slot = free.ok_or(Misfit::TooMany { max })?;
        slot.set(Some(area));
        let flash = &self.flash;
        Ok(Nor::over(Part { flash, slot }, area))
    }
}

impl<F> fmt::Debug for Shared<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let taken = self.taken.iter().filter_map(Cell::get);
        f.write_str("Shared ")?;
        f.debug_list()
            .entries(taken.map(|area| area.range()))
            .finish()
    }
}

/// The way of a [`Partition`] to its device.
pub struct Part<'s, F> {
    flash: &'s RefCell<F>,
    slot: &'s Cell<Option<Area>>,
}

impl<F> Access<F> for Part<'_, F> {
    fn access<R>(&self, work: impl FnOnce(&mut F) -> R) -> Option<R> {
        self.flash.access(work)
    }
}

impl<F> Drop for Part<'_, F> {
    fn drop(&mut self) {
        self.slot.set(None);
    }
}

#[cfg(feature = "defmt")]
impl<F> defmt::Format for Shared<F> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Shared");
        for area in self.taken.iter().filter_map(Cell::get) {
            let Range { start, end } = area.range();
            defmt::write!(f, " {}..{}", start, end);
        }
    }
}
