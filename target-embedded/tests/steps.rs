//! The check in steps, the watchdog's hook, room, typed values, memory from a
//! heap.
#![cfg(all(feature = "postcard", feature = "heap"))]
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
use core::cell::Cell;
use indelible::{CheckCursor, Finding, Layout, Mode, setup};
use indelible_embedded::{HeapMemory, Limits, Nor, TypedError, TypedGet, TypedPut, Watched};
use serde::{Deserialize, Serialize};

type Flash = Chip<1, 8, 2048>;

fn medium(chip: &Flash) -> Nor<Flash> {
    Nor::new(chip.clone())
        .unwrap()
        .ecc(|error| *error == ChipError::Uncorrectable)
}

fn used() -> (Flash, Layout) {
    let chip = Flash::new(32 << 10, 1);
    let mut medium = medium(&chip);
    let layout = setup(&mut medium, &config(7)).unwrap();
    let mut room = Room::new(&layout);
    let (mut store, _) = open(medium, &mut room).unwrap();
    for op in workload(300, 8, &mut fastrand::Rng::with_seed(seed())) {
        apply(&mut store, &op).unwrap();
    }
    store.close().unwrap();
    (chip, layout)
}

#[test]
fn a_check_in_steps_says_what_a_whole_one_says_and_reads_little_at_a_time() {
    let (chip, layout) = used();
    for decayed in [
        None,
        Some(2048 + 40),
        Some(3 * 2048 + 80),
        Some(9 * 2048 + 400),
    ] {
        let chip = Flash::of(chip.cells.borrow().clone());
        let mut room = Room::new(&layout);
        let (mut store, _) = open(medium(&chip), &mut room).unwrap();
        if let Some(at) = decayed {
            chip.cells.borrow_mut().decay(at);
        }
        let tell =
            |finding: Finding<'_>| (finding.item, finding.key.map(<[u8]>::to_vec), finding.at);
        let mut whole = Vec::new();
        let checked = store
            .check(&mut |finding| whole.push(tell(finding)))
            .unwrap();
        let (mut cursor, mut steps, mut longest) = (CheckCursor::default(), 0, 0);
        let mut stepped = Vec::new();
        loop {
            let before = chip.cells.borrow().reads;
            let more = store.check_step(&mut cursor, &mut |finding| stepped.push(tell(finding)));
            longest = longest.max(chip.cells.borrow().reads - before);
            steps += 1;
            if !more.unwrap() {
                break;
            }
        }
        assert_eq!((stepped, cursor.checked()), (whole, checked));
        assert!(checked.frames > 50 && checked.entries > 3 && checked.log_bytes > 0);
        println!("{steps} steps, {longest} reads at most, {checked:?}");
        assert!(
            steps > 60 && longest < 400,
            "{steps} steps, {longest} reads"
        );
    }
}

#[test]
fn work_between_the_steps_of_a_check_is_no_damage() {
    let (chip, layout) = used();
    let mut room = Room::new(&layout);
    let (mut store, _) = open(medium(&chip), &mut room).unwrap();
    let mut cursor = CheckCursor::default();
    let mut number = 0u32;
    while store
        .check_step(&mut cursor, &mut |finding| panic!("{finding:?}"))
        .unwrap()
    {
        number += 1;
        store.put(b"key 3", &number.to_le_bytes()).unwrap();
    }
    assert_eq!(cursor.checked().damaged, 0);
    assert!(number > 60);
}

#[test]
fn a_watched_store_feeds_its_watchdog_in_every_operation() {
    let chip = Flash::new(32 << 10, 1);
    let fed = Cell::new(0u64);
    let since = Cell::new((0u64, 0u64, 0u64));
    let most = Cell::new((0u64, 0u64, 0u64));
    let feed = || {
        fed.set(fed.get() + 1);
        let cells = chip
            .cells
            .try_borrow()
            .map(|c| (c.reads, c.programmed, c.erased));
        let now = cells.unwrap_or(since.get());
        let (before, high) = (since.get(), most.get());
        most.set((
            high.0.max(now.0 - before.0),
            high.1.max(now.1 - before.1),
            high.2.max(now.2 - before.2),
        ));
        since.set(now);
    };
    let mut medium = Watched::new(medium(&chip), feed);
    let layout = setup(&mut medium, &config(7)).unwrap();
    let mut room = Room::new(&layout);
    let (mut store, _) = open(medium, &mut room).unwrap();
    for op in workload(200, 8, &mut fastrand::Rng::with_seed(seed())) {
        apply(&mut store, &op).unwrap();
    }
    let (reads, programmed, erased) = most.get();
    assert!(fed.get() > 1000);
    assert_eq!((reads, erased), (1, 1));
    assert!(programmed <= 64, "{programmed} units between two feeds");
}

