//! What the processor stores with and writes cache lines back with.

use std::fmt;

#[cfg(target_arch = "aarch64")]
use super::arm as isa;
#[cfg(target_arch = "x86_64")]
use super::x86 as isa;

/// The instruction that writes cache lines back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteBack {
    /// `clwb`: x86-64, keeps the line in the cache where the processor can.
    Clwb,
    /// `clflushopt`: x86-64, drops the line.
    ClflushOpt,
    /// `clflush`: x86-64, drops the line, one after the other.
    Clflush,
    /// `dc cvap`: aarch64.
    DcCvap,
    /// None: caches are inside the persistence domain, and the user said so.
    Nothing,
}

impl fmt::Display for WriteBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WriteBack::Clwb => "clwb",
            WriteBack::ClflushOpt => "clflushopt",
            WriteBack::Clflush => "clflush",
            WriteBack::DcCvap => "dc cvap",
            WriteBack::Nothing => "nothing",
        })
    }
}

/// A processor that can write lines back: only [`Processor::detect`] makes one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Processor {
    with: WriteBack,
    line: usize,
}

impl Processor {
    pub(super) fn detect() -> Option<Self> {
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        let (with, line) = isa::detect();
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let (with, line) = (None, 0);
        with.map(|with| Self { with, line })
    }

    /// The same without write-backs, for caches that are durable themselves.
    pub(super) fn without_write_back(self) -> Self {
        Self {
            with: WriteBack::Nothing,
            ..self
        }
    }

    pub(super) fn write_back_instruction(self) -> WriteBack {
        self.with
    }

    pub(super) fn line(self) -> usize {
        self.line
    }

    /// Begins to write back all lines with a byte of the range.
    ///
    /// # Safety
    /// `len` bytes from `begin` must be mapped, whole pages of them.
    #[inline]
    pub(super) unsafe fn write_back(self, begin: *mut u8, len: usize) {
        if self.with == WriteBack::Nothing || len == 0 {
            return;
        }
        // From the beginning of the first line, or its last bytes would stay.
        let skip = begin as usize & (self.line - 1);
        for at in (0..skip + len).step_by(self.line) {
            let line = begin.wrapping_sub(skip).wrapping_add(at);
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            // SAFETY: lines do not straddle pages, so this one has a mapped
            // byte; `detect` found the instruction.
            unsafe {
                isa::write_back(self.with, line);
            }
            #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
            let _ = line;
        }
    }

    /// Waits for all write-backs and stores past the cache.
    #[inline]
    pub(super) fn fence(self) {
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        isa::fence();
    }

    /// Stores whole lines past the cache, or in it and begins to write them
    /// back.
    ///
    /// # Safety
    /// `to` must be aligned to a line and, for `bytes.len()` bytes, be mapped
    /// for writing and borrowed by nobody; the length must be whole lines.
    pub(super) unsafe fn stream(self, to: *mut u8, bytes: &[u8]) {
        // SAFETY: as the caller vouches; a line is a multiple of 64 bytes.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            isa::stream(to, bytes);
        }
        // SAFETY: as the caller vouches; a line is a multiple of 8 bytes.
        #[cfg(not(target_arch = "x86_64"))]
        unsafe {
            super::words::store(to, bytes);
            self.write_back(to, bytes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_streamed_whatever_lies_where() {
        let processor = Processor::detect().expect("this processor writes lines back");
        let line = processor.line();
        let mut memory = vec![0u8; 64 << 10];
        let skip = memory.as_ptr().align_offset(4096);
        let source: Vec<u8> = (0..32u32 << 10).map(|n| (n % 251) as u8).collect();
        for shift in [0, 1, 8, 16, 64, 2040, 2056, 4090] {
            for lines in [0, 1, 3, 200] {
                let bytes = &source[shift..shift + lines * line];
                let target = memory[skip..].as_mut_ptr();
                // SAFETY: the target is aligned to a page and inside `memory`,
                // which is not read before the fence.
                unsafe { processor.stream(target, bytes) };
                processor.fence();
                assert!(memory[skip..].starts_with(bytes), "{lines} lines, {shift}");
            }
        }
    }
}
