//! Full stores, old stores, used up numbers, media that end.

use super::media;
use indelible::checksum::crc32c;
use indelible::{Config, Error, Geometry, Layout, Mode};
use indelible_tests::explorer::{Bounds, explore_setup};
use indelible_tests::geometries::{all, flash, memory, name};
use indelible_tests::schedules_support::{Bench, open, segments};
use indelible_tests::script::{Op, Workload, append, put};
use indelible_tests::sim::{Operation, Sim};
use indelible_tests::spec::Contents;
use indelible_tests::store::Real;
use indelible_tests::subject::Subject;

/// 16. A store that is full says so by name; whatever makes room still works,
/// through restarts, and then everything does.
pub fn a_full_store_does_not_deadlock() {
    for geometry in all() {
        for len in [0, 60, 110] {
            for tidy in [false, true] {
                full_and_emptied(geometry, len, tidy);
            }
        }
        full_and_restarted(geometry);
    }
}

/// Fills keys and log until both refuse.
fn fill(bench: &mut Bench, len: usize) -> Vec<Vec<u8>> {
    let filled = open(&mut bench.sim, Mode::ReadWrite, |store, _| {
        let mut keys = Vec::new();
        for i in 0..1000u32 {
            let key = i.to_le_bytes().to_vec();
            match store.put(&key, &vec![7; len]) {
                Ok(()) => keys.push(key),
                Err(Error::Full { needed, available }) => {
                    assert!(needed > 0 && available < needed);
                    break;
                }
                Err(other) => panic!("{other}"),
            }
        }
        loop {
            match store.append(0, &[9; 50]) {
                Ok(_) => {}
                Err(Error::LogFull {
                    log,
                    needed,
                    available,
                }) => {
                    assert!(log == 0 && needed == 50 && available < 50);
                    return keys;
                }
                Err(other) => panic!("with {} keys: {other}, {:?}", keys.len(), store.stats()),
            }
        }
    });
    let keys = filled.expect("it starts");
    assert!(keys.len() > 5, "only {} keys fit", keys.len());
    keys
}

fn full_and_emptied(geometry: Geometry, len: usize, tidy: bool) {
    let what = format!("{}, values of {len}, tidied {tidy}", name(geometry));
    let mut bench = Bench::new(geometry, &[500]);
    let keys = fill(&mut bench, len);
    if tidy {
        let tidied = maintained(&mut bench);
        assert!(!tidied.more, "{what}: it never ends: {tidied:?}");
    }
    // Some in each session, each left as by a killed process.
    for some in keys.chunks(keys.len().div_ceil(4)) {
        let done = open(&mut bench.sim, Mode::ReadWrite, |store, _| {
            for key in some {
                store.delete(key)?;
            }
            let head = store.get_head_tail_and_capacity(0)?.head;
            store.advance_head(0, head + 100)?;
            store.append(0, &[1; 100]).map(drop)
        });
        assert_eq!(done.expect("it starts"), Ok(()), "{what}");
    }
    let tidied = maintained(&mut bench);
    let again = fill(&mut bench, len).len();
    let most = keys.len();
    assert!(
        again * 20 >= most * 19,
        "{what}: {again} of {most} fit again, {tidied:?}"
    );
}

fn maintained(bench: &mut Bench) -> indelible::Maintained {
    let done = open(&mut bench.sim, Mode::ReadWrite, |store, _| {
        store.maintain(5000)
    });
    done.expect("it starts").expect("it maintains")
}

/// Power goes again and again and nothing is written: nothing is used up.
fn full_and_restarted(geometry: Geometry) {
    let what = name(geometry);
    let mut bench = Bench::new(geometry, &[500]);
    let keys = fill(&mut bench, 60);
    for round in 0..30 {
        let started = open(&mut bench.sim, Mode::ReadWrite, |store, _| store.len());
        assert_eq!(started, Ok(keys.len() as u64), "{what}, round {round}");
    }
    let done = open(&mut bench.sim, Mode::ReadWrite, |store, _| {
        // Their deletes take room too, for the time being.
        store.delete(&keys[0])?;
        store.delete(&keys[1])?;
        store.put(&keys[0], &[8; 60])
    });
    assert_eq!(done.expect("it starts"), Ok(()), "{what}");
}

