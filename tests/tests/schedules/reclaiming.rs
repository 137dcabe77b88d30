//! Records move, segments are freed and erased, and order stays.

use indelible::{Geometry, Mode, Owner};
use indelible_tests::geometries::{flash, larger, memory, name};
use indelible_tests::schedules_support::{Bench, Driver, Tape, frames, open, segments};
use indelible_tests::script::{
    Op, Step, advance_head, append, append_step, delete, delete_step, put, put_step,
};
use indelible_tests::sim::{Chooser, Event, Pattern, Sim};

fn media() -> [Geometry; 4] {
    [memory(), flash(1), flash(4), flash(32)]
}

/// Fills segments with values that stay.
fn settle(driver: &mut Driver<'_, '_, &mut Sim>, count: u8) {
    for segment in 0..count {
        driver.fill(|i| vec![b'L', segment, i]);
    }
}

/// Fills segments with versions of one value, of which one stays.
fn roll(driver: &mut Driver<'_, '_, &mut Sim>, count: u8) {
    for _ in 0..count {
        driver.fill(|_| b"hot".to_vec());
    }
}

/// 6. k@v1 is relocated to a segment of higher sequence than the one where
/// k@v2 is put; and records are relocated again and again.
pub fn hot_and_cold_keep_their_order() {
    for geometry in media() {
        a_relocated_record_stays_the_older_one(geometry);
        a_relocated_delete_stays_the_older_one(geometry);
        a_record_relocated_twice_stays_the_newer_one(geometry);
        relocated_again_and_again(geometry);
    }
}

/// A store whose record of `k` was relocated, into a segment younger than the
/// ledger's, before `then` was done in the same session.
fn relocated(geometry: Geometry, then: &[Step]) -> Bench {
    let mut bench = Bench::new(geometry, &[]);
    bench.drive(|driver| {
        driver.step(&put_step(b"k", b"v1"));
        let first = driver.ledger();
        roll(driver, 1);
        settle(driver, 5);
        driver.reclaim(first);
        let ledger = driver.ledger();
        let cold: Vec<_> = rows(driver)
            .into_iter()
            .filter(|r| r.0 == Owner::Cold)
            .collect();
        assert!(!cold.is_empty(), "nothing is cold");
        for step in then {
            driver.step(step);
        }
        assert_eq!(driver.ledger(), ledger, "the ledger went on");
        let newest = cold.iter().map(|row| row.1).max().unwrap_or(0);
        assert!(
            newest > ledger.1,
            "hot {ledger:?} is not older than cold {newest}"
        );
    });
    bench
}

fn rows(driver: &Driver<'_, '_, &mut Sim>) -> Vec<(Owner, u32)> {
    let rows = (0..driver.store.layout().segments).map(|i| driver.store.segment_info(i));
    rows.map(|row| (row.owner, row.seq)).collect()
}

fn a_relocated_record_stays_the_older_one(geometry: Geometry) {
    let mut bench = relocated(geometry, &[put_step(b"k", b"v2")]);
    let rows = segments(&bench.sim);
    let places = frames(&bench.sim);
    let of_k = places.iter().filter(|f| f.key == b"k" && f.kind == "put");
    let owners: Vec<Owner> = of_k.map(|f| rows[f.segment as usize].owner).collect();
    assert!(
        owners.contains(&Owner::Cold) && owners.contains(&Owner::Ledger),
        "{owners:?}"
    );
    bench.goes_on(&format!("{}: v2 is newer", name(geometry)));
}

fn a_relocated_delete_stays_the_older_one(geometry: Geometry) {
    let steps = [delete_step(b"k")];
    let mut bench = relocated(geometry, &steps);
    bench.goes_on(&format!("{}: k is deleted", name(geometry)));
    // And it comes back as something else.
    let steps = [delete_step(b"k"), put_step(b"k", b"v3")];
    let mut bench = relocated(geometry, &steps);
    bench.goes_on(&format!("{}: k is put again", name(geometry)));
}

