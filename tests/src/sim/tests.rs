//! The simulators, judged on their own.

use super::*;
use std::collections::BTreeSet;

fn memory(blank: u8) -> Sim {
    Sim::new(Geometry {
        capacity: 256,
        write_unit: 1,
        erase_unit: 64,
        blank,
        order: Order::Unordered,
    })
}

fn flash(write_unit: u32) -> Sim {
    Sim::new(Geometry {
        capacity: 2048,
        write_unit,
        erase_unit: 512,
        blank: 0xFF,
        order: Order::Ordered,
    })
}

/// Every image that this medium may turn out to hold.
fn images(sim: &Sim) -> BTreeSet<Vec<u8>> {
    let mut found = BTreeSet::new();
    let mut chooser = Chooser::Trail(Trail::default());
    loop {
        let copy = sim.clone();
        copy.rig().set_chooser(chooser);
        found.insert(copy.image());
        chooser = copy.rig().chooser();
        let Chooser::Trail(trail) = &mut chooser else {
            unreachable!()
        };
        if !trail.advance() {
            return found;
        }
    }
}

fn violated(sim: &Sim, result: Result<(), SimError>) -> Violation {
    let violation = sim.rig().violation().expect("a violation");
    assert_eq!(result, Err(SimError::Violation(violation)));
    violation
}

#[test]
fn outstanding_words_are_independently_old_or_new() {
    let mut sim = memory(0);
    sim.write(8, &[7; 24]).unwrap();
    let cut = sim.cut();
    assert_eq!(cut.states_log2(), 3.0);
    let images = images(&cut);
    assert_eq!(images.len(), 8);
    assert!(images.contains(&vec![0; 256]));
}

#[test]
fn a_flush_makes_durable() {
    let mut sim = memory(0);
    sim.write(0, &[7; 16]).unwrap();
    assert!(!sim.is_durable());
    sim.flush().unwrap();
    assert!(sim.is_durable());
    assert_eq!(images(&sim.cut()).len(), 1);
}

#[test]
fn an_unflushed_erase_may_keep_any_word() {
    let mut sim = memory(0xFF);
    sim.write(0, &[1; 32]).unwrap();
    sim.flush().unwrap();
    sim.erase(0, 64).unwrap();
    assert_eq!(images(&sim.cut()).len(), 16);
}

#[test]
fn two_writes_into_one_word_leave_three_versions() {
    let mut sim = memory(0);
    sim.write(0, &[1, 1]).unwrap();
    sim.write(2, &[2, 2]).unwrap();
    let images = images(&sim.cut());
    let starts: Vec<_> = images.iter().map(|image| image[..4].to_vec()).collect();
    assert_eq!(starts, [[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 2, 2]]);
}

#[test]
fn a_failed_flush_leaves_what_no_later_flush_settles() {
    let mut sim = memory(0);
    sim.write(0, &[1; 8]).unwrap();
    sim.rig().fail_nth(Operation::Flush, 0);
    assert_eq!(sim.flush(), Err(SimError::Injected(Operation::Flush)));
    sim.flush().unwrap();
    assert_eq!(images(&sim.cut()).len(), 2);
    sim.erase(0, 64).unwrap();
    assert_eq!(images(&sim.cut()).len(), 2);
    sim.flush().unwrap();
    assert_eq!(images(&sim.cut()).len(), 1);
}

#[test]
fn an_open_word_stays_open_over_a_second_cut() {
    let mut sim = memory(0);
    sim.write(0, &[1; 16]).unwrap();
    let mut again = sim.cut();
    let mut word = [0; 8];
    again.read(0, &mut word).unwrap();
    again.write(64, &[2; 8]).unwrap();
    assert_eq!(images(&again.cut()).len(), 4);
}

#[test]
fn writing_twice_is_a_broken_promise_for_good() {
    let mut sim = memory(0);
    sim.write(0, &[1; 8]).unwrap();
    let result = sim.write(0, &[1; 8]);
    assert!(matches!(
        violated(&sim, result),
        Violation::NotDurablyBlank { at: 0 } | Violation::NotBlank { at: 0 }
    ));
    assert!(sim.write(64, &[1; 8]).is_err());
    assert!(sim.flush().is_err());
}

