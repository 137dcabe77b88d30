//! Instructions of x86-64.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count};

use super::WriteBack;

/// What the processor has, in the order of preference, and its line.
pub(super) fn detect() -> (Option<WriteBack>, usize) {
    let basic = __cpuid(1);
    let line = ((basic.ebx >> 8) & 0xFF) as usize * 8;
    let extended = if __cpuid(0).eax >= 7 {
        __cpuid_count(7, 0).ebx
    } else {
        0
    };
    // The standard library's detection knows none of the three.
    let found = if extended >> 24 & 1 == 1 {
        Some(WriteBack::Clwb)
    } else if extended >> 23 & 1 == 1 {
        Some(WriteBack::ClflushOpt)
    } else if basic.edx >> 19 & 1 == 1 {
        Some(WriteBack::Clflush)
    } else {
        None
    };
    (found.filter(|_| line.is_power_of_two() && line >= 64), line)
}

/// Begins to write one line back.
///
/// # Safety
/// `line` must point into mapped memory, and the processor must have the
/// instruction.
#[inline]
pub(super) unsafe fn write_back(with: WriteBack, line: *mut u8) {
    // None has `nomem`: to the compiler each may read and write any memory, so
    // that no store moves past it.
    // SAFETY: the instructions change no byte of memory and no register; the
    // caller vouches for the address and for the processor.
    unsafe {
        match with {
            WriteBack::Clwb => {
                asm!("clwb [{}]", in(reg) line, options(nostack, preserves_flags));
            }
            WriteBack::ClflushOpt => {
                asm!("clflushopt [{}]", in(reg) line, options(nostack, preserves_flags));
            }
            WriteBack::Clflush => {
                asm!("clflush [{}]", in(reg) line, options(nostack, preserves_flags));
            }
            WriteBack::DcCvap | WriteBack::Nothing => {}
        }
    }
}

/// Waits for stores past the cache and for lines being written back.
#[inline]
pub(super) fn fence() {
    // SAFETY: a fence has no operands and touches no memory of its own.
    unsafe { asm!("sfence", options(nostack, preserves_flags)) };
}

/// Copies 64 bytes past the cache for each 64 of `from`.
///
/// # Safety
/// `to` must be aligned to 16 and, for `from.len()` bytes, be mapped for
/// writing and borrowed by nobody; the length must be a multiple of 64.
pub(super) unsafe fn stream(to: *mut u8, from: &[u8]) {
    // Loads that follow stores to addresses which are the same modulo 4096
    // wait for them, which slows copies down many times where `to` lies a
    // little past `from`. Going downwards, loads come before such stores.
    let past = (to as usize).wrapping_sub(from.as_ptr() as usize) % 4096;
    let count = from.len() / 64;
    let copy = |number: usize| {
        let source = from.as_ptr().wrapping_add(number * 64);
        let target = to.wrapping_add(number * 64);
        // SAFETY: `number` is below `count`, so both lie inside what the
        // caller vouches for; SSE2 is part of x86-64. Without `nomem` the
        // compiler takes the stores into account.
        unsafe {
            asm!(
                "movdqu {a}, [{source}]",
                "movdqu {b}, [{source} + 16]",
                "movdqu {c}, [{source} + 32]",
                "movdqu {d}, [{source} + 48]",
                "movntdq [{target}], {a}",
                "movntdq [{target} + 16], {b}",
                "movntdq [{target} + 32], {c}",
                "movntdq [{target} + 48], {d}",
                a = out(xmm_reg) _,
                b = out(xmm_reg) _,
                c = out(xmm_reg) _,
                d = out(xmm_reg) _,
                source = in(reg) source,
                target = in(reg) target,
                options(nostack, preserves_flags)
            );
        }
    };
    if past < 2048 {
        (0..count).rev().for_each(copy);
    } else {
        (0..count).for_each(copy);
    }
}