/// k@v1 stays where it is. k@v2 is relocated to a cold segment that begins
/// with records older than k@v1, and with that segment's reclaiming once more.
fn a_record_relocated_twice_stays_the_newer_one(geometry: Geometry) {
    let mut bench = Bench::new(geometry, &[]);
    bench.drive(|driver| {
        let some = |driver: &mut Driver<'_, '_, &mut Sim>, name: u8, range| {
            for i in range {
                driver.step(&put_step(&[name, i], &[i; 100]));
            }
        };
        let oldest = driver.ledger();
        some(driver, b'x', 0..5);
        roll(driver, 1);
        let old = driver.ledger();
        driver.fill(|i| vec![b'y', i]);
        let first = driver.ledger();
        driver.step(&put_step(b"k", b"v1"));
        driver.fill(|i| vec![b'z', i]);
        let second = driver.ledger();
        driver.step(&put_step(b"k", b"v2"));
        some(driver, b'b', 0..4);
        roll(driver, 1);
        settle(driver, 3);
        driver.reclaim(oldest);
        driver.reclaim(second);
        assert!(driver.stands(old) && driver.stands(first));
        some(driver, b'y', 0..4);
        driver.reclaim(old);
        let cold = colds(driver);
        assert!(cold.len() > 1, "one cold segment took it all");
        some(driver, b'x', 0..5);
        some(driver, b'b', 0..4);
        some(driver, b'y', 4..10);
        driver.reclaim(cold[0]);
        assert!(driver.stands(first), "v1 is gone, nothing is shown");
    });
    bench.goes_on(&format!("{}: v2 is newer", name(geometry)));
}

/// The cold segments, the oldest first.
fn colds(driver: &Driver<'_, '_, &mut Sim>) -> Vec<(u32, u32)> {
    let rows = rows(driver).into_iter().enumerate();
    let cold = rows.filter(|(_, row)| row.0 == Owner::Cold);
    let mut cold: Vec<_> = cold.map(|(i, row)| (i as u32, row.1)).collect();
    cold.sort_by_key(|(_, seq)| *seq);
    cold
}

/// A crowded store in which what is relocated is relocated again.
fn relocated_again_and_again(geometry: Geometry) {
    for seed in 0..3 {
        let mut bench = Bench::new(geometry, &[]);
        let mut rng = fastrand::Rng::with_seed(seed);
        for round in 0..400u32 {
            let op = churn(&mut rng, round as u8);
            if !sensible(&bench, &op) {
                continue;
            }
            let what = format!("{}: seed {seed}, round {round}", name(geometry));
            let mut ops = vec![op];
            ops.extend((round % 8 > 0).then_some(Op::Close));
            let legal = [bench.truth.clone()];
            bench.resume(&what, &legal, &ops);
        }
    }
}

fn churn(rng: &mut fastrand::Rng, round: u8) -> Op {
    let key = [b'k', rng.u8(0..90).min(rng.u8(0..90))];
    match rng.u8(0..12) {
        0 => delete(&key),
        1 => Op::Maintain(rng.u32(0..60)),
        _ => put(&key, &vec![round; rng.usize(60..120)]),
    }
}

/// Whether it is no delete of what is not there.
fn sensible(bench: &Bench, op: &Op) -> bool {
    match op {
        Op::Do(Step::Delete { key }) => bench.truth.items.contains_key(key),
        _ => true,
    }
}

/// 7. k@v1 stands in a segment that stays; the segment with its delete is
/// reclaimed. k stays deleted.
pub fn tombstones_stay_while_they_are_needed() {
    for geometry in media() {
        let mut bench = Bench::new(geometry, &[]);
        let old = bench.drive(|driver| {
            settle(driver, 3);
            let old = driver.ledger();
            driver.step(&put_step(b"k", b"v1"));
            settle(driver, 4);
            assert!(driver.stands(old));
            let new = driver.ledger();
            driver.step(&delete_step(b"k"));
            roll(driver, 2);
            driver.reclaim(new);
            assert!(driver.stands(old), "the older segment went first");
            old
        });
        let what = name(geometry);
        let places = frames(&bench.sim);
        let put = places.iter().find(|f| f.key == b"k" && f.kind == "put");
        let put = put.unwrap_or_else(|| panic!("{what}: v1 is gone, nothing is shown"));
        assert_eq!(put.segment, old.0, "{what}");
        bench.goes_on(&format!("{what}: k is deleted"));
        assert!(!bench.truth.items.contains_key(&b"k"[..]));
        tombstones_go_in_the_end(&mut bench);
    }
}

