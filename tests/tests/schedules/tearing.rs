//! Torn or corrupt: what a cut left, and what decay did.

use indelible::{Geometry, Mode, Report};
use indelible_tests::geometries::{WRITE_UNITS, flash, memory, name};
use indelible_tests::schedules_support::{Bench, Tape, Unit, flip, frames, noise, segments};
use indelible_tests::script::{Op, append, append_step, put, put_step};
use indelible_tests::seed::mix;
use indelible_tests::sim::Sim;
use indelible_tests::spec::Contents;
use indelible_tests::store::Survey;

/// 2. A torn last unit is never taken for damage, however long the record and
/// whichever of its bits arrived; damage to it is never taken for torn.
pub fn flash_tells_torn_from_corrupt() {
    for write_unit in WRITE_UNITS {
        let geometry = Geometry {
            capacity: 12 * 8192,
            erase_unit: 8192,
            ..flash(write_unit)
        };
        for len in [0, 3, 20, 52, 200, 900] {
            torn_is_never_corrupt(geometry, len);
            corrupt_is_never_torn(geometry, len);
        }
    }
}

fn put_on(geometry: Geometry, len: usize) -> Tape {
    let mut bench = Bench::new(geometry, &[]);
    bench.run(&[put(b"k", b"before")]);
    bench.tape(&[put(b"k", &noise(len, len as u64))])
}

/// How many units the put's frame takes.
fn in_frame(tape: &Tape) -> usize {
    let units = tape.units();
    let segment = |unit: &Unit| unit.at / 8192;
    let last = &units[units.len() - 1];
    let there = units.iter().filter(|unit| segment(unit) == segment(last));
    there.count()
}

fn programmed_bits(unit: &Unit) -> Vec<usize> {
    let bits = 0..unit.bytes.len() * 8;
    bits.filter(|bit| unit.bytes[bit / 8] >> (bit % 8) & 1 == 0)
        .collect()
}

fn torn_is_never_corrupt(geometry: Geometry, len: usize) {
    let tape = put_on(geometry, len);
    let bench = Bench::new(geometry, &[]);
    let units = tape.units();
    let last = units.last().expect("the put programmed something");
    let bits = programmed_bits(last);
    let judge = |what: String, content: &[u8]| {
        let mut next = bench.on(tape.tear(last, content), tape.before());
        let legal = tape.legal(last.event);
        let report = next.resume(&what, &legal, &[]);
        let undone = next.truth == *tape.before();
        // One bit with nothing else programmed is noise in blank space.
        let bits: u32 = content.iter().map(|byte| byte.count_zeros()).sum();
        let noise = bits <= 1 && in_frame(&tape) == 1;
        assert_eq!(
            report.torn.is_some(),
            undone && !noise,
            "{what}: {report:?}"
        );
    };
    let with = |arrived: &dyn Fn(usize) -> bool| {
        let mut content = vec![0xFF; last.bytes.len()];
        for (rank, bit) in bits.iter().enumerate() {
            if arrived(rank) {
                content[bit / 8] &= !(1 << (bit % 8));
            }
        }
        content
    };
    let place = format!("{}, {len} bytes", name(geometry));
    let stride = bits.len().div_ceil(48).max(1);
    for i in (0..bits.len()).step_by(stride) {
        judge(
            format!("{place}: all but bit {i}"),
            &with(&|rank| rank != i),
        );
        judge(format!("{place}: bit {i} alone"), &with(&|rank| rank == i));
        judge(format!("{place}: below bit {i}"), &with(&|rank| rank < i));
        judge(format!("{place}: from bit {i}"), &with(&|rank| rank >= i));
    }
    for sample in 0..24u64 {
        let mut rng = fastrand::Rng::with_seed(mix(&[sample, len as u64]));
        let likely = [64, 128, 192, 245][sample as usize % 4];
        let arrived: Vec<bool> = bits.iter().map(|_| rng.u8(..) < likely).collect();
        judge(
            format!("{place}: sample {sample}"),
            &with(&|rank| arrived[rank]),
        );
    }
    // Cuts within the units before it.
    for (what, sim, legal) in tape.cuts(4) {
        bench.on(sim, tape.before()).resume(&what, &legal, &[]);
    }
}

