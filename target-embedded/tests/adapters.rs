//! Reads of any place and length, partitions, sharing, byte-writable memory.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod common;

use common::{Chip, ChipError, Contents, Room, apply, config, contents, open, seed, workload};
use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use indelible::{Medium, setup};
use indelible_embedded::{Error, Misfit, Nor, Nvm, RamStorage, Shared};

/// Reads everywhere in every short length and says what the driver says.
fn reads<const READ: usize, const WRITE: usize, const ERASE: usize>() {
    let mut rng = fastrand::Rng::with_seed(seed());
    let mut chip = Chip::<READ, WRITE, ERASE>::new(8192, 1);
    let bytes: Vec<u8> = (0..8192).map(|_| rng.u8(..)).collect();
    chip.write(0, &bytes).unwrap();
    let medium = Nor::partition(chip, 2048..6144).unwrap();
    let inside = &bytes[2048..6144];
    for len in (0..70).chain([511, 512, 513, 1000, 1537]) {
        for _ in 0..40 {
            let at = rng.usize(..=inside.len() - len);
            let mut buf = vec![0; len];
            medium.read(at as u64, &mut buf).unwrap();
            assert_eq!(
                buf,
                inside[at..at + len],
                "read size {READ}, {len} from {at}"
            );
        }
    }
    let refused = medium.read(4090, &mut [0; 7]);
    assert_eq!(
        refused,
        Err(Error::OutOfRange {
            at: 4090,
            len: 7,
            capacity: 4096
        })
    );
}

#[test]
fn reads_of_any_place_and_length() {
    reads::<1, 1, 1024>();
    reads::<2, 2, 1024>();
    reads::<4, 4, 1024>();
    reads::<8, 4, 1024>();
    reads::<16, 16, 2048>();
    reads::<32, 32, 2048>();
    reads::<256, 256, 1024>();
    reads::<512, 512, 1024>();
}

#[test]
fn partitions_are_whole_erase_units_inside_the_device() {
    let part = |range| Nor::partition(Chip::<1, 4, 1024>::new(8192, 1), range).map(drop);
    assert_eq!(part(1024..8192), Ok(()));
    assert_eq!(
        part(512..8192),
        Err(Misfit::Unaligned {
            from: 512,
            to: 8192,
            erase_unit: 1024
        })
    );
    let outside = |from, to| Misfit::OutOfRange {
        from,
        to,
        capacity: 8192,
    };
    assert_eq!(part(1024..9216), Err(outside(1024, 9216)));
    assert_eq!(part(2048..2048), Err(outside(2048, 2048)));
    #[allow(clippy::reversed_empty_ranges)]
    let backwards = part(4096..2048);
    assert_eq!(backwards, Err(outside(4096, 2048)));
    let medium = Nor::partition(Chip::<1, 4, 1024>::new(8192, 1), 1024..8192).unwrap();
    assert_eq!(medium.geometry().capacity, 7168);
}

#[test]
fn what_does_not_fill_an_erase_unit_is_left_out() {
    let medium = Nor::new(Chip::<1, 4, 1024>::new(5000, 1)).unwrap();
    assert_eq!(medium.geometry().capacity, 4096);
    let none = Nor::new(Chip::<1, 4, 1024>::new(1000, 1)).map(drop);
    assert_eq!(
        none,
        Err(Misfit::OutOfRange {
            from: 0,
            to: 0,
            capacity: 1000
        })
    );
}