/// When nothing older is left anywhere, tombstones are dropped.
fn tombstones_go_in_the_end(bench: &mut Bench) {
    bench.drive(|driver| {
        for _ in 0..40 {
            roll(driver, 1);
            driver.store.maintain(200).expect("it maintains");
        }
    });
    let left = open(&mut bench.sim, Mode::ReadWrite, |store, _| store.stats());
    let left = left.expect("it starts");
    let share = left.tombstone_bytes * 4;
    assert!(share <= left.live_bytes, "{left:?}");
}

/// 8. One of the segments that a transaction spans is reclaimed, with its
/// last mark or without: the rest of it stays what it was.
pub fn a_transaction_spans_a_reclaimed_segment() {
    for geometry in media() {
        for commit in [true, false] {
            the_end_is_reclaimed(geometry, commit);
        }
        the_start_is_reclaimed(geometry);
    }
}

/// A transaction over two segments, which it returns with its keys there.
fn span(driver: &mut Driver<'_, '_, &mut Sim>, commit: bool) -> ((u32, u32), (u32, u32)) {
    settle(driver, 2);
    // Not from the start of a segment.
    driver.step(&put_step(b"before", &[1; 200]));
    let first = driver.ledger();
    let steps: Vec<Step> = (0..20).map(|i| put_step(&[b't', i], &[i; 100])).collect();
    driver.together(&steps, commit);
    let second = driver.ledger();
    assert_ne!(first, second, "it does not span");
    (first, second)
}

/// Keys with the last frame before, and from, a sequence on.
fn keys_in(driver: &mut Driver<'_, '_, &mut Sim>, segment: u32) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    let read = driver.store.inspect_segment(segment, &mut |frame| {
        keys.extend(frame.key.filter(|key| key[0] == b't').map(<[u8]>::to_vec));
    });
    read.expect("it is inspected");
    keys
}

fn the_end_is_reclaimed(geometry: Geometry, commit: bool) {
    let mut bench = Bench::new(geometry, &[]);
    bench.drive(|driver| {
        let (first, second) = span(driver, commit);
        let moved = keys_in(driver, second.0);
        roll(driver, 1);
        for key in moved.iter().filter(|_| commit) {
            driver.step(&put_step(key, b"newer"));
        }
        settle(driver, 2);
        roll(driver, 2);
        driver.reclaim(second);
        assert!(
            driver.stands(first),
            "the start was reclaimed before the end"
        );
    });
    let what = format!("{}: its end is reclaimed, commit {commit}", name(geometry));
    bench.goes_on(&what);
}

fn the_start_is_reclaimed(geometry: Geometry) {
    let mut bench = Bench::new(geometry, &[]);
    bench.drive(|driver| {
        let (first, second) = span(driver, true);
        let moved = keys_in(driver, first.0);
        roll(driver, 1);
        driver.step(&delete_step(b"before"));
        for key in &moved {
            driver.step(&put_step(key, b"newer"));
        }
        settle(driver, 2);
        roll(driver, 2);
        driver.reclaim(first);
        assert!(
            driver.stands(second),
            "the end was reclaimed before the start"
        );
    });
    bench.goes_on(&format!("{}: its start is reclaimed", name(geometry)));
}

/// 9. Of what is outstanding only an erase persists, or all but the erase, or
/// half of it: nothing is lost, and nothing half-erased is written to.
pub fn free_and_erase_come_in_order() {
    for geometry in [memory(), flash(4), flash(32)] {
        let mut bench = Bench::new(geometry, &[]);
        bench.run(&crowded(0..240));
        erases_persist_alone(&mut bench, &crowded(240..320));
        let mut bench = Bench::new(larger(geometry, 2), &[3000]);
        bench.run(&log_pieces(0..9));
        erases_persist_alone(&mut bench, &log_pieces(9..60));
    }
}

