//! What each of the measured programs needs besides the store: a reset
//! handler, flash to keep the store in, and a mailbox for operations.
//!
//! The operations come from memory that the compiler knows nothing about, so
//! that it can leave none of them out.

#![no_std]

pub mod whole;

use core::ptr::{addr_of, addr_of_mut, read_volatile, write_volatile};

use indelible::{Geometry, Medium, Order};

/// Segments in the store.
pub const SEGMENTS: usize = 64;
/// Bytes in a segment: one erase unit.
pub const SEGMENT_SIZE: u32 = 4096;
/// Logs in the store.
pub const LOGS: usize = 2;
/// Bytes that each log is sure to hold.
pub const LOG_CAPACITY: u64 = 16 << 10;
/// Keys in the store.
pub const KEYS: usize = 256;
/// Segments that hold log data, as `Layout::ring` says.
pub const RING: usize = 12;
/// Changes in a transaction.
pub const UNDO: usize = 8;
/// Bytes in the longest key.
pub const KEY: usize = 32;

/// Flash beside the program's own, programmed by words.
pub struct Flash;

/// The flash controller's answer to a failed operation.
#[derive(Debug)]
pub struct Fault;

unsafe extern "C" {
    static mut store_begin: u8;
    static mut data_begin: u32;
    static mut data_end: u32;
    static data_load: u32;
    static mut bss_begin: u32;
    static mut bss_end: u32;
}

/// The controller's registers: status, control and page.
const STATUS: *mut u32 = 0x4002_2010 as *mut u32;
const CONTROL: *mut u32 = 0x4002_2014 as *mut u32;
const BUSY: u32 = 1 << 16;
const FAULTS: u32 = 0xFF;
const ERASE: u32 = 1 << 16 | 1 << 1;

fn settle() -> Result<(), Fault> {
    // SAFETY: a register of the device.
    let status = unsafe {
        while read_volatile(STATUS) & BUSY != 0 {}
        read_volatile(STATUS)
    };
    if status & FAULTS == 0 {
        Ok(())
    } else {
        Err(Fault)
    }
}

/// Where byte `at` of the store lies, if all of `len` bytes do.
fn place(at: u64, len: usize) -> Result<*mut u8, Fault> {
    let at = usize::try_from(at).map_err(|_| Fault)?;
    match at.checked_add(len) {
        // SAFETY: inside the region that the linker script sets aside.
        Some(end) if end <= SEGMENTS * SEGMENT_SIZE as usize => {
            Ok(unsafe { addr_of_mut!(store_begin).add(at) })
        }
        _ => Err(Fault),
    }
}

impl Medium for Flash {
    type Error = Fault;

    fn geometry(&self) -> Geometry {
        Geometry {
            capacity: SEGMENTS as u64 * u64::from(SEGMENT_SIZE),
            write_unit: 8,
            erase_unit: SEGMENT_SIZE,
            blank: 0xFF,
            order: Order::Ordered,
        }
    }

    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), Fault> {
        let from = place(at, buf.len())?;
        // SAFETY: flash, readable, and apart from RAM.
        unsafe { core::ptr::copy_nonoverlapping(from, buf.as_mut_ptr(), buf.len()) };
        Ok(())
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Fault> {
        let mut to = place(at, bytes.len())?.cast::<u32>();
        for word in bytes.chunks_exact(4) {
            let word = u32::from_le_bytes(word.try_into().map_err(|_| Fault)?);
            // SAFETY: inside the store, aligned to its write unit.
            unsafe {
                write_volatile(to, word);
                to = to.add(1);
            }
            settle()?;
        }
        Ok(())
    }

    fn erase(&mut self, at: u64, len: u64) -> Result<(), Fault> {
        place(at, usize::try_from(len).map_err(|_| Fault)?)?;
        for page in at / u64::from(SEGMENT_SIZE)..(at + len) / u64::from(SEGMENT_SIZE) {
            // SAFETY: a register of the device.
            unsafe { write_volatile(CONTROL, ERASE | (page as u32) << 3) };
            settle()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        settle()
    }
}

/// What a debugger, a bus or another core asks the program to do, and learns
/// from it.
pub struct Mailbox {
    /// Which operation.
    pub operation: u32,
    /// Whether it succeeded.
    pub done: bool,
    /// Its log.
    pub log: usize,
    /// Its position, or the number of a list's element; a count in the answer.
    pub position: u64,
    /// Its key.
    pub key: [u8; 16],
    /// Its value, or where one is read to.
    pub bytes: [u8; 64],
}

static mut MAILBOX: Mailbox = Mailbox {
    operation: 0,
    done: false,
    log: 0,
    position: 0,
    key: [0; 16],
    bytes: [0; 64],
};

/// Has every request carried out by `serve`, one after the other.
pub fn serve(mut serve: impl FnMut(&mut Mailbox) -> bool) -> ! {
    loop {
        // SAFETY: the only reference inside the program, and it ends here.
        let mail = unsafe { &mut *core::hint::black_box(addr_of_mut!(MAILBOX)) };
        mail.done = serve(mail);
    }
}

/// Prepares RAM, as any C or Rust runtime does, and runs the program.
///
/// # Safety
/// Called once, by the hardware, before anything else.
pub unsafe fn begin(main: fn() -> !) -> ! {
    // SAFETY: the linker script's own bounds, not yet used by anyone.
    unsafe {
        let (mut to, mut from) = (addr_of_mut!(data_begin), addr_of!(data_load));
        while to < addr_of_mut!(data_end) {
            write_volatile(to, read_volatile(from));
            (to, from) = (to.add(1), from.add(1));
        }
        let mut to = addr_of_mut!(bss_begin);
        while to < addr_of_mut!(bss_end) {
            write_volatile(to, 0);
            to = to.add(1);
        }
    }
    main()
}

/// The reset and panic handlers of a program whose work is `$main`. It links
/// only if nothing in it can panic, unless it `may_panic`.
#[macro_export]
macro_rules! firmware {
    ($main:path) => {
        $crate::firmware!(@reset $main);

        unsafe extern "C" {
            /// Nowhere: what can panic does not link.
            safe fn something_can_panic() -> !;
        }

        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo) -> ! {
            something_can_panic()
        }
    };
    ($main:path, may_panic) => {
        $crate::firmware!(@reset $main);

        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo) -> ! {
            loop {}
        }
    };
    (@reset $main:path) => {
        /// Where the hardware begins.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn reset() -> ! {
            // SAFETY: at reset.
            unsafe { $crate::begin($main) }
        }
    };
}
