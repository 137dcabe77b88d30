//! NOR flash in lent memory, whose power can be cut at every step.

use crate::random::Random;
use core::ops::Range;
use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read,
    check_write,
};

/// The longest write unit in bytes.
pub const UNIT_MAX: usize = 512;

/// What an erased byte reads as.
const BLANK: u8 = 0xFF;

/// One step of the flash: what a cut can interrupt.
#[derive(Clone, Copy, Debug)]
pub enum Step<'s> {
    /// The write unit at this address is programmed with these bytes.
    Program {
        /// Its address in bytes.
        at: usize,
        /// What it is to hold.
        new: &'s [u8],
    },
    /// The sector at this address is erased.
    Erase {
        /// Its address in bytes.
        at: usize,
        /// Its length in bytes.
        len: usize,
    },
}

/// What becomes of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is done.
    Done,
    /// The power goes while it is done. What it leaves follows from the number.
    Cut(u64),
}

/// Looks on, and decides when the power goes.
pub trait Witness {
    /// A step is about to be done.
    fn before(&mut self, image: &Image<'_>, step: Step<'_>) -> Fate;
}

/// Nobody looks, and the power stays on.
impl Witness for () {
    fn before(&mut self, _: &Image<'_>, _: Step<'_>) -> Fate {
        Fate::Done
    }
}

impl<W: Witness> Witness for &mut W {
    fn before(&mut self, image: &Image<'_>, step: Step<'_>) -> Fate {
        (**self).before(image, step)
    }
}

/// Why an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The power is gone.
    Off,
    /// The unit at this address is not erased, or what it holds is uncertain:
    /// the store broke its promise.
    NotErased(u32),
    /// Alignment or bounds.
    Arguments(NorFlashErrorKind),
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Off => f.write_str("the power is gone"),
            Self::NotErased(at) => write!(f, "the unit at {at} is not erased"),
            Self::Arguments(kind) => kind.fmt(f),
        }
    }
}

impl core::error::Error for Fault {}

impl NorFlashError for Fault {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Off | Self::NotErased(_) => NorFlashErrorKind::Other,
            Self::Arguments(kind) => *kind,
        }
    }
}

/// A unit whose programming was cut: each of its bits arrived or did not, and
/// every look may show it otherwise until it is erased.
#[derive(Clone, Debug)]
struct Torn {
    at: usize,
    len: usize,
    old: [u8; UNIT_MAX],
    new: [u8; UNIT_MAX],
    random: Random,
}

impl Torn {
    fn range(&self) -> Range<usize> {
        self.at..self.at + self.len
    }
}

/// What the flash holds, with or without power.
#[derive(Debug)]
pub struct Image<'a> {
    bytes: &'a mut [u8],
    /// A bit for each unit that must be erased before it is programmed.
    used: &'a mut [u8],
    unit: usize,
    torn: Option<Torn>,
}

impl<'a> Image<'a> {
    /// Blank flash with write units of `unit` bytes. `used` holds one bit for
    /// each.
    ///
    /// # Panics
    /// If the unit is longer than [`UNIT_MAX`], or `used` is too short.
    pub fn blank(bytes: &'a mut [u8], used: &'a mut [u8], unit: usize) -> Self {
        assert!(unit <= UNIT_MAX && used.len() * 8 * unit >= bytes.len());
        bytes.fill(BLANK);
        used.fill(0);
        Self {
            bytes,
            used,
            unit,
            torn: None,
        }
    }

    /// Makes this a copy of flash of the same size.
    pub fn copy(&mut self, from: &Image<'_>) {
        self.bytes.copy_from_slice(from.bytes);
        self.used.copy_from_slice(from.used);
        self.unit = from.unit;
        self.torn.clone_from(&from.torn);
    }

    fn is_used(&self, unit: usize) -> bool {
        self.used[unit / 8] >> (unit % 8) & 1 == 1
    }

    fn use_unit(&mut self, unit: usize) {
        self.used[unit / 8] |= 1 << (unit % 8);
    }

    fn program(&mut self, at: usize, new: &[u8]) {
        for (old, new) in self.bytes[at..].iter_mut().zip(new) {
            *old &= new;
        }
        self.use_unit(at / self.unit);
    }

    fn erase(&mut self, at: usize, len: usize) {
        self.bytes[at..at + len].fill(BLANK);
        for unit in at / self.unit..(at + len) / self.unit {
            self.used[unit / 8] &= !(1 << (unit % 8));
        }
        if self
            .torn
            .as_ref()
            .is_some_and(|torn| torn.at >= at && torn.at < at + len)
        {
            self.torn = None;
        }
    }

    /// Leaves what a cut in the midst of `step` leaves.
    pub fn tear(&mut self, step: Step<'_>, seed: u64) {
        let mut random = Random::new(seed);
        match step {
            Step::Program { at, new } => self.tear_unit(at, new, random),
            Step::Erase { at, len } => {
                half_erase(&mut self.bytes[at..at + len], &mut random);
                for unit in at / self.unit..(at + len) / self.unit {
                    self.use_unit(unit);
                }
                if self
                    .torn
                    .as_ref()
                    .is_some_and(|torn| torn.at >= at && torn.at < at + len)
                {
                    self.torn = None;
                }
            }
        }
    }

