//! Stores that grow: cut anywhere, refused, full, and in every medium.

mod common;

use common::Random;
use common::judge::{Contents, Work, budget, contents, fresh, recover, seed, work_on};
use indelible_dax::file::{self, CrashStates, Event, Journal, MemoryFile, Recorder};
use indelible_dax::indelible::{Error, GeometryError, HashIndex, Layout};
use indelible_dax::{
    Access, Batch, FileMedium, HostMedium, HostMemory, HostStore, OpenError, Setup, SharedStore,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

type Recorded<'a> = HostStore<'a, HashIndex<'a>, FileMedium<Recorder<MemoryFile>>>;
type Plain<'a> = HostStore<'a, HashIndex<'a>>;

/// The sizes that a small store has in turn.
const SIZES: [u64; 3] = [128 << 10, 160 << 10, 320 << 10];

fn recorded<'a>(memory: &'a HostMemory, image: &[u8], journal: &Journal) -> Recorded<'a> {
    let opened = HostStore::open_with(memory, || {
        let raw = Recorder::new(MemoryFile::new(image.to_vec()), journal.clone());
        FileMedium::over(raw, file::geometry(image.len() as u64), Access::ReadWrite)
    });
    opened.unwrap()
}

/// What a mark says: the transactions that were acknowledged, and the size.
fn mark(transactions: usize, size: u64) -> u64 {
    (transactions as u64) << 32 | size
}

/// Works on a store and grows it, twice, with a mark after each.
fn run(seed: u64) -> (Vec<u8>, Vec<Contents>, Vec<Event>) {
    let image = fresh(file::geometry(SIZES[0]));
    let journal = Journal::new();
    let memory = HostMemory::new();
    let mut store = recorded(&memory, &image, &journal);
    let mut states = Vec::new();
    for (turn, size) in SIZES.into_iter().enumerate() {
        if turn > 0 {
            store.grow(size).unwrap();
            journal.mark(mark(states.len() - 1, size));
        }
        let before = states.len().saturating_sub(1);
        let more = work_on(&mut store, Work::Mixed, 15, seed + turn as u64, |number| {
            journal.mark(mark(before + number as usize, size));
        });
        states.truncate(before);
        states.extend(more);
    }
    store.close().unwrap();
    (image, states, journal.events())
}

/// Opens every file that a power cut could have left.
fn explore(image: &[u8], states: &[Contents], events: &[Event], seed: u64) -> Result<(), String> {
    let mut wrong = None;
    let mut sizes = BTreeMap::<u64, u64>::new();
    let states_of = CrashStates::new(image.to_vec(), events);
    let visited = states_of.visit(budget(100), seed, |left, acknowledged| {
        if wrong.is_some() {
            return;
        }
        let (transactions, size) = (acknowledged >> 32, acknowledged & u64::from(u32::MAX));
        let judged = size_of(left).and_then(|found| {
            *sizes.entry(found).or_default() += 1;
            if found < size || !SIZES.contains(&found) {
                return Err(format!("it has {found} bytes of {size}"));
            }
            recover(file::geometry(left.len() as u64), states, left)
        });
        match judged {
            Ok(found) if found as u64 >= transactions => {}
            Ok(found) => wrong = Some(format!("{found} are there of {transactions}")),
            Err(error) => wrong = Some(format!("after {transactions}, {size} bytes: {error}")),
        }
    });
    println!("{visited:?}, states by size: {sizes:?}");
    wrong.map_or(Ok(()), Err)
}

fn size_of(left: &[u8]) -> Result<u64, String> {
    let raw = MemoryFile::new(left.to_vec());
    let geometry = file::geometry(left.len() as u64);
    let medium = FileMedium::over(raw, geometry, Access::ReadOnly).map_err(|e| e.to_string())?;
    let layout = Layout::read(&medium).map_err(|error| error.to_string())?;
    Ok(layout.geometry.capacity)
}

#[test]
fn every_cut_leaves_the_store_as_it_was_or_grown() {
    let seed = seed();
    let (image, states, events) = run(seed);
    explore(&image, &states, &events, seed).unwrap();
}

/// The control: the root comes first, and the length that it counts on after it.
#[test]
fn a_root_before_its_length_is_caught() {
    let seed = seed();
    let (image, states, mut events) = run(seed);
    let resized = |event: &Event| matches!(event, Event::Resize { .. });
    let at = events.iter().position(resized).unwrap();
    let length: Vec<Event> = events.drain(at..at + 2).collect();
    assert_eq!(length[1], Event::Sync);
    let beyond = |event: &Event| matches!(event, Event::Write { at, .. } if *at >= SIZES[0]);
    let at = events.iter().position(beyond).unwrap();
    events.splice(at..at, length);
    let caught = explore(&image, &states, &events, seed);
    println!("{caught:?}");
    let error = caught.expect_err("it went unseen");
    assert!(error.contains("the medium only"), "{error}");
}

