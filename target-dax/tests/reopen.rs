//! Stores whose process was killed: what they saved of their index, and what the
//! next start makes of it. A store that is dropped leaves what a kill leaves.

use indelible_dax::{
    HostMemory, HostStore, OrderedHostStore, Setup, SharedStore, indelible::HashIndex,
};
use std::path::Path;

fn key(n: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    key[8..].copy_from_slice(&n.to_be_bytes());
    key
}

/// Puts by hundreds.
fn put(store: &mut HostStore, keys: impl Iterator<Item = u64>, value: u8) {
    for (count, n) in keys.enumerate() {
        store.tentatively_put(&key(n), &[value; 20]).unwrap();
        if count % 100 == 99 {
            store.commit().unwrap();
        }
    }
    store.commit().unwrap();
}

/// Opened by what was saved or not, the store is the same as built from all of
/// its records.
fn look(path: &Path, keys: u64, value: impl Fn(u64) -> Option<u8>) -> bool {
    let memory = HostMemory::new();
    let built = HostStore::<HashIndex>::open_read_only(path, &memory).unwrap();
    let (segments, stats) = (built.layout().segments, built.stats());
    let rows: Vec<_> = (0..segments)
        .map(|segment| built.segment_info(segment).live)
        .collect();
    drop(built);
    let memory = HostMemory::new();
    let store: HostStore = HostStore::open_read_only(path, &memory).unwrap();
    for n in 0..keys {
        let wanted = value(n).map(|value| vec![value; 20]);
        assert_eq!(store.get(&key(n)).unwrap(), wanted, "{n}");
    }
    for (segment, live) in (0..segments).zip(rows) {
        assert_eq!(store.segment_info(segment).live, live);
    }
    assert_eq!(store.stats().live_bytes, stats.live_bytes);
    assert_eq!(store.stats().tombstone_bytes, stats.tombstone_bytes);
    assert_eq!(store.len(), stats.keys);
    store.report().index_loaded
}

#[test]
fn a_close_is_good_for_later_kills() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    Setup::new(4 << 20).create(&path).unwrap();
    let memory = HostMemory::new();
    let mut store: HostStore = HostStore::open(&path, &memory).unwrap();
    put(&mut store, 0..10_000, 1);
    store.close().unwrap();
    for session in 0..5u64 {
        let memory = HostMemory::new();
        let mut store: HostStore = HostStore::open(&path, &memory).unwrap();
        assert!(store.report().index_loaded, "session {session}");
        put(&mut store, session * 100..session * 100 + 100, 2);
        store.delete(&key(9_000 + session)).unwrap();
        drop(store);
        let value = |n| match n {
            n if n < session * 100 + 100 => Some(2),
            n if (9_000..=9_000 + session).contains(&n) => None,
            _ => Some(1),
        };
        assert!(look(&path, 10_000, value), "session {session}");
    }
}

#[test]
fn a_store_that_goes_on_saves_its_index() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    Setup::new(64 << 20).create(&path).unwrap();
    let memory = HostMemory::new();
    let mut store: HostStore = HostStore::open(&path, &memory).unwrap();
    store.set_save_every(2);
    put(&mut store, 0..120_000, 1);
    assert!(!store.save_age().none);
    // Reclaimed again and again behind it, and saved again.
    for round in 2..20 {
        put(&mut store, 0..60_000, round);
        let age = store.save_age();
        assert!(age.written < 5 * age.takes, "{age:?}");
    }
    drop(store);
    let value = |n| Some(if n < 60_000 { 19 } else { 1 });
    assert!(look(&path, 120_000, value));
}

#[test]
fn a_full_store_gives_up_what_it_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    Setup::new(2 << 20).create(&path).unwrap();
    let memory = HostMemory::new();
    let mut store: HostStore = HostStore::open(&path, &memory).unwrap();
    put(&mut store, 0..10_000, 1);
    assert!(store.save_index().unwrap());
    let mut keys = 10_000;
    while store.put(&key(keys), &[1; 20]).is_ok() {
        keys += 1;
    }
    // As many as in a store that saved none.
    let stats = store.stats();
    assert!(stats.live_bytes + 64 > stats.kv_capacity, "{stats:?}");
    assert!(!store.save_index().unwrap());
    store.delete(&key(0)).unwrap();
    store.put(&key(1), &[2; 20]).unwrap();
    drop(store);
    let value = |n| match n {
        0 => None,
        1 => Some(2),
        _ => Some(1),
    };
    look(&path, keys, value);
}

#[test]
fn ordered_indexes_are_saved_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    Setup::new(4 << 20).create(&path).unwrap();
    let memory = HostMemory::new();
    let mut store = OrderedHostStore::open(&path, &memory).unwrap();
    for n in 0..5_000 {
        store.put(&key(n), b"1").unwrap();
    }
    assert!(store.save_index().unwrap());
    store.put(&key(7), b"2").unwrap();
    drop(store);
    let memory = HostMemory::new();
    let store = OrderedHostStore::open(&path, &memory).unwrap();
    assert!(store.report().index_loaded);
    assert_eq!(store.get(&key(7)).unwrap().as_deref(), Some(&b"2"[..]));
    assert_eq!(store.len(), 5_000);
}

#[test]
fn threads_go_on_while_it_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    Setup::new(8 << 20).create(&path).unwrap();
    let store: SharedStore = SharedStore::open(&path).unwrap();
    let threads: Vec<_> = (0..3u64)
        .map(|thread| {
            let store = store.clone();
            std::thread::spawn(move || {
                for n in 0..2_000 {
                    store.put(&key(thread * 2_000 + n), &[1; 20]).unwrap();
                }
            })
        })
        .collect();
    for _ in 0..20 {
        assert!(store.save_index().unwrap());
    }
    for thread in threads {
        thread.join().unwrap();
    }
    drop(store);
    assert!(look(&path, 6_000, |_| Some(1)));
}