#[test]
fn writing_blanks_counts_as_writing() {
    for mut sim in [memory(0xFF), flash(4)] {
        sim.write(0, &[0xFF; 8]).unwrap();
        let result = sim.write(0, &[0; 8]);
        assert_eq!(violated(&sim, result), Violation::WrittenTwice { at: 0 });
    }
}

#[test]
fn writing_under_an_outstanding_erase_is_a_broken_promise() {
    let mut sim = memory(0);
    sim.write(0, &[1; 8]).unwrap();
    sim.flush().unwrap();
    sim.erase(0, 64).unwrap();
    let result = sim.write(0, &[2; 8]);
    assert_eq!(violated(&sim, result), Violation::NotDurablyBlank { at: 0 });
}

#[test]
fn writing_into_a_word_that_a_crash_left_open_is_a_broken_promise() {
    let mut sim = memory(0);
    sim.write(0, &[1; 8]).unwrap();
    let mut sim = sim.cut();
    let result = sim.write(0, &[2; 8]);
    violated(&sim, result);
}

#[test]
fn range_and_alignment_are_checked() {
    let mut sim = flash(8);
    let result = sim.write(4, &[0; 8]);
    assert!(matches!(
        violated(&sim, result),
        Violation::Unaligned { .. }
    ));
    let mut sim = flash(8);
    let result = sim.erase(512, 256);
    assert!(matches!(
        violated(&sim, result),
        Violation::Unaligned { .. }
    ));
    let sim = flash(8);
    let result = sim.read(2047, &mut [0; 2]);
    assert!(matches!(
        violated(&sim, result),
        Violation::OutOfRange { .. }
    ));
    let sim = flash(8);
    let result = sim.read(u64::MAX, &mut [0; 2]);
    assert!(matches!(
        violated(&sim, result),
        Violation::OutOfRange { .. }
    ));
}

#[test]
fn flash_persists_in_order_and_tears_one_unit() {
    let mut sim = flash(2);
    sim.write(0, &[0x00, 0x00, 0xF0, 0xFF, 0x00, 0x00]).unwrap();
    let Sim::Flash(sim) = &sim else {
        unreachable!()
    };
    assert_eq!(sim.outstanding(), 3);
    let torn = images(&Sim::Flash(sim.cut(1)));
    assert_eq!(torn.len(), 16);
    for image in torn {
        assert_eq!(image[..2], [0, 0]);
        assert_eq!(image[2] & 0xF0, 0xF0);
        assert_eq!(image[3..6], [0xFF; 3]);
    }
    assert_eq!(images(&Sim::Flash(sim.cut(3))).len(), 1);
}

#[test]
fn a_torn_unit_may_not_be_programmed_even_if_it_reads_blank() {
    let mut sim = flash(4);
    sim.write(0, &[0; 4]).unwrap();
    let Sim::Flash(flash) = &sim else {
        unreachable!()
    };
    let mut cut = Sim::Flash(flash.cut(0));
    cut.rig().set_chooser(Chooser::Pattern(Pattern::Old));
    let mut unit = [0; 4];
    cut.read(0, &mut unit).unwrap();
    assert_eq!(unit, [0xFF; 4]);
    let result = cut.write(0, &[0; 4]);
    assert_eq!(violated(&cut, result), Violation::NotDurablyBlank { at: 0 });
    let mut cut = Sim::Flash(flash.cut(0));
    cut.erase(0, 512).unwrap();
    cut.write(0, &[0; 4]).unwrap();
}

#[test]
fn a_torn_unit_may_read_differently_as_often_as_allowed() {
    let mut sim = flash(1);
    sim.write(0, &[0]).unwrap();
    sim.rig_mut().tearing.flickers = 1;
    let Sim::Flash(flash) = &sim else {
        unreachable!()
    };
    let cut = Sim::Flash(flash.cut(0));
    let mut seen = BTreeSet::new();
    let mut chooser = Chooser::Trail(Trail::default());
    loop {
        let copy = cut.clone();
        copy.rig().set_chooser(chooser);
        let looks = [0; 3].map(|mut byte: u8| {
            copy.read(0, core::slice::from_mut(&mut byte)).unwrap();
            byte
        });
        seen.insert(looks);
        chooser = copy.rig().chooser();
        let Chooser::Trail(trail) = &mut chooser else {
            unreachable!()
        };
        if !trail.advance() {
            break;
        }
    }
    assert!(seen.contains(&[0, 0xFF, 0xFF]), "valid once, then decayed");
    assert!(seen.contains(&[0xFF, 0xFF, 0]), "blank twice, then valid");
    assert!(!seen.contains(&[0, 0xFF, 0]), "only one change was allowed");
}

