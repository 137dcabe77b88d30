//! What stands behind a place, and what it proves.

use super::unit;
use indelible::{Geometry, Mode, Report};
use indelible_tests::geometries::{flash, larger, memory, name};
use indelible_tests::schedules_support::{Bench, Placed, Tape, frames, noise, open, segments};
use indelible_tests::script::{Op, append, append_step, delete, put, put_step};
use indelible_tests::sim::Sim;
use indelible_tests::store::Survey;
use indelible_tests::subject::{Failure, Subject};

fn media() -> [Geometry; 3] {
    [memory(), flash(4), flash(32)]
}

/// 10. Whatever was committed behind a transaction seals it: a blank word in
/// it is damage from then on, and is not taken for a cut.
pub fn sealing_is_global() {
    for geometry in media() {
        let put_behind = put(b"b", b"behind");
        for behind in [put_behind, append(1, b"behind"), Op::Close] {
            blank_words_of_sealed_groups(geometry, &behind);
        }
        assert!(
            unsealed_blanks_read_as_torn(geometry),
            "{}: it takes a later commit to seal",
            name(geometry)
        );
    }
    two_flushes_seal_their_own_group();
}

fn spanning() -> Op {
    Op::Transaction(vec![
        append_step(0, b"bytes of the first log"),
        append_step(1, b"and of the second"),
        put_step(b"a", b"and a value of some length"),
    ])
}

/// A store with a spanning transaction, these operations behind it in the same
/// session, and the transaction's frames.
fn spanned(geometry: Geometry, behind: &[Op]) -> (Bench, Vec<Placed>) {
    let mut bench = Bench::new(geometry, &[300, 300]);
    bench.run(&[put(b"a", b"0"), put(b"z", b"0")]);
    bench.run(&[&[spanning()], behind].concat());
    let put = bench.newest_put(b"a");
    let mut group = frames(&bench.sim);
    group.retain(|frame| frame.segment == put.segment);
    let at = group.iter().position(|frame| *frame == put);
    let at = at.expect("the put");
    let end = group[at..].iter().position(|frame| frame.last);
    group.truncate(at + end.expect("the group's end") + 1);
    let from = group.iter().rposition(|frame| frame.first);
    let group = group.split_off(from.expect("the group's start"));
    assert!(group.len() >= 4, "{group:?}");
    (bench, group)
}

fn blank_words_of_sealed_groups(geometry: Geometry, behind: &Op) {
    let (bench, group) = spanned(geometry, core::slice::from_ref(behind));
    for (place, piece) in pieces(geometry, &bench.sim, &group) {
        let mut next = bench.clone();
        next.sim.edit(|image| image[piece].fill(geometry.blank));
        let what = format!("{}: {place} behind {behind:?}", name(geometry));
        let (survey, report) = next.survey(Mode::ReadOnly).expect("it starts");
        is_known_as_damage(&what, &survey, &report);
    }
}

fn is_known_as_damage(what: &str, survey: &Survey, report: &Report) {
    assert!(survey.wrong.is_empty(), "{what}: {survey:?}, {report:?}");
    assert!(report.torn.is_none(), "{what}: {report:?}");
    let told = report.damaged > 0 || report.healed_bits > 0 || !survey.named.is_empty();
    assert!(told, "{what}: {report:?}");
}

/// The words or units of frames that are not blank.
fn pieces(
    geometry: Geometry,
    sim: &Sim,
    frames: &[Placed],
) -> Vec<(String, core::ops::Range<usize>)> {
    let image = sim.image();
    let size = unit(geometry).max(4) as usize;
    let mut pieces = Vec::new();
    for frame in frames {
        for at in frame.range().step_by(size) {
            if image[at..at + size].iter().any(|b| *b != geometry.blank) {
                let place = format!("byte {} of the {}", at - frame.range().start, frame.kind);
                pieces.push((place, at..at + size));
            }
        }
    }
    pieces
}

/// What one flush cannot tell, as documented.
fn unsealed_blanks_read_as_torn(geometry: Geometry) -> bool {
    let (bench, group) = spanned(geometry, &[]);
    let mut torn = false;
    for (_, piece) in pieces(geometry, &bench.sim, &group) {
        let mut next = bench.clone();
        next.sim.edit(|image| image[piece].fill(geometry.blank));
        let (_, report) = next.survey(Mode::ReadOnly).expect("it starts");
        torn |= report.torn.is_some();
    }
    torn
}

