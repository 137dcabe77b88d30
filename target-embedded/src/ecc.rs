//! What the core is shown where a unit of flash cannot be read: for adapters of
//! your own; [`Nor::ecc`](crate::Nor::ecc) does it all.
//!
//! The core judges by bytes, so a unit without any gets some. They must never
//! pass for a commit, for blank space, or for one flipped bit of either:
//!
//! * The first word is zeros. It has four bits between it and every first word
//!   of a frame (the check of a first word is a linear code of distance 4), so
//!   no frame starts here, healed or not.
//! * Every later word has two programmed bits, so no part of a unit that is
//!   read by itself looks blank, or blank but for one decayed bit.
//! * All other bits are blank. The count at the end of a frame (a Berger code,
//!   in the highest bits of the unit's last word) is then at its highest and
//!   above the bits programmed, by more than one bit can mend: a deficit, the
//!   mark of a unit whose programming was cut.
//!
//! A unit that failed once is not asked again before it is erased
//! ([`Failed`]): between two looks of one judgement it must not change from one
//! thing to another and back.
//!
//! Whether such a unit is a cut or damage the core decides as always: by what
//! stands behind it.

use core::cell::Cell;
use core::ops::Range;

/// Units that are remembered. A cut leaves one; the other places are for older
/// ones and for decay.
const FAILED_MAX: usize = 4;

/// Units that could not be read, by their address on the device.
#[derive(Debug, Default)]
pub struct Failed {
    units: [Cell<Option<u32>>; FAILED_MAX],
    next: Cell<usize>,
    count: Cell<u32>,
}

impl Failed {
    fn has(&self, unit: u32) -> bool {
        self.units.iter().any(|slot| slot.get() == Some(unit))
    }

    /// Whether any of them is in a range.
    fn any_in(&self, range: &Range<u32>, unit: u32) -> bool {
        let mut units = self.units.iter().filter_map(Cell::get);
        units.any(|at| at < range.end && range.start < at.saturating_add(unit))
    }

    /// A unit failed; the one remembered longest may be forgotten for it.
    fn add(&self, unit: u32) {
        let next = self.next.get();
        if let Some(slot) = self.units.get(next) {
            slot.set(Some(unit));
        }
        let following = next.wrapping_add(1);
        self.next
            .set(if following < FAILED_MAX { following } else { 0 });
        self.count.set(self.count.get().saturating_add(1));
    }

    /// Fills `buf` from address `at` by `fetch`. Where that fails and `gave_up`
    /// says that it was the error correction, it is repeated for each unit of
    /// `unit` bytes, and those that fail again, or have failed before, are filled
    /// with what the core takes for a cut or for damage.
    ///
    /// # Errors
    /// Those of `fetch` that `gave_up` does not know.
    pub fn read<E>(
        &self,
        mut at: u32,
        unit: u32,
        mut buf: &mut [u8],
        mut fetch: impl FnMut(u32, &mut [u8]) -> Result<(), E>,
        gave_up: impl Fn(&E) -> bool,
    ) -> Result<(), E> {
        let len = u32::try_from(buf.len()).unwrap_or(u32::MAX);
        if !self.any_in(&(at..at.saturating_add(len)), unit) {
            match fetch(at, buf) {
                Err(error) if gave_up(&error) => {}
                done => return done,
            }
        }
        while !buf.is_empty() {
            let within = at & unit.wrapping_sub(1);
            let left = unit.saturating_sub(within).max(1);
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
            let (part, rest) = buf.split_at_mut_checked(count).unwrap_or_default();
            let begin = at.saturating_sub(within);
            if !self.has(begin) {
                match fetch(at, part) {
                    Err(error) if gave_up(&error) => self.add(begin),
                    done => done?,
                }
            }
            if self.has(begin) {
                unreadable(within, part);
            }
            at = at.saturating_add(left);
            buf = rest;
        }
        Ok(())
    }

    /// What was erased can be read again.
    pub fn erased(&self, range: &Range<u32>) {
        for slot in &self.units {
            if slot.get().is_some_and(|at| range.contains(&at)) {
                slot.set(None);
            }
        }
    }

    /// How many failed.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count.get()
    }
}

/// The bytes of a unit that cannot be read, from byte `within` of it.
pub(crate) fn unreadable(within: u32, part: &mut [u8]) {
    for (at, byte) in (within..).zip(part) {
        *byte = match at {
            0..4 => 0x00,
            _ if at & 3 == 0 => 0xFC,
            _ => 0xFF,
        };
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    /// Programmed bits outside the count of `bits`, and the count.
    fn counted(unit: &[u8], bits: u32) -> (u32, u32) {
        let last = unit.len() - 4;
        let word = u32::from_le_bytes([unit[last], unit[last + 1], unit[last + 2], unit[last + 3]]);
        let count = word >> (32 - bits);
        let inside = (u64::MAX >> (64 - bits)) as u32 ^ count;
        let all: u32 = unit.iter().map(|byte| byte.count_zeros()).sum();
        (all - inside.count_ones(), count)
    }

    #[test]
    fn a_unit_that_cannot_be_read_lacks_programmed_bits_whichever_bit_flips() {
        for size in [8usize, 16, 32, 64, 128, 256, 512] {
            let mut unit = std::vec![0; size];
            unreadable(0, &mut unit);
            let mut short = 3;
            while (1u32 << short) - 1 < size as u32 * 8 - short {
                short += 1;
            }
            for bits in [short, 16] {
                let (programmed, count) = counted(&unit, bits);
                assert!(count > programmed + 1, "unit {size}: {count}, {programmed}");
                for bit in 0..size * 8 {
                    let mut flipped = unit.clone();
                    flipped[bit / 8] ^= 1 << (bit % 8);
                    let (programmed, count) = counted(&flipped, bits);
                    assert_ne!(count, programmed, "unit {size}, bit {bit}");
                }
            }
        }
    }

    #[test]
    fn no_part_of_it_looks_blank() {
        let mut unit = [0; 512];
        unreadable(0, &mut unit);
        for word in unit.chunks(4) {
            assert!(word.iter().map(|byte| byte.count_zeros()).sum::<u32>() >= 2);
        }
        let mut part = [0; 100];
        unreadable(37, &mut part);
        assert_eq!(part, unit[37..137]);
    }

    #[test]
    fn failed_units_are_forgotten_when_they_are_erased_or_too_many() {
        let failed = Failed::default();
        for unit in [8, 64, 72, 80] {
            failed.add(unit);
        }
        failed.erased(&(64..80));
        assert!(failed.has(8) && failed.has(80) && !failed.has(64) && !failed.has(72));
        failed.add(100);
        assert!(!failed.has(8) && failed.has(80) && failed.has(100));
        assert!(failed.any_in(&(87..90), 8) && !failed.any_in(&(88..90), 8));
        assert_eq!(failed.count(), 5);
    }
}
