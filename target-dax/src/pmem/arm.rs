//! Instructions of aarch64.

use std::arch::asm;

use super::WriteBack;

/// `dc cvap`, where the processor has it, and its line.
pub(super) fn detect() -> (Option<WriteBack>, usize) {
    let control: u64;
    // SAFETY: reads a register that Linux lets programs read, or reads for
    // them.
    unsafe {
        asm!("mrs {}, ctr_el0", out(reg) control, options(nomem, nostack, preserves_flags));
    }
    // The smallest data line, as a power of two of 4-byte words.
    let line = 4 << (control >> 16 & 0xF);
    let found = std::arch::is_aarch64_feature_detected!("dpb").then_some(WriteBack::DcCvap);
    (found.filter(|_| line >= 16), line)
}

/// Begins to write one line back.
///
/// # Safety
/// `line` must point into mapped memory, and the processor must have the
/// instruction.
#[inline]
pub(super) unsafe fn write_back(with: WriteBack, line: *mut u8) {
    if with == WriteBack::DcCvap {
        // `dc cvap`, spelled so that every assembler knows it. Without `nomem`:
        // no store may move past it.
        // SAFETY: it changes no byte of memory and no register; the caller
        // vouches for the address and for the processor.
        unsafe {
            asm!("sys #3, c7, c12, #1, {}", in(reg) line, options(nostack, preserves_flags));
        }
    }
}

/// Waits for lines being written back.
#[inline]
pub(super) fn fence() {
    // SAFETY: a barrier has no operands and touches no memory of its own.
    unsafe { asm!("dsb sy", options(nostack, preserves_flags)) };
}
