//! A store in shards: transactions over several of them, whatever happens.

mod common;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::thread;

use common::Random;
use indelible_dax::backup::{BackupError, BackupOptions};
use indelible_dax::file::{self, MemoryFile, RawFile, Syncer};
use indelible_dax::indelible::{Error, HashIndex};
use indelible_dax::{
    Access, Batch, FileError, FileMedium, HostMemory, HostStore, ShardedOpenError, ShardedSetup,
    ShardedStore, SharedError,
};

const SHARDS: usize = 3;
const SIZE: u64 = 1 << 20;

fn setup(shards: usize) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    ShardedSetup::new(shards, SIZE).create(&path).unwrap();
    (folder, path)
}

/// What happened to the files of the shards, in order.
#[derive(Clone)]
enum Event {
    Write(usize, u64, Vec<u8>),
    Sync(usize),
    /// From here on blank, and so long.
    Resize(usize, u64, u64),
    /// So many transactions were acknowledged.
    Mark(u64),
}

type Tape = Arc<Mutex<Vec<Event>>>;

/// The file of a shard, in memory, with what is done to it on tape.
#[derive(Clone)]
struct Taped {
    shard: usize,
    file: MemoryFile,
    tape: Tape,
    /// Syncs of this shard that succeed before one fails.
    syncs: Arc<Mutex<Option<u32>>>,
}

impl Taped {
    fn sync(shard: usize, tape: &Tape, syncs: &Mutex<Option<u32>>) -> io::Result<()> {
        if let Some(left) = &mut *syncs.lock().unwrap() {
            if *left == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            *left -= 1;
        }
        tape.lock().unwrap().push(Event::Sync(shard));
        Ok(())
    }
}

impl RawFile for Taped {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
    fn read_at(&self, at: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_at(at, buf)
    }
    fn view(&self) -> Option<&[u8]> {
        self.file.view()
    }
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(at, bytes)?;
        let event = Event::Write(self.shard, at, bytes.to_vec());
        self.tape.lock().unwrap().push(event);
        Ok(())
    }
    fn sync_data(&mut self) -> io::Result<()> {
        Self::sync(self.shard, &self.tape, &self.syncs)
    }
    fn resize(&mut self, from: u64, to: u64, blank: u8) -> io::Result<()> {
        self.file.resize(from, to, blank)?;
        let event = Event::Resize(self.shard, from, to);
        self.tape.lock().unwrap().push(event);
        Self::sync(self.shard, &self.tape, &self.syncs)
    }
    fn syncer(&self) -> Option<Syncer> {
        let (shard, tape, syncs) = (self.shard, self.tape.clone(), self.syncs.clone());
        Some(Syncer::new(move || Self::sync(shard, &tape, &syncs)))
    }
}

type TapedStore = ShardedStore<HashIndex<'static>, FileMedium<Taped>>;

struct World {
    store: Result<TapedStore, ShardedOpenError>,
    tape: Tape,
    syncs: Vec<Arc<Mutex<Option<u32>>>>,
}

fn open(images: &[Vec<u8>]) -> World {
    let tape = Tape::default();
    let syncs: Vec<_> = images.iter().map(|_| Arc::default()).collect();
    let store = ShardedStore::open_with(|shard| {
        let image = images[shard].clone();
        let geometry = file::geometry(image.len() as u64);
        let raw = Taped {
            shard,
            file: MemoryFile::new(image),
            tape: tape.clone(),
            syncs: Arc::clone(&syncs[shard]),
        };
        FileMedium::over(raw, geometry, Access::ReadWrite)
    });
    World { store, tape, syncs }
}

fn images(shards: usize) -> Vec<Vec<u8>> {
    let (_folder, path) = setup(shards);
    let file = |shard| std::fs::read(path.join(format!("shard.{shard:05}"))).unwrap();
    (0..shards).map(file).collect()
}

/// Keys of all shards: enough of them that each has some.
fn keys() -> Vec<Vec<u8>> {
    (0..9)
        .map(|number| format!("key {number}").into_bytes())
        .collect()
}

fn everywhere(value: &[u8]) -> Batch {
    let mut batch = Batch::new();
    keys()
        .iter()
        .for_each(|key| drop(batch.put(key, value).len().to_string()));
    batch
}

