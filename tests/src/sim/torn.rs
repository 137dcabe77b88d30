//! What a write unit or a sector can hold when its programming or erasing was
//! cut. Every answer is a number, so that a chooser can go through them.

use super::rig::Tearing;
use crate::seed::mix;

/// The bits that programming would change, as positions in the unit.
fn bits_in_doubt(old: &[u8], new: &[u8]) -> Vec<usize> {
    let differs = |i: &usize| (old[i / 8] ^ new[i / 8]) >> (i % 8) & 1 == 1;
    (0..old.len() * 8).filter(differs).collect()
}

/// The logarithm to base 2 of the number of values a torn unit can have.
pub fn unit_states_log2(old: &[u8], new: &[u8]) -> f64 {
    bits_in_doubt(old, new).len() as f64
}

/// How many values of a torn unit are told apart. The first two are `old` and
/// `new`.
pub fn unit_options(old: &[u8], new: &[u8], tearing: Tearing) -> usize {
    let doubt = bits_in_doubt(old, new).len();
    if doubt as u32 <= tearing.exhaustive_bits {
        1 << doubt
    } else {
        2 + 2 * doubt + 2 * (old.len() - 1) + tearing.samples
    }
}

/// Whether those are all values that the unit can have.
pub fn unit_is_exhaustive(old: &[u8], new: &[u8], tearing: Tearing) -> bool {
    bits_in_doubt(old, new).len() as u32 <= tearing.exhaustive_bits
}

/// Value number `index` of a torn unit at `at`.
pub fn unit_value(at: u64, old: &[u8], new: &[u8], index: usize, tearing: Tearing) -> Vec<u8> {
    let doubt = bits_in_doubt(old, new);
    let with = |arrived: &dyn Fn(usize) -> bool| {
        let mut value = old.to_vec();
        for (rank, bit) in doubt.iter().enumerate() {
            if arrived(rank) {
                value[bit / 8] ^= 1 << (bit % 8);
            }
        }
        value
    };
    let split =
        |bytes: usize, first_new: bool| with(&|rank| (doubt[rank] / 8 < bytes) == first_new);
    match index {
        0 => return old.to_vec(),
        1 => return new.to_vec(),
        _ => {}
    }
    let count = doubt.len();
    if count as u32 <= tearing.exhaustive_bits {
        let subset = index - 1;
        return with(&|rank| subset >> rank & 1 == 1);
    }
    let mut index = index - 2;
    if index < count {
        return with(&|rank| rank != index);
    }
    index -= count;
    if index < count {
        return with(&|rank| rank == index);
    }
    index -= count;
    let splits = old.len() - 1;
    if index < splits {
        return split(index + 1, true);
    }
    index -= splits;
    if index < splits {
        return split(index + 1, false);
    }
    index -= splits;
    // Dense, sparse and even samples: a nearly programmed unit is what slips
    // past a checksum, a nearly blank one what is taken for blank.
    let mut rng = fastrand::Rng::with_seed(mix(&[at, index as u64]));
    let likely = [64, 128, 192, 240][index % 4];
    let arrived: Vec<bool> = (0..count).map(|_| rng.u8(..) < likely).collect();
    with(&|rank| arrived[rank])
}

/// How many contents of a half-erased sector are told apart. The first two
/// are the old bytes and blank.
pub fn sector_options(tearing: Tearing) -> usize {
    FIXED + 2 * tearing.samples
}

const EIGHTHS: usize = 7;
const FIXED: usize = 6 + 2 * EIGHTHS;

/// Content number `index` of a half-erased sector at `at`.
pub fn sector_value(at: u64, old: &[u8], blank: u8, index: usize, tearing: Tearing) -> Vec<u8> {
    let mut value = old.to_vec();
    let len = old.len();
    match index {
        0 => {}
        1 => value.fill(blank),
        2 => value.fill(!blank),
        3 => fastrand::Rng::with_seed(mix(&[at, 3])).fill(&mut value),
        4 => value[..8].fill(blank),
        5 => value[8..].fill(blank),
        _ if index < FIXED => {
            let eighth = (index - 6) % EIGHTHS + 1;
            let at = len * eighth / 8;
            match (index - 6) / EIGHTHS {
                0 => value[..at].fill(blank),
                _ => value[at..].fill(blank),
            }
        }
        _ => {
            let sample = index - FIXED;
            let mut rng = fastrand::Rng::with_seed(mix(&[at, index as u64]));
            // An erase moves bits towards blank; arbitrary bits are noise over
            // blank, thinner with every sample.
            for byte in &mut value {
                let mut noise = rng.u8(..);
                for _ in 0..sample / 2 {
                    noise &= rng.u8(..);
                }
                *byte = match sample % 2 {
                    0 => *byte ^ ((*byte ^ blank) & !noise),
                    _ => blank ^ noise,
                };
            }
        }
    }
    debug_assert!(index < sector_options(tearing));
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn small_units_take_every_subset_once() {
        let tearing = Tearing::default();
        let (old, new) = ([0xFF], [0b1010_0110]);
        let values: BTreeSet<Vec<u8>> = (0..unit_options(&old, &new, tearing))
            .map(|i| unit_value(0, &old, &new, i, tearing))
            .collect();
        assert_eq!(values.len(), 16);
        assert!(values.iter().all(|v| v[0] | new[0] == v[0]));
    }

    #[test]
    fn large_units_only_ever_change_bits_in_doubt() {
        let tearing = Tearing::default();
        let (old, new) = ([0xFF; 8], *b"indelibl");
        for index in 0..unit_options(&old, &new, tearing) {
            let value = unit_value(5, &old, &new, index, tearing);
            for i in 0..8 {
                assert_eq!(
                    value[i] & new[i],
                    new[i],
                    "a programmed bit that nobody programmed"
                );
            }
        }
    }

    #[test]
    fn every_sector_content_has_the_sector_length() {
        let tearing = Tearing::default();
        let old = [0x5A; 64];
        for index in 0..sector_options(tearing) {
            let value = sector_value(0, &old, 0xFF, index, tearing);
            assert_eq!(value.len(), 64);
        }
        assert_eq!(sector_value(0, &old, 0xFF, 0, tearing), old);
        assert_eq!(sector_value(0, &old, 0xFF, 1, tearing), [0xFF; 64]);
    }
}
