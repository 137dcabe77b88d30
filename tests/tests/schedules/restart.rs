//! What an unclean end leaves, and what the next start makes of it.

use super::{flashes, media};
use indelible::{Error, Geometry, Mode};
use indelible_tests::geometries::{memory, name};
use indelible_tests::schedules_support::{Bench, header_sequences, open, reread, segments};
use indelible_tests::script::{Op, append, append_step, put, put_step};
use indelible_tests::sim::{Chooser, Operation, Pattern, Sim, SimError};
use indelible_tests::spec::Contents;
use indelible_tests::subject::{Failure, Leave, Subject};
use std::collections::BTreeSet;

/// 1. T1 is cut within; T2 follows in the next session; the start after that
/// must not take halves of the two for one transaction, nor the rest of T1
/// for damage, and no sequence is used twice.
pub fn an_unclean_start_leaves_no_cut() {
    for geometry in media() {
        halves_are_never_joined(geometry);
        no_sequence_comes_twice(geometry);
    }
}

fn halves_are_never_joined(geometry: Geometry) {
    let mut bench = Bench::new(geometry, &[300, 300]);
    bench.run(&[put(b"k", b"0"), append(0, b"zero"), append(1, b"one")]);
    let halves = vec![
        append_step(0, b"the first half"),
        append_step(1, b"the second"),
    ];
    let tape = bench.tape(&[Op::Transaction(halves)]);
    let mut undone = 0;
    for (what, sim, legal) in tape.cuts(64) {
        let what = format!("{}: {what}", name(geometry));
        let mut next = bench.on(sim, tape.before());
        next.resume(&what, &legal, &[append(1, b"T2")]);
        undone += usize::from(next.truth.logs[0] == tape.before().logs[0]);
        next.goes_on(&what);
    }
    assert!(undone > 1, "{}: nothing was torn", name(geometry));
}

fn no_sequence_comes_twice(geometry: Geometry) {
    let mut bench = Bench::new(geometry, &[300, 300]);
    let size = bench.layout().segment_size;
    bench.run(&[put(b"k", b"0")]);
    // The first append opens a segment.
    let opening = append(0, b"in a segment of its own");
    let tape = bench.tape(core::slice::from_ref(&opening));
    let mut abandoned = 0;
    for (what, sim, legal) in tape.cuts(64) {
        let what = format!("{}: {what}", name(geometry));
        let seen = header_sequences(&sim, size);
        let highest = seen.iter().map(|(_, seq)| *seq).max().unwrap_or(0);
        let mut next = bench.on(sim, tape.before());
        next.resume(&what, &legal, &[append(1, b"opens another")]);
        let owned: Vec<u32> = segments(&next.sim).iter().map(|row| row.seq).collect();
        let owned: Vec<u32> = owned.into_iter().filter(|seq| *seq > 0).collect();
        let distinct: BTreeSet<_> = owned.iter().collect();
        assert_eq!(distinct.len(), owned.len(), "{what}: {owned:?}");
        let newest = segments(&next.sim)
            .iter()
            .map(|row| row.seq)
            .max()
            .unwrap_or(0);
        assert!(newest > highest, "{what}: {newest} after {highest}");
        abandoned += usize::from(next.truth.logs[0].bytes.is_empty() && seen.len() > 2);
    }
    assert!(abandoned > 0, "{}: no header was left", name(geometry));
}

/// 3. A unit at the cut reads as it likes: valid once and blank the next
/// time, or blank once and written the next time. What was served stays, and
/// no such unit is programmed before it is erased.
pub fn marginal_units_on_flash() {
    for geometry in flashes() {
        what_reads_valid_may_decay(geometry);
        what_reads_blank_may_be_programmed(geometry, &[]);
        what_reads_blank_may_be_programmed(geometry, &[Op::Close]);
    }
}

fn what_reads_valid_may_decay(geometry: Geometry) {
    let mut bench = Bench::new(geometry, &[300]);
    bench.run(&[put(b"k", b"0"), append(0, b"some")]);
    for op in marginal_operations() {
        let mut bench = bench.clone();
        let tape = bench.tape(&[op]);
        let units = tape.units();
        let last = units.last().expect("something was programmed");
        let what = format!("{}: {last:?}", name(geometry));
        // All of the last unit is there, this time.
        let mut next = bench.on(tape.tear(last, &last.bytes), tape.before());
        next.resume(&what, &[tape.after().clone()], &[]);
        let blank = vec![0xFF; last.bytes.len()];
        let mut half = last.bytes.clone();
        half[..last.bytes.len() / 2].fill(0xFF);
        for content in [blank, half] {
            let mut later = next.clone();
            if later.sim.open_count() > 0 {
                reread(&mut later.sim, last.at, &content);
            }
            later.resume(&format!("{what} decayed"), &[tape.after().clone()], &[]);
            later.goes_on(&what);
        }
    }
}

