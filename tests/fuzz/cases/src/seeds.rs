//! What the fuzzers start from. Made anew each time, the same each time.

use crate::image::{changed, forged, raw};
use crate::samples::{SAMPLES, sample};

/// For `image`: every sample, whole and with a few changes.
pub fn image() -> Vec<Vec<u8>> {
    let mut random = fastrand::Rng::with_seed(1);
    let mut seeds = vec![vec![], vec![0x80; 600]];
    for n in 0..SAMPLES {
        seeds.push(raw(n / 2, &sample(n)));
        for count in [0, 0, 1, 1, 2, 2, 4, 16] {
            let mut changes: Vec<[u8; 4]> =
                (0..count).map(|_| random.u32(..).to_le_bytes()).collect();
            if count <= 2 {
                // Flipped bits, of which everything is known.
                changes.iter_mut().for_each(|change| change[2] = 0);
            }
            seeds.push(changed(n, seeds.len() % 2 == 0, &changes));
        }
        for what in [0x10, 0x20, 0x30, 0x01] {
            let mut changes = [random.u32(..).to_le_bytes(); 2];
            changes.iter_mut().for_each(|change| change[2] = what);
            seeds.push(forged(n, seeds.len() % 2 == 0, &changes));
        }
    }
    seeds
}

/// For `operations`: plans of many lengths, at random.
pub fn operations() -> Vec<Vec<u8>> {
    let mut random = fastrand::Rng::with_seed(2);
    (0..64)
        .map(|n| (0..16 * (n + 1)).map(|_| random.u8(..)).collect())
        .collect()
}
