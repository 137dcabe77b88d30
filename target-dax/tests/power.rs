//! Power cuts below the file medium: every legal subset of what was not yet
//! synced is recovered from, and a deleted `fdatasync` does not go unseen.

mod common;

use std::collections::BTreeMap;
use std::io;

use common::Random;
use indelible_dax::file::{self, CrashStates, Event, Journal, RawFile, Recorder};
use indelible_dax::host::StoreError;
use indelible_dax::indelible::Geometry;
use indelible_dax::{Access, FileMedium, HostMemory, HostStore, OpenError, Setup};

/// A file in memory: what a crash left, to be recovered from.
#[derive(Clone)]
struct Left(Vec<u8>);

impl RawFile for Left {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
    fn read_at(&self, at: u64, buf: &mut [u8]) -> io::Result<()> {
        buf.copy_from_slice(&self.0[at as usize..at as usize + buf.len()]);
        Ok(())
    }
    fn view(&self) -> Option<&[u8]> {
        Some(&self.0)
    }
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.0[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
    fn sync_data(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Recorded<'a> =
    HostStore<'a, indelible_dax::indelible::HashIndex<'a>, FileMedium<Recorder<Left>>>;
type Recovered<'a> = HostStore<'a, indelible_dax::indelible::HashIndex<'a>, FileMedium<Left>>;

/// All that a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Contents {
    keys: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Heads and what is from there.
    logs: Vec<(u64, Vec<u8>)>,
}

fn contents<F: RawFile>(
    store: &HostStore<'_, indelible_dax::indelible::HashIndex<'_>, FileMedium<F>>,
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

/// A run of transactions: what the store held after each, and the journal.
struct Run {
    image: Vec<u8>,
    geometry: Geometry,
    states: Vec<Contents>,
    events: Vec<Event>,
}

/// Sets a store up and works on it, with a mark after each transaction that
/// was acknowledged.
/// What a run does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    /// Small puts, deletes, appends and trims, some in transactions.
    Mixed,
    /// Files of all sizes, a few at a time, as `import` puts them.
    Import,
}

fn run(geometry: Geometry, work: Work, transactions: usize, drop_syncs: bool, seed: u64) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    Setup::image(geometry)
        .logs(&[4096, 4096])
        .create(&path)
        .unwrap();
    let image = std::fs::read(&path).unwrap();
    let journal = Journal::new();
    let memory = HostMemory::new();
    let mut store: Recorded<'_> = HostStore::open_with(&memory, || {
        let recorder = Recorder::new(Left(image.clone()), journal.clone());
        FileMedium::over(recorder, geometry, Access::ReadWrite)
    })
    .unwrap();
    if drop_syncs {
        journal.drop_syncs();
    }
    let mut random = Random(seed | 1);
    let mut states = vec![contents(&store).unwrap()];
    for number in 1..=transactions {
        let mut now = states.last().unwrap().clone();
        let steps = [1, 1, 1, 2, 5][random.below(5) as usize];
        for step in 0..steps {
            if work == Work::Import {
                let key = format!("folder {}/file {number}.{step}", random.below(3)).into_bytes();
                let len = match random.below(10) {
                    0 => 20_000 + random.below(20_000),
                    1 | 2 => 2_000 + random.below(4_000),
                    _ => random.below(500),
                };
                let value = random.bytes(len as usize);
                store.tentatively_put(&key, &value).unwrap();
                now.keys.insert(key, value);
                continue;
            }
            let key = format!("key {}", random.below(12)).into_bytes();
            match random.below(8) {
                0..4 => {
                    let len = [0, 3, 20, 64, 150, 700][random.below(6) as usize];
                    let value = random.bytes(len);
                    store.tentatively_put(&key, &value).unwrap();
                    now.keys.insert(key, value);
                }
                4 => {
                    if now.keys.remove(&key).is_some() {
                        store.tentatively_delete(&key).unwrap();
                    }
                }
                step => {
                    let log = (step % 2) as usize;
                    let (head, bytes) = &mut now.logs[log];
                    if bytes.len() > 3000 {
                        let cut = bytes.len() - 100;
                        store
                            .tentatively_advance_head(log, *head + cut as u64)
                            .unwrap();
                        bytes.drain(..cut);
                        *head += cut as u64;
                    }
                    let len = 1 + random.below(200) as usize;
                    let more = random.bytes(len);
                    store.tentatively_append(log, &more).unwrap();
                    bytes.extend(more);
                }
            }
        }
        store.commit().unwrap();
        if number % 5 == 0 {
            store.maintain(2).unwrap();
        }
        journal.mark(number as u64);
        states.push(now);
    }
    assert_eq!(contents(&store).unwrap(), *states.last().unwrap());
    Run {
        image,
        geometry,
        states,
        events: journal.events(),
    }
}

