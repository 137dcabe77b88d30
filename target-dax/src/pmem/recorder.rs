//! What a power cut could have left of a run on mapped memory.
//!
//! A killed process leaves its caches to the machine, so killing proves nothing
//! about a write-back or a fence that is missing. The [`LineRecorder`] stands in
//! for the memory and sees every store, write-back and fence; [`LineStates`]
//! knows from them what each cache line may still keep from the memory, names
//! what was done to no purpose or not done, and builds the memory that each
//! power cut could have left.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Persist;
use crate::file::{Piece, Visited, visit_pieces};

/// What most processors have.
const LINE: usize = 64;

/// Lines of which every subset is visited.
const LINES_MAX: usize = 16;

/// What was done to memory, or a mark of the test's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineEvent {
    /// A store in the cache.
    Store {
        /// Its address.
        at: usize,
        /// What was stored.
        bytes: Vec<u8>,
    },
    /// A store of whole lines past the cache.
    Stream {
        /// Its address.
        at: usize,
        /// What was stored.
        bytes: Vec<u8>,
    },
    /// The write-back of the line that begins here.
    WriteBack {
        /// The line's address.
        line: usize,
    },
    /// A fence.
    Fence,
    /// The memory was made this long, durably: a call to the system, which is
    /// cut as a whole or not at all in what it makes certain.
    Resize {
        /// From here on it holds the byte 0.
        from: usize,
        /// Its length.
        to: usize,
    },
    /// Set by the test: all that came before is acknowledged as durable.
    Mark(u64),
}

/// What a [`LineRecorder`] has seen; clones share it.
#[derive(Clone, Debug, Default)]
pub struct LineJournal(Arc<Mutex<Vec<LineEvent>>>);

impl LineJournal {
    /// An empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn tape(&self) -> MutexGuard<'_, Vec<LineEvent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that everything so far is acknowledged, under a number.
    pub fn mark(&self, number: u64) {
        self.tape().push(LineEvent::Mark(number));
    }

    /// All events so far.
    #[must_use]
    pub fn events(&self) -> Vec<LineEvent> {
        self.tape().clone()
    }
}

/// Memory that writes down what is done to it.
///
/// ```
/// use indelible::Medium;
/// use indelible_dax::file;
/// use indelible_dax::pmem::{LineEvent, LineJournal, LineRecorder, PmemMedium};
///
/// let journal = LineJournal::new();
/// let memory = LineRecorder::new(vec![0; 4096], journal.clone());
/// let geometry = file::geometry(4096);
/// let access = indelible_dax::Access::ReadWrite;
/// let mut medium = PmemMedium::over(memory, geometry, access)?;
///
/// medium.write(60, b"two lines")?;
/// medium.flush()?;
/// assert_eq!(
///     journal.events(),
///     [
///         LineEvent::Store { at: 60, bytes: b"two lines".to_vec() },
///         LineEvent::WriteBack { line: 0 },
///         LineEvent::WriteBack { line: 64 },
///         LineEvent::Fence,
///     ]
/// );
/// # Ok::<(), indelible_dax::FileError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LineRecorder {
    memory: Vec<u8>,
    journal: LineJournal,
}

impl LineRecorder {
    /// Records in `journal` what happens to `memory`.
    #[must_use]
    pub fn new(memory: Vec<u8>, journal: LineJournal) -> Self {
        Self { memory, journal }
    }

    fn copy(&mut self, at: usize, bytes: &[u8]) -> Vec<u8> {
        self.memory[at..at + bytes.len()].copy_from_slice(bytes);
        bytes.to_vec()
    }
}

impl Persist for LineRecorder {
    fn size(&self) -> usize {
        self.memory.len()
    }

    fn line(&self) -> usize {
        LINE
    }

    fn read(&self, at: usize, buf: &mut [u8]) -> io::Result<()> {
        buf.copy_from_slice(&self.memory[at..at + buf.len()]);
        Ok(())
    }

    fn borrow(&self, at: usize, len: usize) -> Option<&[u8]> {
        self.memory.get(at..at.checked_add(len)?)
    }

    fn store(&mut self, at: usize, bytes: &[u8]) {
        let bytes = self.copy(at, bytes);
        self.journal.tape().push(LineEvent::Store { at, bytes });
    }

    fn stream(&mut self, at: usize, bytes: &[u8]) {
        assert!(at.is_multiple_of(LINE) && bytes.len().is_multiple_of(LINE));
        let bytes = self.copy(at, bytes);
        self.journal.tape().push(LineEvent::Stream { at, bytes });
    }

    fn write_back(&mut self, at: usize, len: usize) {
        if len > 0 {
            let lines = (at / LINE * LINE..at + len).step_by(LINE);
            let events = lines.map(|line| LineEvent::WriteBack { line });
            self.journal.tape().extend(events);
        }
    }

    fn fence(&mut self) -> io::Result<()> {
        self.journal.tape().push(LineEvent::Fence);
        Ok(())
    }

