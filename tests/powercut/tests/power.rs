//! The power is cut at every step of random operations on simulated flash.
//! Bounded; the program of this crate does the long runs.

use indelible_powercut::{Arena, Outcome, Plan, run};

/// The seed of this run: `INDELIBLE_SEED` where it is set.
fn seed(test: &str) -> u64 {
    let seed = std::env::var("INDELIBLE_SEED").ok();
    let seed = seed.and_then(|text| text.parse().ok()).unwrap_or(1);
    println!(
        "seed {seed}: INDELIBLE_SEED={seed} cargo test -p indelible-powercut --test power {test}"
    );
    seed
}

fn cut<const UNIT: usize, const SECTOR: usize, const BYTES: usize, const USED: usize>(
    seed: u64,
    operations: u32,
) -> Outcome {
    let plan = Plan {
        seed,
        operations,
        tears: 1,
        goes_on: 4,
        cuts: 20,
    };
    let mut arena = Box::new(Arena::<BYTES, USED>::new());
    run::<UNIT, SECTOR, BYTES, USED>(&plan, &mut arena)
}

fn told(outcome: Outcome) {
    println!("{outcome}");
    assert!(outcome.violation.is_none());
}

/// Each with 32 sectors.
macro_rules! cut {
    ($name:ident, $unit:expr, $sector:expr, $operations:expr) => {
        #[test]
        fn $name() {
            let seed = seed(stringify!($name));
            told(cut::<
                $unit,
                $sector,
                { 32 * $sector },
                { 4 * $sector / $unit },
            >(seed, $operations));
        }
    };
}

cut!(bytes, 1, 1024, 50);
cut!(words, 4, 1024, 300);
cut!(units_of_8, 8, 1024, 300);
cut!(units_of_32_in_10_000_operations, 32, 1024, 10_000);
cut!(pages, 256, 4096, 600);
cut!(blocks, 512, 8192, 300);

/// Built with `--cfg indelible_mutants`: faults of the core that show on flash
/// are found.
#[cfg(indelible_mutants)]
mod mutants {
    use indelible::mutants::{Mutant, set};

    /// The others need damage, unordered writes or what random operations do
    /// not come to; `tests/mutants.rs` of the explorer finds all.
    const FOUND: [Mutant; 12] = [
        Mutant::MarkBeforeData,
        Mutant::SkipRecoveryChecksum,
        Mutant::NoErase,
        Mutant::EraseBeforeFreed,
        Mutant::LinkBeforeRoot,
        Mutant::DropTombstones,
        Mutant::NoAbortMark,
        Mutant::ResumeBehindTorn,
        Mutant::ResumeTornLog,
        Mutant::NoUndo,
        Mutant::NoCopyOn,
        Mutant::NoUnitCount,
    ];

    #[test]
    fn faults_of_the_core_are_found() {
        for mutant in FOUND {
            set(Some(mutant));
            let found = (1..=4)
                .find_map(|seed| super::cut::<4, 1024, { 32 * 1024 }, 1024>(seed, 400).violation);
            set(None);
            let violation = found.unwrap_or_else(|| panic!("{mutant:?} is not found"));
            println!("{mutant:?}: {violation}");
        }
    }
}
