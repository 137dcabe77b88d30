//! Scans in order, with any memory lent.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use indelible::ram::Ram;
use indelible::*;
use std::collections::BTreeMap;

/// Keys of which many share their first eight bytes, or more.
fn pair(number: u32) -> (Vec<u8>, Vec<u8>) {
    let scattered = number.wrapping_mul(0x9E37_79B9);
    let key = match number % 4 {
        0 => format!("samesame{scattered}"),
        1 => format!("same{}", scattered % 1000 + number * 1000),
        2 => format!("{}{number}", "k".repeat(70)),
        _ => format!("{scattered}"),
    };
    (key.into_bytes(), number.to_le_bytes().to_vec())
}

fn scans<'a, I: Index>(index: I, memory: Memory<'a>, ram: Ram<'a>) {
    let (mut store, _) = Store::start(ram, index, memory, None, Mode::ReadWrite).unwrap();
    let mut model = BTreeMap::new();
    for number in 0..500 {
        let (key, value) = pair(number);
        store.put(&key, &value).unwrap();
        model.insert(key, value);
    }
    for number in (0..500).step_by(7) {
        let (key, _) = pair(number);
        store.delete(&key).unwrap();
        model.remove(&key);
    }
    let keys = model.len();
    let (mut key, mut value) = ([0; 100], [0; 4]);
    for slots in [0, 5, 32, 33, 100, keys - 1, keys, keys + 1, 1000] {
        for prefix in [&b""[..], b"same", b"samesame1", b"nothing"] {
            for from in [&b""[..], b"same5", b"samesame2"] {
                let mut lent = vec![ScanSlot::default(); slots];
                let mut scan = store.scan_in(prefix, &mut lent);
                if !from.is_empty() {
                    // What was begun is begun anew.
                    scan.next(&mut key).unwrap();
                    scan.seek(from);
                }
                let wanted = |key: &[u8]| key.starts_with(prefix) && key >= from;
                for (wanted, content) in model.iter().filter(|(key, _)| wanted(key)) {
                    let entry = scan.next_with_value(&mut key, &mut value).unwrap().unwrap();
                    assert_eq!((entry.key, entry.value_len), (&wanted[..], 4));
                    assert_eq!(value, content[..]);
                }
                assert_eq!(scan.next(&mut key).unwrap(), None);
                assert_eq!(scan.next(&mut key).unwrap(), None);
            }
        }
    }
}

#[test]
fn scans_show_every_key_in_order_in_any_memory() {
    for ordered in [false, true] {
        let mut bytes = vec![0; 1 << 20];
        let mut ram = Ram::new(&mut bytes);
        let config = Config {
            id: 7,
            nonce: 99,
            segment_size: None,
            logs: &[],
        };
        let layout = setup(&mut ram, &config).unwrap();
        let mut segments = vec![Segment::default(); layout.segments as usize];
        let (mut undo, mut scratch) = (vec![Undo::default(); 8], vec![0; 100]);
        let memory = Memory {
            segments: &mut segments,
            logs: &mut [],
            ring: &mut [],
            undo: &mut undo,
            scratch: &mut scratch,
        };
        if ordered {
            let mut nodes = vec![OrderedNode::default(); 100];
            scans(OrderedIndex::new(&mut nodes), memory, ram);
        } else {
            let mut slots = vec![0; 1000];
            scans(HashIndex::new(&mut slots), memory, ram);
        }
    }
}