    fn resize(&mut self, from: usize, to: usize) -> io::Result<()> {
        self.memory.truncate(from);
        self.memory.resize(to, 0);
        self.journal.tape().push(LineEvent::Resize { from, to });
        Ok(())
    }
}

/// A mistake in what a run did, whatever a power cut would have made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misuse {
    /// A fence, an acknowledgement or a new length found a line that was stored to and
    /// never written back.
    MissingWriteBack {
        /// The number of the event that found it.
        event: usize,
        /// The line's address.
        line: usize,
    },
    /// A line was written back that had not been stored to since the last
    /// time: harmless, and wasted time.
    SecondWriteBack {
        /// The number of the event.
        event: usize,
        /// The line's address.
        line: usize,
    },
    /// Something was acknowledged, or the memory resized, with no fence after
    /// the line's write-back.
    MissingFence {
        /// The number of the event.
        event: usize,
        /// The line's address.
        line: usize,
    },
    /// A fence with nothing to wait for: harmless, and wasted time.
    IdleFence {
        /// The number of the event.
        event: usize,
    },
}

/// Where a line is on its way to memory; it is in none of these states once a
/// fence has waited for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineState {
    /// Stored to.
    Dirty,
    /// Being written back.
    Flushed,
}

/// A word that may be old in memory: what it held in turn, what is certain
/// first, and from which of these on it will be after the next fence.
#[derive(Debug)]
struct Word {
    values: Vec<Vec<u8>>,
    floor: usize,
}

/// All memories that a power cut during a recorded run can leave.
///
/// Each aligned 8-byte word holds any value that it went through since the
/// newest that is certain: the one that was there when its line was last
/// written back before a fence. A line that is not written back therefore stays
/// uncertain for as long as the run lasts. What a cut between two fences leaves
/// is among what one before the second leaves, so only those are visited. Where
/// the memory becomes longer, the cut may come before, after, or half-way.
///
/// ```
/// use indelible_dax::pmem::{LineEvent, LineStates, Misuse};
///
/// let store = |at, byte| LineEvent::Store { at, bytes: vec![byte; 8] };
/// // The line at 64 is forgotten.
/// let run = [
///     store(0, 1),
///     store(64, 2),
///     LineEvent::WriteBack { line: 0 },
///     LineEvent::Fence,
///     LineEvent::Mark(1),
/// ];
/// let states = LineStates::new(vec![0; 128], &run);
/// assert_eq!(states.misuses()[0], Misuse::MissingWriteBack { event: 3, line: 64 });
/// let mut seen = Vec::new();
/// states.visit(1000, 1, |memory, mark| seen.push((memory[0], memory[64], mark)));
/// seen.sort();
/// assert_eq!(
///     seen,
///     [(0, 0, 0), (0, 2, 0), (1, 0, 0), (1, 0, 1), (1, 2, 0), (1, 2, 1)]
/// );
/// ```
#[derive(Debug)]
pub struct LineStates<'e> {
    image: Vec<u8>,
    events: &'e [LineEvent],
    words: BTreeMap<usize, Word>,
}

impl<'e> LineStates<'e> {
    /// The states of a run that began with `image` in memory.
    #[must_use]
    pub fn new(image: Vec<u8>, events: &'e [LineEvent]) -> Self {
        Self {
            image,
            events,
            words: BTreeMap::new(),
        }
    }

    /// What the run did wrong.
    #[must_use]
    pub fn misuses(&self) -> Vec<Misuse> {
        let mut lines: BTreeMap<usize, LineState> = BTreeMap::new();
        let mut found = Vec::new();
        for (event, what) in self.events.iter().enumerate() {
            match what {
                LineEvent::Store { at, bytes } => {
                    for line in lines_of(*at, bytes.len()) {
                        lines.insert(line, LineState::Dirty);
                    }
                }
                LineEvent::Stream { at, bytes } => {
                    for line in lines_of(*at, bytes.len()) {
                        lines.insert(line, LineState::Flushed);
                    }
                }
                LineEvent::WriteBack { line } => {
                    if lines.insert(*line, LineState::Flushed) != Some(LineState::Dirty) {
                        found.push(Misuse::SecondWriteBack { event, line: *line });
                    }
                }
                LineEvent::Fence => {
                    if lines.is_empty() {
                        found.push(Misuse::IdleFence { event });
                    }
                    for (line, state) in std::mem::take(&mut lines) {
                        if state == LineState::Dirty {
                            found.push(Misuse::MissingWriteBack { event, line });
                        }
                    }
                }
                LineEvent::Mark(_) | LineEvent::Resize { .. } => {
                    found.extend(lines.iter().map(|(line, state)| match state {
                        LineState::Dirty => Misuse::MissingWriteBack { event, line: *line },
                        LineState::Flushed => Misuse::MissingFence { event, line: *line },
                    }));
                }
            }
        }
        found
    }

