//! What every simulated medium carries besides its bytes.

use super::bits::Bits;
use super::chooser::{Chooser, Decision, Pattern, Site};
use super::counters::Counters;
use super::error::{Operation, SimError, Violation};
use super::journal::Event;
use core::cell::RefCell;
use indelible::Geometry;

/// How finely torn things are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tearing {
    /// A torn unit with at most this many bits in doubt takes every subset of
    /// them; a larger one takes telling subsets and samples.
    pub exhaustive_bits: u32,
    /// Random samples among the subsets and among half-erased contents.
    pub samples: usize,
    /// How often torn units may read differently from the time before.
    pub flickers: usize,
    /// Whether torn units may read differently in each power cycle.
    pub decays: bool,
}

impl Default for Tearing {
    fn default() -> Self {
        Self {
            exhaustive_bits: 8,
            samples: 4,
            flickers: 0,
            decays: true,
        }
    }
}

/// Counters, injected failures, the first violation, the journal, what was
/// read, and who decides what is undecided.
#[derive(Clone, Debug)]
pub struct Rig {
    geometry: Geometry,
    inner: RefCell<Inner>,
    journal: Option<Vec<Event>>,
    /// How finely torn things are told apart.
    pub tearing: Tearing,
}

#[derive(Clone, Debug)]
struct Inner {
    counters: Counters,
    faults: Vec<(Operation, u64)>,
    violation: Option<Violation>,
    read_words: Bits,
    chooser: Chooser,
    decisions: Vec<Decision>,
    flickers: usize,
}

impl Rig {
    /// A rig for a medium of this shape.
    pub fn new(geometry: Geometry) -> Self {
        let words = geometry.capacity.div_ceil(8) as usize;
        let sectors = geometry.capacity / u64::from(geometry.erase_unit);
        Self {
            geometry,
            inner: RefCell::new(Inner {
                counters: Counters {
                    sector_erases: vec![0; sectors as usize],
                    ..Counters::default()
                },
                faults: Vec::new(),
                violation: None,
                read_words: Bits::new(words),
                chooser: Chooser::Pattern(Pattern::New),
                decisions: Vec::new(),
                flickers: 0,
            }),
            journal: None,
            tearing: Tearing::default(),
        }
    }

    /// The shape of the medium.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// What the store cost so far.
    pub fn counters(&self) -> Counters {
        self.inner.borrow().counters.clone()
    }

    /// The first promise that the store broke.
    pub fn violation(&self) -> Option<Violation> {
        self.inner.borrow().violation
    }

    /// Makes the `nth` operation of this kind from now fail, 0 being the next.
    pub fn fail_nth(&self, operation: Operation, nth: u64) {
        self.inner.borrow_mut().faults.push((operation, nth));
    }

    /// Starts to keep a journal, or starts it anew.
    pub fn start_journal(&mut self) {
        self.journal = Some(Vec::new());
    }

    /// The journal since it was started; empty where none is kept.
    pub fn journal(&self) -> &[Event] {
        self.journal.as_deref().unwrap_or_default()
    }

    /// Who decides from here on.
    pub fn set_chooser(&self, chooser: Chooser) {
        self.inner.borrow_mut().chooser = chooser;
    }

    /// The chooser in its present state.
    pub fn chooser(&self) -> Chooser {
        self.inner.borrow().chooser.clone()
    }

    /// What was decided so far, in order.
    pub fn decisions(&self) -> Vec<Decision> {
        self.inner.borrow().decisions.clone()
    }

    /// The 8-byte words read so far, by number.
    pub fn words_read(&self) -> Bits {
        self.inner.borrow().read_words.clone()
    }

    /// Forgets what was read.
    pub fn forget_reads(&self) {
        self.inner.borrow_mut().read_words.clear();
    }

    pub(super) fn decide(&self, site: Site) -> usize {
        let mut inner = self.inner.borrow_mut();
        let choice = inner.chooser.choose(site);
        inner.decisions.push(Decision { site, choice });
        choice
    }

    /// Whether a torn unit may still change its reading.
    pub(super) fn may_flicker(&self) -> bool {
        self.inner.borrow().flickers < self.tearing.flickers
    }

    pub(super) fn flickered(&self) {
        self.inner.borrow_mut().flickers += 1;
    }

    pub(super) fn record(&mut self, event: impl FnOnce() -> Event) {
        if let Some(journal) = &mut self.journal {
            journal.push(event());
        }
    }

    pub(super) fn broke(&self, violation: Violation) -> SimError {
        let mut inner = self.inner.borrow_mut();
        let first = *inner.violation.get_or_insert(violation);
        SimError::Violation(first)
    }

    /// Checks range and alignment, counts, and says whether to fail.
    pub(super) fn admit(&self, operation: Operation, at: u64, len: u64) -> Result<(), SimError> {
        let unit = match operation {
            Operation::Write => u64::from(self.geometry.write_unit),
            Operation::Erase => u64::from(self.geometry.erase_unit),
            Operation::Read | Operation::Flush => 1,
        };
        if at
            .checked_add(len)
            .is_none_or(|end| end > self.geometry.capacity)
        {
            return Err(self.broke(Violation::OutOfRange { operation, at, len }));
        }
        if !at.is_multiple_of(unit) || !len.is_multiple_of(unit) {
            return Err(self.broke(Violation::Unaligned { operation, at, len }));
        }
        let mut inner = self.inner.borrow_mut();
        inner.count(operation, at, len, unit);
        if operation != Operation::Read
            && let Some(violation) = inner.violation
        {
            return Err(SimError::Violation(violation));
        }
        inner.injected(operation)
    }
}

impl Inner {
    fn count(&mut self, operation: Operation, at: u64, len: u64, unit: u64) {
        let counters = &mut self.counters;
        match operation {
            Operation::Read => {
                counters.reads += 1;
                counters.bytes_read += len;
                if len > 0 {
                    for word in at / 8..=(at + len - 1) / 8 {
                        self.read_words.set(word as usize, true);
                    }
                }
            }
            Operation::Write => {
                counters.writes += 1;
                counters.bytes_written += len;
                counters.units_programmed += len / unit;
            }
            Operation::Erase => {
                counters.erases += 1;
                for sector in at / unit..(at + len) / unit {
                    counters.sector_erases[sector as usize] += 1;
                }
            }
            Operation::Flush => counters.flushes += 1,
        }
    }

    fn injected(&mut self, operation: Operation) -> Result<(), SimError> {
        let mut fail = false;
        self.faults.retain_mut(|(kind, nth)| {
            if *kind != operation {
                return true;
            }
            if *nth == 0 {
                fail = true;
                return false;
            }
            *nth -= 1;
            true
        });
        if fail {
            return Err(SimError::Injected(operation));
        }
        Ok(())
    }
}