#[test]
fn a_transaction_over_shards_is_one() {
    let (_folder, path) = setup(4);
    let store: ShardedStore = ShardedStore::open(&path).unwrap();
    assert_eq!(store.shards(), 4);
    assert!(store.is_empty().unwrap());
    store.commit(&everywhere(b"one")).unwrap();
    let all: Vec<_> = store.scan(b"").map(Result::unwrap).collect();
    let expected: Vec<_> = keys()
        .into_iter()
        .map(|key| (key, b"one".to_vec()))
        .collect();
    assert_eq!(all, expected);

    // Refused in one of them, it is refused in all.
    for key in keys() {
        let mut batch = everywhere(b"two");
        batch.create(&key, b"there already");
        let error = store.commit(&batch).unwrap_err();
        assert!(matches!(error.store(), Some(Error::KeyExists)), "{error}");
    }
    let wanted: Vec<_> = keys();
    let wanted: Vec<&[u8]> = wanted.iter().map(Vec::as_slice).collect();
    let values = store.get_all(&wanted).unwrap();
    assert!(values.iter().all(|value| value.as_deref() == Some(b"one")));
    let mut logs = Batch::new();
    logs.put(b"key 1", b"").append(0, b"there are none");
    assert!(matches!(
        store.commit(&logs).unwrap_err().store(),
        Some(Error::InvalidLog { .. })
    ));
    let too_long = everywhere(&[0; 30_000]);
    assert!(matches!(
        store.commit(&too_long).unwrap_err().store(),
        Some(Error::LogFull { .. })
    ));
    // What takes the whole log of intents fits again and again.
    let long = everywhere(&[7; 6000]);
    (0..5).for_each(|_| store.commit(&long).unwrap());

    let failed = store.transaction(|it| {
        it.put(b"key 1", b"x");
        it.delete(b"key 2")?;
        it.delete(b"key 2")
    });
    assert!(matches!(failed.unwrap_err().store(), Some(Error::NotFound)));
    store
        .transaction(|it| {
            it.put(b"key 1", b"x");
            it.delete(b"key 2")
        })
        .unwrap();
    store.close().unwrap();
    let store: ShardedStore = ShardedStore::open(&path).unwrap();
    assert_eq!(store.get(b"key 1").unwrap().unwrap(), b"x");
    assert_eq!(store.get(b"key 2").unwrap(), None);
    assert_eq!(store.len().unwrap(), 8);
}

#[test]
fn the_shards_know_each_other() {
    let (_one, one) = setup(3);
    let (_two, two) = setup(3);
    let shard = |path: &std::path::Path, shard| path.join(format!("shard.{shard:05}"));
    std::fs::copy(shard(&two, 1), shard(&one, 1)).unwrap();
    let opened = ShardedStore::<HashIndex<'static>>::open(&one);
    assert!(matches!(opened, Err(ShardedOpenError::Foreign(1))));
    std::fs::copy(shard(&two, 2), shard(&two, 1)).unwrap();
    let opened = ShardedStore::<HashIndex<'static>>::open(&two);
    assert!(matches!(opened, Err(ShardedOpenError::Foreign(1))));
    std::fs::remove_file(shard(&two, 2)).unwrap();
    let opened = ShardedStore::<HashIndex<'static>>::open(&two);
    assert!(matches!(opened, Err(ShardedOpenError::Shard(2, _))));
    assert!(matches!(
        ShardedSetup::new(0, SIZE).create(&two),
        Err(ShardedOpenError::Count(0))
    ));
    assert!(matches!(
        ShardedSetup::new(2, SIZE).create(&two),
        Err(ShardedOpenError::Folder(_))
    ));
}

/// What all accounts hold at one moment.
fn sum(store: &ShardedStore) -> i64 {
    let keys = keys();
    let all: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    let values = store.get_all(&all).unwrap().into_iter();
    values
        .map(|it| i64::from_le_bytes(it.unwrap().try_into().unwrap()))
        .sum()
}

/// Runs `look` over and over while threads move amounts between nine accounts
/// in all shards, which hold 900 together.
fn while_threads_transfer(store: &ShardedStore, mut look: impl FnMut()) {
    let keys = keys();
    store.commit(&everywhere(&100i64.to_le_bytes())).unwrap();
    thread::scope(|scope| {
        let writers: Vec<_> = (0..3u64)
            .map(|number| {
                let keys = &keys;
                scope.spawn(move || {
                    let mut random = Random(number + 1);
                    for turn in 0..40 {
                        let from = &keys[random.below(9) as usize];
                        let to = &keys[random.below(9) as usize];
                        let moved = store.transaction(|it| {
                            let amount =
                                |bytes: Vec<u8>| i64::from_le_bytes(bytes.try_into().unwrap());
                            let left = amount(it.get(from)?.unwrap()) - 1;
                            it.update(from, &left.to_le_bytes())?;
                            let more = amount(it.get(to)?.unwrap()) + 1;
                            it.update(to, &more.to_le_bytes())
                        });
                        moved.unwrap();
                        store
                            .put(format!("single {number} {turn}").as_bytes(), b"")
                            .unwrap();
                    }
                })
            })
            .collect();
        let mut looks = 0;
        while looks < 10 || !writers.iter().all(|it| it.is_finished()) {
            look();
            looks += 1;
        }
    });
    assert_eq!(store.len().unwrap(), 9 + 120);
}