    /// Calls `check` with each state and the newest mark before it. Where a
    /// moment has more than `budget` states it visits subsets of lines, each
    /// line old or new as a whole, all of them where that is within the
    /// budget and there are up to 16; each word alone old and alone new; and a
    /// random choice of words by `seed`.
    pub fn visit(mut self, budget: u64, seed: u64, mut check: impl FnMut(&[u8], u64)) -> Visited {
        let mut visited = Visited::default();
        let mut random = seed | 1;
        let mut mark = 0;
        let end = [LineEvent::Fence];
        for event in self.events.iter().chain(&end) {
            match event {
                LineEvent::Store { at, bytes } => self.note(*at, bytes, false),
                LineEvent::Stream { at, bytes } => self.note(*at, bytes, true),
                LineEvent::WriteBack { line } => {
                    for (_, word) in self.words.range_mut(*line..*line + LINE) {
                        word.floor = word.values.len() - 1;
                    }
                }
                LineEvent::Mark(number) => mark = *number,
                LineEvent::Fence => {
                    visited.epochs += 1;
                    self.visit_moment(budget, &mut random, &mut visited, |memory| {
                        check(memory, mark);
                    });
                    self.settle();
                }
                LineEvent::Resize { from, to } => {
                    visited.epochs += 1;
                    for image in self.resized(*from, *to) {
                        self.image = image;
                        self.visit_moment(budget, &mut random, &mut visited, |memory| {
                            check(memory, mark);
                        });
                    }
                    self.words.retain(|at, _| at < from);
                }
            }
        }
        visited
    }

    /// What there may be while the memory gets another length, in the end with
    /// that length.
    fn resized(&self, from: usize, to: usize) -> [Vec<u8>; 4] {
        let long = |begin: usize, len| {
            let mut image = self.image.clone();
            image.truncate(begin);
            image.resize(len, 0);
            image
        };
        let before = self.image.len();
        [
            self.image.clone(),
            long(before, before.midpoint(to)),
            long(before, to),
            long(from, to),
        ]
    }

    /// Adds what the words of a store hold then.
    fn note(&mut self, at: usize, bytes: &[u8], past_cache: bool) {
        for begin in (at / 8 * 8..at + bytes.len()).step_by(8) {
            let stop = (begin + 8).min(self.image.len());
            let word = self.words.entry(begin).or_insert_with(|| Word {
                values: vec![self.image[begin..stop].to_vec()],
                floor: 0,
            });
            if let Some(newest) = word.values.last() {
                let mut value = newest.clone();
                let (from, to) = (begin.max(at), stop.min(at + bytes.len()));
                value[from - begin..to - begin].copy_from_slice(&bytes[from - at..to - at]);
                if value != *newest {
                    word.values.push(value);
                }
            }
            if past_cache {
                word.floor = word.values.len() - 1;
            }
        }
    }

    /// Makes certain what a fence waited for.
    fn settle(&mut self) {
        let image = &mut self.image;
        self.words.retain(|at, word| {
            word.values.drain(..word.floor);
            word.floor = 0;
            if let Some(certain) = word.values.first() {
                image[*at..*at + certain.len()].copy_from_slice(certain);
            }
            word.values.len() > 1
        });
    }

    fn visit_moment(
        &self,
        budget: u64,
        random: &mut u64,
        visited: &mut Visited,
        mut check: impl FnMut(&[u8]),
    ) {
        let pieces: Vec<Piece> = self
            .words
            .range(..self.image.len())
            .map(|(at, word)| Piece {
                at: *at,
                values: word.values.clone(),
            })
            .collect();
        let all = visit_pieces(&self.image, &pieces, budget, random, visited, &mut check);
        if !all {
            visited.visited += self.visit_lines(&pieces, budget, check);
        }
    }

    /// Visits every subset of lines, each whole, where they are few enough.
    fn visit_lines(&self, pieces: &[Piece], budget: u64, mut check: impl FnMut(&[u8])) -> u64 {
        let lines: BTreeSet<usize> = pieces.iter().map(|piece| piece.at / LINE).collect();
        if lines.len() > LINES_MAX || 1 << lines.len() > budget.max(256) {
            return 0;
        }
        for choice in 0..1u64 << lines.len() {
            let mut memory = self.image.clone();
            for (number, line) in lines.iter().enumerate() {
                if choice >> number & 1 == 0 {
                    continue;
                }
                for piece in pieces.iter().filter(|piece| piece.at / LINE == *line) {
                    if let Some(newest) = piece.values.last() {
                        memory[piece.at..piece.at + newest.len()].copy_from_slice(newest);
                    }
                }
            }
            check(&memory);
        }
        1 << lines.len()
    }
}

fn lines_of(at: usize, len: usize) -> impl Iterator<Item = usize> {
    let end = if len == 0 { 0 } else { at + len };
    (at / LINE * LINE..end).step_by(LINE)
}
