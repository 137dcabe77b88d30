//! The store over lent memory of many geometries.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use indelible::ram::Ram;
use indelible::*;

fn geometries() -> Vec<Geometry> {
    let mut all = vec![Geometry {
        capacity: 0,
        write_unit: 1,
        erase_unit: 512,
        blank: 0,
        order: Order::Unordered,
    }];
    for unit in [1u32, 2, 4, 8, 16, 32, 256, 512] {
        for blank in [0xFF, 0] {
            all.push(Geometry {
                capacity: 0,
                write_unit: unit,
                erase_unit: 4096,
                blank,
                order: Order::Ordered,
            });
        }
    }
    all
}

struct Host {
    segments: Vec<Segment>,
    logs: Vec<LogState>,
    ring: Vec<u32>,
    undo: Vec<Undo>,
    scratch: Vec<u8>,
    slots: Vec<u64>,
}

impl Host {
    fn new(layout: &Layout) -> Self {
        Host {
            segments: vec![Segment::default(); layout.segments as usize],
            logs: vec![LogState::default(); layout.logs as usize],
            ring: vec![0; layout.ring as usize],
            undo: vec![Undo::default(); 64],
            scratch: vec![0; 256],
            slots: vec![0; 4096],
        }
    }
    fn start<'a, 'm>(&'a mut self, ram: Ram<'m>) -> (Store<'a, Ram<'m>, HashIndex<'a>>, Report) {
        let index = HashIndex::new(&mut self.slots);
        let memory = Memory {
            segments: &mut self.segments,
            logs: &mut self.logs,
            ring: &mut self.ring,
            undo: &mut self.undo,
            scratch: &mut self.scratch,
        };
        Store::start(ram, index, memory, Some(7), Mode::ReadWrite).unwrap()
    }
}

#[test]
fn puts_and_appends_survive_restarts() {
    for geometry in geometries() {
        println!("{geometry:?}");
        let mut bytes = vec![0x5A; 64 * 4096 * if geometry.write_unit > 32 { 4 } else { 1 }];
        let mut ram = Ram::with_geometry(&mut bytes, geometry);
        let config = Config {
            id: 7,
            nonce: 99,
            segment_size: None,
            logs: &[20000, 10000],
        };
        let layout = setup(&mut ram, &config).unwrap();
        println!("{layout:?}");
        let mut host = Host::new(&layout);
        let mut log: Vec<u8> = vec![];
        let mut head = 0u64;
        for round in 0..6u32 {
            let ram = Ram::with_geometry(&mut bytes, geometry);
            let (mut store, report) = host.start(ram);
            assert_eq!(report.damaged, 0, "{report:?}");
            assert!(report.torn.is_none(), "{report:?}");
            assert_eq!(report.clean, round == 0 || round % 2 == 1, "{report:?}");
            let span = store.get_head_tail_and_capacity(0).unwrap();
            assert_eq!((span.head, span.tail), (head, log.len() as u64));
            let mut got = vec![0; (span.tail - span.head) as usize];
            store.read(0, span.head, &mut got).unwrap();
            assert_eq!(got, &log[head as usize..]);
            for i in 0..300u32 {
                let key = format!("key{}", i % 40);
                let value = format!("value {round} {i}");
                store.put(key.as_bytes(), value.as_bytes()).unwrap();
                let data = vec![i as u8; (i % 37) as usize];
                if span.capacity < log.len() as u64 - head + 40 {
                    head = log.len() as u64 - 100;
                    store.advance_head(0, head).unwrap();
                }
                assert_eq!(store.append(0, &data).unwrap(), log.len() as u64);
                log.extend_from_slice(&data);
                if i % 10 == 3 {
                    let mut tx = store.transaction();
                    tx.put(b"tx", value.as_bytes()).unwrap();
                    tx.append(0, b"abc").unwrap();
                    tx.append(1, b"x").unwrap();
                    tx.list_append(b"tx", value.as_bytes()).unwrap();
                    if i % 20 == 3 {
                        tx.commit().unwrap();
                        log.extend_from_slice(b"abc");
                    } else {
                        drop(tx);
                    }
                }
            }
            for i in 260..300u32 {
                let key = format!("key{}", i % 40);
                let mut buf = [0; 100];
                let n = store.get(key.as_bytes(), &mut buf).unwrap().unwrap();
                assert_eq!(&buf[..n], format!("value {round} {i}").as_bytes());
            }
            if round % 3 == 1 {
                store.delete(b"tx").unwrap();
            }
            if round % 2 == 0 {
                store.close().unwrap();
            }
        }
    }
}
