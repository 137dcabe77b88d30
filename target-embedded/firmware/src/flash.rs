//! Simulated flash: 64 sectors of 4 KiB in RAM, programmed by words, kept in a
//! file of the host from one run to the next.

use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::addr_of_mut;
use core::sync::atomic::{AtomicBool, Ordering};
use indelible_embedded::RamFlash;
use semihosting::fs::File;
use semihosting::io::{self, Read, Write};

/// Bytes programmed at a time.
pub const WORD: usize = 4;
/// Bytes erased at a time.
pub const SECTOR: usize = 4096;
/// Bytes in all.
pub const SIZE: usize = 64 * SECTOR;

/// The flash's driver.
pub type Driver = RamFlash<'static, 1, WORD, SECTOR>;

/// Where the host keeps what the flash holds, in the current folder.
const FILE: &core::ffi::CStr = c"flash.img";

/// Apart from the program's own RAM; not touched by the startup code.
#[unsafe(link_section = ".store")]
static mut BYTES: MaybeUninit<[u8; SIZE]> = MaybeUninit::uninit();
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Why there is no flash.
#[derive(Debug)]
pub enum FlashError {
    /// It was taken before.
    Taken,
    /// The file is not as long as the flash.
    Length(u64),
    /// The file cannot be read or written.
    File(io::Error),
}

impl fmt::Display for FlashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("the flash was taken before"),
            Self::Length(len) => write!(f, "flash.img has {len} bytes, the flash {SIZE}"),
            Self::File(error) => write!(f, "flash.img: {error}"),
        }
    }
}

impl core::error::Error for FlashError {}

/// The flash with what the file holds, or blank where there is none.
///
/// # Errors
/// [`FlashError`].
pub fn take() -> Result<Driver, FlashError> {
    // One core and no interrupts: nothing comes in between.
    if TAKEN.load(Ordering::Relaxed) {
        return Err(FlashError::Taken);
    }
    TAKEN.store(true, Ordering::Relaxed);
    // SAFETY: taken once, so this is the only reference; every byte is filled
    // before one is read.
    let bytes = unsafe {
        let bytes = addr_of_mut!(BYTES).cast::<[u8; SIZE]>();
        bytes.cast::<u8>().write_bytes(0xFF, SIZE);
        &mut *bytes
    };
    // No file: a new device. The host says only that it did not open.
    if let Ok(file) = File::open(FILE) {
        load(file, bytes)?;
    }
    Ok(RamFlash::new(bytes))
}

fn load(mut file: File, bytes: &mut [u8; SIZE]) -> Result<(), FlashError> {
    let len = file.metadata().map_err(FlashError::File)?.len();
    if len != SIZE as u64 {
        return Err(FlashError::Length(len));
    }
    let mut rest = &mut bytes[..];
    while !rest.is_empty() {
        match file.read(rest).map_err(FlashError::File)? {
            0 => return Err(FlashError::Length(len - rest.len() as u64)),
            count => rest = &mut rest[count..],
        }
    }
    Ok(())
}

/// Keeps what the flash holds in the file: what a board's flash does by itself.
///
/// # Errors
/// The host's.
pub fn keep(flash: &Driver) -> Result<(), FlashError> {
    let mut file = File::create(FILE).map_err(FlashError::File)?;
    file.write_all(flash.bytes()).map_err(FlashError::File)
}
