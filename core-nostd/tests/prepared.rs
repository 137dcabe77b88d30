//! Reads beside a transaction: the committed state until its flush, and what
//! may be done between a transaction's last frame and that.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use indelible::ram::Ram;
use indelible::*;
use std::collections::BTreeMap;

type Map = BTreeMap<Vec<u8>, (Vec<u8>, Vec<Vec<u8>>)>;

struct World<'a, I: Index> {
    store: Store<'a, Ram<'a>, I>,
    /// As committed, and as the transaction sees it.
    committed: (Map, Vec<u8>, u64),
    staged: (Map, Vec<u8>, u64),
    seed: u64,
}

impl<I: Index> World<'_, I> {
    fn random(&mut self, below: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed % below
    }

    fn change(&mut self) {
        let key = vec![b'a' + self.random(12) as u8; 1 + self.random(3) as usize];
        let len = match self.random(12) {
            0 => 3000,
            _ => self.random(60) as usize,
        };
        let value = vec![self.random(256) as u8; len];
        let map = &mut self.staged.0;
        match self.seed >> 8 & 7 {
            0..=2 => {
                self.store.tentatively_put(&key, &value).unwrap();
                // Its list stays.
                map.entry(key).or_default().0 = value;
            }
            3 if map.contains_key(&key) => {
                self.store.tentatively_update(&key, &value).unwrap();
                map.get_mut(&key).unwrap().0 = value;
            }
            4 if map.contains_key(&key) => {
                self.store.tentatively_delete(&key).unwrap();
                map.remove(&key);
            }
            5 if map.contains_key(&key) && len < 100 => {
                self.store.tentatively_list_append(&key, &value).unwrap();
                map.get_mut(&key).unwrap().1.push(value);
            }
            6 if map.get(&key).is_some_and(|(_, list)| !list.is_empty()) => {
                let list = &mut map.get_mut(&key).unwrap().1;
                if len < 30 {
                    self.store.tentatively_list_trim(&key, 1).unwrap();
                    list.remove(0);
                } else if len < 100 {
                    self.store.tentatively_list_update(&key, 0, &value).unwrap();
                    list[0] = value;
                }
            }
            _ if len < 100 => self.log(&value),
            _ => {}
        }
    }

    fn log(&mut self, value: &[u8]) {
        let (_, log, head) = &mut self.staged;
        if log.len() as u64 - *head > 1500 {
            *head += 700;
            self.store.tentatively_advance_head(0, *head).unwrap();
        } else {
            self.store.tentatively_append(0, value).unwrap();
            log.extend_from_slice(value);
        }
    }

    /// The committed state, through every call that shows it.
    fn look(&self) {
        let view = self.store.committed();
        let (map, log, head) = &self.committed;
        assert_eq!(view.len(), map.len() as u64);
        assert_eq!(view.is_empty(), map.is_empty());
        let mut buf = [0; 4000];
        for key in (0..12).flat_map(|k| (1..4).map(move |len| vec![b'a' + k; len])) {
            let got = view.get(&key, &mut buf).unwrap();
            let expected = map.get(&key);
            assert_eq!(got.map(|len| &buf[..len]), expected.map(|(v, _)| &v[..]));
            assert_eq!(view.contains(&key).unwrap(), expected.is_some());
            let len = expected.map(|(v, _)| v.len() as u64);
            assert_eq!(view.value_len(&key).unwrap(), len);
            let part = view.read_value(&key, 7, &mut buf[..20]).unwrap();
            let whole = expected.map(|(v, _)| v.get(7..).unwrap_or_default());
            let whole = whole.map(|rest| &rest[..rest.len().min(20)]);
            assert_eq!(part.map(|len| &buf[..len]), whole);
            if let Some(bytes) = view.get_ref(&key).unwrap() {
                assert_eq!(Some(bytes), expected.map(|(v, _)| &v[..]));
            }
            let list = expected.map(|(_, list)| list.len() as u64);
            assert_eq!(view.list_len(&key).unwrap(), list);
            for (at, element) in expected
                .iter()
                .flat_map(|(_, list)| list.iter().enumerate())
            {
                let got = view.list_read(&key, at as u64, &mut buf).unwrap().unwrap();
                assert_eq!(&buf[..got], element);
            }
        }
        let span = view.get_head_tail_and_capacity(0).unwrap();
        assert_eq!((span.head, span.tail), (*head, log.len() as u64));
        let kept = &log[*head as usize..];
        view.read(0, *head, &mut buf[..kept.len()]).unwrap();
        assert_eq!(&buf[..kept.len()], kept);
        let past = view.read(0, span.tail, &mut buf[..1]);
        assert!(matches!(past, Err(Error::PastTail { .. })));
        self.look_at_changes();
    }

    /// What differs between both states is told.
    fn look_at_changes(&self) {
        let mut told = Vec::new();
        let (mut key, tell) = ([0; 64], &mut |key: &[u8]| told.push(key.to_vec()));
        self.store.committed().changed(&mut key, tell).unwrap();
        let (before, now) = (&self.committed.0, &self.staged.0);
        for key in before.keys().chain(now.keys()) {
            let value = |map: &Map| map.get(key).map(|(v, _)| v.clone());
            assert!(value(before) == value(now) || told.contains(key));
        }
    }

    fn transaction(&mut self) {
        for _ in 0..self.random(12) {
            self.change();
            self.look();
        }
        match self.random(4) {
            0 => {
                self.store.abort().unwrap();
                self.staged = self.committed.clone();
            }
            1 => {
                self.store.commit().unwrap();
                self.committed = self.staged.clone();
            }
            _ => {
                self.store.prepare().unwrap();
                self.look();
                if self.store.in_transaction() {
                    self.refuses_changes();
                }
                self.store.commit().unwrap();
                self.committed = self.staged.clone();
            }
        }
        self.look();
    }

    fn refuses_changes(&mut self) {
        let open = |result: Result<(), _>| assert!(matches!(result, Err(Error::TransactionOpen)));
        open(self.store.put(b"a", b""));
        open(self.store.tentatively_put(b"a", b""));
        open(self.store.tentatively_append(0, b"x").map(drop));
        open(self.store.tentatively_advance_head(0, self.staged.2));
        open(self.store.abort());
        open(self.store.maintain(1).map(drop));
        self.look();
    }
}

