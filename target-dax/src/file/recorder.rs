//! What a power cut could have left of a run.
//!
//! A killed process leaves its page cache, so killing proves nothing about a
//! missing `fdatasync`. The [`Recorder`] sees every `pwrite` and `fdatasync`,
//! and [`CrashStates`] builds from them each file that the crash contract
//! allows.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{RawFile, Syncer};

/// One call that changed or synced a file, or a mark of the test's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A `pwrite`.
    Write {
        /// Its address.
        at: u64,
        /// What was written.
        bytes: Vec<u8>,
    },
    /// The file was made this long.
    Resize {
        /// From here on it was blanked.
        from: u64,
        /// Its length.
        to: u64,
        /// With this byte.
        blank: u8,
    },
    /// An `fdatasync` that succeeded.
    Sync,
    /// An `fdatasync` that failed.
    FailedSync,
    /// Set by the test, to say how far what came before was acknowledged.
    Mark(u64),
}

#[derive(Debug, Default)]
struct Tape {
    events: Vec<Event>,
    /// Calls until one fails, and how.
    fault: Option<(u64, io::ErrorKind)>,
    syncs_dropped: bool,
}

/// What a [`Recorder`] has seen; clones share it, so a test keeps one while
/// the store owns the recorder.
#[derive(Clone, Debug, Default)]
pub struct Journal(Arc<Mutex<Tape>>);

impl Journal {
    /// An empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn tape(&self) -> MutexGuard<'_, Tape> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a point in the run, such as the number of acknowledged writes.
    pub fn mark(&self, number: u64) {
        self.note(Event::Mark(number));
    }

    fn note(&self, event: Event) {
        self.tape().events.push(event);
    }

    /// All events so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.tape().events.clone()
    }

    /// Lets the write or sync after `calls` more of them fail, once.
    pub fn fail_after(&self, calls: u64, kind: io::ErrorKind) {
        self.tape().fault = Some((calls, kind));
    }

    /// Fails where it was told to.
    fn fault(&self) -> io::Result<()> {
        let mut tape = self.tape();
        match tape.fault {
            Some((0, kind)) => {
                tape.fault = None;
                Err(kind.into())
            }
            Some((calls, kind)) => {
                tape.fault = Some((calls - 1, kind));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn sync(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if self.tape().syncs_dropped {
            return self.fault();
        }
        let synced = self.fault().and_then(|()| sync());
        self.note(match synced {
            Ok(()) => Event::Sync,
            Err(_) => Event::FailedSync,
        });
        synced
    }

    /// Makes every later `fdatasync` do nothing and leave no trace, as if the
    /// call had been deleted from the program.
    pub fn drop_syncs(&self) {
        self.tape().syncs_dropped = true;
    }
}

/// A file that writes down what is done to it, and fails on request.
///
/// ```
/// use indelible::Medium;
/// use indelible_dax::file::{self, Event, FileMedium, Journal, Recorder};
/// use indelible_dax::{Access, FileError};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("file");
/// let geometry = file::geometry(1 << 20);
/// let real = FileMedium::create(&path, geometry)?.into_raw();
/// let journal = Journal::new();
/// let recorder = Recorder::new(real, journal.clone());
/// let mut medium = FileMedium::over(recorder, geometry, Access::ReadWrite)?;
///
/// medium.write(0, b"two writes, ")?;
/// medium.write(12, b"joined")?;
/// medium.flush()?;
/// let bytes = b"two writes, joined".to_vec();
/// assert_eq!(journal.events(), [Event::Write { at: 0, bytes }, Event::Sync]);
///
/// journal.fail_after(0, std::io::ErrorKind::StorageFull);
/// medium.write(18, b"!")?;
/// assert!(medium.flush().is_err());
/// assert!(matches!(medium.flush(), Err(FileError::Poisoned)));
/// # Ok::<(), FileError>(())
/// ```
#[derive(Debug)]
pub struct Recorder<F> {
    file: F,
    journal: Journal,
}

impl<F: RawFile> Recorder<F> {
    /// Records what happens to `file` in `journal`.
    pub fn new(file: F, journal: Journal) -> Self {
        Self { file, journal }
    }

    /// The file below.
    pub fn file(&self) -> &F {
        &self.file
    }
}

impl<F: RawFile> RawFile for Recorder<F> {
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
        self.journal.fault()?;
        self.file.write_at(at, bytes)?;
        let bytes = bytes.to_vec();
        self.journal.note(Event::Write { at, bytes });
        Ok(())
    }

    fn sync_data(&mut self) -> io::Result<()> {
        let Self { file, journal } = self;
        journal.sync(|| file.sync_data())
    }

    fn resize(&mut self, from: u64, to: u64, blank: u8) -> io::Result<()> {
        self.journal.fault()?;
        let before = self.file.size()?;
        self.file.resize(from, to, blank)?;
        self.journal.note(Event::Resize { from, to, blank });
        let synced = self.journal.sync(|| Ok(()));
        if synced.is_err() {
            let (from, to) = (before.min(to), before);
            self.file.resize(from, to, blank)?;
            self.journal.note(Event::Resize { from, to, blank });
        }
        synced
    }

    fn syncer(&self) -> Option<Syncer> {
        let (syncer, journal) = (self.file.syncer()?, self.journal.clone());
        Some(Syncer::new(move || journal.sync(|| syncer.sync())))
    }
}

/// A piece of the file that is written whole, and what it held in turn since
/// the last sync: old first.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) at: usize,
    pub(crate) values: Vec<Vec<u8>>,
}

