//! A new store where there is none, and nothing that could be lost.

use indelible::error::Operation;
use indelible::{Error, Geometry, Layout, Medium, setup};

use crate::flash::{Cause, Flash};
use crate::layout::{indelible_config, indelible_flag};
use crate::status::{indelible_error, indelible_status, wide};

/// Sets a store up where there is none, unless something could be lost.
///
/// # Safety
/// As the header asks.
#[inline(never)]
pub(crate) unsafe fn create(config: &indelible_config) -> Result<(), indelible_error> {
    // SAFETY: the caller's promise.
    unsafe {
        let overwrite = indelible_flag::INDELIBLE_FLAG_OVERWRITE.is_set(config.flags);
        if !overwrite && !nothing_to_lose(config)? {
            return Err(indelible_status::INDELIBLE_ERR_NOT_A_STORE.into());
        }
        config.set_up()
    }
}

/// Whether all is blank behind what an empty store begins with. What is there
/// instead may be torn, or the remains of a store: an empty one.
///
/// # Safety
/// As the header asks.
unsafe fn nothing_to_lose(config: &indelible_config) -> Result<bool, indelible_error> {
    let flash = Flash::new(&config.flash, true)?;
    let mut rehearsal = Rehearsal {
        geometry: flash.geometry(),
        end: 0,
    };
    // SAFETY: the caller's promise.
    let layout = setup(&mut rehearsal, &unsafe { config.core()? })?;
    let end = u64::from(layout.segments).saturating_mul(layout.segment_size.into());
    blank(&flash, rehearsal.end, end)
}

/// Whether a run is blank.
fn blank(flash: &Flash, from: u64, end: u64) -> Result<bool, indelible_error> {
    let blank = flash.geometry().blank;
    let mut buffer = [0u8; 64];
    let mut at = from;
    while at < end {
        let left = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
        let count = left.min(buffer.len());
        let piece = buffer.get_mut(..count).unwrap_or_default();
        read(flash, at, piece)?;
        if piece.iter().any(|byte| *byte != blank) {
            return Ok(false);
        }
        at = at.saturating_add(wide(count));
    }
    Ok(true)
}

fn read(flash: &Flash, at: u64, buffer: &mut [u8]) -> Result<(), indelible_error> {
    flash.read(at, buffer).map_err(|cause| {
        Error::Medium {
            operation: Operation::Read,
            at,
            cause,
        }
        .into()
    })
}

/// The end of the first segment was just erased: it tells whether `blank` is
/// what an erased byte reads as.
pub(crate) fn blank_as_told(flash: &Flash, layout: &Layout) -> Result<(), indelible_error> {
    let mut last = [0u8; 1];
    read(
        flash,
        u64::from(layout.segment_size).saturating_sub(1),
        &mut last,
    )?;
    let ([found], told) = (last, layout.geometry.blank);
    if found == told {
        return Ok(());
    }
    Err(indelible_error::geometry(
        c"blank byte",
        found.into(),
        told.into(),
    ))
}

/// A blank flash on which a setup is only rehearsed: it notes how far that
/// writes.
struct Rehearsal {
    geometry: Geometry,
    end: u64,
}

impl Medium for Rehearsal {
    type Error = Cause;

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&self, _: u64, buf: &mut [u8]) -> Result<(), Cause> {
        buf.fill(self.geometry.blank);
        Ok(())
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Cause> {
        self.end = self.end.max(at.saturating_add(wide(bytes.len())));
        Ok(())
    }

    fn erase(&mut self, _: u64, _: u64) -> Result<(), Cause> {
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Cause> {
        Ok(())
    }
}
