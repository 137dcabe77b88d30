//! What of the benches is checked at every run: Indelible survives every cut,
//! costs no more than was recorded, and the harness sees what is wrong.

use indelible_nor_peers::bench::{Outcome, Runner, Workload};
use indelible_nor_peers::cuts::{Model, Part, Tally, Violation, every, walk};
use indelible_nor_peers::engine::{Engine, Fault};
use indelible_nor_peers::engines::{Closed, Ekv, Indelible, Tickv};

const SEED: u64 = 1;

/// The run again, with what was found first.
fn shown(tally: &Tally) -> String {
    format!(
        "{} of {} cuts, first: {:?}; cargo run --release --bin cuts -- --peer indelible --seed {SEED} --verbose",
        tally.violations(),
        tally.cuts,
        tally.first
    )
}

#[test]
fn indelible_survives_a_cut_at_every_step() {
    for part in Part::ALL {
        let found = every(&Indelible, part, 1500, SEED).unwrap();
        assert_eq!(found.stopped, None);
        for (model, tally) in Model::ALL.iter().zip(&found.tallies) {
            assert!(tally.cuts >= 60, "{model:?} was hardly tried");
            assert_eq!(
                tally.violations(),
                0,
                "{part:?} {model:?}: {}",
                shown(tally)
            );
        }
    }
}

#[test]
fn indelible_survives_cut_after_cut() {
    for part in Part::ALL {
        for model in Model::ALL {
            let found = walk(&Indelible, part, model, 300, SEED).unwrap();
            assert_eq!((found.tally.cuts, found.uncut), (300, 0));
            assert_eq!(
                found.tally.violations(),
                0,
                "{part:?} {model:?}: {}",
                shown(&found.tally)
            );
        }
    }
}

#[test]
fn the_harness_sees_lost_keys_and_failed_mounts() {
    let lost = walk(&Tickv, Part::Keys, Model::Clean, 100, SEED).unwrap();
    assert!(lost.tally.of(Violation::Lost) > 0);
    let failed = every(&Ekv, Part::Keys, 1000, SEED).unwrap();
    assert!(failed.tallies[0].of(Violation::Mount) > 0);
}

/// What a workload costs Indelible for each operation.
fn cost(engine: &dyn Engine, workload: Workload) -> Result<Outcome, Fault> {
    Runner::new(engine, 4, SEED).run(workload)
}

/// Bytes programmed and read for each operation, and erases, at most.
#[test]
fn indelible_costs_no_more_than_was_recorded() {
    let bounds = [
        (Workload::Updates, 57.5, 60.1, 287),
        (Workload::Transactions, 58.5, 60.1, 290),
        (Workload::Reads, 0.0, 60.0, 0),
        (Workload::Log, 41.7, 5.0, 520),
        (Workload::Full, 70.0, 185.0, 350),
    ];
    for (workload, programmed, read, erases) in bounds {
        let cost = match cost(&Indelible, workload).unwrap() {
            Outcome::Done(cost, atomic) => {
                assert!(atomic);
                cost
            }
            Outcome::Logged(cost, fewest, _) => {
                assert!(fewest >= 6800, "the log keeps {fewest} records");
                cost
            }
            Outcome::Opened(..) => unreachable!("not among these"),
        };
        let found = (cost.programmed_each(), cost.read_each(), cost.counts.erases);
        assert!(
            found.0 <= programmed && found.1 <= read && found.2 <= erases,
            "{workload:?}: {found:?} is above {:?}",
            (programmed, read, erases)
        );
    }
}

#[test]
fn indelible_opens_for_no_more_than_was_recorded() {
    for (engine, mean_max, most_max) in [
        (&Indelible as &dyn Engine, 320_000, 480_000),
        (&Closed, 16_000, 16_000),
    ] {
        let Outcome::Opened(_, mean, most) = cost(engine, Workload::Mount).unwrap() else {
            unreachable!("a mount");
        };
        let name = engine.name();
        assert!(
            mean <= mean_max && most <= most_max,
            "{name}: {mean} bytes, {most} at most"
        );
    }
}
