//! Pointers and lengths from C become slices, or are refused.

use core::ffi::c_void;
use core::mem::{align_of, size_of};

use crate::status::{indelible_error, indelible_status};

use indelible_status::{INDELIBLE_ERR_ALIGNMENT, INDELIBLE_ERR_ARGUMENT};

/// A run of memory by its addresses.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Run {
    from: usize,
    to: usize,
}

impl Run {
    /// Refuses what wraps around, and lengths that no object has.
    pub(crate) fn of<T>(at: *const T, len: usize) -> Result<Self, indelible_error> {
        let from = at.addr();
        let most = isize::MAX.unsigned_abs();
        match from.checked_add(len) {
            Some(to) if len <= most => Ok(Run { from, to }),
            _ => Err(INDELIBLE_ERR_ARGUMENT.into()),
        }
    }

    /// Refuses runs with a byte in common.
    pub(crate) fn apart(self, other: Run) -> Result<(), indelible_error> {
        if self.from < other.to && other.from < self.to {
            return Err(INDELIBLE_ERR_ARGUMENT.into());
        }
        Ok(())
    }
}

/// Memory that is the store's alone while it is open: no argument lies in it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lent {
    pub store: Run,
    pub memory: Run,
}

impl Lent {
    /// For functions without a store.
    pub(crate) const NOTHING: Lent = Lent {
        store: Run { from: 0, to: 0 },
        memory: Run { from: 0, to: 0 },
    };

    fn check<T>(self, at: *const T, len: usize) -> Result<Run, indelible_error> {
        if at.is_null() && len > 0 {
            return Err(INDELIBLE_ERR_ARGUMENT.into());
        }
        let run = Run::of(at, len)?;
        run.apart(self.store)?;
        run.apart(self.memory)?;
        Ok(run)
    }

    /// Bytes to read.
    ///
    /// # Safety
    /// `len` bytes are there that do not change as long as the slice is used.
    pub(crate) unsafe fn bytes<'a>(
        self,
        at: *const c_void,
        len: usize,
    ) -> Result<&'a [u8], indelible_error> {
        self.check(at, len)?;
        if len == 0 {
            return Ok(&[]);
        }
        // SAFETY: not NULL, `len` is one that an object has, bytes need no
        // alignment; the caller promises the rest.
        Ok(unsafe { core::slice::from_raw_parts(at.cast(), len) })
    }

    /// A buffer to fill, apart from what is read meanwhile.
    ///
    /// # Safety
    /// `len` bytes are there that nobody else uses as long as the slice is.
    pub(crate) unsafe fn buffer<'a>(
        self,
        at: *mut c_void,
        len: usize,
        read: &[&[u8]],
    ) -> Result<&'a mut [u8], indelible_error> {
        let run = self.check(at, len)?;
        for other in read {
            run.apart(Run::of(other.as_ptr(), other.len())?)?;
        }
        if len == 0 {
            return Ok(&mut []);
        }
        // SAFETY: as for `bytes`, and apart from the other slices.
        Ok(unsafe { core::slice::from_raw_parts_mut(at.cast(), len) })
    }

    /// A place for a result; NULL for nowhere.
    ///
    /// # Safety
    /// It is NULL, or a `T` can be written there during the call.
    pub(crate) unsafe fn out<T: Copy>(self, at: *mut T) -> Result<Out<T>, indelible_error> {
        if !at.is_null() {
            aligned(at)?;
            self.check(at, size_of::<T>())?;
        }
        Ok(Out(at))
    }
}

/// Refuses what is not aligned for its type.
pub(crate) fn aligned<T>(at: *const T) -> Result<(), indelible_error> {
    if at.addr() & align_of::<T>().wrapping_sub(1) != 0 {
        return Err(INDELIBLE_ERR_ALIGNMENT.into());
    }
    Ok(())
}

/// Refuses what is not aligned to 8 bytes, also where 8-byte words need less.
pub(crate) fn aligned_to_8<T>(at: *const T) -> Result<(), indelible_error> {
    if at.addr() & 7 != 0 {
        return Err(INDELIBLE_ERR_ALIGNMENT.into());
    }
    Ok(())
}

/// Reads a struct of the caller's.
///
/// # Safety
/// It is NULL, or a `T` is there.
pub(crate) unsafe fn fetch<T: Copy>(at: *const T) -> Result<T, indelible_error> {
    if at.is_null() {
        return Err(INDELIBLE_ERR_ARGUMENT.into());
    }
    aligned(at)?;
    // SAFETY: not NULL and aligned; the caller promises the rest.
    Ok(unsafe { at.read() })
}

/// Where a result goes, if anywhere. A raw pointer, never a reference: it may
/// be the same memory as another argument.
#[derive(Clone, Copy)]
pub(crate) struct Out<T>(*mut T);

impl<T: Copy> Out<T> {
    /// Refuses NULL.
    pub(crate) fn required(self) -> Result<Self, indelible_error> {
        if self.0.is_null() {
            return Err(INDELIBLE_ERR_ARGUMENT.into());
        }
        Ok(self)
    }

    pub(crate) fn set(self, value: T) {
        if !self.0.is_null() {
            // SAFETY: `Lent::out` had the promise that a `T` can be written
            // there during the call, and `Out` does not leave it.
            unsafe { self.0.write(value) }
        }
    }

    /// Changes what was set.
    pub(crate) fn change(self, change: impl FnOnce(&mut T)) {
        if !self.0.is_null() {
            // SAFETY: as for `set`, which was called before.
            change(unsafe { &mut *self.0 });
        }
    }

    /// What the caller left there; for in-out arguments.
    pub(crate) fn get(self) -> Result<T, indelible_error> {
        // SAFETY: the same promise; in-out arguments hold a value.
        unsafe { fetch(self.0) }
    }
}