    fn tear_unit(&mut self, at: usize, new: &[u8], random: Random) {
        // Two torn units at once would need two cuts without an erase between
        // them; the older one keeps what it shows now.
        let mut torn = Torn {
            at,
            len: new.len(),
            old: [BLANK; UNIT_MAX],
            new: [BLANK; UNIT_MAX],
            random,
        };
        torn.old[..new.len()].copy_from_slice(&self.bytes[at..at + new.len()]);
        torn.new[..new.len()].copy_from_slice(new);
        self.use_unit(at / self.unit);
        self.torn = Some(torn);
        self.flicker();
    }

    /// The torn unit, if there is one, shows another of its readings.
    pub fn flicker(&mut self) {
        let Some(torn) = &mut self.torn else {
            return;
        };
        // All, none, a prefix, or each bit with a chance of 1/8 to 7/8.
        let style = torn.random.below(10);
        let split = torn.random.up_to(torn.len);
        for i in 0..torn.len {
            let arrived = match style {
                0 => 0x00,
                1 => 0xFF,
                2 if i < split => 0xFF,
                2 => 0x00,
                _ => chance(&mut torn.random, style - 2),
            };
            self.bytes[torn.at + i] = torn.old[i] & !arrived | torn.new[i] & arrived;
        }
    }
}

/// Eight bits, each set with a chance of `eighths` in eight.
fn chance(random: &mut Random, eighths: u32) -> u8 {
    (0..8).fold(0, |bits, i| bits | u8::from(random.below(8) < eighths) << i)
}

/// What a sector can hold whose erase was cut: anything.
fn half_erase(bytes: &mut [u8], random: &mut Random) {
    let split = random.up_to(bytes.len());
    match random.below(8) {
        0 => {}
        1 => bytes.fill(BLANK),
        2 => bytes[..split].fill(BLANK),
        3 => bytes[split..].fill(BLANK),
        4 => random.fill(bytes),
        5 => bytes.fill(!BLANK),
        // Bits on their way to blank, many or few of them there.
        eighths => bytes
            .iter_mut()
            .for_each(|byte| *byte |= chance(random, eighths)),
    }
}

/// The driver of the flash while there is power.
#[derive(Debug)]
pub struct Flash<'f, 'a, W, const UNIT: usize, const SECTOR: usize> {
    image: &'f mut Image<'a>,
    witness: W,
    /// Looks at a torn unit until it shows another reading, once.
    flicker: Option<u32>,
    off: bool,
}

impl<'f, 'a, W: Witness, const UNIT: usize, const SECTOR: usize> Flash<'f, 'a, W, UNIT, SECTOR> {
    /// Turns the power on. With `flicker` a torn unit shows another reading
    /// after so many looks, once.
    ///
    /// # Panics
    /// If the image has other units.
    pub fn new(image: &'f mut Image<'a>, witness: W, flicker: Option<u32>) -> Self {
        assert_eq!(image.unit, UNIT);
        Self {
            image,
            witness,
            flicker,
            off: false,
        }
    }

    fn powered(&self) -> Result<(), Fault> {
        if self.off { Err(Fault::Off) } else { Ok(()) }
    }

    /// The torn unit is looked at.
    fn look(&mut self) {
        self.flicker = match self.flicker {
            Some(0) => {
                self.image.flicker();
                None
            }
            Some(looks) => Some(looks - 1),
            None => None,
        };
    }

    /// Asks the witness; what is cut is torn.
    fn may(&mut self, step: Step<'_>) -> Result<(), Fault> {
        match self.witness.before(self.image, step) {
            Fate::Done => Ok(()),
            Fate::Cut(seed) => {
                self.off = true;
                self.image.tear(step, seed);
                Err(Fault::Off)
            }
        }
    }
}

impl<W, const UNIT: usize, const SECTOR: usize> ErrorType for Flash<'_, '_, W, UNIT, SECTOR> {
    type Error = Fault;
}

impl<W: Witness, const UNIT: usize, const SECTOR: usize> ReadNorFlash
    for Flash<'_, '_, W, UNIT, SECTOR>
{
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        self.powered()?;
        check_read(self, offset, bytes.len()).map_err(Fault::Arguments)?;
        let at = offset as usize;
        let end = at + bytes.len();
        let torn = self.image.torn.as_ref().map(Torn::range);
        if torn.is_some_and(|torn| torn.start < end && at < torn.end) {
            self.look();
        }
        bytes.copy_from_slice(&self.image.bytes[at..end]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.image.bytes.len()
    }
}

impl<W: Witness, const UNIT: usize, const SECTOR: usize> NorFlash
    for Flash<'_, '_, W, UNIT, SECTOR>
{
    const WRITE_SIZE: usize = UNIT;
    const ERASE_SIZE: usize = SECTOR;

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Fault> {
        self.powered()?;
        check_write(self, offset, bytes.len()).map_err(Fault::Arguments)?;
        for (i, new) in bytes.chunks_exact(UNIT).enumerate() {
            let at = offset as usize + i * UNIT;
            if self.image.is_used(at / UNIT) {
                return Err(Fault::NotErased(at as u32));
            }
            self.may(Step::Program { at, new })?;
            self.image.program(at, new);
        }
        Ok(())
    }

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        self.powered()?;
        check_erase(self, from, to).map_err(Fault::Arguments)?;
        for at in (from as usize..to as usize).step_by(SECTOR) {
            self.may(Step::Erase { at, len: SECTOR })?;
            self.image.erase(at, SECTOR);
        }
        Ok(())
    }
}
