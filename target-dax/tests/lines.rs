//! Power cuts below mapped memory: every legal subset of the cache lines that
//! were not yet written back and fenced is recovered from, and a write-back or
//! a fence that is left out, or a commit word that overtakes its data, does not
//! go unseen.
#![cfg(target_os = "linux")]

mod common;

use std::io;

use common::judge::{Contents, Work, budget, fresh, recover, seed, work_on};
use indelible_dax::file;
use indelible_dax::indelible::{Geometry, HashIndex, Layout, Medium};
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
    fn resize(&mut self, from: usize, to: usize) -> io::Result<()> {
        self.memory.resize(from, to)
    }
}

struct Run {
    image: Vec<u8>,
    geometry: Geometry,
    states: Vec<Contents>,
    events: Vec<LineEvent>,
}

type Stored<'a> = HostStore<'a, HashIndex<'a>, PmemMedium<Broken>>;

fn open<'a>(
    memory: &'a HostMemory,
    image: &[u8],
    journal: &LineJournal,
    fault: Fault,
) -> Stored<'a> {
    let opened = HostStore::open_with(memory, || {
        let memory = Broken {
            memory: LineRecorder::new(image.to_vec(), journal.clone()),
            fault,
            count: 0,
        };
        PmemMedium::over(
            memory,
            file::geometry(image.len() as u64),
            Access::ReadWrite,
        )
    });
    opened.unwrap()
}

fn run(size: u64, work: Work, transactions: usize, fault: Fault, two_flushes: bool) -> Run {
    let geometry = file::geometry(size);
    let image = fresh(geometry);
    let journal = LineJournal::new();
    let memory = HostMemory::new();
    let mut store = open(&memory, &image, &journal, fault);
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

/// The sizes that a store has in turn as it grows.
const SIZES: [u64; 3] = [SIZE, SIZE + (32 << 10), 3 * SIZE];

/// Works on a store and grows it, twice; marks say the transactions that were
/// acknowledged and, above them, the size.
fn run_growing(fault: Fault) -> Run {
    let geometry = file::geometry(SIZE);
    let image = fresh(geometry);
    let journal = LineJournal::new();
    let memory = HostMemory::new();
    let mut store = open(&memory, &image, &journal, fault);
    let (mut states, seed) = (Vec::new(), seed());
    for (turn, size) in SIZES.into_iter().enumerate() {
        let before = states.len().saturating_sub(1);
        if turn > 0 {
            store.grow(size).unwrap();
            journal.mark(size << 32 | before as u64);
        }
        let more = work_on(&mut store, Work::Mixed, 15, seed + turn as u64, |number| {
            journal.mark(size << 32 | (before as u64 + number));
        });
        states.truncate(before);
        states.extend(more);
    }
    store.close().unwrap();
    Run {
        image,
        geometry,
        states,
        events: journal.events(),
    }
}

/// Opens every memory that a cut of a growing run could have left.
fn explore_growing(run: &Run, budget: u64) -> Result<file::Visited, String> {
    let mut wrong = None;
    let mut sizes = [0; SIZES.len()];
    let states = LineStates::new(run.image.clone(), &run.events);
    let visited = states.visit(budget, seed(), |left, mark| {
        let (size, acknowledged) = (mark >> 32, mark & u64::from(u32::MAX));
        let judged = size_of(left).and_then(|found| {
            let place = SIZES.iter().position(|size| *size == found);
            sizes[place.ok_or(format!("it has {found} bytes"))?] += 1;
            match recover(file::geometry(left.len() as u64), &run.states, left)? {
                there if there as u64 >= acknowledged && found >= size => Ok(()),
                there => Err(format!("{there} are there, in {found} bytes")),
            }
        });
        if let Err(error) = judged {
            wrong.get_or_insert(format!("after {acknowledged}, {size} bytes: {error}"));
        }
    });
    println!("{visited:?}, states by size: {sizes:?}");
    wrong.map_or(Ok(visited), Err)
}

fn size_of(left: &[u8]) -> Result<u64, String> {
    let geometry = file::geometry(left.len() as u64);
    let memory = LineRecorder::new(left.to_vec(), LineJournal::new());
    let medium = PmemMedium::over(memory, geometry, Access::ReadOnly);
    let layout = medium
        .map_err(|error| error.to_string())
        .and_then(|medium| Layout::read(&medium).map_err(|error| error.to_string()))?;
    Ok(layout.geometry.capacity)
}

#[test]
fn every_legal_subset_of_lines_recovers_as_the_memory_grows() {
    let run = run_growing(Fault::None);
    explore_growing(&run, budget(60)).unwrap();
    let harmless = |misuse: &Misuse| {
        matches!(
            misuse,
            Misuse::IdleFence { .. } | Misuse::SecondWriteBack { .. }
        )
    };
    assert!(misuses(&run).iter().all(harmless));
}

/// The control: a root that counts on a length comes first.
#[test]
fn a_root_before_its_length_is_caught() {
    let mut run = run_growing(Fault::None);
    let resized = |event: &LineEvent| matches!(event, LineEvent::Resize { .. });
    let at = run.events.iter().position(resized).unwrap();
    let length = run.events.remove(at);
    let beyond = |event: &LineEvent| match event {
        LineEvent::Store { at, .. } | LineEvent::Stream { at, .. } => *at as u64 >= SIZE,
        _ => false,
    };
    let at = run.events.iter().position(beyond).unwrap();
    run.events.insert(at, length);
    let error = explore_growing(&run, budget(60)).expect_err("it went unseen");
    println!("{error}");
    assert!(error.contains("the medium only"), "{error}");
}

#[test]
fn a_deleted_clwb_or_sfence_is_caught_as_the_memory_grows() {
    for fault in [Fault::SomeWriteBacks, Fault::SomeFences] {
        let caught = explore_growing(&run_growing(fault), budget(60));
        println!("{fault:?}: {caught:?}");
        assert!(caught.is_err(), "{fault:?} went unseen");
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
