//! Power cuts below mapped memory: every legal subset of the cache lines that
//! were not yet written back and fenced is recovered from, and a write-back or
//! a fence that is left out, or a commit word that overtakes its data, does not
//! go unseen.
#![cfg(target_os = "linux")]

mod common;

use std::io;

use common::judge::{Contents, Work, budget, fresh, recover, seed, work_on};
use indelible_dax::file;
use indelible_dax::indelible::{Geometry, HashIndex, Medium};
use indelible_dax::pmem::{
    LineEvent, LineJournal, LineRecorder, LineStates, Misuse, Persist, PmemMedium,
};
use indelible_dax::{Access, FileError, HostMemory, HostStore};

const SIZE: u64 = 128 << 10;

/// What a program leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// Every `clwb`.
    WriteBacks,
    /// The `clwb` of lines that are full.
    WriteBacksOfFullLines,
    /// The `clwb` of the last, partly filled line of a commit.
    WriteBacksAtFlush,
    /// The `clwb` of each seventh line.
    SomeWriteBacks,
    /// Every `sfence`.
    Fences,
    /// Each third `sfence`.
    SomeFences,
    /// Nothing, but a fence fails, as where the system has a part in it.
    FailingFence,
}

/// Memory under a program that leaves something out.
struct Broken {
    memory: LineRecorder,
    fault: Fault,
    count: u64,
}

impl Persist for Broken {
    fn size(&self) -> usize {
        self.memory.size()
    }
    fn line(&self) -> usize {
        self.memory.line()
    }
    fn read(&self, at: usize, buf: &mut [u8]) -> io::Result<()> {
        self.memory.read(at, buf)
    }
    fn borrow(&self, at: usize, len: usize) -> Option<&[u8]> {
        self.memory.borrow(at, len)
    }
    fn store(&mut self, at: usize, bytes: &[u8]) {
        self.memory.store(at, bytes);
    }
    fn stream(&mut self, at: usize, bytes: &[u8]) {
        self.memory.stream(at, bytes);
    }
    fn write_back(&mut self, at: usize, len: usize) {
        self.count += 1;
        let left_out = match self.fault {
            Fault::WriteBacks => true,
            Fault::WriteBacksOfFullLines => len > 1,
            Fault::WriteBacksAtFlush => len == 1,
            Fault::SomeWriteBacks => self.count.is_multiple_of(7),
            _ => false,
        };
        if !left_out {
            self.memory.write_back(at, len);
        }
    }
    fn trusts_blanks(&self) -> bool {
        self.fault != Fault::FailingFence
    }
    fn fence(&mut self) -> io::Result<()> {
        self.count += 1;
        let left_out = match self.fault {
            Fault::Fences => true,
            Fault::SomeFences => self.count.is_multiple_of(3),
            _ => false,
        };
        if self.fault == Fault::FailingFence {
            return Err(io::ErrorKind::Other.into());
        }
        if left_out {
            return Ok(());
        }
        self.memory.fence()
    }
}

struct Run {
    image: Vec<u8>,
    geometry: Geometry,
    states: Vec<Contents>,
    events: Vec<LineEvent>,
}

fn run(size: u64, work: Work, transactions: usize, fault: Fault, two_flushes: bool) -> Run {
    let geometry = file::geometry(size);
    let image = fresh(geometry);
    let journal = LineJournal::new();
    let memory = HostMemory::new();
    let mut store: HostStore<'_, HashIndex<'_>, PmemMedium<Broken>> =
        HostStore::open_with(&memory, || {
            let memory = Broken {
                memory: LineRecorder::new(image.clone(), journal.clone()),
                fault,
                count: 0,
            };
            PmemMedium::over(memory, geometry, Access::ReadWrite)
        })
        .unwrap();
    store.set_two_flushes(two_flushes);
    let states = work_on(&mut store, work, transactions, seed(), |number| {
        journal.mark(number);
    });
    Run {
        image,
        geometry,
        states,
        events: journal.events(),
    }
}

/// Visits crash states; returns what went wrong in the first bad one.
fn explore(run: &Run, budget: u64) -> Result<file::Visited, String> {
    let mut wrong = None;
    let states = LineStates::new(run.image.clone(), &run.events);
    let visited = states.visit(budget, seed(), |left, acknowledged| {
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
    });
    wrong.map_or(Ok(visited), Err)
}

fn misuses(run: &Run) -> Vec<Misuse> {
    LineStates::new(run.image.clone(), &run.events).misuses()
}

fn survives(run: &Run, states: u64) {
    match explore(run, budget(states)) {
        Ok(visited) => println!(
            "{} fences, {:.3e} states, {} visited",
            visited.epochs, visited.states, visited.visited
        ),
        Err(wrong) => panic!("{wrong}"),
    }
    let misuses = misuses(run);
    let harmful = |misuse: &&Misuse| {
        matches!(
            misuse,
            Misuse::MissingWriteBack { .. } | Misuse::MissingFence { .. }
        )
    };
    assert_eq!(misuses.iter().find(harmful), None);
    println!(
        "{} of {} events were to no purpose",
        misuses.len(),
        run.events.len()
    );
}

#[test]
fn every_legal_subset_of_lines_in_flight_recovers() {
    survives(&run(SIZE, Work::Mixed, 100, Fault::None, false), 100);
}

