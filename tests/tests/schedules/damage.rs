//! What decays: what is lost is known as lost, and nothing older takes its
//! place.

use indelible::{Error, Geometry, Mode};
use indelible_tests::explorer::Run;
use indelible_tests::geometries::{flash, larger, memory, name};
use indelible_tests::schedules_support::{
    Bench, Placed, Tape, flip, frames, header_sequences, noise, open, segments,
};
use indelible_tests::script::{Op, Workload, append, delete, list_append_step, put, put_step};
use indelible_tests::seed::mix;
use indelible_tests::sim::{Event, Sim, SimError};
use indelible_tests::spec::Contents;
use indelible_tests::store::{Indexed, Real};
use indelible_tests::subject::{Failure, Leave, Subject};
use indelible_tests::workloads::{GROWING, growing_on};
use std::sync::Arc;

fn media() -> [Geometry; 3] {
    [memory(), flash(4), flash(32)]
}

type Answer = Result<Option<Vec<u8>>, Error<SimError>>;

fn get(sim: &mut Sim, key: &[u8]) -> Answer {
    let read = open(sim, Mode::ReadWrite, |store, _| {
        let mut buffer = vec![0; 2000];
        let len = store.get(key, &mut buffer)?;
        Ok(len.map(|len| buffer[..len].to_vec()))
    });
    read.expect("it starts")
}

/// 5. k@v1 in one segment, k@v2 in another, where a hole hits it and leaves no
/// name: v1 is not served, nor is a key absent that may have been in the hole.
pub fn resurrects_no_old_versions() {
    for geometry in media() {
        let (mut bench, hole) = with_a_hole(larger(geometry, 2));
        let what = name(geometry);
        let content = noise(hole.len(), 5);
        bench
            .sim
            .edit(|image| image[hole].copy_from_slice(&content));
        withheld(&mut bench, &what);
        // However much is written and reclaimed around it.
        let churn: Vec<Op> = (0..200u8).map(|i| put(&[b'h', i % 3], &[i; 60])).collect();
        for round in 0..3 {
            let done = open(&mut bench.sim, Mode::ReadWrite, |store, _| {
                for op in &churn {
                    for step in op.steps() {
                        let key = step.key().expect("a put");
                        store.put(&key, &[round; 60])?;
                    }
                }
                store.maintain(500).map(drop)
            });
            assert_eq!(done.expect("it starts"), Ok(()), "{what}");
            withheld(&mut bench, &format!("{what}, after round {round}"));
        }
        // A newer version is an answer again.
        bench.write_through(&what, b"k", b"v3");
        assert_eq!(
            get(&mut bench.sim, b"k"),
            Ok(Some(b"v3".to_vec())),
            "{what}"
        );
        accepted(&mut bench, &what);
    }
    a_long_record_is_named();
    the_first_commit_behind_a_root_stays_lost();
}

/// The only commit behind a root decays. What stands between the root and it
/// is no part of the store; the damage is, at every start.
fn the_first_commit_behind_a_root_stays_lost() {
    for geometry in media() {
        let mut bench = Bench::new(geometry, &[]);
        bench.run(&[put(b"k", b"v1"), put(b"l", b"")]);
        // An unclean start, whose root is followed by one commit.
        bench.run(&[put(b"k", &[2; 200])]);
        let newest = bench.newest_put(b"k");
        let content = noise(newest.len as usize, 7);
        let from = newest.address as usize;
        let hole = from..from + content.len();
        bench
            .sim
            .edit(|image| image[hole].copy_from_slice(&content));
        for start in 0..3 {
            let what = format!("{}, start {start}", name(geometry));
            let read = get(&mut bench.sim, b"k");
            assert!(
                matches!(read, Err(Error::Doubtful { .. } | Error::Corrupt { .. })),
                "{what}: {read:?}"
            );
        }
    }
}

