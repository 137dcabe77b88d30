//! Work on a store, and the judge of what a crash left of it.

use std::collections::BTreeMap;

use indelible_dax::file::MemoryFile;
use indelible_dax::host::StoreError;
use indelible_dax::indelible::{Geometry, HashIndex};
use indelible_dax::{Access, FileMedium, HostMedium, HostMemory, HostStore, OpenError, Setup};

use super::Random;

type Recovered<'a> = HostStore<'a, HashIndex<'a>, FileMedium<MemoryFile>>;

/// All that a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    pub keys: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Heads and what is from there.
    pub logs: Vec<(u64, Vec<u8>)>,
}

pub fn contents<M: HostMedium>(
    store: &HostStore<'_, HashIndex<'_>, M>,
) -> Result<Contents, StoreError> {
    let mut contents = Contents::default();
    let mut buffer = vec![0; store.key_max()];
    let mut scan = store.scan(b"");
    while let Some(entry) = scan.next(&mut buffer)? {
        contents.keys.insert(entry.key.to_vec(), Vec::new());
    }
    for (key, value) in &mut contents.keys {
        *value = store.get(key)?.unwrap_or_default();
    }
    for log in 0..store.layout().logs as usize {
        let span = store.get_head_tail_and_capacity(log)?;
        let mut bytes = vec![0; (span.tail - span.head) as usize];
        store.read(log, span.head, &mut bytes)?;
        contents.logs.push((span.head, bytes));
    }
    Ok(contents)
}

/// What a run does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Small puts, deletes, appends and trims, some in transactions.
    Mixed,
    /// Files of all sizes, a few at a time, as `import` puts them.
    Import,
}

/// The image of a new store with two logs.
pub fn fresh(geometry: Geometry) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    Setup::image(geometry)
        .logs(&[4096, 4096])
        .create(&path)
        .unwrap();
    std::fs::read(&path).unwrap()
}

/// Works on a store; calls `mark` after each transaction that was
/// acknowledged. Returns what the store held at first and after each.
pub fn work_on<'a, M: HostMedium>(
    store: &mut HostStore<'a, HashIndex<'a>, M>,
    work: Work,
    transactions: usize,
    seed: u64,
    mark: impl FnMut(u64),
) -> Vec<Contents> {
    let (states, failed) = work_until_failure(store, work, transactions, seed, mark);
    failed.unwrap();
    assert_eq!(contents(store).unwrap(), *states.last().unwrap());
    states
}

/// As [`work_on`], up to a transaction that fails, which may be there or not.
pub fn work_until_failure<'a, M: HostMedium>(
    store: &mut HostStore<'a, HashIndex<'a>, M>,
    work: Work,
    transactions: usize,
    seed: u64,
    mut mark: impl FnMut(u64),
) -> (Vec<Contents>, Result<(), StoreError>) {
    let mut random = Random(seed | 1);
    let mut states = vec![contents(store).unwrap()];
    for number in 1..=transactions {
        let mut now = states.last().unwrap().clone();
        let done = transaction(store, work, number, &mut random, &mut now);
        states.push(now);
        if done.is_err() {
            return (states, done);
        }
        mark(number as u64);
        if number % 5 == 0
            && let Err(error) = store.maintain(2)
        {
            return (states, Err(error));
        }
    }
    (states, Ok(()))
}

fn transaction<'a, M: HostMedium>(
    store: &mut HostStore<'a, HashIndex<'a>, M>,
    work: Work,
    number: usize,
    random: &mut Random,
    now: &mut Contents,
) -> Result<(), StoreError> {
    let mut failed = Ok(());
    let steps = [1, 1, 1, 2, 5][random.below(5) as usize];
    for step in 0..steps {
        let staged = match work {
            Work::Import => import(store, &format!("{number}.{step}"), random, now),
            Work::Mixed => change(store, random, now),
        };
        // What all of them are is known even where one fails.
        failed = failed.and(staged);
    }
    failed.and_then(|()| store.commit())
}

fn import<'a, M: HostMedium>(
    store: &mut HostStore<'a, HashIndex<'a>, M>,
    name: &str,
    random: &mut Random,
    now: &mut Contents,
) -> Result<(), StoreError> {
    let key = format!("folder {}/file {name}", random.below(3)).into_bytes();
    let len = match random.below(10) {
        0 => 20_000 + random.below(20_000),
        1 | 2 => 2_000 + random.below(4_000),
        _ => random.below(500),
    };
    let value = random.bytes(len as usize);
    let staged = store.tentatively_put(&key, &value);
    now.keys.insert(key, value);
    staged
}

fn change<'a, M: HostMedium>(
    store: &mut HostStore<'a, HashIndex<'a>, M>,
    random: &mut Random,
    now: &mut Contents,
) -> Result<(), StoreError> {
    let key = format!("key {}", random.below(12)).into_bytes();
    match random.below(8) {
        0..4 => {
            let len = [0, 3, 20, 64, 150, 700][random.below(6) as usize];
            let value = random.bytes(len);
            let staged = store.tentatively_put(&key, &value);
            now.keys.insert(key, value);
            staged
        }
        4 if now.keys.remove(&key).is_some() => store.tentatively_delete(&key),
        4 => Ok(()),
        step => {
            let log = (step % 2) as usize;
            let (head, bytes) = &mut now.logs[log];
            let mut staged = Ok(());
            if bytes.len() > 3000 {
                let cut = bytes.len() - 100;
                staged = store.tentatively_advance_head(log, *head + cut as u64);
                bytes.drain(..cut);
                *head += cut as u64;
            }
            let len = 1 + random.below(200) as usize;
            let more = random.bytes(len);
            bytes.extend(&more);
            staged.and_then(|()| store.tentatively_append(log, &more).map(drop))
        }
    }
}

/// Opens what a crash left, and says after how many transactions it is.
pub fn recover(geometry: Geometry, states: &[Contents], left: &[u8]) -> Result<usize, String> {
    let mut left = MemoryFile::new(left.to_vec());
    // Twice: the first recovery must leave a store that opens as well.
    let mut found = None;
    for _ in 0..2 {
        let memory = HostMemory::new();
        let opened: Result<Recovered<'_>, OpenError> = HostStore::open_with(&memory, || {
            FileMedium::over(left.clone(), geometry, Access::ReadWrite)
        });
        let mut store = opened.map_err(|error| error.to_string())?;
        let now = contents(&store).map_err(|error| format!("{error}; {:?}", store.report()))?;
        // States repeat where a transaction changed nothing.
        let place = states.iter().rposition(|state| *state == now);
        let place = place.ok_or("it is after no transaction, but between two")?;
        if found.is_some_and(|before| before != place) {
            return Err("the second recovery finds something else".to_string());
        }
        found = Some(place);
        store
            .put(b"after the crash", b"works")
            .map_err(|error| error.to_string())?;
        store
            .delete(b"after the crash")
            .map_err(|error| error.to_string())?;
        left = store.medium().raw().clone();
    }
    found.ok_or_else(String::new)
}

/// States visited at a time between syncs; `INDELIBLE_STATES` sets another.
pub fn budget(otherwise: u64) -> u64 {
    let budget = std::env::var("INDELIBLE_STATES").ok();
    budget
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

pub fn seed() -> u64 {
    let seed = std::env::var("INDELIBLE_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or(0x1D3_11B1E);
    println!("INDELIBLE_SEED={seed}");
    seed
}