/// Every call to the system fails once; what is there then is opened, and
/// grows.
#[test]
fn any_call_may_fail() {
    let image = fresh(file::geometry(SIZES[0]));
    let mut failures = 0;
    for calls in 0.. {
        let (journal, memory) = (Journal::new(), HostMemory::new());
        let mut store = recorded(&memory, &image, &journal);
        let states = work_on(&mut store, Work::Mixed, 10, 7, |_| {});
        journal.fail_after(calls, std::io::ErrorKind::StorageFull);
        let grown = store.grow(SIZES[1]);
        let left = store.medium().raw().file().clone();
        if grown.is_ok() {
            break;
        }
        failures += 1;
        if calls < 2 {
            // The file's own growth: nothing has changed, and all goes on.
            assert!(matches!(grown, Err(Error::Medium { .. })), "{grown:?}");
            assert_eq!(store.layout().geometry.capacity, SIZES[0]);
            assert_eq!(left.bytes().len() as u64, SIZES[0]);
            store.put(b"it goes", b"on").unwrap();
        }
        let memory = HostMemory::new();
        let mut store = recorded(&memory, left.bytes(), &Journal::new());
        assert_eq!(contents(&store).unwrap(), *states.last().unwrap());
        if store.layout().geometry.capacity < SIZES[1] {
            store.grow(SIZES[1]).unwrap();
        }
        store.grow(SIZES[2]).unwrap();
        assert_eq!(contents(&store).unwrap(), *states.last().unwrap());
        store.close().unwrap();
    }
    println!("{failures} calls failed");
    assert!(failures > 4);
}

fn make(path: &Path) {
    Setup::new(1 << 20)
        .logs(&[8192, 8192])
        .create(path)
        .unwrap();
}

/// Puts until there is no room; returns what is there.
fn fill<'a, M: HostMedium>(
    store: &mut HostStore<'a, HashIndex<'a>, M>,
    random: &mut Random,
    all: &mut BTreeMap<Vec<u8>, Vec<u8>>,
) {
    loop {
        let key = format!("key {}", all.len()).into_bytes();
        let len = 100 + random.below(3000) as usize;
        let value = random.bytes(len);
        match store.put(&key, &value) {
            Ok(()) => all.insert(key, value),
            Err(Error::Full { .. }) => return,
            Err(error) => panic!("{error}"),
        };
    }
}

fn compare<M: HostMedium>(
    store: &HostStore<'_, HashIndex<'_>, M>,
    all: &BTreeMap<Vec<u8>, Vec<u8>>,
) {
    assert_eq!(store.len(), all.len() as u64);
    for (key, value) in all {
        assert_eq!(store.get(key).unwrap().as_ref(), Some(value));
    }
}

#[test]
fn a_full_store_grows_and_takes_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    make(&path);
    let (mut random, mut all) = (Random(seed() | 1), BTreeMap::new());
    let mut size = 1 << 20;
    for turn in 0..3 {
        let memory = HostMemory::new();
        let mut store: Plain<'_> = HostStore::open(&path, &memory).unwrap();
        fill(&mut store, &mut random, &mut all);
        let log = store.append(0, b"as it was").unwrap();
        if turn == 1 {
            // Of one that was not closed.
            drop(store);
            store = HostStore::open(&path, &memory).unwrap();
        }
        let (before, room) = (store.stats(), store.room().record_bytes);
        size += size / 4;
        let layout = store.grow(size).unwrap();
        assert_eq!(layout, store.layout());
        let after = store.stats();
        let more = u64::from(after.segments - before.segments) * u64::from(layout.segment_size);
        let gained = store.room().record_bytes - room;
        println!("{more} bytes more, {gained} of them for records");
        assert!(gained > more / 5 * 4);
        compare(&store, &all);
        fill(&mut store, &mut random, &mut all);
        let mut bytes = [0; 9];
        store.read(0, log, &mut bytes).unwrap();
        assert_eq!(&bytes, b"as it was");
        assert_eq!(store.check(&mut |_| {}).unwrap().damaged, 0);
        match turn {
            2 => drop(store),
            _ => store.close().unwrap(),
        }
        assert_eq!(std::fs::metadata(&path).unwrap().len(), size);
    }
    let memory = HostMemory::new();
    let store: Plain<'_> = HostStore::open(&path, &memory).unwrap();
    compare(&store, &all);
}