/// Opens what a crash left, and says after how many transactions it is.
fn recover(run: &Run, left: &[u8]) -> Result<usize, String> {
    let mut left = Left(left.to_vec());
    // Twice: the first recovery must leave a store that opens as well.
    let mut found = None;
    for _ in 0..2 {
        let memory = HostMemory::new();
        let opened: Result<Recovered<'_>, OpenError> = HostStore::open_with(&memory, || {
            FileMedium::over(left.clone(), run.geometry, Access::ReadWrite)
        });
        let mut store = opened.map_err(|error| error.to_string())?;
        let now = contents(&store).map_err(|error| format!("{error}; {:?}", store.report()))?;
        // States repeat where a transaction changed nothing.
        let place = run.states.iter().rposition(|state| *state == now);
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

/// The writes around a mark, and which of their words a crash left: `n` new,
/// `.` blank, `?` something else, with the length of each run.
fn describe(run: &Run, left: &[u8], acknowledged: u64) -> String {
    let mark = |event: &Event| *event == Event::Mark(acknowledged);
    let begin = run.events.iter().position(mark).unwrap_or(0);
    let mut text = String::new();
    for event in run.events[begin..].iter().take(12) {
        text += "\n  ";
        let Event::Write { at, bytes } = event else {
            text += &format!("{event:?}");
            continue;
        };
        text += &format!("write {at}+{} ", bytes.len());
        let mut words = Vec::new();
        for (number, word) in bytes.chunks(8).enumerate() {
            let at = *at as usize + number * 8;
            let found = &left[at..at + word.len()];
            words.push(if found == word {
                'n'
            } else if found.iter().all(|byte| *byte == run.geometry.blank) {
                '.'
            } else {
                '?'
            });
        }
        for words in words.chunk_by(|a, b| a == b) {
            text += &format!("{}{} ", words[0], words.len());
        }
    }
    text
}

/// Visits crash states; returns what went wrong in the first bad one.
fn explore(run: &Run, budget: u64, seed: u64, by_sectors: bool) -> Result<file::Visited, String> {
    let mut wrong = None;
    let mut states = CrashStates::new(run.image.clone(), &run.events);
    if by_sectors {
        states = states.by_sectors();
    }
    let visited = states.visit(budget, seed, |left, acknowledged| {
        if wrong.is_some() {
            return;
        }
        match recover(run, left) {
            Ok(found) if found as u64 >= acknowledged => {}
            Ok(found) => {
                wrong = Some(format!(
                    "{acknowledged} were acknowledged, {found} are there"
                ));
            }
            Err(error) => wrong = Some(format!("after {acknowledged}: {error}")),
        }
        if let Some(wrong) = &mut wrong {
            wrong.push_str(&describe(run, left, acknowledged));
            if let Some(path) = std::env::var_os("INDELIBLE_KEEP") {
                std::fs::write(path, left).unwrap();
            }
        }
    });
    wrong.map_or(Ok(visited), Err)
}

/// States visited at a time between syncs; `INDELIBLE_STATES` sets another.
fn budget(otherwise: u64) -> u64 {
    let budget = std::env::var("INDELIBLE_STATES").ok();
    budget
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

fn seed() -> u64 {
    let seed = std::env::var("INDELIBLE_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or(0x1D3_11B1E);
    println!("INDELIBLE_SEED={seed}");
    seed
}

#[test]
fn every_legal_subset_of_unsynced_writes_recovers() {
    let seed = seed();
    let run = run(file::geometry(128 << 10), Work::Mixed, 120, false, seed);
    match explore(&run, budget(150), seed, false) {
        Ok(visited) => println!(
            "{} syncs, {:.3e} states, {} visited",
            visited.epochs, visited.states, visited.visited
        ),
        Err(wrong) => panic!("{wrong}"),
    }
}

#[test]
fn every_legal_subset_of_an_imports_unsynced_writes_recovers() {
    let seed = seed();
    let run = run(file::geometry(512 << 10), Work::Import, 30, false, seed);
    match explore(&run, budget(40), seed, false) {
        Ok(visited) => println!(
            "{} syncs, {:.3e} states, {} visited",
            visited.epochs, visited.states, visited.visited
        ),
        Err(wrong) => panic!("{wrong}"),
    }
}

#[test]
fn images_of_flash_recover_by_sectors() {
    let seed = seed();
    for write_unit in [1, 4, 32, 256] {
        let run = run(
            file::nor_geometry(256 << 10, write_unit, 4096),
            Work::Mixed,
            60,
            false,
            seed,
        );
        match explore(&run, budget(150), seed, true) {
            Ok(visited) => println!(
                "write unit {write_unit}: {} syncs, {:.3e} states, {} visited",
                visited.epochs, visited.states, visited.visited
            ),
            Err(wrong) => panic!("write unit {write_unit}: {wrong}"),
        }
    }
}

#[test]
fn a_deleted_fdatasync_is_caught() {
    let seed = seed();
    let run = run(file::geometry(128 << 10), Work::Mixed, 20, true, seed);
    let caught = explore(&run, budget(150), seed, false);
    println!("{caught:?}");
    assert!(
        caught.is_err(),
        "acknowledged transactions that were never synced went unseen"
    );
}