fn marginal_operations() -> Vec<Op> {
    let both = vec![put_step(b"k", b"2"), append_step(0, b"and more of it")];
    vec![
        put(b"k", b"another value"),
        append(0, b"x"),
        append(0, b"more than a unit of bytes, on many media"),
        Op::Transaction(both),
    ]
}

/// `end` is how the session before left.
fn what_reads_blank_may_be_programmed(geometry: Geometry, end: &[Op]) {
    let mut bench = Bench::new(geometry, &[300]);
    let before = [put(b"k", b"0"), append(0, b"some")];
    bench.run(&[&before[..], end].concat());
    let again = [
        put(b"k", b"again"),
        append(0, b"again and more"),
        put(b"l", b""),
    ];
    for op in marginal_operations() {
        let mut bench = bench.clone();
        let tape = bench.tape(&[op]);
        for unit in tape.units() {
            let what = format!("{}: {unit:?}", name(geometry));
            let blank = vec![0xFF; unit.bytes.len()];
            let legal = tape.legal(unit.event);
            let mut next = bench.on(tape.tear(&unit, &blank), tape.before());
            next.resume(&what, &legal, &again);
            // It changes its mind.
            if next.sim.open_count() > 0 {
                reread(&mut next.sim, unit.at, &unit.bytes);
            }
            next.goes_on(&what);
        }
        // Sectors half erased, and every other cut.
        for (what, sim, legal) in tape.cuts(8) {
            let what = format!("{}: {what}", name(geometry));
            let mut next = bench.on(sim, tape.before());
            next.resume(&what, &legal, &again);
        }
    }
}

/// 13. What a start served may have been in the page cache alone.
pub fn the_page_cache_is_not_the_medium() {
    what_a_killed_process_left_is_served_and_stays();
    a_failed_flush_is_not_believed_later();
    two_failed_flushes_are_not_believed_later();
}

fn what_a_killed_process_left_is_served_and_stays() {
    let mut bench = Bench::new(memory(), &[300]);
    bench.run(&[put(b"k", b"0"), append(0, b"some")]);
    for op in marginal_operations() {
        let mut bench = bench.clone();
        let tape = bench.tape(&[op]);
        let epoch = tape.last_epoch();
        let mut next = bench.on(tape.until(epoch.flush).kill(), tape.before());
        next.resume("after a kill", &[tape.after().clone()], &[]);
        let cut = next.sim.cut();
        cut.rig().set_chooser(Chooser::Pattern(Pattern::Old));
        let mut later = next.on(cut, tape.after());
        let legal = [tape.after().clone()];
        later.resume("power failed after it was served", &legal, &[]);
        later.goes_on("after a kill and a power failure");
    }
}

fn a_failed_flush_is_not_believed_later() {
    let mut bench = Bench::new(memory(), &[300]);
    bench.run(&[put(b"k", b"0"), append(0, b"some")]);
    for op in marginal_operations() {
        let after = bench
            .clone()
            .tape(core::slice::from_ref(&op))
            .after()
            .clone();
        let legal = [bench.truth.clone(), after];
        // The same machine: its page cache shows what is not on the medium.
        let mut next = bench.on(failing_flush(&bench, &op), &bench.truth);
        next.resume("after a failed flush", &legal, &[]);
        let cut = next.sim.cut();
        cut.rig().set_chooser(Chooser::Pattern(Pattern::Old));
        let served = next.truth.clone();
        let mut later = next.on(cut, &served);
        later.resume("power failed after a failed flush", &[served], &[]);
        later.goes_on("after a failed flush");
    }
    refuses_to_write_on(&bench);
}

/// What a process leaves whose flush failed.
fn failing_flush(bench: &Bench, op: &Op) -> Sim {
    let mut sim = bench.sim.clone();
    let failed = bench.real.session(&mut sim, &mut |store, _| {
        store.sim().rig().fail_nth(Operation::Flush, 0);
        store.apply(op).map(|_| Leave::Drop)
    });
    let injected = Failure::Medium(SimError::Injected(Operation::Flush));
    assert_eq!(failed, Err(injected));
    sim
}

/// One flush fails, and the process alone ends; in the start after it another
/// fails, and the power with it. What the first left in the cache was read by
/// the second start and is gone by the third.
fn two_failed_flushes_are_not_believed_later() {
    let mut bench = Bench::new(memory(), &[600]);
    bench.run(&[put(b"k", b"0"), append(0, b"some")]);
    // Segments that have to be erased before they are used again.
    for round in 0..24 {
        bench.run(&[put(b"l", &[round; 60])]);
    }
    let over_a_succession = vec![put_step(b"k", &[1; 900]), put_step(b"l", &[2; 1400])];
    let ops = [put(b"k", b"1"), Op::Transaction(over_a_succession)];
    let mut cuts = 0;
    for op in ops {
        let after = bench
            .clone()
            .tape(core::slice::from_ref(&op))
            .after()
            .clone();
        let legal = [bench.truth.clone(), after];
        for first in 0.. {
            let (sim, failed) = fails_at(&bench.sim, &bench, &op, first);
            if !failed {
                break;
            }
            for second in 0.. {
                let (sim, failed) = fails_at(&sim.kill(), &bench, &op, second);
                if !failed {
                    break;
                }
                let what = format!("{op:?}: flushes {first} and then {second} failed");
                comes_back(&bench, &sim, &what, &legal);
                cuts += 1;
            }
        }
    }
    assert!(cuts > 60, "{cuts}");
}