#[test]
fn threads_never_see_half_a_transaction() {
    let (_folder, path) = setup(4);
    let store: ShardedStore = ShardedStore::open(&path).unwrap();
    while_threads_transfer(&store, || assert_eq!(sum(&store), 900));
}

#[test]
fn a_backup_holds_no_half_of_a_transaction_while_threads_transfer() {
    let (folder, path) = setup(4);
    let store: ShardedStore = ShardedStore::open(&path).unwrap();
    let mut made = 0;
    while_threads_transfer(&store, || {
        let path = folder.path().join(format!("copy {made}"));
        assert_eq!(store.backup(&path).unwrap().bytes, 4 * SIZE);
        made += 1;
    });
    let mut counts = Vec::new();
    for number in 0..made {
        let path = folder.path().join(format!("copy {number}"));
        let copy: ShardedStore = ShardedStore::open(&path).unwrap();
        assert_eq!(sum(&copy), 900);
        counts.push(copy.len().unwrap());
    }
    assert!(counts.is_sorted(), "{counts:?}");
    let left = std::fs::read_dir(folder.path()).unwrap();
    assert_eq!(left.count(), 1 + made, "nothing but the store and copies");
}

#[test]
fn a_backup_of_shards_is_there_as_a_whole_or_not_at_all() {
    let (folder, path) = setup(2);
    let store: ShardedStore = ShardedStore::open(&path).unwrap();
    store.commit(&everywhere(b"one")).unwrap();
    let copy = folder.path().join("copy");
    // What a backup left that was killed, and one that is being made.
    let partial = folder.path().join(".copy.partial");
    std::fs::create_dir(&partial).unwrap();
    std::fs::write(partial.join("shard.00000"), b"half").unwrap();
    let lock = std::fs::File::create(partial.join("lock")).unwrap();
    lock.lock().unwrap();
    let busy = store.backup(&copy);
    assert!(matches!(busy, Err(BackupError::File(FileError::Locked))));
    drop(lock);
    let copied = store.backup(&copy).unwrap();
    assert!(!partial.exists() && !copy.join("lock").exists());
    let mut both = std::fs::read(copy.join("shard.00000")).unwrap();
    both.extend(std::fs::read(copy.join("shard.00001")).unwrap());
    assert_eq!(copied.crc32c, crc32c::crc32c(&both));
    let again = store.backup(&copy);
    assert!(matches!(again, Err(BackupError::File(FileError::Exists))));
    // Damage that cannot be healed in one of them: there is no copy.
    store.close().unwrap();
    let file = path.join("shard.00001");
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(3).position(|it| it == b"one").unwrap();
    bytes[at..at + 3].fill(0xA5);
    std::fs::write(&file, bytes).unwrap();
    let store: ShardedStore = ShardedStore::open(&path).unwrap();
    let other = folder.path().join("other");
    let damaged = store.backup(&other);
    assert!(
        matches!(damaged, Err(BackupError::Shard(1, ref error)) if matches!(**error, BackupError::Damaged { .. })),
        "{damaged:?}"
    );
    assert!(!other.exists());
    let options = BackupOptions {
        accept_damage: true,
        ..BackupOptions::default()
    };
    assert!(store.backup_as(&other, options).unwrap().damaged > 0);
    assert!(other.join("shard.00001").exists());
}