/// A store with an older k, a newer k, a key of its own beside that, and keys
/// before and behind; and the place of the newer k and its neighbour.
fn with_a_hole(geometry: Geometry) -> (Bench, core::ops::Range<usize>) {
    let mut bench = Bench::new(geometry, &[]);
    bench.drive(|driver| {
        driver.step(&put_step(b"k", b"v1"));
        driver.step(&put_step(b"older", b"1"));
        driver.fill(|i| vec![b'f', i]);
        driver.fill(|i| vec![b'g', i]);
    });
    bench.run(&[
        put(b"k", b"v2"),
        put(b"alone", b"never written again"),
        put(b"behind", b"1"),
        Op::Close,
    ]);
    let (one, other) = (bench.newest_put(b"k"), bench.newest_put(b"alone"));
    assert_eq!(one.range().end, other.range().start);
    (bench, one.range().start..other.range().end)
}

fn withheld(bench: &mut Bench, what: &str) {
    for key in [&b"k"[..], b"alone", b"older", b"absent"] {
        let answer = get(&mut bench.sim, key);
        let doubtful = matches!(answer, Err(Error::Doubtful { .. }));
        assert!(doubtful, "{what}: {}: {answer:?}", key.escape_ascii());
    }
    let behind = get(&mut bench.sim, b"behind");
    assert_eq!(behind, Ok(Some(b"1".to_vec())), "{what}");
    let told = open(&mut bench.sim, Mode::ReadWrite, |_, report| report.damaged);
    assert!(told.expect("it starts") > 0, "{what}");
}

/// Damage is accepted: what is lost is lost.
fn accepted(bench: &mut Bench, what: &str) {
    let answers = open(&mut bench.sim, Mode::ReadWrite, |store, _| {
        store.accept_damage()?;
        let alone = store.contains(b"alone")?;
        let older = store.contains(b"older")?;
        Ok::<_, Error<SimError>>((alone, older))
    });
    assert_eq!(answers.expect("it starts"), Ok((false, true)), "{what}");
}

/// The key of a long record has a checksum of its own: a hole in its value
/// costs that key alone.
fn a_long_record_is_named() {
    for base in media() {
        let geometry = Geometry {
            capacity: 12 * 8192,
            erase_unit: 8192,
            ..base
        };
        let what = name(geometry);
        let mut bench = Bench::new(geometry, &[]);
        bench.run(&[
            put(b"k", b"v1"),
            put(b"older", b"1"),
            put(b"k", &noise(700, 1)),
            put(b"behind", b"1"),
            Op::Close,
        ]);
        let at = bench.newest_put(b"k").range().start + 200;
        bench.sim.edit(|image| image[at..at + 100].fill(0x33));
        let answer = get(&mut bench.sim, b"k");
        assert!(
            matches!(answer, Err(Error::Corrupt { .. })),
            "{what}: {answer:?}"
        );
        for key in [&b"older"[..], b"behind"] {
            assert_eq!(get(&mut bench.sim, key), Ok(Some(b"1".to_vec())), "{what}");
        }
        assert_eq!(get(&mut bench.sim, b"absent"), Ok(None), "{what}");
    }
}

/// 18. Reads heal in memory; a restart, a relocation, a succession or a copy
/// writes what was healed, so that the next flip finds a sound frame again.
pub fn healing_becomes_durable() {
    for geometry in media() {
        a_record_is_healed_by_relocation(geometry);
        the_newest_record_is_healed_by_a_start(geometry);
        a_checkpoint_is_healed_by_succession(geometry);
    }
    for geometry in [memory(), flash(4)] {
        a_log_block_is_healed_by_a_copy(geometry);
    }
    for geometry in media() {
        a_flip_is_counted_once(geometry);
    }
}

fn a_flip_is_counted_once(geometry: Geometry) {
    let mut bench = Bench::new(geometry, &[]);
    bench.run(&[put(b"k", &noise(40, 1))]);
    let frame = bench.newest_put(b"k");
    flip_in(&mut bench, &frame, 1);
    let legal = [bench.truth.clone()];
    let report = bench.resume("one flip", &legal, &[]);
    assert_eq!(report.healed_bits, 1, "{}: {report:?}", name(geometry));
}

/// Flips a bit of a frame, the same for the same seed; not of its trailer, of
/// which not every bit is summed.
fn flip_in(bench: &mut Bench, frame: &Placed, seed: u64) {
    let bits = (u64::from(frame.len) - 8) * 8;
    let bit = frame.address * 8 + mix(&[seed, frame.address]) % bits;
    flip(&mut bench.sim, &[bit]);
}