/// 17. An old store, with the same id and higher sequences, is gone once a new
/// one is set up, whatever of it survives.
pub fn setup_over_an_old_store_with_the_same_id() {
    for geometry in media() {
        let mut bench = Bench::new(geometry, &[]);
        let ops: Vec<Op> = (0..200u8).map(|i| put(&[b'k', i % 5], &[i; 60])).collect();
        bench.run(&ops);
        let old = bench.sim.image();
        let size = bench.layout().segment_size as usize;
        bench
            .real
            .setup(&mut bench.sim)
            .expect("it is set up again");
        bench.truth = Contents::empty(0);
        let what = name(geometry);
        let new = bench.sim.image();
        for (i, segment) in new.chunks(size).enumerate().skip(1) {
            let blank = segment.iter().all(|byte| *byte == geometry.blank);
            assert!(blank, "{what}: segment {i} holds something");
        }
        // An erase that did nothing: all of the old store but one segment.
        let revived = [&new[..size], &old[size..]].concat();
        let mut haunted = bench.on(Sim::with_image(geometry, &revived), &bench.truth);
        haunted.run(&[]);
        haunted.run(&ops);
        haunted.goes_on(&what);
        bench.run(&ops);
    }
    for geometry in [memory(), flash(4)] {
        let ops = (0..30u8).map(|i| put(&[b'k', i % 5], &[i; 60])).collect();
        let workload = Workload::new("an old store", ops);
        let mut bounds = Bounds::quick();
        bounds.patterns = 24;
        let explored = explore_setup(&Real::new(&[]), &workload, geometry, bounds, true);
        explored.unwrap_or_else(|found| panic!("{found}"));
    }
}

/// 20. Sequences end with an error, and with nothing lost.
pub fn sequences_never_wrap() {
    for geometry in media() {
        let mut bench = Bench::new(geometry, &[]);
        let what = name(geometry);
        bench.run(&[put(b"k", b"v"), put(b"l", b"w"), Op::Close]);
        nearly_used_up(&mut bench, u32::MAX - 4);
        let mut last = b"v".to_vec();
        let refused = open(&mut bench.sim, Mode::ReadWrite, |store, _| {
            for i in 0..400u32 {
                let value = i.to_le_bytes().repeat(15);
                match store.put(b"k", &value) {
                    Ok(()) => last = value,
                    Err(error) => return Some((error, i)),
                }
            }
            None
        });
        let (error, count) = refused.expect("it starts").expect("an end");
        assert_eq!(error, Error::SequenceExhausted, "{what}");
        assert!(count > 5, "{what}: only {count} puts");
        let mut values = Vec::new();
        for key in [&b"k"[..], b"l"] {
            let read = open(&mut bench.sim, Mode::ReadOnly, |store, _| {
                let mut buffer = vec![0; 100];
                let len = store.get(key, &mut buffer)?;
                Ok::<_, Error<_>>(len.map(|len| buffer[..len].to_vec()))
            });
            values.push(read.expect("it is read").expect("it is whole"));
        }
        assert_eq!(values, [Some(last), Some(b"w".to_vec())], "{what}");
        // Nothing wraps later either.
        let again = open(&mut bench.sim, Mode::ReadWrite, |store, _| {
            store.put(b"k", b"")
        });
        let again = again.and_then(|put| put);
        assert_eq!(again, Err(Error::SequenceExhausted), "{what}");
    }
}