/// Bits that no cut can change as they are found: one too many is healed, two
/// too many, or as many too many as too few, are damage.
fn corrupt_is_never_torn(geometry: Geometry, len: usize) {
    let tape = put_on(geometry, len);
    let mut bench = Bench::new(geometry, &[]).on(tape.until(tape.events.len()), tape.after());
    let units = tape.units();
    let last = units.last().expect("the put programmed something");
    let bits = last.bytes.len() * 8;
    let (set, clear): (Vec<usize>, Vec<usize>) =
        (0..bits).partition(|bit| last.bytes[bit / 8] >> (bit % 8) & 1 == 0);
    // Of a frame in one unit, the first word is what says how long it is: more
    // than a flip of it leaves nothing to tell.
    let first = if in_frame(&tape) == 1 { 32 } else { 0 };
    let covered = |bit: &usize| (first..bits - uncovered_bits(&tape)).contains(bit);
    let address = |bit: usize| last.at * 8 + bit as u64;
    let place = format!("{}, {len} bytes", name(geometry));
    for bit in clear.iter().step_by(clear.len().div_ceil(16).max(1)) {
        let mut next = bench.clone();
        flip(&mut next.sim, &[address(*bit)]);
        let what = format!("{place}: bit {bit} too many");
        let report = next.resume(&what, &[tape.after().clone()], &[]);
        assert!(report.torn.is_none(), "{what}: {report:?}");
        let told = report.healed_bits > 0 || *bit >= bits - uncovered_bits(&tape);
        assert!(told, "{what}: {report:?}");
    }
    let lost: Vec<usize> = set.into_iter().filter(&covered).collect();
    let gained: Vec<usize> = clear.into_iter().filter(&covered).collect();
    for i in 0..12 {
        let mut rng = fastrand::Rng::with_seed(i);
        let (Some(one), Some(other)) = (rng.choice(&gained), rng.choice(&gained)) else {
            continue;
        };
        if one != other {
            is_damage(&mut bench, &place, &[address(*one), address(*other)]);
        }
        if let Some(lost) = rng.choice(&lost) {
            is_damage(&mut bench, &place, &[address(*lost), address(*one)]);
        }
    }
}

/// Bits at the end of the put's last unit that its sum does not cover: the
/// count, and what stands between it and the sum.
fn uncovered_bits(tape: &Tape) -> usize {
    let unit = tape.origin.rig().geometry().write_unit as usize;
    match unit {
        _ if in_frame(tape) * unit > 120 => 32.min(unit * 8),
        1 => 3,
        2 => 4,
        4 => 5,
        _ => 32,
    }
}

fn is_damage(bench: &mut Bench, place: &str, bits: &[u64]) {
    let mut next = bench.clone();
    flip(&mut next.sim, bits);
    let (survey, report) = next.survey(Mode::ReadOnly).expect("it starts");
    assert!(survey.wrong.is_empty(), "{place}: {bits:?}: {survey:?}");
    assert!(report.torn.is_none(), "{place}: {bits:?}: {report:?}");
    assert!(report.damaged > 0, "{place}: {bits:?}: {report:?}");
}

/// 4. On unordered media a flip that blanks a word is healed, not taken for a
/// cut; two blank words are a cut, and a wrong word that is not blank is
/// damage.
pub fn one_flip_is_not_judged_as_torn() {
    for op in nearly_blank() {
        let mut bench = Bench::new(memory(), &[300, 300]);
        bench.run(&[put(b"1234", b"before"), append(0, b"eight or")]);
        let tape = bench.tape(&[op]);
        every_flip_is_healed(&bench, &tape);
        missing_words_are_torn(&bench, &tape);
        wrong_words_are_damage(&bench, &tape);
    }
    words_of_frames_stay_away_from_blank();
}

/// Commits that hold words one bit away from blank.
fn nearly_blank() -> Vec<Op> {
    // Behind a key of four bytes the value starts on a word.
    let mut words = [0u8; 40];
    for (i, byte) in words.iter_mut().enumerate().step_by(8) {
        *byte = 1 << (i / 8);
    }
    let steps = vec![put_step(b"5678", &words), append_step(1, &words)];
    vec![
        put(b"1234", &words),
        append(0, &words),
        Op::Transaction(steps),
    ]
}

fn written(tape: &Tape) -> Vec<u64> {
    let mut words = tape.last_epoch().written;
    words.sort_unstable();
    words.dedup();
    words
}

fn every_flip_is_healed(bench: &Bench, tape: &Tape) {
    let mut blanked = 0;
    for word in written(tape) {
        for bit in 0..64 {
            let mut next = bench.clone();
            flip(&mut next.sim, &[word * 8 + bit]);
            let image = next.sim.image();
            let now = &image[word as usize..word as usize + 8];
            blanked += usize::from(now == [0; 8]);
            let what = format!("bit {bit} of the word at {word}");
            let report = next.resume(&what, &[tape.after().clone()], &[]);
            assert!(report.torn.is_none(), "{what}: {report:?}");
            // A flip of the mark behind a blank count changes no meaning.
            next.goes_on(&what);
        }
    }
    assert!(blanked > 0, "no flip blanked a word");
}