#[test]
fn what_cannot_be_is_refused_and_nothing_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    make(&path);
    let memory = HostMemory::new();
    let mut store: Plain<'_> = HostStore::open(&path, &memory).unwrap();
    store.put(b"key", b"value").unwrap();
    let layout = store.layout();
    let (image, most) = (std::fs::read(&path).unwrap(), layout.grows_to());
    assert!(most > 2 << 20, "{most}");
    let segment = u64::from(layout.segment_size);
    let refusals = [
        (1 << 19, "below the minimum"),
        (1 << 20, "below the minimum"),
        ((1 << 20) + segment + 1, "no multiple"),
        (most + segment, "passes"),
        (u64::MAX, "passes"),
    ];
    for (size, words) in refusals {
        let error = store.grow(size).unwrap_err();
        assert!(matches!(error, Error::Geometry(_)), "{error:?}");
        assert!(error.to_string().contains(words), "{size}: {error}");
    }
    store.tentatively_put(b"other", b"value").unwrap();
    let grown = store.grow(2 << 20);
    assert!(matches!(grown, Err(Error::TransactionOpen)), "{grown:?}");
    store.abort().unwrap();
    drop(store);
    let now = std::fs::read(&path).unwrap();
    assert_eq!(now.len(), image.len());

    let mut store: Plain<'_> = HostStore::open_read_only(&path, &memory).unwrap();
    let grown = store.grow(2 << 20);
    let refused = matches!(grown, Err(Error::ReadOnly));
    assert!(refused, "{grown:?}");
    drop(store);
    assert!(std::fs::read(&path).unwrap() == now);

    // Up to the limit it does.
    let mut store: Plain<'_> = HostStore::open(&path, &memory).unwrap();
    store.grow(most).unwrap();
    assert!(store.grow(most + segment).is_err());
    store.put(b"key", &[7; 100_000]).unwrap();
    store.close().unwrap();
    let store: Plain<'_> = HostStore::open(&path, &memory).unwrap();
    assert_eq!(store.get(b"key").unwrap(), Some(vec![7; 100_000]));

    let path = folder.path().join("flash");
    Setup::image(file::nor_geometry(256 << 10, 4, 4096))
        .create(&path)
        .unwrap();
    let mut store: Plain<'_> = HostStore::open(&path, &memory).unwrap();
    let grown = store.grow(512 << 10);
    let fixed = matches!(grown, Err(Error::Geometry(GeometryError::Fixed)));
    assert!(fixed, "{grown:?}");
}

/// The file is longer, and the store does not know.
#[test]
fn a_growth_that_was_cut_is_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    for size in [1280 << 10, 1536 << 10, 2 << 20] {
        let _ = std::fs::remove_file(&path);
        make(&path);
        let longer = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        longer.set_len(1536 << 10).unwrap();
        // As if it had held something else before.
        file_bytes(&path, 1 << 20, &[0xA5; 5000]);
        let memory = HostMemory::new();
        let mut store: Plain<'_> = HostStore::open(&path, &memory).unwrap();
        assert_eq!(store.layout().geometry.capacity, 1 << 20);
        store.put(b"key", b"value").unwrap();
        store.grow(size).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), size);
        let mut all = BTreeMap::new();
        all.insert(b"key".to_vec(), b"value".to_vec());
        fill(&mut store, &mut Random(7), &mut all);
        drop(store);
        let store: Plain<'_> = HostStore::open(&path, &memory).unwrap();
        compare(&store, &all);
        drop(store);
        // A file that lost its end is refused with both sizes.
        std::fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(1 << 20)
            .unwrap();
        let opened: Result<Plain<'_>, _> = HostStore::open(&path, &memory);
        let error = opened.unwrap_err().to_string();
        println!("{error}");
        let both = error.contains(&size.to_string()) && error.contains("1048576");
        assert!(both || error.contains("no readable ledger"), "{error}");
    }
}

