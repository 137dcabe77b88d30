//! Power cuts below the file medium: every legal subset of what was not yet
//! synced is recovered from, and a deleted `fdatasync` does not go unseen.

mod common;

use common::judge::{Contents, Work, budget, fresh, recover, seed, work_on};
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