fn healed(bench: &mut Bench, what: &str) -> u32 {
    let legal = [bench.truth.clone()];
    bench.resume(what, &legal, &[Op::Close]).healed_bits
}

fn a_record_is_healed_by_relocation(geometry: Geometry) {
    for seed in 0..8 {
        let mut bench = Bench::new(geometry, &[]);
        let what = format!("{}, seed {seed}", name(geometry));
        let first = bench.drive(|driver| {
            driver.step(&put_step(b"k", &noise(40, seed)));
            let first = driver.ledger();
            driver.fill(|_| b"hot".to_vec());
            for segment in 0..5 {
                driver.fill(|i| vec![b'L', segment, i]);
            }
            first
        });
        let _ = healed(&mut bench, &what);
        let frame = bench.newest_put(b"k");
        flip_in(&mut bench, &frame, seed);
        assert!(healed(&mut bench, &what) > 0, "{what}: nothing was flipped");
        assert!(
            healed(&mut bench, &what) > 0,
            "{what}: reading wrote something"
        );
        bench.drive(|driver| driver.reclaim(first));
        let _ = healed(&mut bench, &what);
        assert_eq!(
            healed(&mut bench, &what),
            0,
            "{what}: relocation kept the flip"
        );
        let copy = bench.newest_put(b"k");
        assert_ne!(copy, frame, "{what}: it was not relocated");
        flip_in(&mut bench, &copy, !seed);
        assert!(healed(&mut bench, &what) > 0, "{what}: the second flip");
    }
}

fn the_newest_record_is_healed_by_a_start(geometry: Geometry) {
    for seed in 0..8 {
        let mut bench = Bench::new(geometry, &[]);
        let what = format!("{}, seed {seed}", name(geometry));
        bench.run(&[put(b"k", &noise(40, seed))]);
        let frame = bench.newest_put(b"k");
        flip_in(&mut bench, &frame, seed);
        let legal = [bench.truth.clone()];
        let report = bench.resume(&what, &legal, &[]);
        assert!(report.healed_bits > 0, "{what}: {report:?}");
        let copy = bench.newest_put(b"k");
        assert_ne!(copy, frame, "{what}: it was not copied on");
        flip_in(&mut bench, &copy, !seed);
        bench.resume(&what, &legal, &[]);
        bench.goes_on(&what);
    }
}

fn a_checkpoint_is_healed_by_succession(geometry: Geometry) {
    for seed in 0..8 {
        let mut bench = Bench::new(geometry, &[100]);
        let what = format!("{}, seed {seed}", name(geometry));
        bench.run(&[put(b"hot", b"v"), append(0, b"odd"), Op::Close]);
        let (segment, _) = bench.newest_ledger();
        let root = frames(&bench.sim)
            .into_iter()
            .find(|f| f.segment == segment);
        let root = root.expect("a root");
        assert_eq!(root.kind, "checkpoint", "{what}");
        flip_in(&mut bench, &root, seed);
        assert!(healed(&mut bench, &what) > 0, "{what}: nothing was flipped");
        bench.drive(|driver| {
            for _ in 0..3 {
                driver.fill(|_| b"hot".to_vec());
            }
        });
        let _ = healed(&mut bench, &what);
        assert_eq!(healed(&mut bench, &what), 0, "{what}: it is still there");
    }
}

/// A tail's segment is copied after an unclean end; its full blocks with it.
fn a_log_block_is_healed_by_a_copy(geometry: Geometry) {
    let geometry = Geometry {
        capacity: 12 * 4096,
        erase_unit: 4096,
        ..geometry
    };
    let mut bench = Bench::new(geometry, &[3000]);
    let what = name(geometry);
    bench.run(&[append(0, &noise(1500, 1))]);
    let block = |bench: &Bench| -> u64 {
        let rows = segments(&bench.sim);
        let at = rows
            .iter()
            .position(|row| row.owner == indelible::Owner::Log);
        at.expect("a log segment") as u64 * 4096 + 200
    };
    let first = block(&bench);
    flip(&mut bench.sim, &[first * 8 + 3]);
    let legal = [bench.truth.clone()];
    // The newest group appended to it, so this start copies it.
    bench.resume(&what, &legal, &[append(0, b"more")]);
    let copy = block(&bench);
    assert_ne!(copy, first, "{what}: the tail was not copied");
    flip(&mut bench.sim, &[copy * 8 + 77]);
    bench.resume(&what, &[bench.truth.clone()], &[append(0, b"and more")]);
    bench.goes_on(&what);
}