#[test]
fn a_half_erased_sector_must_be_erased_again() {
    let mut sim = flash(4);
    sim.write(512, &[0; 64]).unwrap();
    sim.flush().unwrap();
    sim.erase(512, 1024).unwrap();
    let Sim::Flash(flash) = &sim else {
        unreachable!()
    };
    assert_eq!(flash.outstanding(), 2);
    let cut = Sim::Flash(flash.cut(0));
    let images = images(&cut);
    assert!(images.contains(&vec![0xFF; 2048]), "it can read as blank");
    assert!(
        images.iter().any(|i| i[512..576] == [0; 64]),
        "or as it was"
    );
    assert!(images.len() > 10, "or as anything else");
    let mut cut = cut;
    let result = cut.write(520, &[0; 4]);
    assert_eq!(
        violated(&cut, result),
        Violation::NotDurablyBlank { at: 520 }
    );
}

#[test]
fn a_second_cut_brings_back_what_an_undone_erase_had_settled() {
    let mut sim = flash(1);
    sim.write(0, &[0]).unwrap();
    let Sim::Flash(medium) = &sim else {
        unreachable!()
    };
    let mut cut = medium.cut(0);
    cut.write(600, &[1]).unwrap();
    cut.erase(0, 512).unwrap();
    assert_eq!(cut.open_count(), 0);
    assert_eq!(
        cut.cut(0).open_count(),
        2,
        "both units torn, nothing erased"
    );
    assert_eq!(cut.cut(1).open_count(), 1, "the sector is half erased");
}

#[test]
fn injected_failures_come_when_asked_for() {
    let mut sim = flash(4);
    sim.rig().fail_nth(Operation::Write, 1);
    sim.write(0, &[0; 16]).unwrap();
    assert_eq!(
        sim.write(16, &[0; 16]),
        Err(SimError::Injected(Operation::Write))
    );
    let mut bytes = [0; 16];
    sim.read(16, &mut bytes).unwrap();
    assert_eq!(bytes[..8], [0; 8]);
    assert_eq!(bytes[12..], [0xFF; 4]);
    sim.rig().fail_nth(Operation::Read, 0);
    assert!(sim.read(0, &mut bytes).is_err());
    assert_eq!(sim.rig().violation(), None);
}

#[test]
fn everything_is_counted() {
    let mut sim = flash(4);
    sim.write(0, &[0; 16]).unwrap();
    sim.erase(512, 1024).unwrap();
    sim.flush().unwrap();
    sim.read(6, &mut [0; 4]).unwrap();
    let counters = sim.rig().counters();
    assert_eq!(
        (
            counters.writes,
            counters.bytes_written,
            counters.units_programmed
        ),
        (1, 16, 4)
    );
    assert_eq!(counters.sector_erases, [0, 1, 1, 0]);
    assert_eq!(
        (counters.reads, counters.bytes_read, counters.flushes),
        (1, 4, 1)
    );
    assert_eq!(sim.rig().words_read().iter().collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_journal_does_it_again() {
    for mut sim in [memory(0), flash(1)] {
        let mut copy = sim.clone();
        sim.rig_mut().start_journal();
        sim.write(0, &[3; 8]).unwrap();
        sim.flush().unwrap();
        let sector = u64::from(sim.geometry().erase_unit);
        sim.erase(sector, sector).unwrap();
        for event in sim.rig().journal().to_vec() {
            copy.replay(&event).unwrap();
        }
        assert_eq!(copy.image(), sim.image());
        assert_eq!(copy.is_durable(), sim.is_durable());
    }
}

#[test]
fn pinned_decisions_decide_the_same_again() {
    let mut sim = memory(0);
    sim.write(0, &[9; 64]).unwrap();
    let cut = sim.cut();
    let leaf = cut.clone();
    leaf.rig().set_chooser(Chooser::random(1));
    let mut seen = [0; 64];
    leaf.read(0, &mut seen).unwrap();
    let mut again = cut.clone();
    again.pin(&leaf.rig().decisions());
    assert_eq!(again.image()[..64], seen);
}