fn file_bytes(path: &Path, at: u64, bytes: &[u8]) {
    use std::io::{Seek, Write};
    let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(std::io::SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn backups_have_the_size_of_their_moment() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    make(&path("store"));
    let store: SharedStore = SharedStore::open(path("store")).unwrap();
    store.put(b"key", b"before").unwrap();
    store.backup(path("small")).unwrap();
    // One is under way as the store grows: it shows what was there before.
    let underway = store
        .begin_backup(path("underway"), Default::default())
        .unwrap();
    store.grow(2 << 20).unwrap();
    store.put(b"key", &[1; 50_000]).unwrap();
    underway.finish().unwrap();
    store.backup(path("large")).unwrap();
    store.close().unwrap();
    for (name, size, value) in [
        ("small", 1 << 20, b"before".to_vec()),
        ("underway", 1 << 20, b"before".to_vec()),
        ("large", 2 << 20, vec![1; 50_000]),
    ] {
        assert_eq!(std::fs::metadata(path(name)).unwrap().len(), size);
        let restored = path("restored");
        let options = indelible_dax::BackupOptions {
            replace: true,
            ..Default::default()
        };
        indelible_dax::backup::restore(path(name), &restored, options).unwrap();
        let store: SharedStore = SharedStore::open(&restored).unwrap();
        assert_eq!(store.get(b"key").unwrap(), Some(value));
        assert!(store.stats().unwrap().segments > 0);
        store.grow(size + (512 << 10)).unwrap();
        store.put(b"more", &[2; 70_000]).unwrap();
        store.close().unwrap();
    }
}

#[test]
fn threads_go_on_as_a_store_grows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    Setup::new(1 << 20).grows_to(8 << 20).create(&path).unwrap();
    let store: SharedStore = SharedStore::open(&path).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..3u8 {
            let (store, done) = (store.clone(), &done);
            scope.spawn(move || {
                for round in 0.. {
                    let mut batch = Batch::new();
                    batch.put(&[thread, 1], &[round; 300]);
                    batch.put(&[thread, 2], &[round; 2000]);
                    store.commit(&batch).unwrap();
                    let seen = store
                        .view(|store| {
                            let mut buffer = [0; 2000];
                            let first = store.get(&[thread, 1], &mut buffer).unwrap();
                            let first = (first, buffer[0]);
                            let second = store.get(&[thread, 2], &mut buffer).unwrap();
                            (first, (second, buffer[0]))
                        })
                        .unwrap();
                    assert_eq!(seen, ((Some(300), round), (Some(2000), round)));
                    if done.load(Ordering::Relaxed) || round == u8::MAX {
                        return;
                    }
                }
            });
        }
        for size in 2..=8 {
            store.grow(size << 20).unwrap();
            store.put(b"size", &[size as u8]).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(store.get(b"size").unwrap(), Some(vec![8]));
    assert_eq!(store.len().unwrap(), 7);
    drop(store);
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 8 << 20);
    let store: SharedStore = SharedStore::open(&path).unwrap();
    assert_eq!(store.len().unwrap(), 7);
}

#[cfg(any(target_os = "linux", windows))]
#[test]
fn mapped_memory_grows() {
    use indelible_dax::{MediumChoice, MediumKind};
    let (folder, choice, kind) = if cfg!(windows) {
        let folder = tempfile::tempdir();
        (folder, MediumChoice::View, MediumKind::View)
    } else {
        let folder = tempfile::tempdir_in("/dev/shm");
        (folder, MediumChoice::Volatile, MediumKind::Volatile)
    };
    let folder = folder.unwrap();
    let path = folder.path().join("store");
    make(&path);
    let (mut random, mut all) = (Random(seed() | 1), BTreeMap::new());
    let memory = HostMemory::new();
    let open = || -> Plain<'_> {
        HostStore::open_on(
            &path,
            &memory,
            Access::ReadWrite,
            indelible_dax::Reads::Mapped,
            choice,
        )
        .unwrap()
    };
    let mut store = open();
    assert_eq!(store.kind(), kind);
    fill(&mut store, &mut random, &mut all);
    store.grow(2 << 20).unwrap();
    fill(&mut store, &mut random, &mut all);
    compare(&store, &all);
    drop(store);
    let mut store = open();
    compare(&store, &all);
    store.grow(2560 << 10).unwrap();
    fill(&mut store, &mut random, &mut all);
    store.close().unwrap();
    compare(&open(), &all);
    // And as a plain file.
    let store: Plain<'_> = HostStore::open(&path, &memory).unwrap();
    compare(&store, &all);
}

#[test]
fn no_segments_are_long_enough_for_any_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let made = Setup::new(64 << 30).grows_to(1 << 50).create(&path);
    assert!(
        matches!(
            made,
            Err(OpenError::Store(Error::Geometry(
                GeometryError::TooLarge { .. }
            )))
        ),
        "{made:?}"
    );
    assert!(!path.exists());
}