/// 19. One bit of noise behind the tail is blank; more of it is damage, told
/// and contained, and no reason to refuse.
pub fn noise_behind_the_tail_is_contained() {
    for geometry in media() {
        for end in [&[][..], &[Op::Close]] {
            one_bit_is_blank(geometry, end);
            more_is_contained(geometry, end);
        }
        noise_in_free_segments(geometry);
    }
}

fn ended(geometry: Geometry, end: &[Op]) -> (Bench, usize) {
    let mut bench = Bench::new(geometry, &[300]);
    let ops = [put(b"k", b"v"), append(0, b"some"), put(b"l", b"w")];
    bench.run(&[&ops[..], end].concat());
    let (segment, row) = bench.newest_ledger();
    let size = bench.layout().segment_size;
    (bench, (segment * size + row.used) as usize)
}

fn one_bit_is_blank(geometry: Geometry, end: &[Op]) {
    let (bench, tail) = ended(geometry, end);
    for offset in [0, 1, 3, 4, 7, 8, 40, 200] {
        for bit in 0..8 {
            let mut next = bench.clone();
            let image = next.sim.image();
            let mut noisy = image.clone();
            noisy[tail + offset] ^= 1 << bit;
            // Noise counts as programmed: nothing may be written over it.
            next.sim = Sim::with_image(geometry, &noisy);
            let what = format!("{}: bit {bit} at {offset} behind {end:?}", name(geometry));
            let legal = [next.truth.clone()];
            let report = next.resume(&what, &legal, &[put(b"k", b"v2"), append(0, b"on")]);
            assert!(report.torn.is_none(), "{what}: {report:?}");
            next.goes_on(&what);
        }
    }
}

fn more_is_contained(geometry: Geometry, end: &[Op]) {
    let (bench, tail) = ended(geometry, end);
    let unit = super::unit(geometry) as usize;
    for offset in [0, unit, 4 * unit] {
        for len in [8, 64, 200] {
            let mut next = bench.clone();
            let mut noisy = next.sim.image();
            let content = noise(len, len as u64);
            noisy[tail + offset..tail + offset + len].copy_from_slice(&content);
            next.sim = Sim::with_image(geometry, &noisy);
            let what = format!("{}: {len} bytes at {offset} behind {end:?}", name(geometry));
            let (survey, report) = next.survey(Mode::ReadWrite).expect("it starts");
            assert!(survey.wrong.is_empty(), "{what}: {survey:?}");
            let told = report.torn.is_some() || report.damaged > 0;
            assert!(told, "{what}: {report:?}");
            for value in [b"v2", b"v3"] {
                next.write_through(&what, b"k", value);
            }
        }
    }
}

/// Where nobody is to look, noise is only erased before use.
fn noise_in_free_segments(geometry: Geometry) {
    let (mut bench, _) = ended(geometry, &[Op::Close]);
    let size = bench.layout().segment_size as usize;
    let mut noisy = bench.sim.image();
    for (i, row) in segments(&bench.sim).iter().enumerate() {
        if row.seq == 0 {
            noisy[i * size..(i + 1) * size].copy_from_slice(&noise(size, i as u64));
        }
    }
    bench.sim = Sim::with_image(geometry, &noisy);
    let busy: Vec<Op> = (0..150u8).map(|i| put(b"busy", &[i; 60])).collect();
    let what = format!("{}: noise in free segments", name(geometry));
    let legal = [bench.truth.clone()];
    bench.resume(&what, &legal, &[&busy[..], &[delete(b"l")]].concat());
    bench.goes_on(&what);
}

