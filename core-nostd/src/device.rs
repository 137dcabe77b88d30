//! The medium seen by segment and offset, with errors that say where.

use crate::error::Operation;
use crate::fault::{Fault, What};
use crate::format::shape::Shape;
use crate::math::Saturate;
use crate::medium::Medium;
use crate::mutants::Mutant;
use core::sync::atomic::{AtomicBool, Ordering};

/// Bytes moved through the stack at a time where the medium cannot be borrowed.
pub(crate) const CHUNK: usize = 128;

/// A medium, its shape, and whether it can still be trusted.
pub(crate) struct Device<M: Medium> {
    pub medium: M,
    pub shape: Shape,
    /// A write, erase or flush failed: all that is outstanding is in doubt.
    pub poisoned: bool,
    /// Something was written since the last flush.
    pub outstanding: bool,
    /// How many flushes have succeeded.
    pub flushes: u64,
    /// What the last refusal says beyond its fault.
    pub figures: (u64, u64),
    /// A reader met damage. Reading has to stay possible from several places.
    damaged: AtomicBool,
}

impl<M: Medium> Device<M> {
    pub(crate) fn new(medium: M, shape: Shape) -> Self {
        Device {
            medium,
            shape,
            poisoned: false,
            outstanding: false,
            flushes: 0,
            figures: (0, 0),
            damaged: AtomicBool::new(false),
        }
    }

    /// A medium whose store is still to be found.
    pub(crate) fn unknown(medium: M) -> Self {
        let geometry = medium.geometry();
        Self::new(medium, Shape::new(geometry, geometry.erase_unit, 0))
    }

    /// Notes that something is not as it was written.
    pub(crate) fn meet_damage(&self) {
        self.damaged.store(true, Ordering::Relaxed);
    }

    /// Starts anew.
    pub(crate) fn forget_damage(&mut self) {
        self.damaged = AtomicBool::new(false);
    }