fn run<I: Index>(seed: u64, order: Order, index: I) {
    println!("seed {seed} {order:?}");
    let geometry = Geometry {
        capacity: 0,
        write_unit: 4,
        erase_unit: 4096,
        blank: if order == Order::Ordered { 0xFF } else { 0 },
        order,
    };
    let mut bytes = vec![0; 128 * 4096];
    let mut ram = Ram::with_geometry(&mut bytes, geometry);
    let logs = &[4096];
    setup(
        &mut ram,
        &Config {
            id: 7,
            nonce: seed,
            segment_size: None,
            logs,
        },
    )
    .unwrap();
    let mut memory = StaticMemory::<128, 1, 8, 64, 64>::new();
    let mode = Mode::ReadWrite;
    let (store, _) = Store::start(ram, index, memory.lend(), None, mode).unwrap();
    let mut world = World {
        store,
        committed: Default::default(),
        staged: Default::default(),
        seed,
    };
    for _ in 0..200 {
        world.transaction();
    }
    // A prepared transaction is closed as a committed one.
    world.store.tentatively_put(b"last", b"words").unwrap();
    world.store.prepare().unwrap();
    let ram = world.store.close().unwrap();
    let (mut memory, mut slots) = (StaticMemory::<128, 1, 8, 64, 64>::new(), [0; 512]);
    let index = HashIndex::new(&mut slots);
    let (store, report) = Store::start(ram, index, memory.lend(), None, mode).unwrap();
    assert!(report.clean);
    assert!(store.contains(b"last").unwrap());
}

#[test]
fn the_committed_state_is_read_until_the_flush() {
    for seed in 1..4 {
        for order in [Order::Ordered, Order::Unordered] {
            run(seed, order, HashIndex::new(&mut [0; 512]));
            let mut nodes = vec![OrderedNode::default(); OrderedIndex::nodes_for(400)];
            run(seed, order, OrderedIndex::new(&mut nodes));
        }
    }
}