/// All files that a power cut during a recorded run can leave.
///
/// Between two syncs each piece of the file (an aligned 8-byte word, or a
/// sector) independently holds any of the values that it went through. What a
/// cut before the last write leaves is among them too, so only the moment
/// before each sync is visited. A length is synced as what was written is: until
/// then the file has the old one, the new one, or one between them.
///
/// A sync that fails leaves what it was called for in doubt for good, as Linux
/// does, which takes such pages for clean: they are read as new from its cache, and
/// no later sync writes them. Only what is written anew is synced again.
///
/// ```
/// use indelible_dax::file::{CrashStates, Event};
///
/// let run = [
///     Event::Write { at: 0, bytes: vec![1; 8] },
///     Event::Write { at: 8, bytes: vec![2; 8] },
///     Event::Sync,
///     Event::Mark(1),
/// ];
/// let mut seen = Vec::new();
/// let visited = CrashStates::new(vec![0; 16], &run).visit(1000, 1, |file, _| {
///     seen.push((file[0], file[8]));
/// });
/// seen.sort();
/// // Any of four before the sync, and what is certain after it.
/// assert_eq!(seen, [(0, 0), (0, 2), (1, 0), (1, 2), (1, 2)]);
/// assert_eq!((visited.states, visited.visited), (5.0, 5));
/// ```
#[derive(Debug)]
pub struct CrashStates<'e> {
    image: Vec<u8>,
    /// The length of the file that is on the disk; the image has the newest.
    durable: usize,
    events: &'e [Event],
    granule: usize,
    /// What failed syncs left behind. The image has what was there before.
    doubtful: Vec<Piece>,
}

/// How much of a run was visited.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Visited {
    /// Times between syncs.
    pub epochs: u64,
    /// States that the contract allows, as far as they differ.
    pub states: f64,
    /// States that were visited.
    pub visited: u64,
}

impl<'e> CrashStates<'e> {
    /// The states of a run that began with `image` on the disk.
    #[must_use]
    pub fn new(image: Vec<u8>, events: &'e [Event]) -> Self {
        Self {
            durable: image.len(),
            image,
            events,
            granule: 8,
            doubtful: Vec::new(),
        }
    }