    /// Whether damage was met since the medium was opened.
    pub(crate) fn met_damage(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn read(
        &self,
        segment: u32,
        offset: u32,
        buf: &mut [u8],
    ) -> Result<(), Fault<M::Error>> {
        let at = self.shape.address(segment, offset);
        self.medium
            .read(at, buf)
            .map_err(|cause| Fault::at(What::Medium(Operation::Read, cause), at))
    }

    #[inline]
    pub(crate) fn borrow(&self, segment: u32, offset: u32, len: u32) -> Option<&[u8]> {
        let at = self.shape.address(segment, offset);
        self.medium
            .borrow(at, usize::try_from(len).unwrap_or(usize::MAX))
    }

    /// Announces reads of a run, in pieces.
    #[inline]
    pub(crate) fn will_read(&self, segment: u32, offset: u32, len: u32) {
        let at = self.shape.address(segment, offset);
        self.medium
            .will_read(at, usize::try_from(len).unwrap_or(usize::MAX));
    }

    /// Calls `each` with the bytes of a run, in order and in pieces.
    pub(crate) fn pieces(
        &self,
        segment: u32,
        offset: u32,
        len: u32,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Fault<M::Error>> {
        if let Some(bytes) = self.borrow(segment, offset, len) {
            each(bytes);
            return Ok(());
        }
        let mut chunk = [0u8; CHUNK];
        let mut done = 0u32;
        while done < len {
            let count = len
                .minus(done)
                .min(u32::try_from(CHUNK).unwrap_or(u32::MAX));
            let Some(part) = chunk.get_mut(..usize::try_from(count).unwrap_or(0)) else {
                break;
            };
            self.read(segment, offset.plus(done), part)?;
            each(part);
            done = done.plus(count);
        }
        Ok(())
    }

    /// The checksum of a run, continued from `state`.
    pub(crate) fn sum(
        &self,
        segment: u32,
        offset: u32,
        len: u32,
        mut state: u32,
    ) -> Result<u32, Fault<M::Error>> {
        self.pieces(segment, offset, len, &mut |bytes| {
            state = self.medium.crc32c(state, bytes);
        })?;
        Ok(state)
    }

    /// How many bits of a run are not blank, counted up to `enough`, and the
    /// offset behind the last byte that is not.
    pub(crate) fn programmed(
        &self,
        segment: u32,
        from: u32,
        to: u32,
    ) -> Result<(u32, u32), Fault<M::Error>> {
        let blank = self.shape.geometry.blank;
        let mut bits = 0u32;
        let mut end = from;
        let mut at = from;
        self.pieces(segment, from, to.minus(from), &mut |bytes| {
            if all_blank(bytes, blank) {
                at = at.plus(u32::try_from(bytes.len()).unwrap_or(0));
                return;
            }
            for byte in bytes {
                at = at.plus(1);
                if *byte != blank {
                    bits = bits.plus((*byte ^ blank).count_ones());
                    end = at;
                }
            }
        })?;
        Ok((bits, end))
    }

    /// How many aligned 8-byte words of a run are blank, up to `end`.
    pub(crate) fn blank_words(
        &self,
        segment: u32,
        offset: u32,
        len: u32,
    ) -> Result<u32, Fault<M::Error>> {
        let blank = self.shape.geometry.blank;
        let mut words = 0u32;
        self.pieces(segment, offset, len, &mut |bytes| {
            words = words.plus(count_blank_words(bytes, blank));
        })?;
        Ok(words)
    }

    pub(crate) fn write(
        &mut self,
        segment: u32,
        offset: u32,
        bytes: &[u8],
    ) -> Result<(), Fault<M::Error>> {
        let at = self.shape.address(segment, offset);
        self.outstanding = true;
        self.medium.write(at, bytes).map_err(|cause| {
            self.poisoned = true;
            Fault::at(What::Medium(Operation::Write, cause), at)
        })
    }

    /// Erases a whole segment.
    pub(crate) fn erase(&mut self, segment: u32) -> Result<(), Fault<M::Error>> {
        let at = self.shape.address(segment, 0);
        self.outstanding = true;
        if Mutant::NoErase.on() {
            return Ok(());
        }
        let len = u64::from(self.shape.segment_size);
        self.medium.erase(at, len).map_err(|cause| {
            self.poisoned = true;
            Fault::at(What::Medium(Operation::Erase, cause), at)
        })
    }

    pub(crate) fn flush(&mut self) -> Result<(), Fault<M::Error>> {
        self.medium.flush().map_err(|cause| {
            self.poisoned = true;
            Fault::at(What::Medium(Operation::Flush, cause), 0)
        })?;
        self.outstanding = false;
        self.flushes = self.flushes.plus(1);
        Ok(())
    }
}

/// Whether every byte is blank.
fn all_blank(bytes: &[u8], blank: u8) -> bool {
    let (lines, rest) = bytes.as_chunks::<64>();
    // No way out of a line before its end: so it is looked at in wide words.
    let same = |line: &[u8; 64]| line.iter().fold(0, |seen, byte| seen | (byte ^ blank)) == 0;
    lines.iter().all(same) && rest.iter().all(|byte| *byte == blank)
}

/// How many of the whole 8-byte words of `bytes` are blank.
pub(crate) fn count_blank_words(bytes: &[u8], blank: u8) -> u32 {
    let half = u32::from_ne_bytes([blank; 4]);
    let (runs, rest) = bytes.as_chunks::<128>();
    let mut count = blank_words_in(rest, blank);
    for run in runs {
        // Most have not even half a word that is, which takes less to see.
        let (halves, _) = run.as_chunks::<4>();
        let same = |word: &[u8; 4]| u32::from_ne_bytes(*word) == half;
        if halves.iter().fold(false, |seen, word| seen | same(word)) {
            count = count.plus(blank_words_in(run, blank));
        }
    }
    count
}

fn blank_words_in(bytes: &[u8], blank: u8) -> u32 {
    let pattern = u64::from_ne_bytes([blank; 8]);
    let (words, _) = bytes.as_chunks::<8>();
    let mut count = 0u32;
    for word in words {
        // Wraps nowhere; to say so lets it be done many at a time.
        count = count.wrapping_add(u32::from(u64::from_ne_bytes(*word) == pattern));
    }
    count
}
