//! The simulated flash: counts everything, and refuses what NOR flash cannot
//! do.

use std::cell::{Ref, RefCell};
use std::rc::Rc;

/// What the flash is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Erase units.
    pub sectors: usize,
    /// Bytes in each.
    pub sector: usize,
    /// Bytes programmed at a time.
    pub word: usize,
}

impl Shape {
    /// Bytes in all.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.sectors * self.sector
    }
}

/// What happened to the flash so far. All only ever grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Words programmed.
    pub words: u64,
    /// Sectors erased.
    pub erases: u64,
    /// Reads.
    pub reads: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Words programmed that were to set bits, or once too often, where the flash
    /// does not refuse that.
    pub overprograms: u64,
}

impl Counts {
    /// What happened since `before`.
    #[must_use]
    pub fn since(&self, before: &Counts) -> Counts {
        Counts {
            words: self.words - before.words,
            erases: self.erases - before.erases,
            reads: self.reads - before.reads,
            bytes_read: self.bytes_read - before.bytes_read,
            overprograms: self.overprograms - before.overprograms,
        }
    }
}

/// Why the flash refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Outside the flash.
    OutOfRange,
    /// Not whole words, or not whole sectors.
    Unaligned,
    /// A bit was to go from 0 to 1 without an erase.
    SetsBits,
    /// A word was programmed more often between erases than its user says.
    TooOften,
    /// More operations than a store needs that makes progress.
    Exhausted,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::OutOfRange => "outside the flash",
            Self::Unaligned => "not whole words or sectors",
            Self::SetsBits => "sets bits that only an erase sets",
            Self::TooOften => "a word programmed too often between erases",
            Self::Exhausted => "operations without end",
        })
    }
}

impl std::error::Error for Refused {}

/// One operation that changed the flash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Whole words, programmed one after the other.
    Program {
        /// The first byte.
        at: usize,
        /// What was asked for: the flash keeps the bits that were 0.
        bytes: Vec<u8>,
    },
    /// One sector.
    Erase {
        /// Its number.
        sector: usize,
    },
}

/// Errors that an exhausted flash returns before it unwinds: who does not stop
/// by then never would.
const PATIENCE: u32 = 10_000;

/// What an exhausted flash unwinds with.
pub struct Endless;

struct Nor {
    shape: Shape,
    bytes: Vec<u8>,
    /// How often each word was programmed since its erase.
    programs: Vec<u8>,
    /// How often a word may be.
    programs_max: u8,
    /// Programs what it should not, as a chip does that says nothing.
    lenient: bool,
    /// The most that one was.
    programs_seen: u8,
    erases: Vec<u64>,
    counts: Counts,
    journal: Option<Vec<Change>>,
    /// Operations left.
    budget: u64,
    patience: u32,
}

/// A handle on simulated flash; clones are the same flash.
#[derive(Clone)]
pub struct Flash(Rc<RefCell<Nor>>);

impl Flash {
    /// Blank flash whose words are programmed at most `programs_max` times
    /// between erases.
    #[must_use]
    pub fn new(shape: Shape, programs_max: u8) -> Self {
        Self::holding(shape, programs_max, vec![0xFF; shape.capacity()])
    }

    /// Flash that holds `bytes`. A word that is not blank counts as programmed
    /// once.
    ///
    /// # Panics
    /// Where `bytes` is not as long as the flash.
    #[must_use]
    pub fn holding(shape: Shape, programs_max: u8, bytes: Vec<u8>) -> Self {
        assert_eq!(bytes.len(), shape.capacity());
        let programs = bytes
            .chunks_exact(shape.word)
            .map(|word| u8::from(word.iter().any(|byte| *byte != 0xFF)))
            .collect();
        Self(Rc::new(RefCell::new(Nor {
            shape,
            bytes,
            programs,
            programs_max,
            lenient: false,
            programs_seen: 0,
            erases: vec![0; shape.sectors],
            counts: Counts::default(),
            journal: None,
            budget: u64::MAX,
            patience: PATIENCE,
        })))
    }

    /// From now on programs what it should not, as most chips do: bits are only
    /// ever cleared, and nothing is said.
    pub fn be_lenient(&self) {
        self.0.borrow_mut().lenient = true;
    }

