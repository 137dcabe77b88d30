//! CRC-32C by the processor's own instruction, where it has one.

/// Runs up to here are not worth what the crate does before it sums three parts
/// of a run at once: most records, and nearly all keys.
#[cfg(target_arch = "x86_64")]
const SHORT: usize = 192;

/// CRC-32C of `bytes` continued from the raw register `state`.
#[inline]
pub(crate) fn crc32c(state: u32, bytes: &[u8]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if bytes.len() <= SHORT && std::arch::is_x86_feature_detected!("sse4.2") {
        // SAFETY: the processor has the instruction.
        return unsafe { short(state, bytes) };
    }
    // The crate inverts before and after; the core does neither.
    !crc32c::crc32c_append(!state, bytes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.2")]
fn short(state: u32, bytes: &[u8]) -> u32 {
    use std::arch::x86_64::{_mm_crc32_u8, _mm_crc32_u32, _mm_crc32_u64};

    let (words, rest) = bytes.as_chunks::<8>();
    let mut wide = u64::from(state);
    for word in words {
        wide = _mm_crc32_u64(wide, u64::from_le_bytes(*word));
    }
    // The instruction leaves the upper half zero.
    let mut state = wide as u32;
    let (half, rest) = rest.as_chunks::<4>();
    for word in half {
        state = _mm_crc32_u32(state, u32::from_le_bytes(*word));
    }
    for byte in rest {
        state = _mm_crc32_u8(state, *byte);
    }
    state
}

#[cfg(test)]
mod tests {
    #[test]
    fn runs_of_all_lengths_have_the_sum_of_the_core() {
        let bytes: Vec<u8> = (0..600u32).map(|n| (n * 7 + n / 256) as u8).collect();
        for from in 0..9 {
            for len in 0..bytes.len() - from {
                let run = &bytes[from..from + len];
                let expected = indelible::checksum::crc32c(len as u32, run);
                assert_eq!(
                    super::crc32c(len as u32, run),
                    expected,
                    "{len} from {from}"
                );
            }
        }
    }
}
