//! Backups: of one moment, whole, verified, while threads go on writing.
//!
//! `INDELIBLE_SEED` chooses what is written.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use common::Random;
use indelible_dax::backup::{BackupError, BackupOptions, restore};
use indelible_dax::indelible::HashIndex;
use indelible_dax::{
    Access, FileError, HostMemory, HostStore, MediumChoice, Reads, Setup, SharedStore,
};

const SIZE: u64 = 4 << 20;
const REPLACE: BackupOptions = BackupOptions {
    replace: true,
    accept_damage: false,
};

fn seed() -> u64 {
    let seed = std::env::var("INDELIBLE_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0x5EED_B0CC);
    println!("INDELIBLE_SEED={seed}");
    seed | 1
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn is_whole(path: &Path) {
    let memory = HostMemory::new();
    let mut store: HostStore<'_, HashIndex<'_>> = HostStore::open_read_only(path, &memory).unwrap();
    assert!(store.report().torn.is_none());
    let checked = store.check(&mut |finding| panic!("{finding:?}")).unwrap();
    assert_eq!(checked.damaged, 0);
}

/// Writes so much that segments written at the moment of the backup are erased
/// and written again before they are copied.
fn churn(store: &SharedStore, random: &mut Random, writes: u64) {
    for _ in 0..writes {
        let key = format!("key{}", random.below(40));
        let value_len = 1 + random.below(20_000) as usize;
        store.put(key.as_bytes(), &random.bytes(value_len)).unwrap();
    }
}

fn shows_the_moment(choice: MediumChoice, folder: &Path) {
    let mut random = Random(seed());
    let (path, copy) = (folder.join("s"), folder.join("copy"));
    Setup::new(SIZE).medium(choice).create(&path).unwrap();
    let store: SharedStore = SharedStore::open_with(|| {
        indelible_dax::AnyMedium::open(&path, Access::ReadWrite, Reads::Mapped, choice)
    })
    .unwrap();
    churn(&store, &mut random, 400);
    for round in 0..12 {
        let writes = [0, 3, 30, 300][round % 4];
        let erases = store.stats().unwrap().erases_total;
        let mut backup = store.begin_backup(&copy, REPLACE).unwrap();
        // Nobody writes: that is the moment.
        let expected = fs::read(&path).unwrap();
        loop {
            churn(&store, &mut random, writes);
            if !backup.step().unwrap() {
                break;
            }
        }
        let copied = backup.finish().unwrap();
        let found = fs::read(&copy).unwrap();
        let differs = expected.iter().zip(&found).position(|(a, b)| a != b);
        assert_eq!(differs, None, "round {round}, {writes} writes a step");
        assert_eq!(found.len(), expected.len());
        assert_eq!(copied.crc32c, crc32c::crc32c(&expected));
        is_whole(&copy);
        if writes == 300 {
            let erased = store.stats().unwrap().erases_total;
            assert!(erased > erases, "nothing was erased meanwhile");
        }
    }
    assert_eq!(names(folder), ["copy", "s"]);
    store.close().unwrap();
}

#[test]
fn a_backup_is_the_image_of_the_moment_at_which_it_began() {
    let folder = tempfile::tempdir().unwrap();
    shows_the_moment(MediumChoice::File, folder.path());
}

#[cfg(target_os = "linux")]
#[test]
fn so_is_one_of_mapped_memory() {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    shows_the_moment(MediumChoice::Volatile, folder.path());
}

#[test]
fn a_backup_of_an_ordered_image_is_that_of_its_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("s"), folder.path().join("copy"));
    Setup::image(indelible_dax::file::nor_geometry(1 << 20, 4, 4096))
        .create(&path)
        .unwrap();
    let store: SharedStore = SharedStore::open(&path).unwrap();
    for number in 0..50 {
        store.put(b"key", format!("{number}").as_bytes()).unwrap();
    }
    let mut backup = store.begin_backup(&copy, BackupOptions::default()).unwrap();
    let expected = fs::read(&path).unwrap();
    for number in 0..50 {
        store
            .put(b"key", format!("later {number}").as_bytes())
            .unwrap();
        backup.step().unwrap();
    }
    backup.finish().unwrap();
    assert!(fs::read(&copy).unwrap() == expected);
    is_whole(&copy);
}

#[test]
fn a_backup_holds_what_was_acknowledged_before_it_while_writers_go_on() {
    const WRITERS: usize = 3;
    let seed = seed();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    Setup::new(2 * SIZE).create(&path).unwrap();
    let store: SharedStore = SharedStore::open(&path).unwrap();
    let stop = AtomicBool::new(false);
    let acked: [AtomicU64; WRITERS] = Default::default();
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (store, stop, acked) = (store.clone(), &stop, &acked[writer]);
            scope.spawn(move || {
                let mut random = Random(seed.wrapping_add(writer as u64 * 77) | 1);
                let mut number = 0;
                while !stop.load(Ordering::SeqCst) {
                    number += 1;
                    let mut batch = indelible_dax::Batch::new();
                    // Both or neither, and the number only ever grows.
                    let value = number.to_string();
                    let filling = random.below(5_000) as usize;
                    batch.put(format!("a/{writer}").as_bytes(), value.as_bytes());
                    batch.put(format!("f/{writer}").as_bytes(), &random.bytes(filling));
                    batch.put(format!("b/{writer}").as_bytes(), value.as_bytes());
                    store.commit(&batch).unwrap();
                    acked.store(number, Ordering::SeqCst);
                }
            });
        }
        for round in 0..6 {
            while acked
                .iter()
                .any(|n| n.load(Ordering::SeqCst) < 20 * (round + 1))
            {
                thread::yield_now();
            }
            let before: Vec<_> = acked.iter().map(|n| n.load(Ordering::SeqCst)).collect();
            let copy = folder.path().join(format!("copy{round}"));
            store.backup(&copy).unwrap();
            let after: Vec<_> = acked.iter().map(|n| n.load(Ordering::SeqCst)).collect();
            is_whole(&copy);
            let memory = HostMemory::new();
            let copy: HostStore<'_> = HostStore::open_read_only(&copy, &memory).unwrap();
            for writer in 0..WRITERS {
                let number = |what: &str| -> u64 {
                    let value = copy.get(format!("{what}/{writer}").as_bytes()).unwrap();
                    String::from_utf8(value.unwrap()).unwrap().parse().unwrap()
                };
                let (a, b) = (number("a"), number("b"));
                assert_eq!(a, b, "torn");
                // The one that is on its way may be in it too.
                let range = before[writer]..=after[writer] + 1;
                assert!(range.contains(&a), "{a} is not in {range:?}");
            }
        }
        stop.store(true, Ordering::SeqCst);
    });
    store.close().unwrap();
}