fn missing_words_are_torn(bench: &Bench, tape: &Tape) {
    let epoch = tape.last_epoch();
    let words = written(tape);
    for (i, one) in words.iter().enumerate() {
        for other in &words[i..] {
            let sim = tape.cut_at(&epoch, |at| at != *one && at != *other);
            let what = format!("the words at {one} and {other} are missing");
            let mut next = bench.on(sim, tape.before());
            let report = next.resume(&what, &tape.legal(epoch.flush), &[]);
            let undone = next.truth == *tape.before();
            assert_eq!(report.torn.is_some(), undone, "{what}: {report:?}");
        }
    }
}

/// Where the link of a ledger segment of 2 KiB can be.
const LINK_AT: u64 = 2048 - 32;

fn wrong_words_are_damage(bench: &Bench, tape: &Tape) {
    let image = bench.sim.image();
    for word in written(tape) {
        let now = &image[word as usize..word as usize + 8];
        let ones: u32 = now.iter().map(|byte| byte.count_ones()).sum();
        // A segment's header and the link to a root say nothing of their own.
        let aside = word % 2048 < 40 || word % 2048 >= LINK_AT;
        if ones < 3 || aside {
            continue;
        }
        let mut next = bench.clone();
        flip(&mut next.sim, &[word * 8 + 3, word * 8 + 20]);
        let what = format!("two bits of the word at {word}");
        let (survey, report) = next.survey(Mode::ReadOnly).expect("it starts");
        assert!(survey.wrong.is_empty(), "{what}: {survey:?}, {report:?}");
        assert!(report.torn.is_none(), "{what}: {report:?}");
        let told = report.damaged > 0 || !survey.named.is_empty();
        assert!(told, "{what}: {report:?}");
    }
}

/// What says whether something was written at all is no bit away from blank,
/// nor two or three.
fn words_of_frames_stay_away_from_blank() {
    let mut bench = Bench::new(memory(), &[300]);
    let steps = vec![put_step(b"a", b""), append_step(0, b"x")];
    bench.run(&[
        put(b"a", &[0; 16]),
        Op::Aborted(vec![put_step(b"b", b"")]),
        Op::Transaction(steps),
        Op::Close,
    ]);
    let image = bench.sim.image();
    for frame in frames(&bench.sim) {
        let bytes = &image[frame.range()];
        let ones = |part: &[u8]| part.iter().map(|b| b.count_ones()).sum::<u32>();
        assert!(ones(&bytes[..4]) >= 4, "{frame:?}");
        assert!(ones(&bytes[bytes.len() - 8..]) >= 4, "{frame:?}");
    }
}

/// 15. A commit is whole while the header of a segment that it opened is not.
pub fn a_new_segments_header_may_be_half_there() {
    for (what, prelude, op) in openings() {
        let mut bench = Bench::new(memory(), &[4000]);
        bench.run(&prelude);
        let tape = bench.tape(&[op]);
        half_headers(&bench, &tape, what);
    }
    lost_headers_cost_nothing();
}

/// Operations that open a segment of a log, or of the ledger.
fn openings() -> Vec<(&'static str, Vec<Op>, Op)> {
    let large = (0..20).map(|i| put_step(&[b'b', i], &[i; 100])).collect();
    vec![
        ("a log's first segment", vec![], append(0, b"first bytes")),
        (
            "a log's second segment",
            vec![append(0, &[1; 1980])],
            append(0, &[2; 60]),
        ),
        ("the next ledger segment", vec![], Op::Transaction(large)),
    ]
}

fn half_headers(bench: &Bench, tape: &Tape, what: &str) {
    let size = u64::from(bench.layout().segment_size);
    let mut opened = 0;
    for epoch in tape.epochs() {
        let header = epoch.written.iter().copied();
        let header: Vec<u64> = header.filter(|at| at % size < 40).collect();
        if header.len() < 5 {
            continue;
        }
        opened += 1;
        for subset in 0..32u32 {
            let missing = |at: u64| {
                let rank = header.iter().position(|word| *word == at);
                rank.is_some_and(|rank| subset >> (rank % 5) & 1 == 1)
            };
            let sim = tape.cut_at(&epoch, |at| !missing(at));
            let what = format!("{what}, header words {subset:05b} missing");
            let mut next = bench.on(sim, tape.before());
            next.resume(&what, &tape.legal(epoch.flush), &[append(0, b"more")]);
            next.goes_on(&what);
        }
    }
    assert!(opened > 0, "{what}: no header was written");
}