/// What a start and an operation leave whose `nth` flush fails, and whether it
/// came to that.
fn fails_at(from: &Sim, bench: &Bench, op: &Op, nth: u64) -> (Sim, bool) {
    let mut sim = from.clone();
    sim.rig().fail_nth(Operation::Flush, nth);
    let failed = bench.real.session(&mut sim, &mut |store, _| {
        store.apply(op).map(|_| Leave::Drop)
    });
    let injected = Failure::Medium(SimError::Injected(Operation::Flush));
    assert!(failed.is_ok() || failed == Err(injected), "{failed:?}");
    (sim, failed.is_err())
}

/// Power fails, words are old and new in many ways; the store goes on.
fn comes_back(bench: &Bench, sim: &Sim, what: &str, legal: &[Contents]) {
    let choosers = [
        Chooser::Pattern(Pattern::Old),
        Chooser::Pattern(Pattern::New),
    ];
    for chooser in choosers.into_iter().chain((0..6).map(Chooser::random)) {
        let what = format!("{what}, {chooser:?}");
        let cut = sim.cut();
        cut.rig().set_chooser(chooser);
        let mut later = bench.on(cut, &bench.truth);
        later.resume(&what, legal, &[]);
        later.goes_on(&what);
    }
}

fn refuses_to_write_on(bench: &Bench) {
    let mut sim: Sim = bench.sim.clone();
    let answers = open(&mut sim, Mode::ReadWrite, |store, _| {
        store.medium().rig().fail_nth(Operation::Flush, 0);
        let first = store.put(b"k", b"1");
        let second = store.put(b"k", b"2");
        let append = store.append(0, b"x");
        (first, second, append)
    });
    let (first, second, append) = answers.expect("it starts");
    assert!(matches!(first, Err(Error::Medium { .. })), "{first:?}");
    assert_eq!(second, Err(Error::Poisoned));
    assert_eq!(append, Err(Error::Poisoned));
}

/// 14. Crashes and aborts, again and again, cost no capacity.
pub fn crashes_leak_no_capacity() {
    for geometry in media() {
        let room = room_of(&mut Bench::new(geometry, &[700]));
        let mut bench = Bench::new(geometry, &[700]);
        for round in 0..40u8 {
            wasteful_round(&mut bench, round);
        }
        let left = room_of(&mut bench);
        assert_eq!(left, room, "{}", name(geometry));
    }
}

/// Something is cut or given up, so that units are spoilt with nothing
/// committed in them.
fn wasteful_round(bench: &mut Bench, round: u8) {
    let given_up = vec![append_step(0, &[round; 90]), put_step(b"k", &[round; 90])];
    let op = match round % 3 {
        0 => append(0, &[round; 50]),
        1 => put(b"k", &[round; 50]),
        _ => Op::Transaction(given_up.clone()),
    };
    let tape = bench.tape(&[op]);
    let sim = match &tape.origin {
        Sim::Memory(_) => {
            let epoch = tape.last_epoch();
            let first = epoch.written[0];
            tape.cut_at(&epoch, |at| at != first && at % 16 == 0)
        }
        Sim::Flash(_) => {
            let units = tape.units();
            let unit = &units[units.len() - 1];
            tape.tear(unit, &vec![0xFF; unit.bytes.len()])
        }
    };
    // One missing bit may be healed: then it was done.
    let legal = [tape.before().clone(), tape.after().clone()];
    *bench = bench.on(sim, tape.before());
    let what = format!("round {round}");
    bench.resume(&what, &legal, &[Op::Aborted(given_up)]);
}

/// How many bytes the log takes in all, and how many values fit.
fn room_of(bench: &mut Bench) -> (u64, usize) {
    let capacity = bench.real.logs[0];
    let counted = open(&mut bench.sim, Mode::ReadWrite, |store, _| {
        while store.append(0, &[7; 10]).is_ok() {}
        let log = store.get_head_tail_and_capacity(0).expect("a log");
        store.put(b"k", b"").expect("room for one");
        for values in 0.. {
            let key = format!("value {values}");
            match store.put(key.as_bytes(), &[1; 60]) {
                Ok(()) => {}
                Err(Error::Full { .. }) => return (log.tail - log.head, values),
                Err(other) => panic!("{other}"),
            }
        }
        unreachable!("a store has an end")
    });
    let (bytes, values) = counted.expect("it starts");
    assert!(bytes + 10 > capacity && values > 5, "{bytes}, {values}");
    (bytes / 10, values)
}