/// The bytes of each shard before and behind a cut: what is certain, and the
/// words that may have been written, in order.
fn left(
    images: &[Vec<u8>],
    events: &[Event],
    mut choose: impl FnMut(usize) -> bool,
) -> (Vec<Vec<u8>>, u64) {
    let mut certain = images.to_vec();
    let mut open: Vec<Vec<(usize, Vec<u8>)>> = vec![Vec::new(); images.len()];
    let mut mark = 0;
    let mut longer = vec![None; images.len()];
    for event in events {
        match event {
            Event::Resize(shard, from, to) => longer[*shard] = Some((*from, *to)),
            Event::Write(shard, at, bytes) => open[*shard].push((*at as usize, bytes.clone())),
            Event::Sync(shard) => {
                if let Some((from, to)) = longer[*shard].take() {
                    certain[*shard].truncate(from as usize);
                    certain[*shard].resize(to as usize, 0);
                }
                for (at, bytes) in open[*shard].drain(..) {
                    certain[*shard][at..at + bytes.len()].copy_from_slice(&bytes);
                }
            }
            Event::Mark(number) => mark = *number,
        }
    }
    for (shard, writes) in open.into_iter().enumerate() {
        // The new length, or half of what is added to it.
        if let Some((_, to)) = longer[shard] {
            let half = certain[shard].len().midpoint(to as usize);
            let len = if choose(shard) { to as usize } else { half };
            certain[shard].resize(len, 0);
        }
        for (at, bytes) in writes {
            let mut done = 0;
            while done < bytes.len() {
                // To the end of the aligned word.
                let len = (8 - (at + done) % 8).min(bytes.len() - done);
                if choose(shard) {
                    certain[shard][at + done..][..len].copy_from_slice(&bytes[done..][..len]);
                }
                done += len;
            }
        }
    }
    (certain, mark)
}

#[test]
fn power_cuts_leave_all_of_a_transaction_or_nothing_in_any_shard() {
    let seed = std::env::var("INDELIBLE_SEED").map_or(0x5EED, |it| it.parse().unwrap());
    println!("INDELIBLE_SEED={seed}");
    let mut random = Random(seed | 1);
    let images = images(SHARDS);
    let world = open(&images);
    let store = world.store.unwrap();
    for number in 1..=6u64 {
        if number % 2 == 0 {
            // Something of one shard between.
            store.put(b"key 4", &(number - 1).to_le_bytes()).unwrap();
        }
        store.commit(&everywhere(&number.to_le_bytes())).unwrap();
        world.tape.lock().unwrap().push(Event::Mark(number));
    }
    let events = world.tape.lock().unwrap().clone();
    let mut states = 0;
    for cut in 0..=events.len() {
        for choice in 0..(1 << SHARDS) + 3 {
            let choose = |shard: usize| match choice >> SHARDS {
                // Each shard has all of it or nothing.
                0 => choice >> shard & 1 == 1,
                _ => random.below(2) == 1,
            };
            let (left, acknowledged) = left(&images, &events[..cut], choose);
            check(&left, acknowledged, true);
            states += 1;
        }
    }
    println!("{} events, {states} states", events.len());
}

/// A cut as the shards grow, in one of them or between two, leaves a store that
/// opens, works, and can go on growing.
#[test]
fn a_store_whose_shards_grow_is_whole_wherever_power_fails() {
    let grown = SIZE + (256 << 10);
    let images = images(SHARDS);
    let world = open(&images);
    let store = world.store.unwrap();
    let mark = |number: u64| world.tape.lock().unwrap().push(Event::Mark(number));
    store.commit(&everywhere(&1u64.to_le_bytes())).unwrap();
    mark(1);
    let begin = world.tape.lock().unwrap().len();
    store.grow(grown).unwrap();
    let end = world.tape.lock().unwrap().len();
    assert_eq!(store.sizes().unwrap(), [grown; SHARDS]);
    store.commit(&everywhere(&2u64.to_le_bytes())).unwrap();
    mark(2);
    let events = world.tape.lock().unwrap().clone();
    let mut found = BTreeMap::<Vec<bool>, u32>::new();
    for cut in begin..=events.len() {
        for choice in 0..1 << SHARDS {
            let choose = |shard: usize| choice >> shard & 1 == 1;
            let (left, acknowledged) = left(&images, &events[..cut], choose);
            check(&left, acknowledged, true);
            let store = open(&left).store.unwrap();
            let sizes = store.sizes().unwrap();
            assert!(sizes.iter().all(|size| [SIZE, grown].contains(size)));
            if cut >= end {
                assert_eq!(sizes, [grown; SHARDS], "cut {cut} of {end}");
            }
            *found
                .entry(sizes.iter().map(|size| *size > SIZE).collect())
                .or_default() += 1;
            if sizes != [grown; SHARDS] {
                store.grow(grown).unwrap();
            }
            assert_eq!(store.sizes().unwrap(), [grown; SHARDS]);
            store.commit(&everywhere(&3u64.to_le_bytes())).unwrap();
            let values = store.get_all(&[b"key 0", b"key 8"]).unwrap();
            assert!(
                values
                    .iter()
                    .all(|it| it.as_deref() == Some(&3u64.to_le_bytes()))
            );
        }
    }
    println!("{} events, which had grown: {found:?}", events.len());
    // None, each number of them, in order; never one before another.
    assert_eq!(found.len(), SHARDS + 1);
}