    /// Takes 512-byte sectors for what is written whole, which is what the
    /// medium counts on for images of ordered media.
    #[must_use]
    pub fn by_sectors(mut self) -> Self {
        self.granule = super::SECTOR as usize;
        self
    }

    /// Calls `check` with each state and the newest mark before it. Where a
    /// time between syncs has more than `budget` states, it visits every
    /// choice among up to eight whole writes, each piece alone old and alone
    /// new, and a random choice of pieces by `seed`.
    pub fn visit(mut self, budget: u64, seed: u64, mut check: impl FnMut(&[u8], u64)) -> Visited {
        let mut visited = Visited::default();
        let mut random = seed | 1;
        let mut mark = 0;
        let mut pieces: Vec<Piece> = Vec::new();
        let mut writes: Vec<(usize, &[u8])> = Vec::new();
        let end = [Event::Sync];
        for event in self.events.iter().chain(&end) {
            match event {
                Event::Write { at, bytes } => {
                    self.note(&mut pieces, *at as usize, bytes);
                    writes.push((*at as usize, bytes));
                }
                Event::Mark(number) => mark = *number,
                Event::Resize { from, to, blank } => {
                    let (from, to) = (*from as usize, *to as usize);
                    let kept = self.image.len().min(to);
                    self.note(&mut pieces, from, &vec![*blank; kept.saturating_sub(from)]);
                    // Shorter it is at once: nothing that counts is cut off.
                    self.image.resize(to, *blank);
                    self.durable = self.durable.min(to);
                    pieces.retain(|piece| piece.at < to);
                    self.doubtful.retain(|piece| piece.at < to);
                }
                Event::FailedSync => {
                    writes.clear();
                    self.doubtful.append(&mut pieces);
                    self.doubtful.sort_unstable_by_key(|piece| piece.at);
                }
                Event::Sync => {
                    visited.epochs += 1;
                    self.visit_moment(
                        &pieces,
                        &writes,
                        budget,
                        &mut random,
                        &mut visited,
                        |file| {
                            check(file, mark);
                        },
                    );
                    writes.clear();
                    for piece in pieces.drain(..) {
                        if let Some(newest) = piece.values.last() {
                            self.image[piece.at..piece.at + newest.len()].copy_from_slice(newest);
                        }
                    }
                    self.durable = self.image.len();
                }
            }
        }
        visited
    }

    /// Visits what a cut now could leave.
    fn visit_moment(
        &self,
        pieces: &[Piece],
        writes: &[(usize, &[u8])],
        budget: u64,
        random: &mut u64,
        visited: &mut Visited,
        mut check: impl FnMut(&[u8]),
    ) {
        let lengths = self.lengths();
        let mut check = |image: &[u8]| {
            for len in &lengths {
                check(&image[..*len]);
            }
        };
        // What is in doubt is old in all of these, as if its pages had been
        // dropped from the cache.
        if !visit_pieces(&self.image, pieces, budget, random, visited, &mut check) {
            visited.visited += self.visit_writes(writes, &mut check);
        }
        if !self.doubtful.is_empty() {
            let all: Vec<Piece> = pieces.iter().chain(&self.doubtful).cloned().collect();
            visit_pieces(&self.image, &all, budget, random, visited, &mut check);
        }
    }

    /// What the file's length may be.
    fn lengths(&self) -> Vec<usize> {
        let newest = self.image.len();
        let mut lengths = vec![newest, self.durable, self.durable.midpoint(newest)];
        lengths.sort_unstable();
        lengths.dedup();
        lengths
    }