    /// What it is made of.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.0.borrow().shape
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.borrow().counts
    }

    /// Erases of each sector so far.
    #[must_use]
    pub fn erases(&self) -> Vec<u64> {
        self.0.borrow().erases.clone()
    }

    /// The most that any word was programmed between two erases.
    #[must_use]
    pub fn programs_seen(&self) -> u8 {
        self.0.borrow().programs_seen
    }

    /// What it holds now.
    #[must_use]
    pub fn image(&self) -> Ref<'_, [u8]> {
        Ref::map(self.0.borrow(), |nor| nor.bytes.as_slice())
    }

    /// How often each of its words was programmed since its erase.
    #[must_use]
    pub fn programs(&self) -> Vec<u8> {
        self.0.borrow().programs.clone()
    }

    /// Says how often each word was programmed: for a copy of other flash.
    pub fn set_programs(&self, programs: &[u8]) {
        self.0.borrow_mut().programs.copy_from_slice(programs);
    }

    /// Refuses everything after this many more operations. With `unwinds` it
    /// unwinds with [`Endless`] if that does not end the work either.
    pub fn allow(&self, operations: u64, unwinds: bool) {
        let mut nor = self.0.borrow_mut();
        nor.budget = operations;
        nor.patience = if unwinds { PATIENCE } else { u32::MAX };
    }

    /// Whether operations were refused because there were too many.
    #[must_use]
    pub fn exhausted(&self) -> bool {
        self.0.borrow().budget == 0
    }

    /// Notes every change from now on.
    pub fn record(&self) {
        self.0.borrow_mut().journal = Some(Vec::new());
    }

    /// The changes since the last call, in order.
    pub fn take_journal(&self) -> Vec<Change> {
        let mut nor = self.0.borrow_mut();
        nor.journal.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Fills `buf` from `at`.
    ///
    /// # Errors
    /// Out of range.
    pub fn read(&self, at: usize, buf: &mut [u8]) -> Result<(), Refused> {
        let mut nor = self.0.borrow_mut();
        nor.spend()?;
        let range = nor.range(at, buf.len())?;
        buf.copy_from_slice(&nor.bytes[range]);
        nor.counts.reads += 1;
        nor.counts.bytes_read += buf.len() as u64;
        Ok(())
    }

    /// Programs whole words.
    ///
    /// # Errors
    /// What NOR flash cannot do, or what this user said that it never does.
    pub fn program(&self, at: usize, bytes: &[u8]) -> Result<(), Refused> {
        let mut nor = self.0.borrow_mut();
        nor.spend()?;
        let range = nor.range(at, bytes.len())?;
        let word = nor.shape.word;
        if !at.is_multiple_of(word) || !bytes.len().is_multiple_of(word) {
            return Err(Refused::Unaligned);
        }
        let words = at / word..(at + bytes.len()) / word;
        for (number, new) in words.clone().zip(bytes.chunks_exact(word)) {
            let old = &nor.bytes[number * word..][..word];
            let refused = if old.iter().zip(new).any(|(old, new)| new & !old != 0) {
                Refused::SetsBits
            } else if nor.programs[number] >= nor.programs_max {
                Refused::TooOften
            } else {
                continue;
            };
            if !nor.lenient {
                return Err(refused);
            }
            nor.counts.overprograms += 1;
        }
        for times in words.clone() {
            nor.programs[times] = nor.programs[times].saturating_add(1);
            nor.programs_seen = nor.programs_seen.max(nor.programs[times]);
        }
        for (old, new) in nor.bytes[range].iter_mut().zip(bytes) {
            *old &= new;
        }
        nor.counts.words += words.len() as u64;
        if let Some(journal) = &mut nor.journal {
            journal.push(Change::Program {
                at,
                bytes: bytes.to_vec(),
            });
        }
        Ok(())
    }

    /// Programs any bytes: the words that they lie in, with what stands around
    /// them, as a driver of such flash does.
    ///
    /// # Errors
    /// As [`Flash::program`].
    pub fn program_bytes(&self, at: usize, bytes: &[u8]) -> Result<(), Refused> {
        let word = self.shape().word;
        let begin = at - at % word;
        let end = (at + bytes.len()).next_multiple_of(word);
        let mut padded = {
            let nor = self.0.borrow();
            let range = nor.range(begin, end - begin)?;
            nor.bytes[range].to_vec()
        };
        padded[at - begin..at - begin + bytes.len()].copy_from_slice(bytes);
        self.program(begin, &padded)
    }

    /// Erases `len` bytes from `at`, whole sectors.
    ///
    /// # Errors
    /// Out of range, or not aligned.
    pub fn erase(&self, at: usize, len: usize) -> Result<(), Refused> {
        let mut nor = self.0.borrow_mut();
        nor.spend()?;
        nor.range(at, len)?;
        let Shape { sector, word, .. } = nor.shape;
        if !at.is_multiple_of(sector) || !len.is_multiple_of(sector) {
            return Err(Refused::Unaligned);
        }
        for number in at / sector..(at + len) / sector {
            nor.bytes[number * sector..][..sector].fill(0xFF);
            nor.programs[number * sector / word..][..sector / word].fill(0);
            nor.erases[number] += 1;
            nor.counts.erases += 1;
            if let Some(journal) = &mut nor.journal {
                journal.push(Change::Erase { sector: number });
            }
        }
        Ok(())
    }
}