fn two_flushes_seal_their_own_group() {
    let mut bench = Bench::new(memory(), &[300, 300]);
    bench.run(&[put(b"a", b"0")]);
    let done = open(&mut bench.sim, Mode::ReadWrite, |store, _| {
        store.set_two_flushes(true);
        store.tentatively_put(b"a", b"with two flushes")?;
        store.tentatively_put(b"b", b"too")?;
        store.commit()
    });
    done.expect("it starts").expect("it commits");
    let mut spec = indelible_tests::spec::Spec::of(bench.truth.clone());
    let steps = [put_step(b"a", b"with two flushes"), put_step(b"b", b"too")];
    for step in &steps {
        spec.tentatively(step).expect("a put is not refused");
    }
    spec.commit();
    bench.truth = spec.committed().clone();
    let all = frames(&bench.sim);
    let from = all
        .iter()
        .rposition(|frame| frame.first && frame.key == b"a");
    let group = &all[from.expect("the group")..];
    // All but the mark itself.
    let data = &group[..group.len() - 1];
    assert_eq!(group[group.len() - 1].kind, "commit");
    for (place, piece) in pieces(memory(), &bench.sim, data) {
        let mut next = bench.clone();
        next.sim.edit(|image| image[piece].fill(0));
        let (survey, report) = next.survey(Mode::ReadOnly).expect("it starts");
        is_known_as_damage(&place, &survey, &report);
    }
}

/// 11. Once anything is committed behind a root, losing the root is damage:
/// its predecessor, which lists segments that were erased since, is not
/// believed. Before that, it is all there is.
pub fn succession_and_self_certified_puts() {
    for geometry in media() {
        a_lost_root_is_damage(geometry);
        a_torn_root_costs_nothing(geometry);
    }
    a_link_may_be_half_there();
}

/// A transaction goes on in another segment; of the link to that, and of its
/// header, any words are missing.
fn a_link_may_be_half_there() {
    let mut bench = Bench::new(memory(), &[]);
    bench.run(&[put(b"k", b"before")]);
    let size = u64::from(bench.layout().segment_size);
    let large = (0..24).map(|i| put_step(&[b'b', i], &[i; 100])).collect();
    let tape = bench.tape(&[Op::Transaction(large)]);
    let mut links = 0;
    for epoch in tape.epochs() {
        let mut words = epoch.written.clone();
        words.retain(|at| at % size >= size - 24 || at % size < 40);
        links += usize::from(words.iter().any(|at| at % size >= size - 24));
        for subset in 0..1u32 << words.len().min(8) {
            let missing = |at: u64| {
                let rank = words.iter().position(|word| *word == at);
                rank.is_some_and(|rank| subset >> (rank % 8) & 1 == 1)
            };
            let sim = tape.cut_at(&epoch, |at| !missing(at));
            let what = format!("words {subset:08b} of link and header are missing");
            let mut next = bench.on(sim, tape.before());
            next.resume(&what, &tape.legal(epoch.flush), &[]);
            next.goes_on(&what);
        }
    }
    assert!(links > 0, "no link was written");
}

/// A store whose newest ledger segment is a root, with puts behind it.
fn ends_in_a_root(geometry: Geometry) -> (Bench, u32, Vec<Placed>) {
    for count in (3000..4000u32).step_by(20) {
        let mut bench = Bench::new(geometry, &[]);
        let ops: Vec<Op> = (0..count)
            .map(|i| put(&[b'k', (i % 7) as u8], &i.to_le_bytes()))
            .collect();
        bench.run(&ops);
        let (segment, row) = bench.newest_ledger();
        assert!(row.seq > 10, "{}: too few successions", name(geometry));
        let mut root = frames(&bench.sim);
        root.retain(|frame| frame.segment == segment);
        if root[0].kind == "checkpoint" && root.len() > 4 {
            return (bench, segment, root);
        }
    }
    panic!("{}: no root follows another", name(geometry));
}

fn a_lost_root_is_damage(geometry: Geometry) {
    let (bench, segment, root) = ends_in_a_root(geometry);
    let size = bench.layout().segment_size as usize;
    let start = segment as usize * size;
    let checkpoint = root[0].range();
    let header = start..start + 40;
    let whole = start..start + size;
    for range in [checkpoint.clone(), header.start..checkpoint.end, whole] {
        for content in [vec![geometry.blank; range.len()], noise(range.len(), 1)] {
            let mut next = bench.clone();
            next.sim
                .edit(|image| image[range.clone()].copy_from_slice(&content));
            let what = format!("{}: {range:?} of the root at {start}", name(geometry));
            match next.survey(Mode::ReadWrite) {
                Err(Failure::Refused(why)) => assert!(why.contains("ledger"), "{what}: {why}"),
                Err(other) => panic!("{what}: {other}"),
                Ok((survey, report)) => {
                    assert!(survey.wrong.is_empty(), "{what}: {survey:?} {report:?}");
                    assert!(report.damaged > 0, "{what}: {report:?}");
                }
            }
        }
    }
}

fn a_torn_root_costs_nothing(geometry: Geometry) {
    let mut bench = Bench::new(geometry, &[]);
    let ops: Vec<Op> = (0..60u8).map(|i| put(&[b'k', i % 7], &[i; 9])).collect();
    bench.run(&ops);
    // An unclean start writes a root.
    bench.sim.rig_mut().start_journal();
    let before = bench.sim.clone();
    let truth = bench.truth.clone();
    let tape = bench.tape(&[put(b"k", b"behind the root")]);
    let start = Tape {
        origin: before,
        events: tape.events[..tape.from()].to_vec(),
        marks: vec![(0, truth.clone())],
    };
    let mut torn = 0;
    for (what, sim, legal) in start.cuts(96) {
        let what = format!("{}: {what}", name(geometry));
        let mut next = bench.on(sim, &truth);
        let report = next.resume(&what, &legal, &[]);
        torn += report.torn_successions;
        next.goes_on(&what);
    }
    assert!(torn > 0, "{}: no root was torn", name(geometry));
}