    /// Splits a write into pieces and adds what each holds then.
    fn note(&mut self, pieces: &mut Vec<Piece>, at: usize, bytes: &[u8]) {
        let mut done = 0;
        while done < bytes.len() {
            let begin = (at + done) / self.granule * self.granule;
            let stop = (begin + self.granule).min(self.image.len());
            let len = (stop - at - done).min(bytes.len() - done);
            let place = match pieces.binary_search_by_key(&begin, |piece| piece.at) {
                Ok(place) => place,
                Err(place) => {
                    let piece = self.piece(begin, stop);
                    pieces.insert(place, piece);
                    place
                }
            };
            let values = &mut pieces[place].values;
            if let Some(newest) = values.last() {
                let mut value = newest.clone();
                value[at + done - begin..at + done - begin + len]
                    .copy_from_slice(&bytes[done..done + len]);
                if value != *newest {
                    values.push(value);
                }
            }
            done += len;
        }
    }

    /// What a piece may hold before it is written.
    fn piece(&mut self, begin: usize, stop: usize) -> Piece {
        match self.doubtful.binary_search_by_key(&begin, |piece| piece.at) {
            Ok(place) => self.doubtful.remove(place),
            Err(_) => Piece {
                at: begin,
                values: vec![self.image[begin..stop].to_vec()],
            },
        }
    }

    /// Visits every choice of whole writes, where there are few.
    fn visit_writes(&self, writes: &[(usize, &[u8])], mut check: impl FnMut(&[u8])) -> u64 {
        if writes.len() > WRITES_MAX {
            return 0;
        }
        for choice in 0..1u64 << writes.len() {
            let mut image = self.image.clone();
            for (number, (at, bytes)) in writes.iter().enumerate() {
                if choice >> number & 1 == 1 {
                    image[*at..*at + bytes.len()].copy_from_slice(bytes);
                }
            }
            check(&image);
        }
        1 << writes.len()
    }
}

/// Visits states piece by piece; returns whether these were all.
pub(crate) fn visit_pieces(
    image: &[u8],
    pieces: &[Piece],
    budget: u64,
    random: &mut u64,
    visited: &mut Visited,
    mut check: impl FnMut(&[u8]),
) -> bool {
    let changed: Vec<&Piece> = pieces
        .iter()
        .filter(|piece| piece.values.len() > 1)
        .collect();
    let states: f64 = changed
        .iter()
        .map(|piece| piece.values.len() as f64)
        .product();
    visited.states += states;
    let mut image = image.to_vec();
    let mut visit = |choice: &[usize]| {
        for (piece, value) in changed.iter().zip(choice) {
            let value = &piece.values[*value];
            image[piece.at..piece.at + value.len()].copy_from_slice(value);
        }
        visited.visited += 1;
        check(&image);
    };
    let mut choice = vec![0; changed.len()];
    if states <= budget as f64 {
        loop {
            visit(&choice);
            // Counts on, each digit in the base of its piece.
            let mut digit = 0;
            loop {
                let Some(piece) = changed.get(digit) else {
                    return true;
                };
                choice[digit] += 1;
                if choice[digit] < piece.values.len() {
                    break;
                }
                choice[digit] = 0;
                digit += 1;
            }
        }
    }
    let newest: Vec<usize> = changed.iter().map(|piece| piece.values.len() - 1).collect();
    visit(&choice);
    visit(&newest);
    let mut left = budget.saturating_sub(2);
    let step = (2 * changed.len() as u64).div_ceil((left / 2).max(1)) as usize;
    for one in (0..changed.len()).step_by(step.max(1)) {
        choice[one] = newest[one];
        visit(&choice);
        choice[one] = 0;
        let mut missing = newest.clone();
        missing[one] = 0;
        visit(&missing);
        left = left.saturating_sub(2);
    }
    for _ in 0..left {
        // From nearly none to nearly all.
        let share = next(random) % 1000;
        for (chosen, piece) in choice.iter_mut().zip(&changed) {
            let values = piece.values.len() as u64;
            *chosen = if next(random) % 1000 < share {
                (1 + next(random) % (values - 1)) as usize
            } else {
                0
            };
        }
        visit(&choice);
    }
    false
}

/// Every choice among this many whole writes is visited.
const WRITES_MAX: usize = 8;

fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}
