//! How long flash lasts, against flash that is worn.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod common;

use common::{Chip, Room, seed};
use indelible::{Config, HashIndex, Layout, Medium, Store, setup};
use indelible_embedded::Nor;

const SEGMENT: u32 = 4096;

type Kv<'a, M> = Store<'a, M, HashIndex<'a>>;

/// Works a store until its segments have been erased so often on average, and
/// returns how often it did `step`.
fn until_worn<M: Medium>(
    store: &mut Kv<'_, M>,
    layout: &Layout,
    erases: u32,
    mut step: impl FnMut(&mut Kv<'_, M>),
) -> u64 {
    let mut steps = 0u64;
    let start = store.stats().erases_total;
    while store.stats().erases_total - start < u64::from(erases) * u64::from(layout.segments) {
        step(store);
        steps += 1;
    }
    steps
}

fn updates<const WRITE: usize>(keys: u32, value: usize, erases: u32) -> (u64, u64, (u32, u32)) {
    let mut rng = fastrand::Rng::with_seed(seed());
    let chip = Chip::<1, WRITE, 4096>::new(64 * SEGMENT as usize, 1);
    let mut medium = Nor::new(chip).unwrap();
    let config = Config {
        id: common::ID,
        nonce: 1,
        segment_size: Some(SEGMENT.max(16 * WRITE as u32)),
        logs: &[],
    };
    let layout = setup(&mut medium, &config).unwrap();
    let mut room = Room::large(&layout, 2400);
    let (mut store, _) = common::open(medium, &mut room).unwrap();
    let record = layout.record_len(4, value as u64);
    let mut bytes = vec![0; value];
    for key in 0..keys {
        store.put(&key.to_le_bytes(), &bytes).unwrap();
    }
    assert_eq!(store.stats().live_bytes, record * u64::from(keys));
    // Fill it once, so that it is in its steady state.
    let mut update = |store: &mut Kv<'_, _>| {
        rng.fill(&mut bytes);
        store.put(&rng.u32(..keys).to_le_bytes(), &bytes).unwrap();
    };
    until_worn(&mut store, &layout, 2, &mut update);
    let done = until_worn(&mut store, &layout, erases, &mut update);
    let stats = store.stats();
    let told = layout.updates(record, record * u64::from(keys), erases);
    println!(
        "write {WRITE}, {} % live: {done} updates, {told} told",
        stats.live_bytes * 100 / stats.kv_capacity
    );
    (done, told, (stats.erases_min, stats.erases_max))
}

#[test]
fn updates_wear_flash_as_foretold() {
    for (done, told, (least, most)) in [
        updates::<4>(200, 40, 12),
        updates::<4>(1600, 60, 12),
        updates::<4>(2200, 60, 12),
        updates::<128>(800, 90, 12),
    ] {
        assert!(told * 10 <= done * 11, "{told} told, {done} done");
        assert!(told * 10 >= done * 6, "{told} told, {done} done");
        assert!(most - least <= 8, "{least} to {most}");
    }
}

#[test]
fn appends_wear_flash_as_foretold() {
    for len in [16usize, 32, 100] {
        let chip = Chip::<1, 4, 4096>::new(64 * SEGMENT as usize, 1);
        let mut medium = Nor::new(chip).unwrap();
        let config = Config {
            id: common::ID,
            nonce: 1,
            segment_size: Some(SEGMENT),
            logs: &[64 << 10],
        };
        let layout = setup(&mut medium, &config).unwrap();
        let mut room = Room::large(&layout, 16);
        let (mut store, _) = common::open(medium, &mut room).unwrap();
        let data = vec![7; len];
        let mut append = |store: &mut Kv<'_, _>| {
            let tail = store.append(0, &data).unwrap() + len as u64;
            if tail > 32 << 10 {
                let head = store.get_head_tail_and_capacity(0).unwrap().head;
                if tail - head > 48 << 10 {
                    store.advance_head(0, head + (16 << 10)).unwrap();
                }
            }
        };
        until_worn(&mut store, &layout, 2, &mut append);
        let done = until_worn(&mut store, &layout, 10, &mut append);
        let told = layout.appends(len as u64, 10);
        println!("appends of {len}: {done}, {told} told");
        assert!(told * 10 <= done * 11, "{told} told, {done} done");
        assert!(told * 10 >= done * 7, "{told} told, {done} done");
    }
}

#[test]
fn what_does_not_fit_is_never_updated() {
    let geometry = Nor::new(Chip::<1, 4, 4096>::new(64 << 10, 1))
        .unwrap()
        .geometry();
    let layout = Layout::plan(geometry, &common::config(1)).unwrap();
    assert_eq!(layout.updates(64, layout.kv_capacity + 1, 10_000), 0);
    assert!(layout.updates(64, layout.kv_capacity, 10_000) > 0);
    assert!(layout.updates(64, 0, u32::MAX) > layout.updates(64, 0, 10_000));
}

/// The figures of the README.
#[test]
fn the_documented_sizes_are_those() {
    use indelible::{Geometry, LogState, Order, Segment, Undo};
    // A build of the whole workspace has the core's features for hosts too.
    let more = if Segment::LONG { 4 } else { 0 };
    assert_eq!(size_of::<Segment>(), 24 + more);
    assert_eq!(size_of::<LogState>(), 128);
    assert_eq!(size_of::<Undo>(), 40);
    let geometry = Geometry {
        capacity: 64 * 4096,
        write_unit: 4,
        erase_unit: 4096,
        blank: 0xFF,
        order: Order::Ordered,
    };
    let config = Config {
        id: 1,
        nonce: 1,
        segment_size: None,
        logs: &[],
    };
    let layout = Layout::plan(geometry, &config).unwrap();
    assert_eq!(layout.record_len(16, 32), 56);
    let updates = layout.updates(56, 200 * 56, 10_000);
    assert_eq!(updates / 1_000_000, 43);
}
