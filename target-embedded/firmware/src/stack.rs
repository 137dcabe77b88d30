//! How deep the stack gets: what is below it is painted, and what lost its
//! paint was used.

use core::ptr::{read_volatile, write_volatile};

/// What unused stack is painted with.
const PAINT: u32 = 0xDEC0_ADDE;
/// Bytes below the stack pointer that are painted at most.
const DEPTH_MAX: usize = 64 * 1024;

unsafe extern "C" {
    /// The end of all statics, where the free stack begins.
    static __sheap: u32;
}

#[inline(always)]
fn pointer() -> usize {
    let at: usize;
    // SAFETY: reads a register.
    #[cfg(target_arch = "arm")]
    unsafe {
        core::arch::asm!("mov {}, sp", out(reg) at, options(nomem, nostack, preserves_flags));
    }
    // SAFETY: reads a register.
    #[cfg(target_arch = "riscv32")]
    unsafe {
        core::arch::asm!("mv {}, sp", out(reg) at, options(nomem, nostack, preserves_flags));
    }
    at
}

/// Does `work` and says how many bytes of stack it took, all calls together.
#[inline(never)]
pub fn depth_of<R>(work: impl FnOnce() -> R) -> (R, usize) {
    let top = pointer() & !3;
    let bottom = ((&raw const __sheap) as usize).max(top.saturating_sub(DEPTH_MAX));
    let mut at = bottom;
    while at < top {
        // SAFETY: between the statics and this function's frame there is
        // nothing; interrupts are off.
        unsafe { write_volatile(at as *mut u32, PAINT) };
        at += 4;
    }
    let result = work();
    let mut at = bottom;
    // SAFETY: as above.
    while at < top && unsafe { read_volatile(at as *const u32) } == PAINT {
        at += 4;
    }
    (result, top - at)
}