#[test]
fn room_goes_down_by_what_a_record_takes() {
    let (chip, layout) = used();
    let mut room = Room::new(&layout);
    let (mut store, _) = open(medium(&chip), &mut room).unwrap();
    for (key, len) in [(5u32, 0usize), (9, 30), (20, 100), (12, 700)] {
        let (before, room_before) = (store.stats(), store.room());
        store.put(&vec![b'x'; key as usize], &vec![1; len]).unwrap();
        let (after, room) = (store.stats(), store.room());
        let taken = layout.record_len(key, len as u64);
        assert_eq!(after.live_bytes - before.live_bytes, taken, "{key}, {len}");
        // A longer record than any before also lessens what is sure to fit.
        assert_eq!(room.record_bytes, after.kv_capacity - after.live_bytes);
        assert!(room_before.record_bytes - room.record_bytes >= taken);
        assert!(room_before.entries > room.entries);
    }
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
enum Mode2<'a> {
    Off,
    On { level: u16, name: &'a str },
}

#[test]
fn typed_values_go_through_the_store_and_through_transactions() {
    let (chip, layout) = used();
    let mut room = Room::new(&layout);
    let (mut store, _) = open(medium(&chip), &mut room).unwrap();
    let mut buffer = [0; 32];
    let on = Mode2::On {
        level: 700,
        name: "lamp",
    };
    store.put_value(b"mode", &on, &mut buffer).unwrap();
    assert_eq!(
        store.get_value(b"mode", &mut buffer).unwrap(),
        Some(on.clone())
    );
    assert_eq!(store.get_value::<u8>(b"none", &mut buffer).unwrap(), None);

    let mut transaction = store.transaction();
    transaction
        .put_value(b"mode", &Mode2::Off, &mut buffer)
        .unwrap();
    assert_eq!(
        transaction.get_value(b"mode", &mut buffer).unwrap(),
        Some(Mode2::Off)
    );
    transaction.abort().unwrap();
    assert_eq!(store.get_value(b"mode", &mut buffer).unwrap(), Some(on));

    // What does not fit, or is something else, is told apart from damage.
    let long = [1u8; 40];
    let failed = store
        .put_value(b"long", &long[..], &mut buffer)
        .unwrap_err();
    assert_eq!(
        failed,
        TypedError::Encode(postcard::Error::SerializeBufferFull)
    );
    store.put(b"mode", &[9, 9]).unwrap();
    let failed = store
        .get_value::<Mode2<'_>>(b"mode", &mut buffer)
        .unwrap_err();
    assert!(matches!(failed, TypedError::Decode(_)));
    store.put(b"mode", &[0; 33]).unwrap();
    let failed = store.get_value::<u8>(b"mode", &mut buffer).unwrap_err();
    let needed = indelible::Error::BufferTooSmall { needed: 33 };
    assert_eq!(failed, TypedError::Store(needed));
}

#[test]
fn a_heap_lends_as_much_as_the_layout_says() {
    let (chip, layout) = used();
    let limits = Limits {
        entries: 40,
        changes: 4,
        key_max: 16,
    };
    let mut memory = HeapMemory::new(&layout, &limits).unwrap();
    assert!(
        memory.bytes() < 24 * 16 + 40 * 8 * 2 + 4 * 40 + 500,
        "{}",
        memory.bytes()
    );
    let (mut store, report) = memory.open(medium(&chip), None, Mode::ReadWrite).unwrap();
    assert!(report.clean);
    let mut now: Contents = contents(&store).unwrap();
    for op in workload(200, 8, &mut fastrand::Rng::with_seed(5)).into_iter() {
        if matches!(op, common::Op::Put(..)) {
            apply(&mut store, &op).unwrap();
            now = now.after(&op);
        }
    }
    assert_eq!(contents(&store).unwrap(), now);
    let mut full = None;
    for number in 0..100u32 {
        full = full.or(store.put(&number.to_le_bytes(), b"").err());
    }
    assert!(matches!(full, Some(indelible::Error::IndexFull { capacity }) if capacity >= 40));
    let limits = Limits {
        entries: usize::MAX / 64,
        ..limits
    };
    let refused = HeapMemory::new(&layout, &limits).unwrap_err();
    assert_eq!(refused.what, "index");
}