impl Nor {
    fn range(&self, at: usize, len: usize) -> Result<std::ops::Range<usize>, Refused> {
        match at.checked_add(len) {
            Some(end) if end <= self.bytes.len() => Ok(at..end),
            _ => Err(Refused::OutOfRange),
        }
    }

    fn spend(&mut self) -> Result<(), Refused> {
        if let Some(left) = self.budget.checked_sub(1) {
            self.budget = left;
            return Ok(());
        }
        if self.patience == 0 {
            std::panic::panic_any(Endless);
        }
        self.patience -= 1;
        Err(Refused::Exhausted)
    }
}

#[cfg(test)]
mod tests {
    use super::{Flash, Refused, Shape};

    const SHAPE: Shape = Shape {
        sectors: 2,
        sector: 16,
        word: 4,
    };

    #[test]
    fn counts_what_happens() {
        let flash = Flash::new(SHAPE, 1);
        flash.program(4, &[1; 8]).unwrap();
        flash.read(3, &mut [0; 7]).unwrap();
        flash.erase(0, 32).unwrap();
        let counts = flash.counts();
        assert_eq!((counts.words, counts.erases), (2, 2));
        assert_eq!((counts.reads, counts.bytes_read), (1, 7));
        assert_eq!(flash.erases(), [1, 1]);
    }

    #[test]
    fn refuses_what_flash_cannot_do() {
        let flash = Flash::new(SHAPE, 2);
        assert_eq!(flash.program(2, &[0; 4]), Err(Refused::Unaligned));
        assert_eq!(flash.program(0, &[0; 3]), Err(Refused::Unaligned));
        assert_eq!(flash.program(32, &[0; 4]), Err(Refused::OutOfRange));
        assert_eq!(flash.erase(8, 16), Err(Refused::Unaligned));
        flash.program(0, &[0x0F; 4]).unwrap();
        assert_eq!(flash.program(0, &[0x1F; 4]), Err(Refused::SetsBits));
        flash.program(0, &[0x0E; 4]).unwrap();
        assert_eq!(flash.program(0, &[0; 4]), Err(Refused::TooOften));
    }

    #[test]
    fn lenient_flash_counts_what_it_should_refuse() {
        let flash = Flash::new(SHAPE, 1);
        flash.be_lenient();
        flash.program(0, &[0x0F; 8]).unwrap();
        flash.program(0, &[0x1E; 4]).unwrap();
        assert_eq!(flash.counts().overprograms, 1);
        assert_eq!(flash.image()[..5], [0x0E, 0x0E, 0x0E, 0x0E, 0x0F]);
    }

    #[test]
    fn bytes_take_their_words_along() {
        let flash = Flash::new(SHAPE, 2);
        flash.program_bytes(3, &[1, 2]).unwrap();
        assert_eq!(flash.counts().words, 2);
        assert_eq!(flash.image()[2..6], [0xFF, 1, 2, 0xFF]);
    }

    #[test]
    fn an_exhausted_flash_refuses() {
        let flash = Flash::new(SHAPE, 1);
        flash.allow(1, true);
        flash.read(0, &mut [0]).unwrap();
        assert_eq!(flash.read(0, &mut [0]), Err(Refused::Exhausted));
    }
}
