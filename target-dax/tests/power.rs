//! Power cuts below the file medium: every legal subset of what was not yet
//! synced is recovered from, and a deleted `fdatasync` does not go unseen.

mod common;

use common::judge::{
    Contents, Work, budget, contents, fresh, recover, seed, work_on, work_until_failure,
};
use indelible_dax::file::{self, CrashStates, Event, Journal, MemoryFile, Recorder};
use indelible_dax::indelible::Geometry;
use indelible_dax::{Access, FileMedium, HostMemory, HostStore};

type Recorded<'a> =
    HostStore<'a, indelible_dax::indelible::HashIndex<'a>, FileMedium<Recorder<MemoryFile>>>;

/// A run of transactions: what the store held after each, and the journal.
struct Run {
    image: Vec<u8>,
    geometry: Geometry,
    states: Vec<Contents>,
    events: Vec<Event>,
}

/// Sets a store up and works on it, with a mark after each transaction that
/// was acknowledged.
fn run(geometry: Geometry, work: Work, transactions: usize, drop_syncs: bool, seed: u64) -> Run {
    let image = fresh(geometry);
    let journal = Journal::new();
    let memory = HostMemory::new();
    let mut store: Recorded<'_> = HostStore::open_with(&memory, || {
        let recorder = Recorder::new(MemoryFile::new(image.clone()), journal.clone());
        FileMedium::over(recorder, geometry, Access::ReadWrite)
    })
    .unwrap();
    if drop_syncs {
        journal.drop_syncs();
    }
    let states = work_on(&mut store, work, transactions, seed, |number| {
        journal.mark(number);
    });
    Run {
        image,
        geometry,
        states,
        events: journal.events(),
    }
}

fn open<'a>(
    memory: &'a HostMemory,
    geometry: Geometry,
    file: &[u8],
    journal: &Journal,
) -> Recorded<'a> {
    let opened = HostStore::open_with(memory, || {
        let recorder = Recorder::new(MemoryFile::new(file.to_vec()), journal.clone());
        FileMedium::over(recorder, geometry, Access::ReadWrite)
    });
    opened.unwrap()
}

/// Transactions before and after a call that fails.
const BEFORE_FAILURE: usize = 250;
const AFTER_FAILURE: usize = 160;

/// A run in which one call to the system fails, and the process then opens the
/// file again, as its cache shows it, and goes on.
fn run_with_failure(geometry: Geometry, calls: u64, seed: u64) -> Option<Run> {
    let image = fresh(geometry);
    let journal = Journal::new();
    let (before, after) = (HostMemory::new(), HostMemory::new());
    journal.fail_after(calls, std::io::ErrorKind::Other);
    let mut store = open(&before, geometry, &image, &journal);
    let (mut states, failed) =
        work_until_failure(&mut store, Work::Mixed, BEFORE_FAILURE, seed, |number| {
            journal.mark(number)
        });
    failed.err()?;
    let cached = store.medium().raw().file().clone();
    drop(store);
    let mut store = open(&after, geometry, cached.bytes(), &journal);
    let begin = contents(&store).unwrap();
    // The transaction that failed may be there.
    let at = states.iter().rposition(|state| *state == begin).unwrap();
    assert!(at + 2 >= states.len(), "{at} of {}", states.len());
    // What is there from here on is never taken back.
    states.push(begin);
    let base = states.len() - 1;
    journal.mark(base as u64);
    let more = work_on(&mut store, Work::Mixed, AFTER_FAILURE, seed + 1, |number| {
        journal.mark(base as u64 + number);
    });
    states.extend(more.into_iter().skip(1));
    Some(Run {
        image,
        geometry,
        states,
        events: journal.events(),
    })
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
        match recover(run.geometry, &run.states, left) {
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

/// What is durable of a run before the sync that failed, and what came after
/// that: what comes before is for other tests.
fn from_failure(run: Run) -> Option<Run> {
    let failed = run
        .events
        .iter()
        .position(|event| *event == Event::FailedSync)?;
    let synced = |event: &Event| *event == Event::Sync;
    let begin = run.events[..failed]
        .iter()
        .rposition(synced)
        .map_or(0, |at| at + 1);
    let mut run = run;
    let rest = run.events.split_off(begin);
    let mut mark = Event::Mark(0);
    for event in std::mem::replace(&mut run.events, rest) {
        match event {
            Event::Write { at, bytes } => {
                run.image[at as usize..at as usize + bytes.len()].copy_from_slice(&bytes);
            }
            Event::Mark(_) => mark = event,
            _ => {}
        }
    }
    run.events.insert(0, mark);
    Some(run)
}

/// The syncs of a run, by the calls before them, and whether each was to make
/// an erase durable.
fn syncs(run: &Run) -> Vec<(u64, bool)> {
    let (mut calls, mut erased, mut syncs) = (0, false, Vec::new());
    for event in &run.events {
        match event {
            Event::Write { bytes, .. } => {
                erased |= bytes.iter().all(|byte| *byte == run.geometry.blank);
            }
            Event::Sync => syncs.push((calls, std::mem::take(&mut erased))),
            _ => continue,
        }
        calls += 1;
    }
    syncs
}

/// One `fdatasync` fails, and the next process reads what is in the cache
/// alone.
#[test]
fn what_a_failed_fdatasync_left_behind_is_not_built_upon() {
    let seed = seed();
    for (geometry, by_sectors) in [
        (file::geometry(128 << 10), false),
        (file::nor_geometry(128 << 10, 4, 4096), true),
    ] {
        let sound = run(geometry, Work::Mixed, BEFORE_FAILURE, false, seed);
        // The first of them are those of opening.
        let (erases, others): (Vec<_>, Vec<_>) = syncs(&sound)
            .into_iter()
            .skip(8)
            .partition(|(_, erased)| *erased);
        let sample = |of: Vec<(u64, bool)>| {
            let step = of.len().div_ceil(4);
            of.into_iter().rev().step_by(step).map(|(calls, _)| calls)
        };
        println!("{} erases, {} other syncs", erases.len(), others.len());
        assert!(erases.len() > 3);
        for calls in sample(erases).chain(sample(others)) {
            let run = run_with_failure(geometry, calls, seed).unwrap();
            let run = from_failure(run).unwrap();
            if let Err(wrong) = explore(&run, budget(3), seed, by_sectors) {
                panic!("call {calls} failed: {wrong}");
            }
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