/// Many keys that are seldom put, few that are put often: live records have to
/// move for there to be room.
fn crowded(range: core::ops::Range<u32>) -> Vec<Op> {
    let key = |i: u32| match i % 3 {
        0 => vec![b'C', (i / 3 % 70) as u8],
        _ => vec![b'H', (i % 4) as u8],
    };
    range.map(|i| put(&key(i), &[i as u8; 90])).collect()
}

/// A log that is appended to and forgotten, in transactions with a key.
fn log_pieces(range: core::ops::Range<u8>) -> Vec<Op> {
    let mut ops = Vec::new();
    for i in range {
        ops.push(append(0, &[i; 330]));
        let by = 330 - u64::from(i % 2);
        if i >= 2 {
            let head = Step::AdvanceHead { log: 0, by };
            let steps = vec![put_step(b"k", &[i; 9]), head, append_step(0, b"x")];
            ops.push(Op::Transaction(steps));
            ops.push(advance_head(0, 1));
        }
    }
    ops
}

fn erases_persist_alone(bench: &mut Bench, ops: &[Op]) {
    let tape = bench.tape(ops);
    let place = name(tape.origin.rig().geometry());
    let erases = |event: &&Event| matches!(event, Event::Erase { .. });
    let count = tape.events[tape.from()..].iter().filter(erases).count();
    assert!(count > 0, "{place}: {count} erases");
    match &tape.origin {
        Sim::Memory(_) => {
            in_any_order(bench, &tape);
            copies_come_before_what_frees(bench, &tape);
        }
        Sim::Flash(_) => half_erased(bench, &tape),
    }
}

fn in_any_order(bench: &Bench, tape: &Tape) {
    for epoch in tape.epochs() {
        if epoch.erased.is_empty() {
            continue;
        }
        let erased = |at: u64| epoch.erased.contains(&at);
        let halves = |at: u64| at / 8 % 2 == 0;
        let keeps: [(&str, &dyn Fn(u64) -> bool); 5] = [
            ("only the erase persists", &erased),
            ("all but the erase persists", &|at| !erased(at)),
            ("half of the erase persists", &|at| erased(at) && halves(at)),
            ("all and half of the erase persists", &|at| {
                !erased(at) || halves(at)
            }),
            ("a half persists", &halves),
        ];
        for (what, keep) in keeps {
            let what = format!("{what} at event {}", epoch.flush);
            let sim = tape.cut_at(&epoch, keep);
            let mut next = bench.on(sim, tape.before());
            next.resume(&what, &tape.legal(epoch.flush), &[]);
            next.resume(&what, &[next.truth.clone()], &busy());
            next.goes_on(&what);
        }
    }
}

/// Of each commit, the group alone arrives, and not what else was written.
fn copies_come_before_what_frees(bench: &Bench, tape: &Tape) {
    let size = u64::from(bench.layout().segment_size);
    for epoch in tape.epochs() {
        let Some(last) = epoch.written.last() else {
            continue;
        };
        let group = |at: u64| at / size == last / size;
        let sim = tape.cut_at(&epoch, group);
        let what = format!("the group alone arrived at event {}", epoch.flush);
        bench
            .on(sim, tape.before())
            .resume(&what, &tape.legal(epoch.flush), &[]);
    }
}

/// Writes to every free segment.
fn busy() -> Vec<Op> {
    (0..80u8).map(|i| put(b"busy", &[i; 90])).collect()
}

fn half_erased(bench: &Bench, tape: &Tape) {
    let from = tape.from();
    for (i, event) in tape.events.iter().enumerate().skip(from) {
        let Event::Erase { .. } = event else { continue };
        let patterns = [Pattern::Old, Pattern::New].map(Chooser::Pattern);
        let samples = (0..10).map(Chooser::random);
        for chooser in patterns.into_iter().chain(samples) {
            let sim = tape.cut_step(i, 0);
            let what = format!("half erased at event {i}, {chooser:?}");
            sim.rig().set_chooser(chooser);
            let mut next = bench.on(sim, tape.before());
            next.resume(&what, &tape.legal(i), &[]);
            next.resume(&what, &[next.truth.clone()], &busy());
            next.goes_on(&what);
        }
    }
}
