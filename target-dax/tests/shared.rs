//! One store, many threads: who waits for whom, who sees what, and what a
//! group commit does with those that are refused.

mod common;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use common::Random;
use indelible_dax::file::{self, CrashStates, Event, Journal, MemoryFile, Recorder, Syncer};
use indelible_dax::indelible::{Error, HashIndex, OrderedIndex};
use indelible_dax::shared::Done;
use indelible_dax::{
    Access, AnyMedium, Batch, FileMedium, HostMemory, HostStore, OrderedSharedStore, Setup,
    SharedError, SharedStore,
};

const SIZE: u64 = 4 << 20;

/// Where the syncs of a file wait, and fail on request.
#[derive(Default)]
struct Gate {
    /// Closed or not, and how many wait.
    state: Mutex<(bool, usize)>,
    changed: Condvar,
    broken: AtomicBool,
    /// Syncs take as long as a disk's.
    slow: AtomicBool,
}

impl Gate {
    fn set(&self, closed: bool) {
        self.state.lock().unwrap().0 = closed;
        self.changed.notify_all();
    }

    fn pass(&self) -> io::Result<()> {
        if self.slow.load(Ordering::SeqCst) {
            thread::sleep(std::time::Duration::from_millis(1));
        }
        let mut state = self.state.lock().unwrap();
        state.1 += 1;
        self.changed.notify_all();
        while state.0 {
            state = self.changed.wait(state).unwrap();
        }
        state.1 -= 1;
        match self.broken.load(Ordering::SeqCst) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }

    /// Returns once a sync waits.
    fn reached(&self) {
        let mut state = self.state.lock().unwrap();
        while state.1 == 0 {
            state = self.changed.wait(state).unwrap();
        }
    }
}

/// A file in memory whose syncs wait behind a gate.
fn behind(gate: &Arc<Gate>, bytes: Vec<u8>) -> MemoryFile {
    let gate = Arc::clone(gate);
    MemoryFile::with_syncer(bytes, Syncer::new(move || gate.pass()))
}

type GatedStore = SharedStore<OrderedIndex<'static>, FileMedium<MemoryFile>>;

fn image() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let logs = [64 << 10, 64 << 10];
    Setup::new(SIZE).logs(&logs).create(&path).unwrap();
    std::fs::read(&path).unwrap()
}

fn gated() -> (GatedStore, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let raw = behind(&gate, image());
    let geometry = file::geometry(SIZE);
    let store =
        SharedStore::open_with(|| FileMedium::over(raw.clone(), geometry, Access::ReadWrite));
    let store: GatedStore = store.unwrap();
    // The root of the session is written.
    store.put(b"old", b"value").unwrap();
    store.put(b"gone", b"soon").unwrap();
    store.append(0, b"durable").unwrap();
    (store, gate)
}

fn assert_shared<T: Clone + Send + Sync + 'static>() {}

#[test]
fn handles_go_to_any_thread() {
    assert_shared::<SharedStore>();
    assert_shared::<OrderedSharedStore>();
    assert_shared::<SharedStore<HashIndex<'static>, AnyMedium>>();
    assert_shared::<SharedError>();
}

#[test]
fn readers_go_on_while_a_commit_waits_for_the_disk_and_see_what_is_durable() {
    let (store, gate) = gated();
    gate.set(true);
    let writer = store.clone();
    let writer = thread::spawn(move || {
        let mut batch = Batch::new();
        batch
            .put(b"old", b"new")
            .create(b"fresh", b"made")
            .delete(b"gone");
        batch.append(0, b", or not").advance_head(0, 3);
        writer.commit(&batch)
    });
    gate.reached();

    // All of this would hang here if readers waited for the flush.
    let all = |store: &GatedStore| store.scan(b"").collect::<Result<Vec<_>, _>>().unwrap();
    let pair = |key: &[u8], value: &[u8]| (key.to_vec(), value.to_vec());
    assert_eq!(store.get(b"old").unwrap().as_deref(), Some(&b"value"[..]));
    assert_eq!(store.get(b"fresh").unwrap(), None);
    assert_eq!(store.get(b"gone").unwrap().as_deref(), Some(&b"soon"[..]));
    assert_eq!(store.len().unwrap(), 2);
    assert_eq!(
        all(&store),
        [pair(b"gone", b"soon"), pair(b"old", b"value")]
    );
    let span = store.log_span(0).unwrap();
    assert_eq!((span.head, span.tail), (0, 7));
    let mut bytes = [0; 7];
    store.read(0, 0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"durable");
    assert!(store.read(0, 1, &mut [0; 7]).is_err());

    gate.set(false);
    let done = writer.join().unwrap().unwrap();
    assert_eq!(done, Done { positions: vec![7] });
    assert_eq!(store.get(b"old").unwrap().as_deref(), Some(&b"new"[..]));
    assert_eq!(all(&store), [pair(b"fresh", b"made"), pair(b"old", b"new")]);
    let span = store.log_span(0).unwrap();
    assert_eq!((span.head, span.tail), (3, 15));
    store.close().unwrap();
    assert!(matches!(store.get(b"old"), Err(SharedError::Closed)));
    assert!(matches!(store.put(b"old", b""), Err(SharedError::Closed)));
}

