//! The same operations leave the same bytes, whatever the medium and the
//! system, and a store that was made elsewhere goes on here.
//!
//! `INDELIBLE_IMAGE` names a file to leave the image in, `INDELIBLE_OTHER` one
//! that was left elsewhere: `tests/run windows` and `tests/run aarch64` compare
//! them. `INDELIBLE_SEED` chooses the operations.

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::{env, fs};

use common::Random;
use indelible_dax::indelible::{Config, setup};
use indelible_dax::{Access, AnyMedium, HostMemory, HostStore, MediumChoice, Reads, file};

const SIZE: u64 = 2 << 20;

type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a run of operations leaves.
#[derive(Default)]
struct Expected {
    pairs: Pairs,
    log: Vec<u8>,
}

/// Puts, deletes and appends, in transactions of a few.
fn work(store: &mut HostStore<'_>, random: &mut Random, expected: &mut Expected) {
    for number in 0..200 {
        for _ in 0..=random.below(4) {
            let key = random.below(200).to_be_bytes().to_vec();
            match random.below(8) {
                0 if expected.pairs.contains_key(&key) => {
                    store.tentatively_delete(&key).unwrap();
                    expected.pairs.remove(&key);
                }
                1 => {
                    let entry = random.bytes(24);
                    store.tentatively_append(0, &entry).unwrap();
                    expected.log.extend(entry);
                }
                _ => {
                    let len = random.below(if number % 50 == 0 { 20_000 } else { 300 });
                    let value = random.bytes(len as usize);
                    store.tentatively_put(&key, &value).unwrap();
                    expected.pairs.insert(key, value);
                }
            }
        }
        store.commit().unwrap();
    }
}

/// Whether a store holds what it should.
fn compare(store: &HostStore<'_>, expected: &Expected) {
    assert_eq!(store.len(), expected.pairs.len() as u64);
    for (key, value) in &expected.pairs {
        assert!(store.get(key).unwrap().as_ref() == Some(value), "{key:?}");
    }
    let mut log = vec![0; expected.log.len()];
    store.read(0, 0, &mut log).unwrap();
    assert!(log == expected.log, "the log differs");
}

fn open<'a>(path: &Path, memory: &'a HostMemory, how: (MediumChoice, Reads)) -> HostStore<'a> {
    HostStore::open_on(path, memory, Access::ReadWrite, how.1, how.0).unwrap()
}

/// Every way to reach a plain file here.
fn ways() -> Vec<(MediumChoice, Reads)> {
    let mut ways = vec![
        (MediumChoice::File, Reads::Mapped),
        (MediumChoice::File, Reads::Positioned),
    ];
    if cfg!(target_os = "linux") {
        ways.push((MediumChoice::Volatile, Reads::Mapped));
    }
    if cfg!(windows) {
        ways.push((MediumChoice::View, Reads::Mapped));
    }
    ways
}

fn seed() -> u64 {
    let seed = env::var("INDELIBLE_SEED").ok();
    seed.and_then(|text| text.parse().ok()).unwrap_or(0x1_3A6E)
}

#[test]
fn the_same_operations_leave_the_same_bytes() {
    println!("INDELIBLE_SEED={}", seed());
    let folder = tempfile::tempdir().unwrap();
    let mut images = Vec::new();
    for (number, how) in ways().into_iter().enumerate() {
        let path = folder.path().join(number.to_string());
        let config = Config {
            id: 7,
            nonce: 11,
            segment_size: None,
            logs: &[512 << 10],
        };
        let mut medium = AnyMedium::create(&path, file::geometry(SIZE), how.0).unwrap();
        setup(&mut medium, &config).unwrap();
        drop(medium);
        let mut random = Random(seed() | 1);
        let mut expected = Expected::default();
        for _ in 0..2 {
            let memory = HostMemory::new();
            let mut store = open(&path, &memory, how);
            compare(&store, &expected);
            work(&mut store, &mut random, &mut expected);
            compare(&store, &expected);
            store.close().unwrap();
        }
        images.push(fs::read(path).unwrap());
    }
    assert!(images[0].iter().any(|byte| *byte != 0));
    for (image, how) in images.iter().zip(ways()) {
        assert!(*image == images[0], "{how:?} leaves other bytes");
    }
    if let Some(path) = env::var_os("INDELIBLE_IMAGE") {
        fs::write(path, &images[0]).unwrap();
    }
}

#[test]
fn a_store_made_elsewhere_goes_on_here() {
    let Some(other) = env::var_os("INDELIBLE_OTHER") else {
        return println!("INDELIBLE_OTHER names none");
    };
    let folder = tempfile::tempdir().unwrap();
    for (number, how) in ways().into_iter().enumerate() {
        let path = folder.path().join(number.to_string());
        fs::copy(&other, &path).unwrap();
        let memory = HostMemory::new();
        let mut store = open(&path, &memory, how);
        let mut pairs = Pairs::new();
        let mut key = vec![0; store.key_max()];
        let mut scan = store.scan(b"");
        while let Some(entry) = scan.next(&mut key).unwrap() {
            let key = entry.key.to_vec();
            let value = store.get(&key).unwrap().unwrap();
            pairs.insert(key, value);
        }
        assert!(!pairs.is_empty());
        store.put(b"here", b"too").unwrap();
        // Not closed, as a killed process leaves it.
        drop(store);
        pairs.insert(b"here".to_vec(), b"too".to_vec());
        let memory = HostMemory::new();
        let store = open(&path, &memory, how);
        for (key, value) in &pairs {
            assert!(store.get(key).unwrap().as_ref() == Some(value), "{key:?}");
        }
    }
}