/// An index that a close saved is hit, or a record that it points at: whatever
/// is answered is right, or an error.
pub fn saved_indexes_are_believed_by_their_sum() {
    for geometry in media() {
        for index in [Indexed::Hash, Indexed::Ordered] {
            let (image, truth) = saved_image(geometry, index);
            let real = Real::new(&[]).indexed(index).entries(64).saving();
            let mut built = 0;
            for bit in (0..image.len() * 8).step_by(59) {
                let mut damaged = image.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                let mut sim = Sim::with_image(geometry, &damaged);
                let opened = real.open(&mut sim, Mode::ReadOnly, &mut |store, report| {
                    built += u32::from(!report.index_loaded);
                    let survey = store.survey(&truth, report.damaged > 0);
                    assert_eq!(survey.wrong, Vec::<String>::new(), "bit {bit}");
                    Ok(Leave::Drop)
                });
                assert_eq!(opened, Ok(()), "bit {bit}");
            }
            assert!(real.loads() > 100 && built > 10, "{built} built");
        }
    }
}

/// Records of many sizes, in an image that was closed.
fn saved_image(geometry: Geometry, index: Indexed) -> (Vec<u8>, Contents) {
    let real = Real::new(&[]).indexed(index).entries(64).saving();
    let mut sim = Sim::new(geometry);
    real.setup(&mut sim).expect("it is set up");
    let mut ops: Vec<Op> = (0..90u8)
        .map(|i| put(&[b'k', i % 40], &vec![i; usize::from(i) * 2 % 70]))
        .collect();
    ops.extend((0..5).map(|i| Op::Do(list_append_step(b"k\x07", &[i; 9]))));
    ops.extend([delete(b"k\x03"), Op::Close]);
    let workload = Workload::new("saving", ops.clone());
    let empty = Arc::new(Contents::empty(0));
    let run = Run::new(&real, &workload).go(&mut sim, vec![empty], None, &ops);
    let truth = run.expect("it does what is specified");
    assert_eq!(real.loads(), 1);
    (sim.image(), (*truth).clone())
}

/// How large a store is stands in its roots alone. One that grew has two that
/// say so: a lost header of either costs nothing, and where neither can be read
/// that is known, for it never has its old size again without a word.
pub fn what_grew_stays_grown() {
    let [begins, more, _] = GROWING;
    let real = Real::new(&[300]).begins(begins);
    let mut old = Bench::with(growing_on(memory()), real);
    old.run(&[put(b"key", b"value"), append(0, b"bytes")]);
    for commits in [0, 1, 40u8] {
        let mut grown = old.clone();
        let puts = (0..commits).map(|i| put(&[i % 3], &[i; 150]));
        let ops: Vec<_> = [Op::Grow(more)].into_iter().chain(puts).collect();
        grown.run(&ops);
        let roots = roots(&grown.sim, grown.layout().segment_size);
        assert!(roots.len() >= 3, "{roots:?}");
        for lost in 1..=roots.len() {
            for whole in [true, false] {
                // Each alone, and all from the newest on.
                for from in [0, lost - 1] {
                    let mut sim = grown.sim.clone();
                    sim.edit(|image| {
                        for root in &roots[from..lost] {
                            match whole {
                                true => image[*root..*root + 40].fill(0),
                                false => image[*root + 100..*root + 116].fill(0x77),
                            }
                        }
                    });
                    let newest = commits.checked_sub(1);
                    let found = open(&mut sim, Mode::ReadOnly, |store, report| {
                        let mut value = [0; 150];
                        let key = newest.map_or(b'n', |newest| newest % 3);
                        let got = store.get(&[key], &mut value);
                        (store.layout().segments, got, value[0], report.damaged)
                    });
                    let what = format!("{commits} commits, {from}..{lost}, {whole}: {found:?}");
                    println!("{what}");
                    let one = lost - from == 1;
                    match found {
                        Ok((segments, got, value, 0)) => {
                            let there = newest.map(|_| 150);
                            let is = (segments, got, value);
                            assert_eq!(is, (more, Ok(there), newest.unwrap_or(0)), "{what}");
                        }
                        // Damage is known; where the size is not told, too.
                        Ok((segments, got, value, _)) => {
                            assert!(!whole && (segments == more || !one), "{what}");
                            let right = newest.is_some() && got == Ok(Some(150));
                            let right = right && newest == Some(value);
                            let withheld = matches!(got, Err(Error::Doubtful { .. }));
                            assert!(right || withheld, "{what}");
                        }
                        Err(Error::LedgerLost { .. } | Error::NotAStore) => {
                            assert!(!one || !whole && from == 0, "{what}");
                        }
                        Err(_) => panic!("{what}"),
                    }
                }
            }
        }
    }
}

