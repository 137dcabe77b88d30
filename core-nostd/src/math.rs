//! Saturating arithmetic with short names: an image can hold any number, and
//! none of them may overflow.

/// Saturating arithmetic on unsigned integers.
///
/// Two instructions on most processors. WebAssembly needs ten for a sum, and its
/// downloads shrink by a twentieth where they are called.
pub(crate) trait Saturate: Copy {
    /// `self + other`, or the maximum.
    fn plus(self, other: Self) -> Self;
    /// `self - other`, or zero.
    fn minus(self, other: Self) -> Self;
    /// `self * other`, or the maximum.
    fn times(self, other: Self) -> Self;
    /// `self / other`, or zero for a zero divisor.
    fn over(self, other: Self) -> Self;
    /// `self % other`, or zero for a zero divisor.
    fn modulo(self, other: Self) -> Self;
    /// The smallest multiple of `unit` (a power of two) that is not below.
    fn round_up(self, unit: Self) -> Self;
    /// The largest multiple of `unit` (a power of two) that is not above.
    fn round_down(self, unit: Self) -> Self;
    /// The nearest number from `low` to `high`, which wins where they cross:
    /// `clamp` would panic there.
    fn within(self, low: Self, high: Self) -> Self;
}

macro_rules! saturate {
    ($($t:ty),*) => {$(
        impl Saturate for $t {
            #[cfg_attr(target_arch = "wasm32", inline(never))]
            #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
            fn plus(self, other: Self) -> Self { self.saturating_add(other) }
            #[cfg_attr(target_arch = "wasm32", inline(never))]
            #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
            fn minus(self, other: Self) -> Self { self.saturating_sub(other) }
            #[cfg_attr(target_arch = "wasm32", inline(never))]
            #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
            fn times(self, other: Self) -> Self { self.saturating_mul(other) }
            #[cfg_attr(target_arch = "wasm32", inline(never))]
            #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
            fn over(self, other: Self) -> Self { self.checked_div(other).unwrap_or(0) }
            #[cfg_attr(target_arch = "wasm32", inline(never))]
            #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
            fn modulo(self, other: Self) -> Self { self.checked_rem(other).unwrap_or(0) }
            #[inline(always)]
            fn round_up(self, unit: Self) -> Self {
                let mask = unit.wrapping_sub(1);
                self.saturating_add(mask) & !mask
            }
            #[inline(always)]
            fn round_down(self, unit: Self) -> Self { self & !unit.wrapping_sub(1) }
            #[inline(always)]
            fn within(self, low: Self, high: Self) -> Self { self.max(low).min(high) }
        }
    )*};
}
saturate!(u16, u32, u64, usize);

/// `bytes[at..at + N]` as an array, zero where out of range.
#[inline(always)]
pub(crate) fn take<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk::<N>())
        .copied()
        .unwrap_or([0; N])
}

/// Little-endian `u16` at `at`.
#[inline]
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(take(bytes, at))
}

/// Little-endian `u32` at `at`.
#[inline]
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(take(bytes, at))
}

/// Little-endian `u64` at `at`.
#[inline]
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(take(bytes, at))
}

/// Copies `bytes` into `into` at `at`, as far as both reach.
pub(crate) fn place(into: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(rest) = into.get_mut(at..) {
        for (to, from) in rest.iter_mut().zip(bytes) {
            *to = *from;
        }
    }
}
