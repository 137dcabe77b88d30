//! Seeds that a failing test can be rerun with.

/// The seed of this run: `INDELIBLE_SEED` where it is set, otherwise
/// `default`. Prints it, so that a failure shows what to rerun.
///
/// `test` is the name that goes into the printed command.
pub fn seed(test: &str, default: u64) -> u64 {
    let seed = std::env::var("INDELIBLE_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default);
    println!("seed {seed}: INDELIBLE_SEED={seed} cargo test -p indelible-tests {test}");
    seed
}

/// How many times as long as usual tests with random numbers should run:
/// `INDELIBLE_LONG`, or once.
pub fn times() -> u64 {
    let long = std::env::var("INDELIBLE_LONG").ok();
    long.and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// Mixes numbers into a seed, so that each place has its own noise and the
/// same one in every run.
pub fn mix(parts: &[u64]) -> u64 {
    parts.iter().fold(0x9E37_79B9_7F4A_7C15, |state, part| {
        let mixed = (state ^ part).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed ^ (mixed >> 29)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixing_depends_on_every_part_and_on_their_order() {
        assert_ne!(mix(&[1, 2]), mix(&[2, 1]));
        assert_ne!(mix(&[1, 2]), mix(&[1, 3]));
        assert_eq!(mix(&[1, 2]), mix(&[1, 2]));
    }
}