/// A header proves nothing that is not said elsewhere, but for a root's, which
/// is missed.
fn lost_headers_cost_nothing() {
    for geometry in [memory(), flash(4)] {
        let mut bench = Bench::new(geometry, &[4000]);
        let large = (0..20).map(|i| put_step(&[b'b', i], &[i; 100])).collect();
        bench.run(&[append(0, &[1; 1980]), put(b"k", b"v"), append(0, &[2; 50])]);
        bench.run(&[put(b"l", b"w"), Op::Transaction(large), Op::Close]);
        let size = bench.layout().segment_size as usize;
        let all = frames(&bench.sim);
        let is_root = |segment: usize| {
            let first = all.iter().find(|f| f.segment as usize == segment);
            first.is_some_and(|frame| frame.kind == "checkpoint")
        };
        let mut count = 0;
        for (segment, row) in segments(&bench.sim).iter().enumerate() {
            if row.seq == 0 || is_root(segment) {
                continue;
            }
            count += 1;
            for content in [vec![geometry.blank; 40], noise(40, 7)] {
                let mut next = bench.clone();
                next.sim.edit(|image| {
                    image[segment * size..segment * size + 40].copy_from_slice(&content);
                });
                let what = format!("{}: header of {row:?}", name(geometry));
                next.resume(&what, &[bench.truth.clone()], &[append(0, b"more")]);
                next.goes_on(&what);
            }
        }
        assert!(count >= 3, "{}: {count} segments", name(geometry));
    }
}

/// 22. The newest group is cut and a bit of it flips: which it was cannot be
/// told, but it is said that something was lost, and nothing else is touched.
pub fn a_crash_and_a_flip_together_are_contained() {
    crash_and_flip_on_memory();
    for write_unit in [1, 4, 8, 32] {
        crash_and_flip_on_flash(flash(write_unit));
    }
}

fn newest() -> Op {
    let value: Vec<u8> = (1..60).collect();
    Op::Transaction(vec![
        put_step(b"k", &value),
        append_step(0, &value),
        put_step(b"new", b"x"),
    ])
}

fn older() -> [Op; 3] {
    [put(b"k", b"old"), put(b"other", b"1"), append(0, b"some")]
}

fn crash_and_flip_on_memory() {
    let mut bench = Bench::new(memory(), &[300]);
    bench.run(&older());
    let tape = bench.tape(&[newest()]);
    let epoch = tape.last_epoch();
    let words = written(&tape);
    for missing in &words {
        for flipped in words.iter().filter(|word| *word != missing) {
            let mut sim = tape.cut_at(&epoch, |at| at != *missing);
            let bit = flipped * 8 + mix(&[*missing, *flipped]) % 64;
            flip(&mut sim, &[bit]);
            let what = format!("the word at {missing} is missing, bit {bit} flipped");
            contained(&bench, sim, &tape, &what);
        }
    }
}

fn crash_and_flip_on_flash(geometry: Geometry) {
    let mut bench = Bench::new(geometry, &[300]);
    bench.run(&older());
    let tape = bench.tape(&[newest()]);
    let mut units = tape.units();
    // The link to the root before says nothing of the group.
    units.retain(|unit| unit.at % 2048 < LINK_AT);
    for (i, unit) in units.iter().enumerate().skip(1) {
        let mut half = unit.bytes.clone();
        half[0] = 0xFF;
        for earlier in units[..i].iter().step_by(i.div_ceil(6)) {
            let mut sim = tape.tear(unit, &half);
            let bits = earlier.bytes.len() as u64 * 8;
            let bit = earlier.at * 8 + mix(&[unit.at, earlier.at]) % bits;
            flip(&mut sim, &[bit]);
            let place = name(geometry);
            let what = format!(
                "{place}: the unit at {} is torn, bit {bit} flipped",
                unit.at
            );
            contained(&bench, sim, &tape, &what);
        }
    }
}

fn contained(bench: &Bench, sim: Sim, tape: &Tape, what: &str) {
    let as_before = |truth: &Contents| -> (Survey, Report) {
        let mut next = bench.on(sim.clone(), truth);
        next.survey(Mode::ReadOnly).expect("it starts")
    };
    let (survey, report) = as_before(tape.before());
    let told = report.torn.is_some() || report.damaged > 0;
    let right = survey.wrong.is_empty() && told || as_before(tape.after()).0.wrong.is_empty();
    assert!(right, "{what}: {survey:?}, {report:?}");
    // It takes writes, and they stay.
    let mut next = bench.on(sim.clone(), tape.before());
    for value in [b"newer", b"older"] {
        next.write_through(what, b"k", value);
    }
}