#[test]
fn a_backup_replaces_nothing_unasked_and_nothing_that_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("s"), folder.path().join("copy"));
    Setup::new(SIZE).create(&path).unwrap();
    let memory = HostMemory::new();
    let mut store: HostStore = HostStore::open(&path, &memory).unwrap();
    store.put(b"key", b"first").unwrap();
    store.backup(&copy).unwrap();
    store.put(b"key", b"second").unwrap();
    store.tentatively_put(b"key", b"open").unwrap();
    let refused = store.backup(&copy);
    assert!(
        matches!(refused, Err(BackupError::File(FileError::Exists))),
        "{refused:?}"
    );
    {
        let other = HostMemory::new();
        let old: HostStore = HostStore::open_read_only(&copy, &other).unwrap();
        assert_eq!(old.get(b"key").unwrap().unwrap(), b"first");
        let refused = store.backup_as(&copy, REPLACE);
        assert!(
            matches!(refused, Err(BackupError::File(FileError::Locked))),
            "{refused:?}"
        );
    }
    store.backup_as(&copy, REPLACE).unwrap();
    let other = HostMemory::new();
    let new: HostStore = HostStore::open_read_only(&copy, &other).unwrap();
    assert_eq!(new.get(b"key").unwrap().unwrap(), b"second");
    assert_eq!(names(folder.path()), ["copy", "s"]);
    // Over itself: it is open.
    let refused = store.backup_as(&path, REPLACE);
    assert!(
        matches!(refused, Err(BackupError::File(FileError::Locked))),
        "{refused:?}"
    );
}

#[test]
fn a_backup_that_is_dropped_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    Setup::new(SIZE).create(&path).unwrap();
    let store: SharedStore = SharedStore::open(&path).unwrap();
    let mut backup = store
        .begin_backup(folder.path().join("copy"), BackupOptions::default())
        .unwrap();
    assert!(backup.step().unwrap());
    drop(backup);
    assert_eq!(names(folder.path()), ["s"]);
    // What a killed one left goes with the next.
    let left = folder.path().join(".copy.0123456789abcdef.partial");
    fs::write(&left, b"left").unwrap();
    fs::write(folder.path().join(".copy.mine.partial"), b"").unwrap();
    store.backup(folder.path().join("copy")).unwrap();
    assert_eq!(names(folder.path()), [".copy.mine.partial", "copy", "s"]);
}

#[test]
fn a_damaged_backup_is_not_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (copy, path) = (folder.path().join("copy"), folder.path().join("s"));
    Setup::new(SIZE).create(&copy).unwrap();
    let mut expected = BTreeMap::new();
    {
        let memory = HostMemory::new();
        let mut store: HostStore = HostStore::open(&copy, &memory).unwrap();
        let mut random = Random(seed());
        for number in 0..50 {
            let key = format!("key{number}").into_bytes();
            let value = random.bytes(3000);
            store.put(&key, &value).unwrap();
            expected.insert(key, value);
        }
        store.close().unwrap();
    }
    let whole = fs::read(&copy).unwrap();
    let restored = restore(&copy, &path, BackupOptions::default()).unwrap();
    assert_eq!(restored.crc32c, crc32c::crc32c(&whole));
    assert!(fs::read(&path).unwrap() == whole);

    // Ten bytes of a value.
    let value = &expected[&b"key25"[..]];
    let at = whole
        .windows(64)
        .position(|bytes| bytes == &value[1000..1064])
        .unwrap();
    let mut damaged = whole.clone();
    damaged[at..at + 10].fill(0xA5);
    fs::write(&copy, &damaged).unwrap();
    let refused = restore(&copy, &path, REPLACE);
    assert!(
        matches!(refused, Err(BackupError::Damaged { .. })),
        "{refused:?}"
    );
    assert!(fs::read(&path).unwrap() == whole, "what was there stays");
    let accept = BackupOptions {
        replace: true,
        accept_damage: true,
    };
    assert!(restore(&copy, &path, accept).unwrap().damaged > 0);
    assert!(fs::read(&path).unwrap() == damaged);
    fs::write(&copy, &whole[..whole.len() / 2]).unwrap();
    let refused = restore(&copy, &path, accept);
    assert!(
        matches!(refused, Err(BackupError::Original(_))),
        "{refused:?}"
    );
    assert_eq!(names(folder.path()), ["copy", "s"]);

    // The space of a restored store is taken.
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        assert!(fs::metadata(&path).unwrap().blocks() * 512 >= SIZE);
    }
    let memory = HostMemory::new();
    let mut store: HostStore = HostStore::open(&path, &memory).unwrap();
    store.put(b"more", b"value").unwrap();
}
