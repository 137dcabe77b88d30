//! Sustained updates in a store that is nearly full.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use indelible::ram::Ram;
use indelible::*;

#[test]
fn updates_go_on_for_ever_at_ninety_percent() {
    for order in [Order::Ordered, Order::Unordered] {
        let geometry = Geometry {
            capacity: 0,
            write_unit: 4,
            erase_unit: 4096,
            blank: if order == Order::Ordered { 0xFF } else { 0 },
            order,
        };
        for percent in [50u64, 80, 90] {
            churn(geometry, percent);
        }
    }
}

fn churn(geometry: Geometry, percent: u64) {
    let mut bytes = vec![0; 128 * 4096];
    let mut ram = Ram::with_geometry(&mut bytes, geometry);
    let config = Config {
        id: 7,
        nonce: 99,
        segment_size: None,
        logs: &[],
    };
    let layout = setup(&mut ram, &config).unwrap();
    let mut segments = vec![Segment::default(); layout.segments as usize];
    let (mut undo, mut scratch) = (vec![Undo::default(); 8], vec![0; 64]);
    let mut slots = vec![0; 8192];
    let memory = Memory {
        segments: &mut segments,
        logs: &mut [],
        ring: &mut [],
        undo: &mut undo,
        scratch: &mut scratch,
    };
    let index = HashIndex::new(&mut slots);
    let (mut store, _) = Store::start(ram, index, memory, None, Mode::ReadWrite).unwrap();
    let value = [7u8; 100];
    let mut keys = 0u64;
    loop {
        let stats = store.stats();
        if keys > 0 && stats.live_bytes * 100 >= stats.kv_capacity * percent {
            break;
        }
        store
            .put(format!("key{keys:013}").as_bytes(), &value)
            .unwrap();
        keys += 1;
    }
    let mut seed = 12345u64;
    for round in 0..20_000u64 {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let key = format!("key{:013}", (seed >> 33) % keys);
        let result = store.put(key.as_bytes(), &value);
        assert!(
            result.is_ok(),
            "{percent} % round {round}: {result:?} {:?}",
            store.stats()
        );
    }
    println!(
        "{:?} {percent}%: {keys} keys {:?}",
        geometry.order,
        store.stats()
    );
    for key in 0..keys {
        let mut buf = [0; 100];
        let got = store
            .get(format!("key{key:013}").as_bytes(), &mut buf)
            .unwrap();
        assert_eq!(got, Some(100));
    }
}