#[test]
fn shards_grow_or_say_why_not() {
    let (_folder, path) = setup(2);
    let store: ShardedStore = ShardedStore::open(&path).unwrap();
    store.put(b"key", b"value").unwrap();
    let mut refusals = Vec::new();
    for size in [SIZE, SIZE + 1, 1 << 50] {
        let error = store.grow(size).unwrap_err();
        assert!(matches!(error.store(), Some(Error::Geometry(_))), "{error}");
        refusals.push(error.to_string());
    }
    println!("{refusals:?}");
    assert_eq!(store.sizes().unwrap(), [SIZE; 2]);
    // Two threads at once: the later one finds that none is smaller.
    let results: Vec<_> = thread::scope(|scope| {
        let threads = [(); 2].map(|()| scope.spawn(|| store.grow(SIZE * 3 / 2)));
        threads.map(|thread| thread.join().unwrap()).into()
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    // Each takes more than it had room for, some of it from elsewhere.
    let value = vec![7; 10_000];
    for number in 0..180u64 {
        store.put(&number.to_le_bytes(), &value).unwrap();
    }
    store.close().unwrap();
    assert!(matches!(store.grow(SIZE * 2), Err(SharedError::Closed)));
    // A file at a time, closed: the store does not mind.
    let memory = HostMemory::new();
    let mut one: HostStore = HostStore::open(path.join("shard.00001"), &memory).unwrap();
    one.grow(SIZE * 2).unwrap();
    one.close().unwrap();
    let store: ShardedStore = ShardedStore::open(&path).unwrap();
    assert_eq!(store.sizes().unwrap(), [SIZE * 3 / 2, SIZE * 2]);
    store.grow(SIZE * 2).unwrap();
    assert_eq!(store.sizes().unwrap(), [SIZE * 2; 2]);
    assert_eq!(store.len().unwrap(), 181);
    assert_eq!(store.get(&7u64.to_le_bytes()).unwrap(), Some(value));
}

/// What is there after a power cut, and after a second opening.
fn check(images: &[Vec<u8>], acknowledged: u64, again: bool) {
    let world = open(images);
    let store = world.store.unwrap();
    let values: BTreeMap<_, _> = keys()
        .into_iter()
        .map(|key| {
            let value = store.get(&key).unwrap();
            (
                key,
                value.map_or(0, |it| u64::from_le_bytes(it.try_into().unwrap())),
            )
        })
        .collect();
    let first = values[&b"key 0"[..]];
    assert!(
        values.values().all(|value| *value == first),
        "torn: {values:?}"
    );
    assert!(first >= acknowledged, "lost: {first} of {acknowledged}");
    store.commit(&everywhere(&77u64.to_le_bytes())).unwrap();
    drop(store);
    if again {
        let events = world.tape.lock().unwrap().clone();
        let (left, _) = left(images, &events, |_| false);
        let store = open(&left).store.unwrap();
        let value = store.get(b"key 3").unwrap().unwrap();
        assert_eq!(u64::from_le_bytes(value.try_into().unwrap()), 77);
    }
}

/// A flush that fails in any shard, at any step, leaves all or nothing once
/// the store is opened again, and nothing newer is undone then.
#[test]
fn failed_flushes_leave_all_of_a_transaction_or_nothing() {
    let images = images(SHARDS);
    for shard in 0..SHARDS {
        for syncs in 0..4 {
            for lost in [false, true] {
                let world = open(&images);
                let store = world.store.unwrap();
                store.commit(&everywhere(&1u64.to_le_bytes())).unwrap();
                *world.syncs[shard].lock().unwrap() = Some(syncs);
                let mut acknowledged = 1;
                let mut refused = 0;
                for number in 2..6u64 {
                    match store.commit(&everywhere(&number.to_le_bytes())) {
                        Ok(()) => acknowledged = number,
                        Err(SharedError::InDoubt(_) | SharedError::Store(_)) => refused += 1,
                        Err(error) => panic!("{error}"),
                    }
                }
                assert!(refused > 0, "shard {shard}, {syncs} syncs");
                // Nothing is committed in any shard that might be undone later.
                for key in keys() {
                    assert!(store.put(&key, &9u64.to_le_bytes()).is_err());
                }
                drop(store);
                let events = world.tape.lock().unwrap().clone();
                let (left, _) = left(&images, &events, |_| !lost);
                check(&left, acknowledged, true);
            }
        }
    }
}
