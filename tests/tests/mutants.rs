//! Judges the tests: each deliberate fault of the core must be found.
//!
//! `RUSTFLAGS='--cfg indelible_mutants' cargo test -p indelible-tests --test mutants`

#[cfg(not(indelible_mutants))]
#[test]
#[ignore = "built with RUSTFLAGS='--cfg indelible_mutants' only"]
fn every_mutant_is_caught() {}

#[cfg(indelible_mutants)]
#[path = "schedules/mod.rs"]
#[allow(dead_code, reason = "not every schedule judges mutants")]
mod schedules;

#[cfg(indelible_mutants)]
#[path = "../../core-nostd/tests/resume.rs"]
#[allow(dead_code, reason = "its tests run beside the core")]
mod resume;

#[cfg(indelible_mutants)]
mod judged {
    use super::schedules::{damage, limits, reclaiming, restart, sealing, tearing};
    use indelible::mutants::{Mutant, set};
    use indelible::{Error, Geometry, Mode};
    use indelible_tests::explorer::{Bounds, Run, explore};
    use indelible_tests::geometries::{flash, memory};
    use indelible_tests::schedules_support::{Bench, Shared, open};
    use indelible_tests::script::{Op, Workload, append, put};
    use indelible_tests::sim::Sim;
    use indelible_tests::spec::Contents;
    use indelible_tests::store::Indexed;
    use indelible_tests::subject::Subject;
    use indelible_tests::workloads;
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::time::Instant;

    /// Something that panics where the store fails it.
    #[derive(Clone, Copy)]
    struct Judge {
        name: &'static str,
        run: fn(),
    }

    macro_rules! judge {
        ($($path:ident)::+) => {
            Judge { name: stringify!($($path)::+), run: $($path)::+ }
        };
    }

    /// Who should find a mutant, the quickest first.
    fn judges(mutant: Mutant) -> Vec<Judge> {
        match mutant {
            Mutant::NoCommitFlush => vec![judge!(puts_on_memory)],
            Mutant::NoLinkFlush => vec![
                judge!(sealing::succession_and_self_certified_puts),
                judge!(transaction_over_succession_on_memory),
                judge!(succession_on_memory),
            ],
            Mutant::NoRootFlush => vec![judge!(roots_on_memory)],
            Mutant::MarkBeforeData => vec![judge!(puts_on_flash)],
            Mutant::SkipReadChecksum => vec![judge!(damage_while_it_is_open)],
            Mutant::SkipRecoveryChecksum => vec![judge!(puts_on_memory)],
            Mutant::NoSalt => vec![judge!(sealing::a_bad_frame_does_not_end_the_scan)],
            Mutant::NoErase => vec![judge!(reclaiming::free_and_erase_come_in_order)],
            Mutant::EraseBeforeFreed => vec![judge!(reclaiming::free_and_erase_come_in_order)],
            Mutant::FreeBeforeCopied => vec![judge!(reclaiming::free_and_erase_come_in_order)],
            Mutant::LinkBeforeRoot => vec![judge!(roots_on_memory), judge!(roots_on_flash)],
            Mutant::DropTombstones => {
                vec![judge!(reclaiming::tombstones_stay_while_they_are_needed)]
            }
            Mutant::NoAbortMark => vec![judge!(transactions_on_memory)],
            Mutant::ResumeBehindTorn => vec![judge!(restart::an_unclean_start_leaves_no_cut)],
            Mutant::NoBlankCount => vec![judge!(puts_on_memory)],
            Mutant::ColdRanksLast => vec![judge!(reclaiming::hot_and_cold_keep_their_order)],
            Mutant::ResumeTornLog => vec![judge!(logs_on_flash)],
            Mutant::NoUndo => vec![judge!(transactions_on_memory)],
            Mutant::NoCopyOn => vec![judge!(restart::the_page_cache_is_not_the_medium)],
            Mutant::NoUnitCount => vec![judge!(tearing::flash_tells_torn_from_corrupt)],
            Mutant::LoadUnsummed => {
                vec![judge!(damage::saved_indexes_are_believed_by_their_sum)]
            }
            Mutant::SaveWithoutRoot => vec![judge!(closing_with_a_saved_index)],
            Mutant::KeepMoved => vec![judge!(histories_behind_a_saved_index)],
            Mutant::ResumeWithoutCold => vec![judge!(histories_behind_a_saved_index)],
            Mutant::NoRootProof => vec![judge!(restart::the_page_cache_is_not_the_medium)],
            Mutant::GrowUnrooted => vec![judge!(growing_when_full)],
            Mutant::GrowUnblanked => vec![judge!(growing_on_memory)],
        }
    }

    /// The schedules that no mutant is given to; they judge all the same.
    const OTHERS: [Judge; 3] = [
        judge!(damage::resurrects_no_old_versions),
        judge!(limits::sequences_never_wrap),
        judge!(restart::marginal_units_on_flash),
    ];