/// Puts a header of this sequence into a free segment, as if one had been
/// opened and given up.
fn nearly_used_up(bench: &mut Bench, seq: u32) {
    let size = bench.layout().segment_size as usize;
    let free = segments(&bench.sim).iter().rposition(|row| row.seq == 0);
    let free = free.expect("a free segment");
    let mut image = bench.sim.image();
    let header = image
        .chunks(size)
        .find(|segment| segment.starts_with(b"iNDL"));
    let mut header = header.expect("a header")[..40].to_vec();
    // A log's: bits 2 and 3 of the flags.
    header[5] |= 3 << 2;
    header[12..16].copy_from_slice(&seq.to_le_bytes());
    header[32..36].copy_from_slice(&(free as u32).to_le_bytes());
    let sum = !crc32c(u32::MAX, &header[..36]);
    header[36..40].copy_from_slice(&sum.to_le_bytes());
    image[free * size..free * size + 40].copy_from_slice(&header);
    bench.sim = Sim::with_image(bench.sim.rig().geometry(), &image);
}

/// 21. Files are allocated at creation, which is their target's part. The
/// core's: it asks for nothing that was not there at setup, it says what is
/// missing of a medium that was cut, and a medium that fails a write for want
/// of space loses nothing.
pub fn space_is_taken_at_creation() {
    for geometry in media() {
        too_small_is_refused(geometry);
        a_shorter_medium_is_refused(geometry);
        a_write_without_space_loses_nothing(geometry);
    }
}

fn too_small_is_refused(geometry: Geometry) {
    let config = Config {
        id: 1,
        nonce: 2,
        segment_size: None,
        logs: &[300],
    };
    let least = Layout::minimum(geometry, &config);
    let with = |capacity| {
        Layout::plan(
            Geometry {
                capacity,
                ..geometry
            },
            &config,
        )
    };
    assert!(with(least).is_ok(), "{}", name(geometry));
    let refused = with(least - u64::from(geometry.erase_unit));
    let sizes = matches!(refused, Err(indelible::GeometryError::Capacity { found, min })
        if found < min && min == least);
    assert!(sizes, "{}: {refused:?}", name(geometry));
}

fn a_shorter_medium_is_refused(geometry: Geometry) {
    let mut bench = Bench::new(geometry, &[]);
    bench.run(&[put(b"k", b"v"), Op::Close]);
    let capacity = geometry.capacity - u64::from(geometry.erase_unit);
    let shorter = Geometry {
        capacity,
        ..geometry
    };
    let image = bench.sim.image();
    let mut sim = Sim::with_image(shorter, &image[..capacity as usize]);
    let refused = open(&mut sim, Mode::ReadWrite, |_, _| ());
    let expected = Error::MediumTooSmall {
        found: capacity,
        needed: geometry.capacity,
    };
    assert_eq!(refused, Err(expected), "{}", name(geometry));
}

fn a_write_without_space_loses_nothing(geometry: Geometry) {
    let mut bench = Bench::new(geometry, &[300]);
    bench.run(&[put(b"k", b"v"), append(0, b"some")]);
    let ops: Vec<Op> = (0..25u8)
        .flat_map(|i| [put(&[b'k', i], &[i; 70]), append(0, &[i; 9])])
        .collect();
    for nth in (0..120).step_by(5) {
        let mut next = bench.clone();
        let mut contents = vec![next.truth.clone()];
        let mut spec = indelible_tests::spec::Spec::of(next.truth.clone());
        let failed = next.real.session(&mut next.sim, &mut |store, _| {
            store.sim().rig().fail_nth(Operation::Write, nth);
            for op in &ops {
                for step in op.steps() {
                    spec.tentatively(step).expect("not refused");
                }
                spec.commit();
                contents.push(spec.committed().clone());
                store.apply(op)?;
                contents.remove(0);
            }
            Ok(indelible_tests::subject::Leave::Drop)
        });
        let what = format!("{}: write {nth} fails", name(geometry));
        if failed.is_ok() {
            assert!(nth > 50, "{what}");
            break;
        }
        next.resume(&what, &contents, &[]);
        next.goes_on(&what);
    }
}
