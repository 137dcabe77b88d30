//! A hook on every operation of a medium.

use core::fmt;
use indelible::{Geometry, Medium};

/// A medium that calls a hook before each operation: the place to feed a
/// watchdog while a store starts, checks itself or erases.
///
/// Between two calls lies at most one read or write of the driver, or the erase
/// of one erase unit: longer erases are done unit by unit. What the core
/// computes between two operations is short, bounded by the longest frame.
///
/// To feed the watchdog between the steps of a check alone, call
/// [`check_step`](indelible::Store::check_step) in a loop and need no hook.
///
/// ```
/// use indelible::{Config, Medium, setup};
/// use indelible_embedded::{Nor, RamFlash, Watched};
/// use core::cell::Cell;
///
/// # let mut bytes = [0; 64 * 1024];
/// # let flash = RamFlash::<1, 4, 1024>::new(&mut bytes);
/// let fed = Cell::new(0);
/// let mut medium = Watched::new(Nor::new(flash)?, || fed.set(fed.get() + 1));
/// setup(&mut medium, &Config { id: 1, nonce: 2, segment_size: None, logs: &[] })?;
/// assert!(fed.get() > 64);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub struct Watched<M, H> {
    medium: M,
    hook: H,
}

impl<M, H: Fn()> Watched<M, H> {
    /// Puts a hook on a medium. It must not use the medium's store.
    pub const fn new(medium: M, hook: H) -> Self {
        Watched { medium, hook }
    }

    /// Gives the medium back.
    pub fn into_inner(self) -> M {
        self.medium
    }
}

impl<M: Medium, H: Fn()> Medium for Watched<M, H> {
    type Error = M::Error;

    fn geometry(&self) -> Geometry {
        self.medium.geometry()
    }

    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), M::Error> {
        (self.hook)();
        self.medium.read(at, buf)
    }

    fn borrow(&self, at: u64, len: usize) -> Option<&[u8]> {
        self.medium.borrow(at, len)
    }

    fn will_read(&self, at: u64, len: usize) {
        self.medium.will_read(at, len);
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), M::Error> {
        (self.hook)();
        self.medium.write(at, bytes)
    }

    fn erase(&mut self, at: u64, len: u64) -> Result<(), M::Error> {
        let unit = u64::from(self.medium.geometry().erase_unit).max(1);
        let end = at.saturating_add(len);
        let mut at = at;
        while at < end {
            (self.hook)();
            self.medium.erase(at, unit.min(end.saturating_sub(at)))?;
            at = at.saturating_add(unit);
        }
        Ok(())
    }

    fn will_flush(&mut self) {
        self.medium.will_flush();
    }

    fn flush(&mut self) -> Result<(), M::Error> {
        (self.hook)();
        self.medium.flush()
    }

    fn crc32c(&self, state: u32, bytes: &[u8]) -> u32 {
        self.medium.crc32c(state, bytes)
    }
}

impl<M: fmt::Debug, H> fmt::Debug for Watched<M, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watched").field(&self.medium).finish()
    }
}

#[cfg(feature = "defmt")]
impl<M: defmt::Format, H> defmt::Format for Watched<M, H> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Watched {}", self.medium);
    }
}