/// Starts `works` while another commit waits, so that they form one group.
fn as_a_group(
    store: &GatedStore,
    gate: &Gate,
    works: Vec<Batch>,
) -> Vec<Result<Done, SharedError>> {
    gate.set(true);
    let first = store.clone();
    let first = thread::spawn(move || first.put(b"first", b""));
    gate.reached();
    let threads: Vec<_> = works
        .into_iter()
        .map(|batch| {
            let store = store.clone();
            let thread = thread::spawn(move || store.commit(&batch));
            // One after the other into the queue.
            thread::sleep(std::time::Duration::from_millis(20));
            thread
        })
        .collect();
    gate.set(false);
    first.join().unwrap().unwrap();
    threads.into_iter().map(|it| it.join().unwrap()).collect()
}

#[test]
fn what_one_is_refused_for_costs_no_other_one_anything() {
    let (store, gate) = gated();
    let batch = |fill: &dyn for<'b> Fn(&'b mut Batch) -> &'b mut Batch| {
        let mut batch = Batch::new();
        fill(&mut batch);
        batch
    };
    let results = as_a_group(
        &store,
        &gate,
        vec![
            batch(&|it| it.put(b"a", b"1").append(1, b"one")),
            // Refused as a whole, behind its first change.
            batch(&|it| it.put(b"b", b"2").delete(b"not there").append(1, b"two")),
            batch(&|it| it.create(b"old", b"3")),
            batch(&|it| it.append(1, b"four").put(b"d", b"4")),
            // Sees what those before it did.
            batch(&|it| it.update(b"d", b"5").append(7, b"no such log")),
            batch(&|it| it.update(b"d", b"6").delete(b"a")),
        ],
    );
    let told: Vec<_> = results
        .iter()
        .map(|result| match result {
            Ok(done) => format!("{:?}", done.positions),
            Err(error) => format!("{error}"),
        })
        .collect();
    assert_eq!(told[0], "[0]");
    assert!(matches!(
        results[1].as_ref().unwrap_err().store(),
        Some(Error::NotFound)
    ));
    assert!(matches!(
        results[2].as_ref().unwrap_err().store(),
        Some(Error::KeyExists)
    ));
    assert_eq!(told[3], "[3]");
    assert!(matches!(
        results[4].as_ref().unwrap_err().store(),
        Some(Error::InvalidLog { .. })
    ));
    assert_eq!(told[5], "[]");
    assert_eq!(store.get(b"a").unwrap(), None);
    assert_eq!(store.get(b"b").unwrap(), None);
    assert_eq!(store.get(b"d").unwrap().as_deref(), Some(&b"6"[..]));
    let mut bytes = [0; 7];
    store.read(1, 0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"onefour");
}

#[test]
fn a_failed_flush_leaves_all_of_its_group_in_doubt_and_readers_with_what_was() {
    let (store, gate) = gated();
    gate.set(true);
    let writer = store.clone();
    let writer = thread::spawn(move || writer.put(b"old", b"new"));
    gate.reached();
    gate.broken.store(true, Ordering::SeqCst);
    gate.set(false);
    let error = writer.join().unwrap().unwrap_err();
    assert!(matches!(error, SharedError::InDoubt(_)), "{error}");
    assert_eq!(store.get(b"old").unwrap().as_deref(), Some(&b"value"[..]));
    gate.broken.store(false, Ordering::SeqCst);
    // Nothing more is written until it is opened again.
    assert!(store.put(b"more", b"").is_err());
    assert!(
        store
            .transaction(|it| {
                it.put(b"more", b"");
                Ok::<_, SharedError>(())
            })
            .is_err()
    );
    assert_eq!(store.get(b"more").unwrap(), None);
}

