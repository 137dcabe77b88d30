//! Stores whose memory grows.

use indelible_dax::host::HostIndex;
use indelible_dax::indelible::{Error, HashIndex, Layout, OrderedIndex};
use indelible_dax::{
    Access, FileError, FileMedium, HostMemory, HostStore, OpenError, OrderedHostStore, Reads, Setup,
};

fn grows<'a, I: HostIndex<'a>>(path: &std::path::Path, memory: &'a HostMemory) {
    let mut store: HostStore<'a, I> = HostStore::open(path, memory).unwrap();
    let before = store.stats().index_capacity;
    let count = before as u32 * 3;
    for number in 0..count {
        store.tentatively_put(&number.to_be_bytes(), b"").unwrap();
        if number % 100 == 99 {
            store.commit().unwrap();
        }
    }
    store.commit().unwrap();
    assert!(store.stats().index_capacity as u32 >= count);
    assert_eq!(store.stats().keys, u64::from(count));
    for number in 0..count {
        assert_eq!(
            store.get(&number.to_be_bytes()).unwrap().as_deref(),
            Some(&b""[..])
        );
    }
    store.close().unwrap();
}

#[test]
fn an_index_grows_while_keys_are_put_and_while_a_store_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    Setup::new(2 << 20).create(&path).unwrap();
    let memory = HostMemory::new();
    grows::<HashIndex<'_>>(&path, &memory);
    let memory = HostMemory::new();
    let store: OrderedHostStore<'_> = HostStore::open(&path, &memory).unwrap();
    let keys = store.stats().keys;
    assert!(keys > 20_000, "{keys}");
    store.close().unwrap();

    let path = folder.path().join("ordered");
    Setup::new(2 << 20).create(&path).unwrap();
    let memory = HostMemory::new();
    grows::<OrderedIndex<'_>>(&path, &memory);
}

/// The records of a few segments stand for all: here they mislead.
#[test]
fn a_store_opens_whose_records_are_more_than_was_guessed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    Setup::new(2 << 20).create(&path).unwrap();
    let memory = HostMemory::new();
    let mut store: HostStore<'_> = HostStore::open(&path, &memory).unwrap();
    for number in 0..400u32 {
        store.put(&number.to_le_bytes(), &[7; 1000]).unwrap();
    }
    for number in 0..20_000u32 {
        let key = (number + 400).to_le_bytes();
        store.tentatively_put(&key, b"").unwrap();
        if number % 100 == 99 {
            store.commit().unwrap();
        }
    }
    store.close().unwrap();
    let memory = HostMemory::new();
    let store: HostStore<'_> = HostStore::open(&path, &memory).unwrap();
    assert_eq!(store.len(), 20_400);
    store.close().unwrap();
    let medium = FileMedium::open(&path, Access::ReadOnly, Reads::Mapped).unwrap();
    let layout = Layout::read(&medium).unwrap();
    let guess = layout.estimate_records(&medium).unwrap();
    assert!((1000..15_000).contains(&guess), "{guess}");
}

#[test]
fn a_store_too_small_is_refused_with_the_minimum_and_nothing_is_created() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let setup = Setup::new(4096).logs(&[1 << 20]);
    let refused = setup.create(&path).unwrap_err();
    assert!(
        matches!(refused, OpenError::Store(Error::Geometry(_))),
        "{refused}"
    );
    assert!(!path.exists());
    let minimum = setup.minimum();
    assert!(minimum > 1 << 20);
    Setup::new(minimum).logs(&[1 << 20]).create(&path).unwrap();
}

#[test]
fn errors_keep_their_cause() {
    let memory = HostMemory::new();
    let missing: Result<HostStore<'_>, _> = HostStore::open("/nowhere/at all", &memory);
    let error = missing.unwrap_err();
    assert!(matches!(&error, OpenError::File(FileError::Io { .. })));
    let source = std::error::Error::source(&error).unwrap();
    let source = source.downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn two_stores_share_one_memory() {
    let folder = tempfile::tempdir().unwrap();
    let memory = HostMemory::new();
    let mut stores = Vec::new();
    for name in ["a", "b"] {
        let path = folder.path().join(name);
        Setup::new(1 << 20).create(&path).unwrap();
        let mut store: HostStore<'_> = HostStore::open(&path, &memory).unwrap();
        store.put(b"name", name.as_bytes()).unwrap();
        stores.push(store);
    }
    for (store, name) in stores.iter().zip(["a", "b"]) {
        assert_eq!(
            store.get(b"name").unwrap().as_deref(),
            Some(name.as_bytes())
        );
    }
}
