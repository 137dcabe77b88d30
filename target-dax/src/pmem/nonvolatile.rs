//! Non-volatile memory as Windows has it: files on volumes that are mounted
//! with DAX, and the calls that write their cache lines back.
//!
//! Compiled and checked, and never run: it takes a machine with such a volume.

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::os::windows::io::AsRawHandle;
use std::ptr::{NonNull, null_mut};

use windows_sys::Win32::Foundation::RtlNtStatusToDosError;
use windows_sys::Win32::Storage::FileSystem::GetVolumeInformationByHandleW;
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
use windows_sys::Win32::System::SystemServices::{
    FILE_DAX_VOLUME, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN,
};
use windows_sys::core::w;

/// Whether a file lies on a volume whose mapped pages are the memory itself.
///
/// # Errors
/// What the system reports.
pub(super) fn is_dax(file: &File) -> io::Result<bool> {
    let mut flags = 0;
    // SAFETY: the handle is open for as long as `file` is borrowed; `flags`
    // is written before the call returns, and what is null is not written.
    let done = unsafe {
        GetVolumeInformationByHandleW(
            file.as_raw_handle(),
            null_mut(),
            0,
            null_mut(),
            null_mut(),
            &mut flags,
            null_mut(),
            0,
        )
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(flags & FILE_DAX_VOLUME != 0)
}

type GetToken = unsafe extern "system" fn(*const c_void, usize, *mut *mut c_void) -> u32;
type FreeToken = unsafe extern "system" fn(*const c_void) -> u32;
type Flush = unsafe extern "system" fn(*const c_void, *const c_void, usize, u32) -> u32;
type Drain = unsafe extern "system" fn(*const c_void) -> u32;

/// The calls, of Windows 10 1709 and newer. A program that imports them does
/// not start on older ones, so they are looked up.
#[derive(Clone, Copy, Debug)]
struct Calls {
    get: GetToken,
    free: FreeToken,
    flush: Flush,
    drain: Drain,
}

impl Calls {
    fn find() -> Option<Self> {
        // SAFETY: the name is a string that ends in 0. Every process has this
        // library, from its beginning to its end.
        let library = unsafe { GetModuleHandleW(w!("ntdll.dll")) };
        if library.is_null() {
            return None;
        }
        let find = |name: &core::ffi::CStr| {
            // SAFETY: the library stays loaded, and the name ends in 0.
            unsafe { GetProcAddress(library, name.as_ptr().cast()) }
        };
        let (get, free) = (
            find(c"RtlGetNonVolatileToken")?,
            find(c"RtlFreeNonVolatileToken")?,
        );
        let (flush, drain) = (
            find(c"RtlFlushNonVolatileMemory")?,
            find(c"RtlDrainNonVolatileFlush")?,
        );
        // SAFETY: these are pointers to functions, and by their names to those
        // with these types.
        unsafe {
            Some(Self {
                get: std::mem::transmute::<unsafe extern "system" fn() -> isize, GetToken>(get),
                free: std::mem::transmute::<unsafe extern "system" fn() -> isize, FreeToken>(free),
                flush: std::mem::transmute::<unsafe extern "system" fn() -> isize, Flush>(flush),
                drain: std::mem::transmute::<unsafe extern "system" fn() -> isize, Drain>(drain),
            })
        }
    }
}

/// The system's handle of mapped memory whose lines can be written back. To be
/// dropped before the mapping.
#[derive(Debug)]
pub(super) struct Token {
    calls: Calls,
    token: NonNull<c_void>,
}

// SAFETY: the system ties a token to memory, not to a thread.
unsafe impl Send for Token {}
// SAFETY: what changes anything takes `&mut self`.
unsafe impl Sync for Token {}

impl Token {
    /// For `len` bytes of mapped memory; `None` where the system does not know
    /// the calls.
    ///
    /// # Safety
    /// The memory has to stay mapped for as long as the token is there.
    ///
    /// # Errors
    /// What the system reports.
    pub(super) unsafe fn new(begin: *const u8, len: usize) -> io::Result<Option<Self>> {
        let Some(calls) = Calls::find() else {
            return Ok(None);
        };
        let mut token = null_mut();
        // SAFETY: the caller vouches for the memory; `token` is written before
        // the call returns.
        check(unsafe { (calls.get)(begin.cast(), len, &mut token) })?;
        let token = NonNull::new(token).ok_or_else(|| io::Error::other("no token"))?;
        Ok(Some(Self { calls, token }))
    }

    /// Begins to write a range back.
    ///
    /// # Safety
    /// The range has to lie in the token's memory.
    ///
    /// # Errors
    /// What the system reports.
    pub(super) unsafe fn flush(&mut self, begin: *const u8, len: usize) -> io::Result<()> {
        let no_drain = FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN;
        // SAFETY: the token is one that the system gave, for memory that the
        // caller vouches for.
        check(unsafe { (self.calls.flush)(self.token.as_ptr(), begin.cast(), len, no_drain) })
    }

    /// Waits for all that is being written back.
    ///
    /// # Errors
    /// What the system reports.
    pub(super) fn drain(&mut self) -> io::Result<()> {
        // SAFETY: the token is one that the system gave.
        check(unsafe { (self.calls.drain)(self.token.as_ptr()) })
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        // SAFETY: the token is one that the system gave, and used no more. A
        // failure leaves it to the end of the process.
        let _ = unsafe { (self.calls.free)(self.token.as_ptr()) };
    }
}

/// The outcome of one of the calls: a status, 0 where it did what it was to.
fn check(status: u32) -> io::Result<()> {
    if status == 0 {
        return Ok(());
    }
    // SAFETY: takes a number and gives one.
    let code = unsafe { RtlNtStatusToDosError(status.cast_signed()) };
    Err(io::Error::from_raw_os_error(code.cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_becomes_the_error_that_it_stands_for() {
        assert!(check(0).is_ok());
        // STATUS_ACCESS_DENIED
        let denied = check(0xC000_0022).unwrap_err();
        assert_eq!(denied.kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn an_ordinary_volume_is_none_of_them() {
        let file = tempfile::tempfile().unwrap();
        assert!(!is_dax(&file).unwrap());
    }
}