/// A root left nothing that is needed in its predecessor, and its own header is
/// lost, when it was committed to: the predecessor, which is still there, must
/// not pass for the newest.
pub fn a_lost_root_is_missed() {
    for geometry in media() {
        lose_each_root(geometry);
    }
}

fn lose_each_root(geometry: Geometry) {
    let mut bench = Bench::new(geometry, &[2000]);
    for _ in 0..3 {
        bench.run(&[append(0, b"some bytes"), append(0, b"and more")]);
        let newest = roots(&bench.sim, bench.layout().segment_size)[0];
        let mut sim = bench.sim.clone();
        sim.edit(|image| image[newest..newest + 40].fill(0));
        let tail = |mut sim: Sim| {
            open(&mut sim, Mode::ReadOnly, |store, _| {
                store.get_head_tail_and_capacity(0).map(|span| span.tail)
            })
        };
        match tail(sim) {
            Err(Error::LedgerLost { .. }) => {}
            lost => assert_eq!(lost, tail(bench.sim.clone())),
        }
    }
}

/// The same behind a power cut: at any unit while the ledger goes on in the next
/// segment, the link to it included, which cannot be written again.
pub fn a_lost_root_is_missed_after_any_cut() {
    for geometry in media() {
        let mut bench = Bench::new(geometry, &[2000]);
        let size = bench.layout().segment_size;
        let ops: Vec<_> = (0..2 * size / 100)
            .map(|i| match i % 4 {
                0 => append(0, b"appended"),
                _ => put(&[b'k', i as u8 % 5], &[i as u8; 80]),
            })
            .collect();
        let tape = bench.tape(&ops);
        let link = first_link(&tape, size).expect("the ledger goes on");
        let mut relinked = 0;
        for (what, sim, legal) in tape.cuts_between(link.saturating_sub(4), link + 4, 6) {
            let what = format!("{}, {what}", name(geometry));
            let mut next = bench.on(sim, &legal[0]);
            let before = roots(&next.sim, size).len();
            next.resume(&what, &legal, &[append(0, b"some bytes")]);
            let found = roots(&next.sim, size);
            relinked += u32::from(found.len() > before + 1);
            for lost in [40, size as usize] {
                let mut damaged = next.on(next.sim.clone(), &next.truth);
                let from = found[0];
                damaged
                    .sim
                    .edit(|image| image[from..from + lost].fill(0x55));
                match damaged.survey(Mode::ReadOnly) {
                    Ok((survey, _)) => assert!(survey.wrong.is_empty(), "{what}: {survey:?}"),
                    Err(Failure::Refused(_)) => {}
                    Err(other) => panic!("{what}, {lost} bytes lost: {other}"),
                }
            }
        }
        assert!(relinked > 0, "{}", name(geometry));
    }
}

/// The event that writes the first link of a ledger segment.
fn first_link(tape: &Tape, segment_size: u32) -> Option<usize> {
    let size = u64::from(segment_size);
    let mut events = tape.events.iter().skip(tape.from());
    let found = events.position(|event| match event {
        Event::Write { at, bytes } => at % size + bytes.len() as u64 >= size - 8,
        _ => false,
    });
    found.map(|found| found + tape.from())
}

/// Where the roots stand, the newest first.
fn roots(sim: &Sim, segment_size: u32) -> Vec<usize> {
    let image = sim.image();
    let size = segment_size as usize;
    let mut roots = header_sequences(sim, segment_size);
    roots.retain(|(segment, _)| image[*segment as usize * size + 5] >> 2 & 3 == 0);
    roots.sort_unstable_by_key(|(_, seq)| std::cmp::Reverse(*seq));
    let at = roots.iter().map(|(segment, _)| *segment as usize * size);
    at.collect()
}
