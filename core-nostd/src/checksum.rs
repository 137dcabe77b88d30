//! CRC-32C, its salt, and the location of a single flipped bit.

use crate::math::Saturate;
use crc::{Algorithm, Crc};

/// CRC-32C without initial or final inversion: the raw register, so that
/// sums can be continued, salted and compared bit by bit.
const RAW: Algorithm<u32> = Algorithm {
    width: 32,
    poly: 0x1EDC_6F41,
    init: 0,
    refin: true,
    refout: true,
    xorout: 0,
    check: 0,
    residue: 0,
};

#[cfg(feature = "fast-crc")]
static CRC32C: Crc<u32, crc::Table<16>> = Crc::<u32, crc::Table<16>>::new(&RAW);
#[cfg(not(feature = "fast-crc"))]
static CRC32C: Crc<u32> = Crc::<u32>::new(&RAW);

static CRC8: Crc<u8> = Crc::<u8>::new(&crc::CRC_8_OPENSAFETY);

const POLY_REFLECTED: u32 = 0x82F6_3B78;

/// CRC-32C of `bytes` continued from the raw register `state`.
#[must_use]
pub fn crc32c(state: u32, bytes: &[u8]) -> u32 {
    #[cfg(fuzzing)]
    if WEAK.load(core::sync::atomic::Ordering::Relaxed) {
        return 0;
    }
    let mut digest = CRC32C.digest_with_initial(state.reverse_bits());
    digest.update(bytes);
    digest.finalize()
}

#[cfg(fuzzing)]
static WEAK: core::sync::atomic::AtomicBool = core::sync::atomic::AtomicBool::new(false);

/// Makes every checksum zero, so that a fuzzer gets behind them.
#[cfg(fuzzing)]
pub fn fuzzing_weak(weak: bool) {
    WEAK.store(weak, core::sync::atomic::Ordering::Relaxed);
}

/// Eight check bits over the 24 bits of a frame's first word: distance 4, so
/// no valid word is closer than four bits to a blank one or to another.
#[inline]
pub(crate) fn crc8(bytes: [u8; 3]) -> u8 {
    CRC8.checksum(&bytes)
}

/// Where a sum starts: differs between stores, segments and offsets, so that
/// bytes that once were valid elsewhere (a reused segment, an image of a store
/// kept as a value) are not valid here. Same content under two salts never
/// has the same sum.
#[inline]
pub(crate) fn salt(nonce: u64, seq: u32, offset: u32) -> u32 {
    let place = (u64::from(seq) << 32) | u64::from(offset);
    let mixed = (nonce ^ place)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .rotate_left(29)
        .wrapping_add(place)
        .wrapping_mul(0xD6E8_FEB8_6659_FD93);
    let high = mixed.wrapping_shr(32);
    u32::try_from(high & 0xFFFF_FFFF).unwrap_or(0)
}

/// The one bit, counted from the start of a summed run of `bits` bits, whose
/// flip changes the sum by `difference` under `mask`; `None` where no bit or
/// more than one does.
pub(crate) fn flipped_bit(difference: u32, mask: u32, bits: u32) -> Option<u32> {
    let mut syndrome = 1u32;
    let mut found = None;
    for back in 1..=bits {
        let low = syndrome & 1;
        syndrome = syndrome.wrapping_shr(1) ^ (POLY_REFLECTED & 0u32.wrapping_sub(low));
        if (syndrome ^ difference) & mask == 0 {
            if found.is_some() {
                return None;
            }
            found = Some(bits.minus(back));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used
    )]
    use super::*;

    #[test]
    fn is_crc32c() {
        // The published check value, with its inversions put back.
        assert_eq!(!crc32c(!0, b"123456789"), 0xE306_9283);
    }

    #[test]
    fn continues() {
        let whole = crc32c(77, b"hello world");
        assert_eq!(crc32c(crc32c(77, b"hello "), b"world"), whole);
    }

    #[test]
    fn locates_every_single_flip() {
        let data = [0x5Au8; 40];
        let sum = crc32c(9, &data);
        for bit in 0..320u32 {
            let mut other = data;
            other[(bit / 8) as usize] ^= 1 << (bit % 8);
            let found = flipped_bit(sum ^ crc32c(9, &other), !0, 320);
            assert_eq!(found, Some(bit));
        }
    }

    #[test]
    fn half_a_sum_tells_every_single_flip_of_a_key() {
        // What a compact frame keeps of its key's: 16 bits, over at most 130 bytes.
        let mut syndrome = 1u32;
        for _ in 0..130 * 8 {
            let low = syndrome & 1;
            syndrome = (syndrome >> 1) ^ (POLY_REFLECTED & 0u32.wrapping_sub(low));
            assert_ne!(syndrome & 0xFFFF, 0);
        }
    }

    #[test]
    fn first_words_keep_their_distance_from_blank() {
        for word in 1u32..(1 << 24) {
            let [a, b, c, _] = word.to_le_bytes();
            let weight = word.count_ones() + crc8([a, b, c]).count_ones();
            assert!(weight >= 4, "{word:x}");
        }
    }
}