#[test]
fn transactions_of_threads_come_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    Setup::new(SIZE).logs(&[256 << 10]).create(&path).unwrap();
    let store: SharedStore = SharedStore::open(&path).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let store = store.clone();
            thread::spawn(move || {
                for turn in 0..50 {
                    let counted = store.transaction(|it| {
                        let count = it.get(b"count")?;
                        let count =
                            count.map_or(0, |it| u64::from_le_bytes(it.try_into().unwrap()));
                        it.put(b"count", &(count + 1).to_le_bytes());
                        assert_eq!(it.get(b"count")?.unwrap(), (count + 1).to_le_bytes());
                        let at = it.append(0, &count.to_le_bytes())?;
                        assert_eq!(at, count * 8);
                        Ok::<_, SharedError>(count)
                    });
                    counted.unwrap();
                    store
                        .put(format!("{number}/{turn}").as_bytes(), b"")
                        .unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|it| it.join().unwrap());
    let count = store.get(b"count").unwrap().unwrap();
    assert_eq!(u64::from_le_bytes(count.try_into().unwrap()), 200);
    assert_eq!(store.len().unwrap(), 201);
    assert_eq!(store.log_span(0).unwrap().tail, 1600);

    // What fails leaves nothing, and a panic the lead to the next one.
    let failed = store.transaction(|it| {
        it.put(b"count", b"nonsense");
        it.create(b"count", b"")
    });
    assert!(matches!(
        failed.unwrap_err().store(),
        Some(Error::KeyExists)
    ));
    let other = store.clone();
    let panicked = thread::spawn(move || {
        let _ = other.transaction::<(), SharedError>(|_| panic!("on purpose"));
    });
    assert!(panicked.join().is_err());
    store.put(b"after", b"all").unwrap();
    store.close().unwrap();
}

#[test]
fn scans_page_through_what_others_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    Setup::new(16 << 20).create(&path).unwrap();
    let store: OrderedSharedStore = SharedStore::open(&path).unwrap();
    for part in 0..10 {
        let mut batch = Batch::new();
        for number in 0..200 {
            let key = format!("stays/{:05}", part * 200 + number);
            batch.put(key.as_bytes(), b"here");
        }
        store.commit(&batch).unwrap();
    }
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0u32;
            while !stop.load(Ordering::Relaxed) {
                let key = format!("stays/{:05}x", number % 2000);
                store.put(key.as_bytes(), &[0; 100]).unwrap();
                store.delete(key.as_bytes()).unwrap();
                number += 7;
            }
        });
        for _ in 0..20 {
            let mut last = Vec::new();
            let mut stayed = 0;
            for pair in store.scan(b"stays/") {
                let (key, value) = pair.unwrap();
                assert!(key > last);
                if value == b"here" {
                    stayed += 1;
                }
                last = key;
            }
            assert_eq!(stayed, 2000);
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// What threads acknowledged is there after any power cut, each batch whole.
#[test]
fn group_commits_survive_power_cuts_whole() {
    let seed = std::env::var("INDELIBLE_SEED").map_or(0x5EED, |it| it.parse().unwrap());
    println!("INDELIBLE_SEED={seed}");
    let mut random = Random(seed | 1);
    let image = image();
    let geometry = file::geometry(SIZE);
    let journal = Journal::new();
    let gate = Arc::new(Gate::default());
    gate.slow.store(true, Ordering::SeqCst);
    let recorded = journal.clone();
    let (bytes, inner) = (image.clone(), Arc::clone(&gate));
    let store = SharedStore::open_with(|| {
        let recorder = Recorder::new(behind(&inner, bytes.clone()), recorded.clone());
        FileMedium::over(recorder, geometry, Access::ReadWrite)
    });
    let store: SharedStore<HashIndex<'static>, _> = store.unwrap();
    // What was acknowledged, in order; a mark says how much of it.
    let told = Mutex::new(Vec::new());
    const THREADS: u64 = 4;
    const BATCHES: u64 = 12;
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, journal, told) = (&store, &journal, &told);
            scope.spawn(move || {
                for batch in 0..BATCHES {
                    let mut changes = Batch::new();
                    for key in 0..3 {
                        let key = format!("{thread}/{key}");
                        changes.put(key.as_bytes(), &batch.to_le_bytes());
                    }
                    store.commit(&changes).unwrap();
                    let mut told = told.lock().unwrap();
                    told.push((thread, batch));
                    journal.mark(told.len() as u64);
                }
            });
        }
    });
    let (events, told) = (journal.events(), told.into_inner().unwrap());
    let syncs = events.iter().filter(|event| **event == Event::Sync);
    assert!(
        (syncs.count() as u64) < THREADS * BATCHES,
        "no group was formed"
    );
    let states = CrashStates::new(image, &events);
    let visited = states.visit(80, random.next(), |left, mark| {
        let acknowledged = told[..mark as usize].iter().copied();
        let acknowledged: BTreeMap<u64, u64> = acknowledged.collect();
        let raw = MemoryFile::new(left.to_vec());
        let memory = HostMemory::new();
        let store: HostStore<'_, HashIndex<'_>, _> = HostStore::open_with(&memory, || {
            FileMedium::over(raw.clone(), geometry, Access::ReadWrite)
        })
        .unwrap();
        for thread in 0..THREADS {
            let values: Vec<_> = (0..3)
                .map(|key| store.get(format!("{thread}/{key}").as_bytes()).unwrap())
                .collect();
            assert!(
                values.iter().all(|value| *value == values[0]),
                "torn: {values:?}"
            );
            let there = values[0]
                .as_deref()
                .map(|it| u64::from_le_bytes(it.try_into().unwrap()));
            assert!(
                there >= acknowledged.get(&thread).copied(),
                "lost: seed {seed}"
            );
        }
    });
    println!("{} crash states of {}", visited.visited, visited.states);
}
