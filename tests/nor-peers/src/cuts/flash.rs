//! What the flash holds after a cut.

use crate::engine::Engine;
use crate::nor::{Change, Flash};

use super::SHAPE;

/// What a cut does to the change that it hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// Nothing: it falls between two words.
    Clean,
    /// Any of the bits that a word was to clear are cleared.
    TornWord,
    /// Any of a sector's bits are set.
    TornErase,
}

impl Model {
    /// All of them.
    pub const ALL: [Model; 3] = [Model::Clean, Model::TornWord, Model::TornErase];

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Clean => "between words",
            Self::TornWord => "torn word",
            Self::TornErase => "torn erase",
        }
    }
}

/// One word programmed, or one sector erased: what a cut can hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Atom {
    /// A word, and what it was to become.
    Word {
        /// Its first byte.
        at: usize,
        /// What is programmed.
        word: [u8; SHAPE.word],
    },
    /// A sector.
    Erase {
        /// Its number.
        sector: usize,
    },
}

/// The pieces of what a store did, in order.
#[must_use]
pub fn atoms(journal: &[Change]) -> Vec<Atom> {
    let mut atoms = Vec::new();
    for change in journal {
        match change {
            Change::Erase { sector } => atoms.push(Atom::Erase { sector: *sector }),
            Change::Program { at, bytes } => {
                for (number, word) in bytes.chunks_exact(SHAPE.word).enumerate() {
                    let mut copy = [0; SHAPE.word];
                    copy.copy_from_slice(word);
                    atoms.push(Atom::Word {
                        at: at + number * SHAPE.word,
                        word: copy,
                    });
                }
            }
        }
    }
    atoms
}

/// The flash up to some moment.
#[derive(Clone)]
pub struct Cut {
    bytes: Vec<u8>,
    programs: Vec<u8>,
    programs_max: u8,
}

impl Cut {
    /// The flash as it is.
    #[must_use]
    pub fn of(flash: &Flash, programs_max: u8) -> Self {
        Self {
            bytes: flash.image().to_vec(),
            programs: flash.programs(),
            programs_max,
        }
    }

    /// The power comes back.
    #[must_use]
    pub fn flash(&self) -> Flash {
        let flash = Flash::holding(SHAPE, self.programs_max, self.bytes.clone());
        flash.set_programs(&self.programs);
        flash
    }

    /// Something is done whole.
    pub fn apply(&mut self, atom: &Atom) {
        match atom {
            Atom::Word { at, word } => {
                for (old, new) in self.bytes[*at..].iter_mut().zip(word) {
                    *old &= new;
                }
                let programs = &mut self.programs[at / SHAPE.word];
                *programs = programs.saturating_add(1);
            }
            Atom::Erase { sector } => {
                self.bytes[sector * SHAPE.sector..][..SHAPE.sector].fill(0xFF);
                self.words_of(*sector).fill(0);
            }
        }
    }

    /// Something is begun, and how far it came `random` says.
    pub fn tear(&mut self, atom: &Atom, random: &mut fastrand::Rng) {
        let (range, target) = match atom {
            Atom::Word { at, word } => (*at..at + SHAPE.word, Some(word)),
            Atom::Erase { sector } => {
                let begin = sector * SHAPE.sector;
                (begin..begin + SHAPE.sector, None)
            }
        };
        let mask = Mask::any(random);
        let len = range.len();
        for at in range.clone() {
            let moved = mask.byte(at - range.start, len, random);
            let old = self.bytes[at];
            self.bytes[at] = match target {
                Some(word) => old & (word[at - range.start] | !moved),
                None => old | moved,
            };
        }
        for number in range.start / SHAPE.word..range.end / SHAPE.word {
            let blank = self.bytes[number * SHAPE.word..][..SHAPE.word] == [0xFF; SHAPE.word];
            let programs = &mut self.programs[number];
            // An interrupted program does not count for those that may program
            // a word twice, as one of them words it.
            *programs = match (blank, self.programs_max) {
                (true, _) => 0,
                (false, 1) => 1,
                (false, _) => *programs,
            };
        }
    }

    fn words_of(&mut self, sector: usize) -> &mut [u8] {
        let words = SHAPE.sector / SHAPE.word;
        &mut self.programs[sector * words..][..words]
    }
}

/// Which bits of a torn unit moved.
enum Mask {
    /// Each by itself.
    Bits,
    /// Each of them but one in this many.
    AllBut(u32),
    /// One in this many.
    Few(u32),
    /// Those in front, in 256ths.
    Front(u8),
}

impl Mask {
    fn any(random: &mut fastrand::Rng) -> Self {
        match random.u8(..5) {
            0 => Self::AllBut(1 << random.u32(3..12)),
            1 => Self::Few(1 << random.u32(3..12)),
            2 => Self::Front(random.u8(..)),
            _ => Self::Bits,
        }
    }

    fn byte(&self, at: usize, len: usize, random: &mut fastrand::Rng) -> u8 {
        match self {
            Self::Bits => random.u8(..),
            Self::AllBut(share) => !sparse(*share, random),
            Self::Few(share) => sparse(*share, random),
            Self::Front(part) if at * 256 < usize::from(*part) * len => 0xFF,
            Self::Front(_) => 0,
        }
    }
}

/// Each bit set with a chance of one in `share`.
fn sparse(share: u32, random: &mut fastrand::Rng) -> u8 {
    (0..8).fold(0, |byte, bit| {
        byte | u8::from(random.u32(..share) == 0) << bit
    })
}

/// Does not let `engine` go on for ever. Of the peers it takes what it should
/// refuse, as most chips do, and counts it: what comes of it shows.
pub fn bounded(flash: &Flash, engine: &dyn Engine) {
    flash.allow(3_000_000, engine.unwinds());
    if !engine.is_ours() {
        flash.be_lenient();
    }
}