#[test]
fn two_stores_and_their_owner_share_a_device() {
    let chip = Chip::<4, 4, 1024>::new(96 << 10, 1);
    let shared = Shared::new(chip.clone());
    shared
        .with(|chip| chip.write(80 << 10, b"calibration!"))
        .unwrap()
        .unwrap();

    let mut one = shared.partition(0..32 << 10).unwrap();
    let mut other = shared.partition(32 << 10..64 << 10).unwrap();
    assert_eq!(
        shared.partition(1024..2048).map(drop),
        Err(Misfit::Overlap {
            from: 0,
            to: 32 << 10
        })
    );
    let layout = setup(&mut one, &config(1)).unwrap();
    setup(&mut other, &config(2)).unwrap();
    let (mut room, mut other_room) = (Room::new(&layout), Room::new(&layout));
    let (mut one, _) = open(one, &mut room).unwrap();
    let (mut other, _) = open(other, &mut other_room).unwrap();

    let mut rng = fastrand::Rng::with_seed(seed());
    let (ops, others) = (workload(600, 8, &mut rng), workload(600, 8, &mut rng));
    let (mut now, mut now_other) = (Contents::default(), Contents::default());
    for (op, op_other) in ops.iter().zip(&others) {
        apply(&mut one, op).unwrap();
        apply(&mut other, op_other).unwrap();
        (now, now_other) = (now.after(op), now_other.after(op_other));
    }
    assert_eq!(contents(&one).unwrap(), now);
    assert_eq!(contents(&other).unwrap(), now_other);
    let mut note = [0; 12];
    shared
        .with(|chip| chip.read(80 << 10, &mut note))
        .unwrap()
        .unwrap();
    assert_eq!(&note, b"calibration!");

    // A store cannot be used while its device is out on loan.
    let busy = shared.with(|_| one.put(b"key", b"value")).unwrap();
    assert!(matches!(
        busy,
        Err(indelible::Error::Medium {
            cause: Error::Busy,
            ..
        })
    ));
    // What is given back can be had again.
    drop(one);
    shared.partition(0..32 << 10).unwrap();
}

#[test]
fn partitions_are_counted() {
    let shared = Shared::new(Chip::<1, 4, 1024>::new(16 << 10, 1));
    let parts: Vec<_> = (0..8)
        .map(|i| shared.partition(i << 10..(i + 1) << 10).unwrap())
        .collect();
    let more = shared.partition(8 << 10..9 << 10).map(drop);
    assert_eq!(more, Err(Misfit::TooMany { max: 8 }));
    drop(parts);
    shared.partition(8 << 10..9 << 10).unwrap();
}

#[test]
fn a_driver_s_error_arrives_with_its_place() {
    let chip = Chip::<1, 4, 1024>::new(32 << 10, 1);
    let mut medium = Nor::new(chip.clone()).unwrap();
    let layout = setup(&mut medium, &config(1)).unwrap();
    let mut room = Room::new(&layout);
    let (mut store, _) = open(medium, &mut room).unwrap();
    store.put(b"key", b"value").unwrap();
    chip.cells.borrow_mut().fail_in = Some(0);
    let failed = store.put(b"key", b"other").unwrap_err();
    let indelible::Error::Medium {
        operation, cause, ..
    } = failed
    else {
        panic!("{failed:?}");
    };
    assert_eq!(operation, indelible::Operation::Write);
    assert_eq!(cause, Error::Driver(ChipError::Injected));
    assert!(failed.to_string().contains("Injected"), "{failed}");
}

#[test]
fn a_byte_writable_memory_is_overwritten_where_a_store_erases() {
    let mut rng = fastrand::Rng::with_seed(seed());
    for (unit, erase) in [(1, 512), (4, 512), (64, 1024), (128, 2048)] {
        let mut bytes: Vec<u8> = (0..48 << 10).map(|_| rng.u8(..)).collect();
        let mut medium = Nvm::new(RamStorage::new(&mut bytes), unit, erase).unwrap();
        let layout = setup(&mut medium, &config(u64::from(unit))).unwrap();
        let mut room = Room::new(&layout);
        let (mut store, _) = open(medium, &mut room).unwrap();
        let mut now = Contents::default();
        for op in workload(1500, 8, &mut rng) {
            apply(&mut store, &op).unwrap();
            now = now.after(&op);
        }
        assert!(store.stats().erases_total > 20);
        let medium = store.close().unwrap();
        let mut room = Room::new(&layout);
        let (store, report) = open(medium, &mut room).unwrap();
        assert!(report.clean);
        assert_eq!(contents(&store).unwrap(), now, "unit {unit}");
    }
}

#[test]
fn units_of_a_byte_writable_memory_are_checked() {
    let mut bytes = [0; 4096];
    let mut fit = |write, erase| Nvm::new(RamStorage::new(&mut bytes), write, erase).map(drop);
    assert_eq!(fit(1, 8), Ok(()));
    for (write_unit, erase_unit) in [(0, 8), (3, 8), (1024, 1024), (1, 4), (16, 8), (8, 24)] {
        assert_eq!(
            fit(write_unit, erase_unit),
            Err(Misfit::Units {
                write_unit,
                erase_unit
            })
        );
    }
}