    #[test]
    fn every_mutant_is_caught() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let mut unsound = String::new();
        let mut seen = BTreeSet::new();
        let all = Mutant::ALL.into_iter().flat_map(judges).chain(OTHERS);
        for judge in all.filter(|judge| seen.insert(judge.name)) {
            let start = Instant::now();
            if let Some(why) = found(None, judge) {
                unsound += &format!("{} fails without a mutant: {why}\n", judge.name);
            }
            println!("no mutant: {} in {:.1?}", judge.name, start.elapsed());
        }
        let mut missed = Vec::new();
        for mutant in Mutant::ALL {
            let start = Instant::now();
            let caught = judges(mutant)
                .into_iter()
                .find_map(|judge| Some((judge, found(Some(mutant), judge)?)));
            let took = start.elapsed();
            match caught {
                Some((judge, why)) => {
                    let why: String = why.chars().take(160).collect();
                    let why = why.replace('\n', " ");
                    println!("{mutant:?}: caught by {} in {took:.1?}: {why}", judge.name);
                }
                None => {
                    println!("{mutant:?}: NOT CAUGHT in {took:.1?}");
                    missed.push(mutant);
                }
            }
        }
        set(None);
        std::panic::set_hook(hook);
        assert!(unsound.is_empty(), "{unsound}");
        assert!(missed.is_empty(), "not caught: {missed:?}");
    }

    /// Why a judge condemns the store with this mutant on.
    fn found(mutant: Option<Mutant>, judge: Judge) -> Option<String> {
        set(mutant);
        let judged = std::panic::catch_unwind(judge.run);
        set(None);
        let panic = judged.err()?;
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).into()));
        Some(text.unwrap_or_default())
    }

    fn explored(workload: &Workload, geometry: Geometry) {
        let real = workloads::real(workload, Indexed::Hash);
        let bounds = Bounds::quick().depth(1);
        if let Err(found) = explore(&real, workload, geometry, bounds) {
            panic!("{}", found.failure);
        }
    }

    fn puts_on_memory() {
        explored(&workloads::puts(), memory());
    }

    fn puts_on_flash() {
        explored(&workloads::puts(), flash(4));
    }

    fn transactions_on_memory() {
        explored(&workloads::transactions(), memory());
    }

    fn logs_on_flash() {
        explored(&workloads::logs(), flash(4));
    }

    fn succession_on_memory() {
        explored(&workloads::succession(memory()), memory());
    }

    fn transaction_over_succession_on_memory() {
        explored(&workloads::transaction_over_succession(memory()), memory());
    }

    /// Closed in the middle of reclaiming: what is loaded has to be what would
    /// be built.
    fn closing_with_a_saved_index() {
        for geometry in [memory(), flash(4)] {
            let mut ops = workloads::maintaining(geometry).prelude;
            for i in 1..20u8 {
                ops.extend([put(&[b'H', i % 4], &[i; 100]), Op::Maintain(i.into())]);
                ops.push(Op::Close);
            }
            let workload = Workload::new("closing", ops);
            let real = workloads::real(&workload, Indexed::Hash);
            let real = real.saving().compared();
            let mut sim = Sim::new(geometry);
            real.setup(&mut sim).expect("it is set up");
            let empty = Arc::new(Contents::empty(0));
            let mut run = Run::new(&real, &workload);
            let ran = run.go(&mut sim, vec![empty], None, &workload.ops);
            assert_eq!(ran.err(), None);
        }
    }

    /// What is built on what was saved has to be what would be built.
    fn histories_behind_a_saved_index() {
        for seed in 0..30 {
            super::resume::history(seed);
        }
    }

    fn roots_on_memory() {
        explored(&workloads::roots(memory()), memory());
    }

    fn growing_on_memory() {
        growing(workloads::growing_with_all(memory()));
    }

    /// What is put behind the old end is all there is room for.
    fn growing_when_full() {
        growing(workloads::growing(memory()));
    }

    fn growing(workload: Workload) {
        let real = workloads::real(&workload, Indexed::Hash).begins(workloads::GROWING[0]);
        let geometry = workloads::growing_on(memory());
        let bounds = Bounds::quick().depth(1);
        if let Err(found) = explore(&real, &workload, geometry, bounds) {
            panic!("{}", found.failure);
        }
    }

    fn roots_on_flash() {
        explored(&workloads::roots(flash(4)), flash(4));
    }

    /// Recovery sums every record, so what decays after it is for reads to
    /// find; and full blocks of logs are theirs alone.
    fn damage_while_it_is_open() {
        for geometry in [memory(), flash(4)] {
            let mut bench = Bench::new(geometry, &[3000]);
            let ops = [put(b"k", &[0x5A; 60]), append(0, &[0x5A; 1500])];
            bench.run(&ops);
            let medium = Shared::new(bench.sim.clone());
            let answers = open(medium.clone(), Mode::ReadWrite, |store, _| {
                medium.edit(|image| {
                    for at in 0..image.len() - 8 {
                        if image[at..at + 8] == [0x5A; 8] {
                            image[at] = 0x53;
                        }
                    }
                });
                let mut buffer = [0; 1500];
                let value = store.get(b"k", &mut buffer);
                (value, store.read(0, 0, &mut buffer))
            });
            let (value, log) = answers.expect("it starts");
            assert!(matches!(value, Err(Error::Corrupt { .. })), "{value:?}");
            assert!(matches!(log, Err(Error::Corrupt { .. })), "{log:?}");
        }
    }
}