/// 12. Blank or wrong, a frame costs itself and what may have been older: all
/// that stands behind it is found, and bytes that look like frames, but were
/// another store's or stood elsewhere, are not.
pub fn a_bad_frame_does_not_end_the_scan() {
    for geometry in media() {
        what_follows_a_bad_frame_is_found(geometry);
        images_of_stores_are_no_frames(geometry);
    }
}

fn what_follows_a_bad_frame_is_found(geometry: Geometry) {
    let geometry = larger(geometry, 2);
    let mut bench = Bench::new(geometry, &[]);
    let key = |i: u8| [b'k', i];
    let mut ops: Vec<Op> = (0..60).map(|i| put(&key(i), &[i; 20])).collect();
    ops.push(Op::Close);
    bench.run(&ops);
    let rows = segments(&bench.sim);
    let mut puts = frames(&bench.sim);
    puts.retain(|frame| frame.kind == "put");
    puts.sort_by_key(|frame| (rows[frame.segment as usize].seq, frame.at));
    assert_eq!(puts.len(), 60, "{}", name(geometry));
    for (i, frame) in puts.iter().enumerate().step_by(7) {
        let len = frame.len as usize;
        for content in [vec![geometry.blank; len], noise(len, 3)] {
            let mut next = bench.clone();
            next.sim
                .edit(|image| image[frame.range()].copy_from_slice(&content));
            let what = format!("{}: {frame:?}", name(geometry));
            let (survey, report) = next.survey(Mode::ReadWrite).expect("it starts");
            assert!(survey.wrong.is_empty(), "{what}: {survey:?}");
            assert!(report.damaged > 0, "{what}: {report:?}");
            for later in &puts[i + 1..] {
                reads(&mut next, later, &what);
            }
        }
    }
}

/// A record behind the damage is served as it is.
fn reads(bench: &mut Bench, frame: &Placed, what: &str) {
    let expected = bench.truth.items[&frame.key].value.clone();
    let mut buffer = vec![0; expected.len()];
    let read = open(&mut bench.sim, Mode::ReadOnly, |store, _| {
        store.get(&frame.key, &mut buffer)
    });
    let read = read.expect("it starts");
    assert_eq!(read, Ok(Some(expected.len())), "{what}: {:?}", frame.key);
    assert_eq!(buffer, expected, "{what}");
}

fn images_of_stores_are_no_frames(geometry: Geometry) {
    let size = unit(geometry) as usize;
    // From the same store, at another offset.
    let mut bench = Bench::new(geometry, &[]);
    bench.run(&[put(b"ghost", b"of the past")]);
    let ghost = bench.newest_put(b"ghost");
    let image = bench.sim.image()[ghost.range()].to_vec();
    bench.run(&[delete(b"ghost")]);
    holds_an_image(&bench, &image, 2 * size.max(16));
    // From a store of another nonce, with the same sequence and offset.
    let bench = Bench::new(geometry, &[]);
    let mut twin = bench.clone();
    twin.sim = Sim::new(geometry);
    twin.real.setup(&mut twin.sim).expect("a twin is set up");
    twin.run(&[put(b"filler", &[0x5A; 40]), put(b"ghost", b"of another")]);
    let filler = twin.newest_put(b"filler");
    let ghost = twin.newest_put(b"ghost");
    assert_eq!(filler.range().end, ghost.range().start);
    let image = twin.sim.image()[ghost.range()].to_vec();
    holds_an_image(&bench, &image, filler.len as usize);
}

/// Keeps a frame in a value, `at` bytes behind the start of the frame that
/// holds it, and damages the head of the latter.
fn holds_an_image(bench: &Bench, ghost: &[u8], at: usize) {
    let geometry = bench.sim.rig().geometry();
    let mut next = bench.clone();
    let lead = vec![0x5A; at - 4 - b"outer".len()];
    let value = [&lead, ghost, &[0x5A; 8]].concat();
    next.run(&[put(b"outer", &value), put(b"later", b"1"), Op::Close]);
    let outer = next.newest_put(b"outer").range();
    assert_eq!(next.sim.image()[outer.start + at..][..ghost.len()], *ghost);
    next.sim.edit(|image| {
        let head = &mut image[outer.start..outer.start + 4];
        head.copy_from_slice(&noise(4, 9));
    });
    let what = format!("{}: an image at {at} of {outer:?}", name(geometry));
    let (survey, report) = next.survey(Mode::ReadWrite).expect("it starts");
    assert!(survey.wrong.is_empty(), "{what}: {survey:?}");
    assert!(report.damaged > 0, "{what}: {report:?}");
    // Nor is it there once nothing is withheld any more.
    let there = open(&mut next.sim, Mode::ReadWrite, |store, _| {
        store.accept_damage()?;
        store.contains(b"ghost")
    });
    let there = there.expect("it starts");
    assert_eq!(there, Ok(false), "{what}: a ghost");
}