#[test]
fn every_legal_subset_of_an_imports_lines_recovers() {
    survives(&run(512 << 10, Work::Import, 30, Fault::None, false), 40);
}

#[test]
fn every_legal_subset_of_lines_recovers_with_two_flushes() {
    survives(&run(SIZE, Work::Mixed, 60, Fault::None, true), 100);
}

#[test]
fn no_line_is_written_back_for_nothing() {
    for work in [Work::Mixed, Work::Import] {
        let run = run(4 << 20, work, 60, Fault::None, false);
        assert_eq!(misuses(&run), []);
    }
}

#[test]
fn a_deleted_clwb_is_caught() {
    for fault in [
        Fault::WriteBacks,
        Fault::WriteBacksOfFullLines,
        Fault::WriteBacksAtFlush,
        Fault::SomeWriteBacks,
    ] {
        let run = run(SIZE, Work::Mixed, 30, fault, false);
        let caught = explore(&run, budget(150));
        println!("{fault:?}: {caught:?}");
        assert!(caught.is_err(), "{fault:?} went unseen");
        let missing = |misuse| matches!(misuse, Misuse::MissingWriteBack { .. });
        assert!(
            misuses(&run).into_iter().any(missing),
            "{fault:?}: no warning"
        );
    }
}

#[test]
fn a_deleted_sfence_is_caught() {
    for fault in [Fault::Fences, Fault::SomeFences] {
        let run = run(SIZE, Work::Mixed, 30, fault, false);
        let caught = explore(&run, budget(150));
        println!("{fault:?}: {caught:?}");
        assert!(caught.is_err(), "{fault:?} went unseen");
        let missing = |misuse| matches!(misuse, Misuse::MissingFence { .. });
        assert!(
            misuses(&run).into_iter().any(missing),
            "{fault:?}: no warning"
        );
    }
}

/// Swaps what comes before the last two fences of each transaction that has
/// two: its mark becomes durable first, and then its data.
fn overtaken(events: &[LineEvent]) -> (Vec<LineEvent>, usize) {
    let mut swapped = 0;
    let mut all = Vec::new();
    for transaction in events.split_inclusive(|event| matches!(event, LineEvent::Mark(_))) {
        let fences: Vec<usize> = (0..transaction.len())
            .filter(|at| transaction[*at] == LineEvent::Fence)
            .collect();
        let [.., data, mark] = fences[..] else {
            all.extend_from_slice(transaction);
            continue;
        };
        let begin = fences.iter().rev().nth(2).map_or(0, |before| before + 1);
        all.extend_from_slice(&transaction[..begin]);
        all.extend_from_slice(&transaction[data + 1..=mark]);
        all.extend_from_slice(&transaction[begin..=data]);
        all.extend_from_slice(&transaction[mark + 1..]);
        swapped += 1;
    }
    (all, swapped)
}

#[test]
fn a_commit_word_that_overtakes_its_data_is_caught() {
    let mut run = run(SIZE, Work::Mixed, 30, Fault::None, true);
    explore(&run, budget(60)).unwrap();
    let (events, swapped) = overtaken(&run.events);
    assert!(swapped > 20, "{swapped} transactions have two flushes");
    run.events = events;
    let caught = explore(&run, budget(150));
    println!("{caught:?}");
    assert!(caught.is_err(), "it went unseen");
}

/// Where a fence can fail, blanks may be in a cache alone.
#[test]
fn blanks_are_written_over_blanks_where_fences_can_fail() {
    for (fault, streamed) in [(Fault::None, 0), (Fault::FailingFence, 8192)] {
        let journal = LineJournal::new();
        let memory = LineRecorder::new(vec![0; 16 << 10], journal.clone());
        let count = 0;
        let broken = Broken {
            memory,
            fault,
            count,
        };
        let geometry = file::geometry(16 << 10);
        let mut medium = PmemMedium::over(broken, geometry, Access::ReadWrite).unwrap();
        medium.erase(4096, 8192).unwrap();
        let bytes = |event: &LineEvent| match event {
            LineEvent::Stream { bytes, .. } => bytes.len(),
            _ => 0,
        };
        let written: usize = journal.events().iter().map(bytes).sum();
        assert_eq!(written, streamed);
    }
}

#[test]
fn a_fence_that_fails_poisons_the_medium() {
    let size = 16 << 10;
    let broken = Broken {
        memory: LineRecorder::new(vec![0; size], LineJournal::default()),
        fault: Fault::FailingFence,
        count: 0,
    };
    let geometry = file::geometry(size as u64);
    let mut medium = PmemMedium::over(broken, geometry, Access::ReadWrite).unwrap();
    medium.flush().unwrap();
    medium.write(0, b"12345678").unwrap();
    let failed = medium.flush();
    assert!(matches!(failed, Err(FileError::Io { .. })), "{failed:?}");
    for refused in [
        medium.write(8, b"x"),
        medium.erase(4096, 4096),
        medium.flush(),
    ] {
        assert!(matches!(refused, Err(FileError::Poisoned)), "{refused:?}");
    }
    let mut read = [0; 8];
    medium.read(0, &mut read).unwrap();
    assert_eq!(&read, b"12345678");
}
